"""Figures of a benchmark as a person reads them: median, spread, goal."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

_DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is to stay below, in its unit, or the one value it is to have."""

    limit: float
    exactly: bool = False

    def is_met(self, value: float) -> bool:
        """Tell whether a median meets it."""
        return value == self.limit if self.exactly else value <= self.limit

    def __str__(self) -> str:
        return f"{'' if self.exactly else '≤ '}{_number(self.limit)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured, as often as it was."""

    name: str
    unit: str
    samples: Sequence[float]
    goal: Goal | None = None

    @property
    def median(self) -> float:
        """The middle of what was measured."""
        return median(self.samples)

    @property
    def missed(self) -> bool:
        """Whether there is a goal that the median does not meet."""
        return self.goal is not None and not self.goal.is_met(self.median)

    def row(self) -> tuple[str, ...]:
        """Return the cells of its row."""
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
    """The figures of one subject, and what has to be known to read them."""

    title: str
    method: str
    figures: list[Figure] = field(default_factory=list)

    def markdown(self) -> str:
        """Return the table as the page holds it."""
        head = ("what", "median", "least – most", "n", "goal")
        lines = [f"| {' | '.join(row)} |" for row in (head, tuple("---" for _ in head))]
        lines += [f"| {' | '.join(figure.row())} |" for figure in self.figures]
        return f"## {self.title}\n\n{self.method}\n\n" + "\n".join(lines) + "\n"


def _number(value: float) -> str:
    """Return the number with three significant digits, and whole where it is whole."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    magnitude = len(str(abs(int(value)))) if abs(value) >= 1 else 0
    return f"{value:,.{max(0, _DIGITS - magnitude)}f}" if abs(value) >= 0.001 else f"{value:.1e}"
