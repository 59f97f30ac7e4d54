"""Overload of the device: too many requests make it answer nonsense, then nothing until a restart.

It bears what real devices are known to bear and no more (docs/protocol.md, "Pace"): 7 requests in
30 s for any time, a few back to back. How many at once, nobody has measured: the depth is a guess, two whole
commands and the first minute of a restore. So is how it tires of requests back to back and of connections.
"""

from enum import Enum, auto
from typing import Final

_DRAIN: Final = 7 / 30
"""Requests per second."""
_DEPTH: Final = 40.0
"""Requests at once; a guess."""
_BACK_TO_BACK_S: Final = 0.05
"""Requests closer than this are back to back."""
_BACK_TO_BACK_LIMIT: Final = 6
_BACK_TO_BACK_COST: Final = 4.0
"""Of each further request back to back; others cost 1."""
_CROWD_COST: Final = 2.0
"""Added for each connection above two that is open when a request arrives."""
_NONSENSE_ANSWERS: Final = 3
"""Requests that are answered with nonsense before the device stops responding."""


class Health(Enum):
    """How the device responds to a request."""

    OK = auto()
    NONSENSE = auto()
    SILENT = auto()


class OverloadModel:
    """A leaky bucket: every request fills it, time drains it, and overflow exhausts the device."""

    def __init__(self, *, drain: float = _DRAIN, burst: float = _DEPTH, enabled: bool = True) -> None:
        """Sustain `drain` requests/s for any time and `burst` at once.

        Where it is not enabled, only exhaust() exhausts the device.
        """
        self._drain = drain
        self._burst = burst
        self._enabled = enabled
        self._level = 0.0
        self._last: float | None = None
        self._back_to_back = 0
        self._nonsense_left: int | None = None

    @property
    def exhausted(self) -> bool:
        """Whether the device needs a restart."""
        return self._nonsense_left is not None

    @property
    def level(self) -> float:
        """Fill level of the bucket after the last request, in requests."""
        return self._level

    def count_request(self, now: float, connections: int) -> Health:
        """Count a request and return how the device responds to it.

        `now` is in seconds; `connections` are those that are open, including that of the request.
        """
        if not self.exhausted and self._enabled:
            self._fill(now, connections)
        if self._nonsense_left is None:
            return Health.OK
        if self._nonsense_left == 0:
            return Health.SILENT
        self._nonsense_left -= 1
        return Health.NONSENSE

    def exhaust(self) -> None:
        """Exhaust the device from the next request on."""
        if not self.exhausted:
            self._nonsense_left = _NONSENSE_ANSWERS

    def restart(self) -> None:
        """Start over after a power cycle."""
        self._level = 0.0
        self._last = None
        self._back_to_back = 0
        self._nonsense_left = None

    def _fill(self, now: float, connections: int) -> None:
        gap = None if self._last is None else now - self._last
        self._last = now
        self._back_to_back = self._back_to_back + 1 if gap is not None and gap < _BACK_TO_BACK_S else 1
        cost = _BACK_TO_BACK_COST if self._back_to_back > _BACK_TO_BACK_LIMIT else 1.0
        cost += _CROWD_COST * max(0, connections - 2)
        self._level = max(0.0, self._level - (gap or 0.0) * self._drain) + cost
        if self._level > self._burst:
            self.exhaust()
