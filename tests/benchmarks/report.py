"""Figures of a benchmark as Markdown tables: median, spread, goal."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

_DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class Goal:
    """Upper limit of a figure in its unit, or its exact value."""

    limit: float
    exactly: bool = False

    def is_met(self, value: float) -> bool:
        """Return whether a median meets the goal."""
        return value == self.limit if self.exactly else value <= self.limit

    def __str__(self) -> str:
        return f"{'' if self.exactly else '≤ '}{_number(self.limit)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity with all its samples."""

    name: str
    unit: str
    samples: Sequence[float]
    goal: Goal | None = None

    @property
    def median(self) -> float:
        """Median of the samples."""
        return median(self.samples)

    @property
    def missed(self) -> bool:
        """Whether the median misses the goal."""
        return self.goal is not None and not self.goal.is_met(self.median)

    def row(self) -> tuple[str, ...]:
        """Return the cells of the table row."""
        goal = "" if self.goal is None else f"{self.goal} {'**missed**' if self.missed else 'met'}"
        spread = f"{_number(min(self.samples))} – {_number(max(self.samples))}"
        return (
            self.name,
            f"{_number(self.median)} {self.unit}".rstrip(),
            spread,
            str(len(self.samples)),
            goal,
        )


@dataclass(slots=True)
class Table:
    """The figures of one subject, with a description of the method."""

    title: str
    method: str
    figures: list[Figure] = field(default_factory=list)

    def markdown(self) -> str:
        """Return the section for the page."""
        head = ("what", "median", "least – most", "n", "goal")
        lines = [f"| {' | '.join(row)} |" for row in (head, tuple("---" for _ in head))]
        lines += [f"| {' | '.join(figure.row())} |" for figure in self.figures]
        return f"## {self.title}\n\n{self.method}\n\n" + "\n".join(lines) + "\n"


def _number(value: float) -> str:
    """Return the number with three significant digits, or as an integer."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    magnitude = len(str(abs(int(value)))) if abs(value) >= 1 else 0
    return f"{value:,.{max(0, _DIGITS - magnitude)}f}" if abs(value) >= 0.001 else f"{value:.1e}"
