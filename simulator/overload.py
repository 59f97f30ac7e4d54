"""How much a device bears before it answers nonsense and then nothing until it is restarted.

Known of real devices: four requests back to back are survived, polls faster than every 5 s for
long are not (docs/protocol.md, "Transport"). The numbers here are a guess between the two.
"""

from enum import Enum, auto
from typing import Final

_DRAIN: Final = 1.0
"""Requests per second that never tire it."""
_BURST: Final = 24.0
"""Requests above that rate which tire it out."""
_BACK_TO_BACK: Final = 0.05
"""s; requests closer than this are back to back."""
_BACK_TO_BACK_BORNE: Final = 6
_BACK_TO_BACK_COST: Final = 4.0
_CROWD_COST: Final = 2.0
"""For each other connection above one that is open when a request arrives."""
_NONSENSE: Final = 3
"""Requests that are answered with nonsense before silence begins."""


class Mood(Enum):
    """How the device takes a request."""

    WELL = auto()
    NONSENSE = auto()
    SILENT = auto()


class Patience:
    """A leaky bucket: every request fills it, time drains it, and full means exhausted."""

    def __init__(self, *, drain: float = _DRAIN, burst: float = _BURST, tireless: bool = False) -> None:
        """Survive `drain` requests/s for ever and `burst` at once; tireless: only exhaust() counts."""
        self._drain = drain
        self._burst = burst
        self._tireless = tireless
        self._level = 0.0
        self._last: float | None = None
        self._row = 0
        self._nonsense_left: int | None = None

    @property
    def exhausted(self) -> bool:
        """Whether only a restart helps."""
        return self._nonsense_left is not None

    @property
    def level(self) -> float:
        """How full the bucket was at the last request."""
        return self._level

    def judge(self, now: float, connections: int) -> Mood:
        """Count a request that arrives now (s) while so many connections are open, its own included."""
        if not self.exhausted and not self._tireless:
            self._fill(now, connections)
        if self._nonsense_left is None:
            return Mood.WELL
        if self._nonsense_left == 0:
            return Mood.SILENT
        self._nonsense_left -= 1
        return Mood.NONSENSE

    def exhaust(self) -> None:
        """Be exhausted from the next request on."""
        if not self.exhausted:
            self._nonsense_left = _NONSENSE

    def restart(self) -> None:
        """Forget everything: the power was cycled."""
        self._level = 0.0
        self._last = None
        self._row = 0
        self._nonsense_left = None

    def _fill(self, now: float, connections: int) -> None:
        gap = None if self._last is None else now - self._last
        self._last = now
        self._row = self._row + 1 if gap is not None and gap < _BACK_TO_BACK else 1
        cost = _BACK_TO_BACK_COST if self._row > _BACK_TO_BACK_BORNE else 1.0
        cost += _CROWD_COST * max(0, connections - 2)
        self._level = max(0.0, self._level - (gap or 0.0) * self._drain) + cost
        if self._level > self._burst:
            self.exhaust()
