"""The house behind the device: sun, load, inverters and watchdog, and what the meter then measures.

Two clocks run here. The day (sun and load) runs at a chosen speed. Inverters and device always run
in real time, so that a reset of 5 s takes 5 s. Only the refresh of the reported inverter power is
faster on a faster day: a load computed from a value that is half a day old would make no sense.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
import math
from operator import add
from random import Random
from typing import Final

from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Phases, Telemetry

from .device import Restriction
from .lookup import find

HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S

_CLOUD_PERIOD_S: Final = 240.0
_CLOUD_FROM: Final = 0.62
_CLOUD_FULL: Final = 0.80
_DEEPEST_SHADE: Final = 0.65


@dataclass(frozen=True, slots=True)
class Sun:
    """A clear-sky curve over the day, the same every day, and passing clouds; hours of the day."""

    sunrise: float = 6.0
    sunset: float = 20.0
    clouds: bool = True
    seed: int = 0

    def share(self, time: float) -> float:
        """Return the share of the panels' peak power (0 to 1) at a time in seconds since midnight."""
        hour = time % DAY_S / HOUR_S
        if not self.sunrise < hour < self.sunset:
            return 0.0
        elevation = math.sin(math.pi * (hour - self.sunrise) / (self.sunset - self.sunrise))
        clear = math.pow(elevation, 1.2)
        return clear * (1 - self._shade(time)) if self.clouds else clear

    def _shade(self, time: float) -> float:
        noise = _smooth_noise(f"cloud {self.seed}", time, _CLOUD_PERIOD_S)
        cover = (noise - _CLOUD_FROM) / (_CLOUD_FULL - _CLOUD_FROM)
        return _DEEPEST_SHADE * min(1.0, max(0.0, cover))


@dataclass(frozen=True, slots=True)
class Appliance:
    """A load that runs at the same time every day: power in W, start as hour of the day."""

    name: str
    power: Phases[float]
    start: float
    minutes: float

    def is_on(self, time: float) -> bool:
        """Return whether it runs at a time in seconds since midnight."""
        return (time - self.start * HOUR_S) % DAY_S < self.minutes * 60


HEATER_W: Final = Phases(3000.0, 3000.0, 3000.0)
"""The only load whose step is large enough to upset the watchdog."""
BASE_LOAD_W: Final = Phases(190.0, 140.0, 230.0)
"""Before the noise on it."""

APPLIANCES: Final = (
    Appliance("kettle", Phases(2000.0, 0.0, 0.0), 6.6, 4),
    Appliance("kettle", Phases(2000.0, 0.0, 0.0), 10.2, 4),
    Appliance("oven", Phases(0.0, 2400.0, 0.0), 11.5, 40),
    Appliance("heater", HEATER_W, 12.75, 45),
    Appliance("kettle", Phases(2000.0, 0.0, 0.0), 15.1, 4),
    Appliance("washing machine", Phases(0.0, 0.0, 1900.0), 16.0, 25),
    Appliance("stove", Phases(1700.0, 1700.0, 0.0), 18.2, 35),
)


@dataclass(frozen=True, slots=True)
class Load:
    """The consumption of the house: a noisy base load in W, and appliances that switch."""

    appliances: tuple[Appliance, ...] = APPLIANCES
    base: Phases[float] = BASE_LOAD_W
    seed: int = 0

    def power(self, time: float) -> Phases[float]:
        """Return the power of each phase in W at a time in seconds since midnight."""
        share = 0.8 + _occupancy(time)
        phases = [
            base * (share + 0.4 * _smooth_noise(f"load {self.seed} {phase}", time, 90.0))
            for phase, base in enumerate(self.base)
        ]
        for appliance in self.appliances:
            if appliance.is_on(time):
                phases = list(map(add, phases, appliance.power, strict=True))
        return Phases(*phases)


def _occupancy(time: float) -> float:
    """Return what is added in the morning and in the evening, as a share of the base load."""
    hour = time % DAY_S / HOUR_S
    return 0.8 * math.exp(-(((hour - 7.5) / 1.2) ** 2)) + 1.8 * math.exp(-(((hour - 19.5) / 2.0) ** 2))


STEP_THRESHOLD_W: Final = 5000.0
"""A rise of the load by this much at once upsets the watchdog."""
THROTTLE_TIME_S: Final = (120.0, 180.0)
"""Shortest and longest."""
RECOVERY_TIME_S: Final = 4.9
"""Time without any mode that ends the throttling: 5 s, minus what a request takes."""
THROTTLED_SHARE: Final = 0.05
"""Largest share of their rated power that throttled inverters deliver."""


class Watchdog:
    """The controller's watchdog, which throttles the inverters after a large load step.

    It throttles them for 2 to 3 minutes, unless all modes are off for 5 s. Seen on real
    installations (the reason for the action `reset_export_watchdog`); that only a rise of the load
    triggers it, and the threshold, are guesses.
    """

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
        """Process the interval from `since` to `now` (s).

        `rise`: change of the load in W.
        `limiting`: whether a limit was in force.
        `off`: whether all modes were off.
        """
        if not off:
            self._off_since = None
        elif self._off_since is None:
            self._off_since = since
        if limiting and rise >= STEP_THRESHOLD_W:
            self._throttled_until = now + self._random.uniform(*THROTTLE_TIME_S)
        if self._throttled_until is not None and (now >= self._throttled_until or self._recovered(now)):
            self._throttled_until = None

    def restart(self) -> None:
        """Stop throttling after a power cycle."""
        self._throttled_until = None

    def _recovered(self, now: float) -> bool:
        return self._off_since is not None and now - self._off_since >= RECOVERY_TIME_S


@dataclass(slots=True)
class Battery:
    """A battery at the inverters, full at first: it covers what the house lacks and stores what is curtailed.

    Both are at once and without losses; a real one takes seconds and a tenth.
    """

    max_power: float
    """W, of charging and discharging."""
    capacity: float
    """Wh."""
    level: float = field(init=False)
    """Wh."""
    power: float = field(init=False, default=0.0)
    """W; positive while it discharges, negative while it charges."""

    def __post_init__(self) -> None:
        self.level = self.capacity

    def balance(self, lack: float, curtailed: float, hours: float) -> None:
        """Discharge for what the house lacks, or charge from what is curtailed (W), for so many hours."""
        if lack > 0:
            self.power = min(lack, self.max_power) if self.level > 0 else 0.0
        else:
            self.power = -min(curtailed, self.max_power) if self.level < self.capacity else 0.0
        self.level = min(self.capacity, max(0.0, self.level - self.power * hours))


@dataclass(frozen=True, slots=True)
class ExportConstraint:
    """What the device requires of the inverters."""

    restriction: Restriction | None
    mode: ControlMode


UNCONSTRAINED: Final = ExportConstraint(None, ControlMode.DEACTIVATED)

REFRESH_S: Final = 30.0
"""Between two refreshes of the reported inverter power, on a day at real speed."""

_STEP_S: Final = 1.0
_MEMORY_S: Final = 600.0
"""What happened longer ago has no effect; of a longer pause only this much is calculated."""
_RAMP: Final = 0.05
"""Share of the rated power by which the inverters rise per second; they fall at once."""
_NOMINAL_V: Final = 230.0
_RISE_V_PER_W: Final = 0.0006
_REACTIVE_VAR: Final = (310.0, 260.0, 340.0)


@dataclass(slots=True)
class EnergyCounters:
    """What the house's own meters have counted since the start, in Wh."""

    exported: float = 0.0
    imported: float = 0.0
    produced: float = 0.0
    """AC output of the inverters."""
    consumed: float = 0.0

    def count(self, meter_power: float, inverter_power: float, seconds: float) -> None:
        """Count these powers (W, positive on export) for so long."""
        hours = seconds / HOUR_S
        self.exported += max(0.0, meter_power) * hours
        self.imported += max(0.0, -meter_power) * hours
        self.produced += inverter_power * hours
        self.consumed += (inverter_power - meter_power) * hours


class House:
    """Three phases, the load on them, and equal three-phase inverters."""

    def __init__(
        self,
        *,
        inverters: int = 3,
        rated: float = 10_000.0,
        start: float = 11.0,
        speed: float = 1.0,
        battery: float = 0.0,
        reaction: float = 0.0,
        obedient: int | None = None,
        clouds: bool = True,
        seed: int = 0,
        sun: Sun | None = None,
        load: Load | None = None,
    ) -> None:
        """Build a house.

        `rated`: power of one inverter in W.
        `start`: hour at which the day begins, 0 to 24.
        `speed`: of the day; 1 is real time.
        `battery`: power of a battery in W, which lasts for an hour; 0 is none.
        `reaction`: seconds until the inverters follow what the device tells them.
        `obedient`: how many of the inverters follow it at all; None: all.

        Raises ValueError for less than one inverter, a negative speed or battery and an hour out of range.
        """
        if inverters < 1:
            raise ValueError(f"inverters is {inverters}; it has to be 1 or more")
        if speed < 0:
            raise ValueError(f"speed is {speed}; it has to be 0 or more")
        if battery < 0:
            raise ValueError(f"battery is {battery}; it has to be 0 or more")
        if not 0 <= start * HOUR_S <= DAY_S:
            raise ValueError(f"start is {start}; it has to be an hour from 0 to 24")
        self.rated = rated * inverters
        self.speed = speed
        self._refresh = REFRESH_S / max(1.0, speed)
        self.battery = Battery(battery, battery)
        self._reaction = reaction
        self._obedient_share = 1.0 if obedient is None else obedient / inverters
        self._allowed_since: deque[tuple[float, float]] = deque()
        """Since when (s) they may deliver so much in all (W): what they follow, and what is newer."""
        self.sun = sun or Sun(clouds=clouds, seed=seed)
        self.load = load or Load(seed=seed)
        self.heater = False
        """Whether the second heater is on."""
        self.tripped = False
        """Whether all inverters are disconnected from the grid."""
        self.watchdog = Watchdog(seed)
        self.counters = EnergyCounters()
        self._seed = seed
        self._day_start = start * HOUR_S
        self._now = 0.0
        self._load = self._current_load()
        self._power: float | None = None
        """AC power in W that comes from the panels."""
        self._reported_power = 0.0
        self._refreshes = 0

    @property
    def time_of_day(self) -> float:
        """Hour of the day, 0 to below 24."""
        return self._day() % DAY_S / HOUR_S

    @time_of_day.setter
    def time_of_day(self, hour: float) -> None:
        self._day_start += (hour - self.time_of_day) * HOUR_S

    @property
    def available(self) -> float:
        """Power in W that sun and inverters could deliver."""
        return 0.0 if self.tripped else min(self.rated, 0.95 * self.rated * self.sun.share(self._day()))

    @property
    def inverter_power(self) -> float:
        """True AC power of the inverters in W, that of the battery included, whatever the device reports."""
        return (self._power or 0.0) + max(0.0, self.battery.power)

    @property
    def pv_power(self) -> float:
        """Power of the panels in W, that which charges the battery included."""
        return (self._power or 0.0) + max(0.0, -self.battery.power)

    @property
    def load_power(self) -> float:
        """Consumption of the house in W."""
        return sum(self._load)

    @property
    def meter_power(self) -> float:
        """Power at the meter in W, positive on export."""
        return self.inverter_power - self.load_power

    def advance(self, now: float, constraint: ExportConstraint) -> None:
        """Advance to a time in seconds since the start; the constraint has held since the last call."""
        self._now = max(self._now, now - _MEMORY_S)
        while now - self._now > _STEP_S:
            self._step(self._now + _STEP_S, constraint)
        self._step(max(now, self._now), constraint)

    def restart(self) -> None:
        """Clear what a power cycle of the controller clears: the watchdog and the old inverter power."""
        self.watchdog.restart()
        self._reported_power = self.inverter_power

    def telemetry(self) -> Telemetry:
        """Return what the device reports: the meter now, the inverters at the last refresh."""
        each = self.inverter_power / 3
        power = Phases(*(each - load for load in self._load))
        voltage = Phases(*(self._voltage(phase, watts) for phase, watts in enumerate(power)))
        rounded = Phases(*(round(watts) for watts in power))
        return Telemetry(
            voltage=Phases[float | None](*voltage),
            current=Phases(
                *(
                    round(math.hypot(watts, reactive) / volts, 2)
                    for watts, volts, reactive in zip(power, voltage, _REACTIVE_VAR, strict=True)
                ),
            ),
            power=Phases[int | None](*rounded),
            meter_power=sum(rounded),
            inverter_power=round(self._reported_power),
        )

    def _step(self, now: float, constraint: ExportConstraint) -> None:
        passed = now - self._now
        self._now = now
        before = self.load_power
        self._load = self._current_load()
        self.watchdog.observe(
            now - passed,
            now,
            self.load_power - before,
            limiting=constraint.restriction is not None and self.inverter_power > 0,
            off=constraint.mode is ControlMode.DEACTIVATED,
        )
        available = self.available
        target = self._target(available, constraint.restriction)
        if self._power is None:
            self._power = target
            self._balance(0.0, available, constraint.restriction)
            self._reported_power = self.inverter_power
        else:
            self._power = min(target, self._power + _RAMP * self.rated * passed)
            self._balance(passed, available, constraint.restriction)
        self.counters.count(self.meter_power, self.inverter_power, passed)
        refreshes = math.floor(now / self._refresh)
        if refreshes != self._refreshes:
            self._refreshes = refreshes
            self._reported_power = self.inverter_power

    def _balance(self, passed: float, available: float, restriction: Restriction | None) -> None:
        """Let the battery work for so many seconds; it exports nothing and keeps a limit below zero."""
        power = self._power or 0.0
        wanted = self.load_power + min(0.0, restriction.watts if restriction else 0.0)
        lack = 0.0 if self.tripped else min(wanted, self.rated) - power
        curtailed = 0.0 if self.watchdog.throttling else available - power
        self.battery.balance(lack, curtailed, passed * self.speed / HOUR_S)

    def _target(self, available: float, restriction: Restriction | None) -> float:
        """Return the power in W at which the inverters settle, of what sun and inverters could deliver.

        Where each phase is limited on its own it may export a third of the limit [a guess]; the
        inverters feed all phases alike, so the phase with the least load decides.
        """
        obedient = self._obedient_share
        # The device divides what they may deliver evenly.
        target = obedient * min(available, self._allowed(restriction)) + (1 - obedient) * available
        return min(target, THROTTLED_SHARE * self.rated) if self.watchdog.throttling else target

    def _allowed(self, restriction: Restriction | None) -> float:
        """Return what the inverters may deliver in all (W), by the limit of a reaction time ago."""
        allowed = math.inf
        if restriction:
            load = self.load_power if restriction.sum_of_phases else 3 * min(self._load)
            # A limit below 0 cannot make them draw power.
            allowed = max(restriction.watts + load, 0.0)
        self._allowed_since.append((self._now, allowed))
        while len(self._allowed_since) > 1 and self._allowed_since[1][0] <= self._now - self._reaction:
            self._allowed_since.popleft()
        return self._allowed_since[0][1]

    def _day(self) -> float:
        """Return the simulated time in seconds since the first midnight."""
        return self._day_start + self._now * self.speed

    def _current_load(self) -> Phases[float]:
        load = self.load.power(self._day())
        if not self.heater:
            return load
        return Phases(*map(add, load, HEATER_W, strict=True))

    def _voltage(self, phase: int, watts: float) -> float:
        drift = 4 * (_smooth_noise(f"grid {self._seed} {phase}", self._now, 60.0) - 0.5)
        return round(_NOMINAL_V + drift + _RISE_V_PER_W * watts, 1)


def _heater_on(house: House) -> None:
    house.heater = True


def _heater_off(house: House) -> None:
    house.heater = False


def _trip(house: House) -> None:
    house.tripped = True


def _reconnect(house: House) -> None:
    house.tripped = False


def _jump_to(hour: float) -> Callable[[House], None]:
    def jump(house: House) -> None:
        house.time_of_day = hour

    return jump


EVENTS: Final[Mapping[str, Callable[[House], None]]] = {
    "heater-on": _heater_on,
    "heater-off": _heater_off,
    "trip": _trip,
    "reconnect": _reconnect,
    "dawn": _jump_to(6.1),
    "noon": _jump_to(12.0),
    "sunset": _jump_to(19.75),
    "night": _jump_to(23.5),
}
"""heater-on and -off: a second heater of 9 kW; trip and reconnect: all inverters and the grid;
dawn, noon, sunset and night: the day jumps to this time."""


def trigger(name: str, house: House) -> None:
    """Trigger an event; raises ValueError, with suggestions, for an unknown name."""
    find(EVENTS, name, "event")(house)


def _smooth_noise(seed: str, time: float, period: float) -> float:
    """Return a value from 0 to 1 that drifts to another one in each period (s).

    It depends on the time alone, so that the number of calls has no influence.
    """
    periods = time / period
    index = math.floor(periods)
    part = periods - index
    smooth = part * part * (3 - 2 * part)
    before, after = _random_values(seed, index)
    return before + (after - before) * smooth


@lru_cache(maxsize=256)
def _random_values(seed: str, index: int) -> tuple[float, float]:
    """Return the random values at the beginning of a period and at its end."""
    return Random(f"{seed}/{index}").random(), Random(f"{seed}/{index + 1}").random()
