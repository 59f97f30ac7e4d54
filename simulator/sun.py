"""What the sun offers: a clear-sky curve over the day, and clouds that pass."""

from dataclasses import dataclass
from math import pi, pow as power, sin
from typing import Final

from .noise import wander

HOUR: Final = 3600
DAY: Final = 24 * HOUR

_CLOUD_PERIOD: Final = 240.0
_CLOUD_FROM: Final = 0.62
_CLOUD_FULL: Final = 0.80
_DEEPEST_SHADE: Final = 0.65


@dataclass(frozen=True, slots=True)
class Sun:
    """A sun that rises and sets at the same hour every day."""

    sunrise: float = 6.0
    """h"""
    sunset: float = 20.0
    """h"""
    clouds: bool = True
    seed: int = 0

    def share(self, time: float) -> float:
        """Return the share of the panels' peak power (0 to 1) at a time, in s since a midnight."""
        hour = time % DAY / HOUR
        if not self.sunrise < hour < self.sunset:
            return 0.0
        clear = power(sin(pi * (hour - self.sunrise) / (self.sunset - self.sunrise)), 1.2)
        return clear * (1 - self._shade(time)) if self.clouds else clear

    def _shade(self, time: float) -> float:
        cover = (wander(f"cloud {self.seed}", time, _CLOUD_PERIOD) - _CLOUD_FROM) / (
            _CLOUD_FULL - _CLOUD_FROM
        )
        return _DEEPEST_SHADE * min(1.0, max(0.0, cover))
