"""The controller's watchdog that misbehaves: a sharp load step throttles the inverters for minutes.

Seen on real installations (the reason for the action `reset_export_watchdog`); that only a rise
of the load does it, and from which height, is a guess.
"""

from random import Random
from typing import Final

SHARP: Final = 5000.0
"""W; a rise of the load by this much at once upsets the watchdog."""
SHORTEST: Final = 120.0
LONGEST: Final = 180.0
"""s"""
CURE: Final = 4.9
"""s without any mode on; 5 s, less what a request takes."""
THROTTLE: Final = 0.05
"""The share of their rated power that the inverters then give at most."""


class Watchdog:
    """Throttles for 2 to 3 minutes after a sharp step, unless all modes are off for 5 s."""

    def __init__(self, seed: int) -> None:
        """Draw the durations from this seed."""
        self._random = Random(f"watchdog {seed}")
        self._throttled_until: float | None = None
        self._off_since: float | None = None

    @property
    def throttling(self) -> bool:
        """Whether the inverters are throttled now."""
        return self._throttled_until is not None

    def observe(self, since: float, now: float, rise: float, *, limiting: bool, off: bool) -> None:
        """Look at what held from `since` to `now` (s).

        `rise` is the load's (W); `limiting` says whether a limit was in force, `off` whether all
        modes were off.
        """
        if not off:
            self._off_since = None
        elif self._off_since is None:
            self._off_since = since
        if limiting and rise >= SHARP:
            self._throttled_until = now + self._random.uniform(SHORTEST, LONGEST)
        if self._throttled_until is not None and (now >= self._throttled_until or self._cured(now)):
            self._throttled_until = None

    def reset(self) -> None:
        """Forget: the power was cycled."""
        self._throttled_until = None

    def _cured(self, now: float) -> bool:
        return self._off_since is not None and now - self._off_since >= CURE
