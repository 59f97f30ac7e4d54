"""The house behind the device: sun, load and inverters that obey, and what the meter then sees.

Two times run here. The day (sun and load) runs at a chosen speed; what the inverters and the
device do takes its real time at any speed, so that a reset of 5 s is one. Only the refresh of the
inverters' power keeps up with a day that runs faster than the real one: a load computed from
a value that is half a day old would make no sense.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from math import exp, floor, hypot, pi, pow as power, sin
from random import Random
from typing import Final

from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Phases, Telemetry

from .device import Restriction

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
class ExportConstraint:
    """What the device wants of the inverters."""

    restriction: Restriction | None
    mode: ControlMode


UNCONSTRAINED: Final = ExportConstraint(None, ControlMode.DEACTIVATED)


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

    def advance(self, now: float, constraint: ExportConstraint) -> None:
        """Bring the house to a time (s since it was built) under constraint that held all the while."""
        self._now = max(self._now, now - _MEMORY)
        while now - self._now > _STEP:
            self._step(self._now + _STEP, constraint)
        self._step(max(now, self._now), constraint)

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

    def _step(self, now: float, constraint: ExportConstraint) -> None:
        passed = now - self._now
        self._now = now
        before = sum(self._load)
        self._load = self._load_now()
        self.watchdog.observe(
            now - passed,
            now,
            sum(self._load) - before,
            limiting=constraint.restriction is not None and self.inverter_power > 0,
            off=constraint.mode is ControlMode.DEACTIVATED,
        )
        target = self._target(constraint.restriction)
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


def _heater_on(house: House) -> None:
    house.heater = True


def _heater_off(house: House) -> None:
    house.heater = False


def _trip(house: House) -> None:
    house.tripped = True


def _reconnect(house: House) -> None:
    house.tripped = False


def _at(hour: float) -> Callable[[House], None]:
    def move(house: House) -> None:
        house.time_of_day = hour

    return move


EVENTS: Final[Mapping[str, Callable[[House], None]]] = {
    "heater-on": _heater_on,
    "heater-off": _heater_off,
    "trip": _trip,
    "reconnect": _reconnect,
    "dawn": _at(6.1),
    "noon": _at(12.0),
    "sunset": _at(19.75),
    "night": _at(23.5),
}
"""heater-on/-off: 9 kW more load. trip/reconnect: all inverters leave, or rejoin, the grid.
dawn, noon, sunset, night: the day jumps there."""


def happen(name: str, house: House) -> None:
    """Let it happen; raises ValueError, with the nearest names, for what is no event."""
    try:
        event = EVENTS[name]
    except KeyError:
        near = get_close_matches(name, EVENTS, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(EVENTS)}"
        raise ValueError(f"{name!r} is no event{hint}") from None
    event(house)


def wander(seed: str, time: float, period: float) -> float:
    """Return a value from 0 to 1 that drifts to another in each period (both in s)."""
    turn = floor(time / period)
    part = time / period - turn
    smooth = part * part * (3 - 2 * part)
    return _value(seed, turn) * (1 - smooth) + _value(seed, turn + 1) * smooth


def _value(seed: str, turn: int) -> float:
    return Random(f"{seed}/{turn}").random()
