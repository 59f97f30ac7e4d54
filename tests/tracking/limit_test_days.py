"""Random days of the simulated house, on which its limit is tested, and what the house knows of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final, override

from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Phases, Telemetry
from custom_components.goodwe_sec1000.sec1000.power_filter import PowerFilter
from custom_components.goodwe_sec1000.tracking.limit_test import Finding, LimitTest, Step, least_export
from simulator.device import Restriction
from simulator.house import Appliance, ExportConstraint, House, Load, Sun

POLL_S: Final = 6.0
SETTLED_S: Final = 400.0
"""How long a house runs before its limit is tested."""
REACTIONS_S: Final = (*(0, 1, 2, 5, 5, 8, 10, 12, 15, 18, 18, 20, 25, 30, 30, 45) * 2, 60, 90)
"""How long its inverters take."""
TRIES: Final = 6
"""How often the limit is tested on a day."""


class Behaviour(StrEnum):
    """What the installation makes of its limit."""

    OBEYS = "obeys"
    STORES_ONLY = "stores a limit and never arms it"
    HALF_OBEYS = "one of two inverters obeys"
    UNLIMITED = "nothing is limited"


@dataclass(frozen=True)
class Weather(Sun):
    """Clouds that pass so many times as fast."""

    pace: float = 1.0

    @override
    def _shade(self, time: float) -> float:
        return super()._shade(time * self.pace)


@dataclass(frozen=True)
class Trial:
    """One test: what was found, and what the house knows."""

    behaviour: Behaviour
    reaction: float
    is_steady: bool
    """Whether the meter would have moved by less than half of the margin without the test."""
    finding: Finding

    @property
    def is_conclusive(self) -> bool:
        """Whether it passed or failed."""
        return self.finding.reason is None

    def is_false(self, result: str) -> bool:
        """Whether it had this result, and it is not so."""
        is_so = (self.behaviour is Behaviour.OBEYS) is (result == "passed")
        return self.finding.result == result and not is_so


def trials(seed: int, behaviour: Behaviour) -> Iterator[Trial]:
    """Yield the tests of one random day; those that would be refused are left out."""
    random = Random(f"limit test {seed}")  # noqa: S311
    for _ in range(TRIES):
        if trial := _trial(random, behaviour):
            yield trial


def _appliances(random: Random, start: float) -> Iterator[Appliance]:
    """Yield what is switched around this hour: kettles, heaters, a stove that cycles, a car."""

    def around() -> float:
        return start + random.uniform(-0.1, 0.15)

    if random.random() < 0.3:
        yield Appliance("kettle", Phases(2000.0, 0.0, 0.0), around(), random.uniform(1, 4))
    if random.random() < 0.1:
        yield Appliance("heater", Phases(3000.0, 3000.0, 3000.0), around(), random.uniform(5, 40))
    if random.random() < 0.1:
        yield Appliance("car", Phases(3700.0, 3700.0, 3700.0), around(), 60)
    if random.random() < 0.2:
        period, first = random.uniform(20, 120) / 3600, around() - 0.2
        power = Phases(0.0, random.uniform(800, 2400), 0.0)
        for index in range(30):
            yield Appliance("stove", power, first + index * period, period * 60 * random.uniform(0.4, 0.6))


def _trial(random: Random, behaviour: Behaviour) -> Trial | None:
    seed = random.randrange(1_000_000)
    rated = random.choice((3_000.0, 5_000.0, 10_000.0, 15_000.0))
    start = random.uniform(7.5, 18.5)
    sun = Weather(clouds=random.random() < 0.5, seed=seed, pace=random.choice((1.0, 2.0, 5.0)))
    reaction = random.choice(REACTIONS_S)
    charge = random.choice((0.0, 0.3, 1.0))
    appliances = tuple(_appliances(random, start + SETTLED_S / 3600))
    battery = random.choice((0.0, 0.0, 3_000.0, 5_000.0))
    capacity = round(2 * rated)
    standing = round(capacity * random.choice((0.3, 0.5, 0.7, 1.0, 1.0)))

    def build() -> House:
        house = House(
            inverters=2,
            rated=rated,
            start=start,
            battery=battery,
            reaction=reaction,
            obedient=1 if behaviour is Behaviour.HALF_OBEYS else None,
            seed=seed,
            sun=sun,
            load=Load(appliances=appliances, seed=seed),
        )
        house.battery.level *= charge
        return house

    return _Test(build(), build(), random, behaviour, reaction, capacity, standing).run()


class _Test:
    """The house that is tested, and its twin that is left alone."""

    def __init__(
        self,
        house: House,
        twin: House,
        random: Random,
        behaviour: Behaviour,
        reaction: float,
        capacity: int,
        standing: int,
    ) -> None:
        self._house, self._twin, self._random = house, twin, random
        self._behaviour, self._reaction = behaviour, reaction
        self._capacity, self._limit, self._standing = capacity, standing, standing
        self._now = 0.0
        self._filter = PowerFilter()
        self._is_zero_until = 0.0

    def _constraint(self, limit: int) -> ExportConstraint:
        if self._behaviour is Behaviour.UNLIMITED:
            return ExportConstraint(None, ControlMode.VALUE)
        armed = self._standing if self._behaviour is Behaviour.STORES_ONLY else limit
        return ExportConstraint(Restriction(armed, sum_of_phases=True), ControlMode.VALUE)

    def _pass(self, seconds: float) -> None:
        self._now += seconds
        self._house.advance(self._now, self._constraint(self._limit))

    def _command(self, limit: int) -> None:
        """Change the limit; what is written takes effect before it is proven."""
        self._pass(self._random.uniform(0.3, 2))
        self._limit = limit
        self._filter.record_limit(limit, self._now)
        self._pass(self._random.uniform(0.6, 3))

    def _read(self) -> Telemetry:
        telemetry = self._house.telemetry()
        if self._random.random() < 0.02:
            self._is_zero_until = self._now + 30
        if self._now < self._is_zero_until:
            telemetry = Telemetry(
                telemetry.voltage, telemetry.current, telemetry.power, telemetry.meter_power, 0
            )
        return self._filter.filter(telemetry, self._now)

    def run(self) -> Trial | None:
        """Test the limit; return None where that would be refused."""
        for _ in range(round(SETTLED_S / 30)):
            self._pass(30)
            meter = self._read().meter_power
        assert meter is not None
        if meter < least_export(self._capacity):
            return None
        began = self._now
        limit = round(meter / 2)
        test = LimitTest(limit, max(100, 0.02 * self._capacity), began)
        while (step := self._poll(test)) is not Step.END:
            if step is not Step.READ:
                limits = {Step.LOWER: limit, Step.RAISE: test.halfway, Step.LIFT: self._standing}
                self._command(limits[step])
                test.proven(self._now)
        return Trial(self._behaviour, self._reaction, self._is_steady(began), test.finding)

    def _poll(self, test: LimitTest) -> Step:
        self._pass(POLL_S + self._random.uniform(0, 0.5))
        telemetry = self._read()
        meter = None if self._random.random() < 0.03 else telemetry.meter_power
        return test.read(meter, telemetry.inverter_power, self._now)

    def _is_steady(self, began: float) -> bool:
        meters = []
        self._twin.advance(began, self._constraint(self._standing))
        for second in range(0, 181, 3):
            self._twin.advance(began + second, self._constraint(self._standing))
            meters.append(self._twin.meter_power)
        return max(meters) - min(meters) <= max(100, 0.02 * self._capacity) / 2
