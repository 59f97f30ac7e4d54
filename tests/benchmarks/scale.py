"""Repetitions and durations of the benchmarks."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Scale:
    """Repetitions, and durations in seconds unless stated otherwise."""

    repetitions: int = 25
    """Of measurements that take microseconds."""
    reads: int = 500
    """Reads over a socket."""
    changes: int = 5
    """Commands of each kind, with the standard pauses."""
    starts: int = 5
    """New processes with a Home Assistant."""
    polls: int = 300
    """Consecutive polls without pauses."""
    entries: int = 10
    """Entries over which the memory slope is taken."""
    hours: int = 24
    """Hours of recording."""
    long_floods: bool = True
    """Whether a flood goes on for a day, or for an hour."""
    devices: tuple[tuple[int, int], ...] = ((1, 30), (10, 30), (50, 30), (1, 5), (10, 5))
    """Number of devices in one Home Assistant, and their refresh interval."""
    intervals: int = 3
    """Minimum duration of a growth measurement, in refresh intervals."""
    watched: float = 60.0
    """Minimum duration of a growth measurement."""
    settled: float = 15.0
    """From setup to the start of a growth measurement."""


FULL: Final = Scale()
SMALLEST: Final = Scale(
    repetitions=2,
    reads=5,
    changes=1,
    starts=1,
    polls=5,
    entries=2,
    hours=1,
    long_floods=False,
    devices=((1, 5), (2, 5)),
    intervals=2,
    watched=11.0,
    settled=0.0,
)
"""To check that the benchmarks run."""
