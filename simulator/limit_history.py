"""When the device armed a limit, and when nothing limited the export."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from custom_components.goodwe_sec1000.sec1000.model import ControlMode

_KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class Arming:
    """A limiting mode was switched on, perhaps not for the first time."""

    time: float
    """Seconds on the simulator's clock."""
    mode: ControlMode
    limit: int | None
    """In force from then on, in W; None in RCR and DRED, whose receivers decide."""


@dataclass(frozen=True, slots=True)
class UnlimitedInterval:
    """From `start` to `end`, in seconds on the simulator's clock, nothing limited the export."""

    start: float
    end: float | None
    """None if it lasts."""


class LimitHistory:
    """The last armings and intervals without a limit, oldest first.

    RCR and DRED count as limits here, although their receivers are idle.
    """

    def __init__(self) -> None:
        self._armings: deque[Arming] = deque(maxlen=_KEPT)
        self._unlimited: deque[UnlimitedInterval] = deque(maxlen=_KEPT)

    @property
    def armings(self) -> tuple[Arming, ...]:
        """The armings, the one with which the device started included."""
        return tuple(self._armings)

    @property
    def unlimited(self) -> tuple[UnlimitedInterval, ...]:
        """The intervals without a limit."""
        return tuple(self._unlimited)

    @property
    def is_unlimited(self) -> bool:
        """Whether nothing limits the export now."""
        return bool(self._unlimited) and self._unlimited[-1].end is None

    def armed_at(self, limit: int, since: float) -> float | None:
        """Return when this limit (W) was first armed after `since` (s); None if it was not."""
        return next(
            (arming.time for arming in self._armings if arming.time >= since and arming.limit == limit), None
        )

    def unlimited_seconds(self, since: float, until: float) -> float:
        """Return how long nothing limited the export between two moments (s)."""
        return sum(
            max(0.0, min(until, until if gap.end is None else gap.end) - max(since, gap.start))
            for gap in self._unlimited
        )

    def arm(self, now: float, mode: ControlMode, limit: int | None) -> None:
        """Record an arming."""
        self._armings.append(Arming(now, mode, limit))
        if self.is_unlimited:
            self._unlimited.append(UnlimitedInterval(self._unlimited.pop().start, now))

    def release(self, now: float) -> None:
        """Record that from now on nothing limits the export."""
        if not self.is_unlimited:
            self._unlimited.append(UnlimitedInterval(now, None))
