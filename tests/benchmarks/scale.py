"""How often things are measured: enough for a page, or once to see that the benchmarks run."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Scale:
    """Repetitions and lengths."""

    repetitions: int = 25
    """Of what takes microseconds."""
    reads: int = 500
    """Over a socket."""
    changes: int = 5
    """Of the limit, each with its pauses."""
    starts: int = 5
    """Of a process with a Home Assistant of its own."""
    polls: int = 300
    """In a row, without pauses."""
    entries: int = 10
    """Of which one's memory is the slope."""
    hours: int = 24
    """Of the recorded day."""
    devices: tuple[tuple[int, int], ...] = ((1, 30), (10, 30), (50, 30), (1, 5), (10, 5))
    """How many in one Home Assistant, and their refresh interval (s)."""
    intervals: int = 3
    """So many refresh intervals is the growth watched, and no less than `watched`."""
    watched: float = 60.0
    """s."""
    settled: float = 15.0
    """s after setup before that begins."""


FULL: Final = Scale()
SMALLEST: Final = Scale(
    repetitions=2,
    reads=5,
    changes=1,
    starts=1,
    polls=5,
    entries=2,
    hours=1,
    devices=((1, 5), (2, 5)),
    intervals=2,
    watched=11.0,
    settled=0.0,
)
"""For the test that the benchmarks run."""
