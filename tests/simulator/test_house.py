"""The house: the sun, who obeys the limit, what the meter and the device tell, and the watchdog."""

from math import sqrt
from typing import Final

import pytest

from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Phases
from simulator import House, Simulator
from simulator.device import Restriction
from simulator.house import DAY_S, UNCONSTRAINED, Appliance, ExportConstraint, Load, Sun

from . import wire
from .wire import ask, status

QUIET: Final = Load(appliances=())


def held_to(watts: int, *, sum_of_phases: bool = True) -> ExportConstraint:
    return ExportConstraint(Restriction(watts, sum_of_phases), ControlMode.VALUE)


def noon_house(load: Load = QUIET) -> House:
    house = House(start=12.0, clouds=False, load=load)
    house.advance(0, UNCONSTRAINED)
    return house


def test_the_sun_rises_culminates_and_sets() -> None:
    sun = Sun(clouds=False)
    shares = [sun.share(hour * 3600) for hour in range(24)]
    assert shares[:7] == [0.0] * 7
    assert shares[20:] == [0.0] * 4
    assert shares[7:14] == sorted(shares[7:14])
    assert shares[13:20] == sorted(shares[13:20], reverse=True)
    assert shares[13] == pytest.approx(1.0)


def test_clouds_pass_and_repeat_with_the_seed() -> None:
    moments = range(9 * 3600, 17 * 3600, 60)
    clear = [Sun(clouds=False).share(moment) for moment in moments]
    cloudy = [Sun(seed=1).share(moment) for moment in moments]
    assert all(some <= all_ for some, all_ in zip(cloudy, clear, strict=True))
    assert 0.1 < sum(some < all_ for some, all_ in zip(cloudy, clear, strict=True)) / len(clear) < 0.9
    assert cloudy == [Sun(seed=1).share(moment) for moment in moments]
    assert cloudy != [Sun(seed=2).share(moment) for moment in moments]


def test_appliances_switch_every_day() -> None:
    kettle = Appliance("kettle", Phases(2000.0, 0.0, 0.0), 23.95, 6)
    load = Load(appliances=(kettle,))
    just_before, running, past_midnight = 23.94 * 3600, 23.96 * 3600, DAY_S + 60
    assert sum(load.power(running)) - sum(load.power(just_before)) == pytest.approx(2000, abs=50)
    assert load.power(running + 5 * DAY_S).l1 > 2000
    assert load.power(past_midnight).l1 > 2000
    assert load.power(past_midnight + 300).l1 < 1000


@pytest.mark.parametrize("limit", [0, 100, 5_000, 10_000])
def test_a_limit_holds_the_sum_at_the_meter_all_day(limit: int) -> None:
    house = House(start=5.0, speed=60, seed=3)
    for second in range(0, 900, 3):
        house.advance(float(second), held_to(limit))
        assert house.meter_power <= limit + 0.001
    assert house.inverter_power > 0


def test_a_limit_holds_each_phase_to_its_third() -> None:
    house = noon_house(Load(appliances=(Appliance("kettle", Phases(3000.0, 0.0, 0.0), 0, 24 * 60),)))
    house.advance(1, held_to(6_000, sum_of_phases=False))
    power = house.telemetry().power
    assert max(power) == 2_000
    assert power.l1 < 0


def test_nothing_limits_without_orders() -> None:
    house = noon_house()
    assert house.meter_power > 20_000


def test_inverters_fall_at_once_and_rise_slowly() -> None:
    house = noon_house()
    free = house.inverter_power
    house.advance(1, held_to(0))
    assert house.meter_power == pytest.approx(0)
    house.advance(2, UNCONSTRAINED)
    assert house.inverter_power < free / 2
    house.advance(60, UNCONSTRAINED)
    assert house.inverter_power == pytest.approx(free, rel=0.01)


def test_telemetry_is_coherent() -> None:
    house = House(start=11.4, speed=10)
    for second in range(0, 600, 7):
        house.advance(float(second), held_to(10_000))
        told = house.telemetry()
        assert told.meter_power == sum(told.power)
        assert told.meter_power == pytest.approx(house.inverter_power - house.load_power, abs=2)
        for volts, amperes, watts in zip(told.voltage, told.current, told.power, strict=True):
            assert 215 < volts < 245
            reactive = sqrt(max(0.0, (volts * amperes) ** 2 - watts**2))
            assert 150 < reactive < 450


def test_the_meter_is_told_at_once_and_the_inverters_at_the_next_refresh() -> None:
    house = noon_house()
    before = house.telemetry()
    house.tripped = True
    house.advance(5, UNCONSTRAINED)
    told = house.telemetry()
    assert told.meter_power == pytest.approx(-house.load_power, abs=2)
    assert told.inverter_power == before.inverter_power
    house.advance(29, UNCONSTRAINED)
    assert house.telemetry().inverter_power == before.inverter_power
    house.advance(30, UNCONSTRAINED)
    assert house.telemetry().inverter_power == 0


def test_it_is_night_at_night() -> None:
    house = noon_house()
    house.time_of_day = 23.5
    house.advance(31, UNCONSTRAINED)
    assert house.time_of_day == pytest.approx(23.5, abs=0.01)
    told = house.telemetry()
    assert told.inverter_power == 0
    assert told.meter_power < 0


def test_the_day_runs_at_its_speed() -> None:
    house = House(start=11, speed=144)
    house.advance(25, UNCONSTRAINED)
    assert house.time_of_day == pytest.approx(12)


def test_the_load_computed_from_what_is_told_makes_sense_in_a_fast_day() -> None:
    house = House(start=7, speed=144, clouds=False, load=QUIET)
    for second in range(300):
        house.advance(float(second), UNCONSTRAINED)
        told = house.telemetry()
        assert told.load_power == pytest.approx(house.load_power, abs=600)


def test_the_same_seed_gives_the_same_day() -> None:
    def day(seed: int) -> list[int]:
        house = House(speed=60, seed=seed)
        told = []
        for second in range(0, 600, 10):
            house.advance(float(second), held_to(10_000))
            told.append(house.telemetry().meter_power)
        return told

    assert day(4) == day(4)
    assert day(4) != day(5)


def test_a_long_pause_is_calculated_in_no_time_and_ends_in_the_same_state() -> None:
    skipped, walked = House(speed=10), House(speed=10)
    for second in range(0, 5000, 10):
        walked.advance(float(second), held_to(10_000))
    walked.advance(5_000, held_to(10_000))
    skipped.advance(5_000, held_to(10_000))
    assert skipped.inverter_power == pytest.approx(walked.inverter_power, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [({"inverters": 0}, "inverters"), ({"speed": -1}, "speed"), ({"start": 25}, "start is")],
)
def test_a_house_that_cannot_be_is_refused(arguments: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        House(**arguments)  # type: ignore[arg-type]


def throttling(house: House) -> bool:
    return house.watchdog.throttling


def throttled_house() -> House:
    house = noon_house()
    house.advance(10, held_to(10_000))
    house.heater = True
    house.advance(11, held_to(10_000))
    return house


def test_a_sharp_step_throttles_far_below_the_limit_for_two_to_three_minutes() -> None:
    house = throttled_house()
    assert throttling(house)
    assert house.inverter_power == 1_500
    house.advance(11 + 119, held_to(10_000))
    assert house.inverter_power == 1_500
    house.advance(11 + 181, held_to(10_000))
    assert not throttling(house)
    house.advance(11 + 240, held_to(10_000))
    assert house.meter_power == pytest.approx(10_000)


def test_five_seconds_without_limit_cure_it() -> None:
    house = throttled_house()
    house.advance(20, held_to(10_000))
    house.advance(24, UNCONSTRAINED)
    assert throttling(house)
    house.advance(25, UNCONSTRAINED)
    assert not throttling(house)
    house.advance(60, held_to(10_000))
    assert house.meter_power == pytest.approx(10_000)


def test_a_shorter_pause_and_another_mode_do_not_cure_it() -> None:
    house = throttled_house()
    house.advance(20, held_to(10_000))
    house.advance(23, UNCONSTRAINED)
    house.advance(24, held_to(10_000))
    house.advance(27, UNCONSTRAINED)
    house.advance(28, held_to(10_000))
    house.advance(40, ExportConstraint(None, ControlMode.DRED))
    assert throttling(house)


def test_a_step_without_limit_does_no_harm() -> None:
    house = noon_house()
    house.heater = True
    house.advance(1, UNCONSTRAINED)
    assert not throttling(house)


def test_a_small_step_does_no_harm() -> None:
    house = House(start=10.19, clouds=False)
    house.advance(0, held_to(10_000))
    before = house.load_power
    house.advance(60, held_to(10_000))
    assert house.load_power > before + 1_500
    assert not throttling(house)


async def test_the_house_obeys_what_binds_and_not_what_is_stored() -> None:
    now = 0.0
    async with Simulator(clock=lambda: now, house=House(start=12, clouds=False, load=QUIET)) as sim:
        assert sim.telemetry().meter_power == pytest.approx(10_000, abs=2)
        await status(sim, wire.WRITE_5_KW)
        now = 40.0
        assert sim.telemetry().meter_power == pytest.approx(10_000, abs=2)
        await status(sim, wire.VALUE_ON)
        now = 80.0
        assert sim.telemetry().meter_power == pytest.approx(5_000, abs=2)
        assert int.from_bytes((await ask(sim, wire.TELEMETRY))[46:50], signed=True) == pytest.approx(
            5_000, abs=2
        )
        await status(sim, wire.VALUE_OFF)
        now = 120.0
        assert sim.telemetry().meter_power > 20_000


async def test_disobedient_inverters_ignore_the_limit_that_is_stored() -> None:
    now = 0.0
    async with Simulator(clock=lambda: now, house=House(start=12, clouds=False, load=QUIET)) as sim:
        sim.inject("disobedient")
        now = 60.0
        assert sim.telemetry().meter_power > 20_000
        assert sim.device.bound_limit == 10_000
        sim.clear_faults()
        now = 61.0
        assert sim.telemetry().meter_power == pytest.approx(10_000, abs=2)


async def test_a_watchdog_reset_by_the_wire() -> None:
    now = 0.0
    async with Simulator(clock=lambda: now, house=House(start=12, clouds=False, load=QUIET)) as sim:
        now = 10.0
        sim.event("heater-on")
        now = 12.0
        assert throttling(sim.house)
        await status(sim, wire.VALUE_OFF)
        now = 17.0
        await status(sim, wire.VALUE_ON)
        assert not throttling(sim.house)
        now = 60.0
        assert sim.telemetry().meter_power == pytest.approx(10_000, abs=2)


async def test_a_restart_ends_the_throttling() -> None:
    now = 0.0
    async with Simulator(clock=lambda: now, house=House(start=12, clouds=False, load=QUIET)) as sim:
        sim.event("heater-on")
        now = 2.0
        assert throttling(sim.house)
        sim.restart()
        assert not throttling(sim.house)


async def test_events() -> None:
    now = 0.0
    async with Simulator(clock=lambda: now, house=House(start=12, clouds=False, load=QUIET)) as sim:
        for name, hour in (("dawn", 6.1), ("noon", 12.0), ("sunset", 19.75), ("night", 23.5)):
            sim.event(name)
            assert sim.house.time_of_day == pytest.approx(hour)
        sim.event("noon")
        sim.event("trip")
        now = 1.0
        assert sim.house.inverter_power == 0
        sim.event("reconnect")
        now = 40.0
        assert sim.house.inverter_power > 10_000
        quiet = sim.house.load_power
        sim.event("heater-on")
        now = 41.0
        assert sim.house.load_power == pytest.approx(quiet + 9_000, abs=100)
        sim.event("heater-off")
        now = 42.0
        assert sim.house.load_power == pytest.approx(quiet, abs=100)


async def test_a_held_measurement_replaces_the_house_until_released(sim: Simulator) -> None:
    own = sim.telemetry()
    held = sim.telemetry()
    sim.hold(held)
    sim.event("night")
    assert sim.telemetry() is held
    sim.release()
    assert sim.telemetry().meter_power != own.meter_power
