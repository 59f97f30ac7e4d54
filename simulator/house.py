"""The house behind the device: sun, load and inverters that obey, and what the meter then sees.

Two times run here. The day (sun and load) runs at a chosen speed; what the inverters and the
device do takes its real time at any speed, so that a reset of 5 s is one. Only the refresh of the
inverters' power keeps up with a day that runs faster than the real one: a load computed from
a value that is half a day old would make no sense.
"""

from dataclasses import dataclass
from math import floor, hypot
from typing import Final

from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Phases, Telemetry

from .device import Restriction
from .load import HEATER, Load
from .noise import wander
from .sun import DAY, HOUR, Sun
from .watchdog import THROTTLE, Watchdog

REFRESH: Final = 30.0
"""s between two refreshes of the inverters' power that the device tells, in a day of real speed."""

_STEP: Final = 1.0
_MEMORY: Final = 600.0
"""s; what lies longer back no longer shows, so a longer pause is not calculated."""
_RAMP: Final = 0.05
"""Share of the rated power by which the inverters rise in a second; they fall at once."""
_NOMINAL: Final = 230.0
_RISE_PER_WATT: Final = 0.0006
_REACTIVE: Final = (310.0, 260.0, 340.0)


@dataclass(frozen=True, slots=True)
class Orders:
    """What the device wants of the inverters."""

    restriction: Restriction | None
    mode: ControlMode


FREE: Final = Orders(None, ControlMode.DEACTIVATED)


class House:
    """Three phases, several equal three-phase inverters, and the state that they have."""

    def __init__(
        self,
        *,
        inverters: int = 3,
        rated: float = 10_000.0,
        start: float = 11.0,
        speed: float = 1.0,
        clouds: bool = True,
        seed: int = 0,
        sun: Sun | None = None,
        load: Load | None = None,
    ) -> None:
        """Build a house: `rated` W each, `start` in h of the day, `speed` of the day (1 is real).

        Raises ValueError for fewer than one inverter, a speed below 0 or an hour outside 0 to 24.
        """
        if inverters < 1:
            raise ValueError(f"{inverters} inverters; there has to be one or more")
        if speed < 0:
            raise ValueError(f"speed is {speed}; it has to be 0 or more")
        if not 0 <= start * HOUR <= DAY:
            raise ValueError(f"the day starts at {start} h; it has to be 0 to 24")
        self.rated = rated * inverters
        self.speed = speed
        self._refresh = REFRESH / max(1.0, speed)
        self.sun = sun or Sun(clouds=clouds, seed=seed)
        self.load = load or Load(seed=seed)
        self.heater = False
        """An additional heater, whatever the time."""
        self.tripped = False
        """Whether all inverters are off the grid."""
        self.watchdog = Watchdog(seed)
        self._seed = seed
        self._day_start = start * HOUR
        self._now = 0.0
        self._load = self._load_now()
        self._power: float | None = None
        self._told = 0.0
        self._refreshed = 0

    @property
    def time_of_day(self) -> float:
        """Hour of the day, 0 to below 24."""
        return self._day() % DAY / HOUR

    @time_of_day.setter
    def time_of_day(self, hour: float) -> None:
        self._day_start += (hour - self.time_of_day) * HOUR

    @property
    def available(self) -> float:
        """W that the sun offers and the inverters could give."""
        return 0.0 if self.tripped else min(self.rated, 0.95 * self.rated * self.sun.share(self._day()))

    @property
    def inverter_power(self) -> float:
        """W that the inverters give now, whatever the device tells."""
        return self._power or 0.0

    @property
    def load_power(self) -> float:
        """W that the house uses now."""
        return sum(self._load)

    @property
    def meter_power(self) -> float:
        """W at the meter now; positive on export."""
        return self.inverter_power - self.load_power

    def advance(self, now: float, orders: Orders) -> None:
        """Bring the house to a time (s since it was built) under orders that held all the while."""
        self._now = max(self._now, now - _MEMORY)
        while now - self._now > _STEP:
            self._step(self._now + _STEP, orders)
        self._step(max(now, self._now), orders)

    def restart(self) -> None:
        """Forget what a power cycle of the controller wipes: the watchdog's memory and the old value."""
        self.watchdog.reset()
        self._told = self.inverter_power

    def telemetry(self) -> Telemetry:
        """Return what the device tells: the meter now, the inverters at the last refresh."""
        each = self.inverter_power / 3
        power = Phases(*(each - load for load in self._load))
        voltage = Phases(*(self._voltage(phase, watts) for phase, watts in enumerate(power)))
        rounded = Phases(*(round(watts) for watts in power))
        return Telemetry(
            voltage=voltage,
            current=Phases(
                *(
                    round(hypot(watts, reactive) / volts, 2)
                    for watts, volts, reactive in zip(power, voltage, _REACTIVE, strict=True)
                ),
            ),
            power=rounded,
            meter_power=sum(rounded),
            inverter_power=round(self._told),
        )

    def _step(self, now: float, orders: Orders) -> None:
        passed = now - self._now
        self._now = now
        before = sum(self._load)
        self._load = self._load_now()
        self.watchdog.observe(
            now - passed,
            now,
            sum(self._load) - before,
            limiting=orders.restriction is not None and self.inverter_power > 0,
            off=orders.mode is ControlMode.DEACTIVATED,
        )
        target = self._target(orders.restriction)
        if self._power is None:
            self._power = self._told = target
        else:
            self._power = min(target, self._power + _RAMP * self.rated * passed)
        refreshes = floor(now / self._refresh)
        if refreshes != self._refreshed:
            self._refreshed = refreshes
            self._told = self._power

    def _target(self, restriction: Restriction | None) -> float:
        """Return the power at which the inverters settle.

        Where each phase is held on its own it may export a third of the limit [a guess]; the
        inverters feed all phases alike, so the phase with the least load decides.
        """
        target = self.available
        if self.watchdog.throttling:
            target = min(target, THROTTLE * self.rated)
        if restriction is None:
            return target
        if restriction.sum_of_phases:
            return min(target, restriction.watts + sum(self._load))
        return min(target, restriction.watts + 3 * min(self._load))

    def _day(self) -> float:
        return self._day_start + self._now * self.speed

    def _load_now(self) -> Phases[float]:
        load = self.load.power(self._day())
        return (
            Phases(*(watts + extra for watts, extra in zip(load, HEATER, strict=True)))
            if self.heater
            else load
        )

    def _voltage(self, phase: int, watts: float) -> float:
        drift = 4 * (wander(f"grid {self._seed} {phase}", self._now, 60.0) - 0.5)
        return round(_NOMINAL + drift + _RISE_PER_WATT * watts, 1)
