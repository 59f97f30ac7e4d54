"""What the house uses: a base load that wanders, and appliances that switch."""

from dataclasses import dataclass
from math import exp
from typing import Final

from custom_components.goodwe_sec1000.sec1000.model import Phases

from .noise import wander
from .sun import DAY, HOUR


@dataclass(frozen=True, slots=True)
class Appliance:
    """Something that takes a constant power at the same time every day."""

    name: str
    power: Phases[float]
    """W"""
    start: float
    """h"""
    minutes: float

    def is_on(self, time: float) -> bool:
        """Return whether it runs at a time, in s since a midnight."""
        return (time - self.start * HOUR) % DAY < self.minutes * 60


HEATER: Final = Phases(3000.0, 3000.0, 3000.0)
"""W; the one load that is sharp enough to upset the controller's watchdog."""

APPLIANCES: Final = (
    Appliance("kettle", Phases(2000.0, 0.0, 0.0), 6.6, 4),
    Appliance("kettle", Phases(2000.0, 0.0, 0.0), 10.2, 4),
    Appliance("oven", Phases(0.0, 2400.0, 0.0), 11.5, 40),
    Appliance("heater", HEATER, 12.75, 45),
    Appliance("kettle", Phases(2000.0, 0.0, 0.0), 15.1, 4),
    Appliance("washing machine", Phases(0.0, 0.0, 1900.0), 16.0, 25),
    Appliance("stove", Phases(1700.0, 1700.0, 0.0), 18.2, 35),
)


BASE: Final = Phases(190.0, 140.0, 230.0)
"""W on each phase that is always used, before it wanders."""


@dataclass(frozen=True, slots=True)
class Load:
    """The house's consumption as a function of time."""

    appliances: tuple[Appliance, ...] = APPLIANCES
    base: Phases[float] = BASE
    """W"""
    seed: int = 0

    def power(self, time: float) -> Phases[float]:
        """Return W on each phase at a time, in s since a midnight."""
        running = [appliance.power for appliance in self.appliances if appliance.is_on(time)]
        humour = _people(time)
        return Phases(
            *(
                base * (0.8 + 0.4 * wander(f"load {self.seed} {phase}", time, 90.0) + humour)
                + sum(power[phase] for power in running)
                for phase, base in enumerate(self.base)
            ),
        )


def _people(time: float) -> float:
    """Return how much more is used while people are up, as a share of the base load."""
    hour = time % DAY / HOUR
    return 0.8 * exp(-(((hour - 7.5) / 1.2) ** 2)) + 1.8 * exp(-(((hour - 19.5) / 2.0) ** 2))
