"""The house: sun, load, limited inverters, reported telemetry, and the watchdog."""

from math import sqrt
from typing import Final

import pytest

from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Phases
from simulator import House, Simulator
from simulator.device import Restriction
from simulator.house import DAY_S, UNCONSTRAINED, Appliance, ExportConstraint, Load, Sun

from ..known import known
from . import wire
from .wire import ask, status

QUIET: Final = Load(appliances=())


def limited_to(watts: int, *, sum_of_phases: bool = True) -> ExportConstraint:
    return ExportConstraint(Restriction(watts, sum_of_phases), ControlMode.VALUE)


def noon_house(load: Load = QUIET) -> House:
    house = House(start=12.0, clouds=False, load=load)
    house.advance(0, UNCONSTRAINED)
    return house


def test_sun_rises_culminates_and_sets() -> None:
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


def test_appliance_runs_every_day_also_across_midnight() -> None:
    kettle = Appliance("kettle", Phases(2000.0, 0.0, 0.0), 23.95, 6)
    load = Load(appliances=(kettle,))
    just_before, running, past_midnight = 23.94 * 3600, 23.96 * 3600, DAY_S + 60
    assert sum(load.power(running)) - sum(load.power(just_before)) == pytest.approx(2000, abs=50)
    assert load.power(running + 5 * DAY_S).l1 > 2000
    assert load.power(past_midnight).l1 > 2000
    assert load.power(past_midnight + 300).l1 < 1000


@pytest.mark.parametrize("limit", [0, 100, 5_000, 10_000])
def test_limit_on_sum_is_kept_at_the_meter_all_day(limit: int) -> None:
    house = House(start=5.0, speed=60, seed=3)
    for second in range(0, 900, 3):
        house.advance(float(second), limited_to(limit))
        assert house.meter_power <= limit + 0.001
    assert house.inverter_power > 0


def test_limit_per_phase_keeps_each_phase_to_a_third() -> None:
    house = noon_house(Load(appliances=(Appliance("kettle", Phases(3000.0, 0.0, 0.0), 0, 24 * 60),)))
    house.advance(1, limited_to(6_000, sum_of_phases=False))
    power = house.telemetry().power
    assert max(map(known, power)) == 2_000
    assert known(power.l1) < 0


def test_unconstrained_house_exports_all() -> None:
    house = noon_house()
    assert house.meter_power > 20_000


def test_inverters_fall_at_once_and_rise_slowly() -> None:
    house = noon_house()
    free = house.inverter_power
    house.advance(1, limited_to(0))
    assert house.meter_power == pytest.approx(0)
    house.advance(2, UNCONSTRAINED)
    assert house.inverter_power < free / 2
    house.advance(60, UNCONSTRAINED)
    assert house.inverter_power == pytest.approx(free, rel=0.01)


def test_telemetry_values_agree_with_each_other() -> None:
    house = House(start=11.4, speed=10)
    for second in range(0, 600, 7):
        house.advance(float(second), limited_to(10_000))
        telemetry = house.telemetry()
        assert telemetry.meter_power == sum(map(known, telemetry.power))
        assert telemetry.meter_power == pytest.approx(house.inverter_power - house.load_power, abs=2)
        phases = zip(telemetry.voltage, telemetry.current, telemetry.power, strict=True)
        for volts, amperes, watts in (map(known, values) for values in phases):
            assert 215 < volts < 245
            reactive = sqrt(max(0.0, (volts * amperes) ** 2 - watts**2))
            assert 150 < reactive < 450


def test_inverter_power_is_reported_later_than_meter_power() -> None:
    house = noon_house()
    before = house.telemetry()
    house.tripped = True
    house.advance(5, UNCONSTRAINED)
    telemetry = house.telemetry()
    assert telemetry.meter_power == pytest.approx(-house.load_power, abs=2)
    assert telemetry.inverter_power == before.inverter_power
    house.advance(29, UNCONSTRAINED)
    assert house.telemetry().inverter_power == before.inverter_power
    house.advance(30, UNCONSTRAINED)
    assert house.telemetry().inverter_power == 0


def test_night_has_no_inverter_power_and_imports() -> None:
    house = noon_house()
    house.time_of_day = 23.5
    house.advance(31, UNCONSTRAINED)
    assert house.time_of_day == pytest.approx(23.5, abs=0.01)
    telemetry = house.telemetry()
    assert telemetry.inverter_power == 0
    assert known(telemetry.meter_power) < 0


def test_day_runs_at_its_speed() -> None:
    house = House(start=11, speed=144)
    house.advance(25, UNCONSTRAINED)
    assert house.time_of_day == pytest.approx(12)


def test_computed_load_is_right_on_a_fast_day() -> None:
    house = House(start=7, speed=144, clouds=False, load=QUIET)
    for second in range(300):
        house.advance(float(second), UNCONSTRAINED)
        telemetry = house.telemetry()
        assert telemetry.load_power == pytest.approx(house.load_power, abs=600)


def test_same_seed_gives_the_same_day() -> None:
    def day(seed: int) -> list[int]:
        house = House(speed=60, seed=seed)
        meter_powers = []
        for second in range(0, 600, 10):
            house.advance(float(second), limited_to(10_000))
            meter_powers.append(known(house.telemetry().meter_power))
        return meter_powers

    assert day(4) == day(4)
    assert day(4) != day(5)


def test_skipped_time_ends_in_the_same_state() -> None:
    skipped, walked = House(speed=10), House(speed=10)
    for second in range(0, 5000, 10):
        walked.advance(float(second), limited_to(10_000))
    walked.advance(5_000, limited_to(10_000))
    skipped.advance(5_000, limited_to(10_000))
    assert skipped.inverter_power == pytest.approx(walked.inverter_power, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"inverters": 0}, "inverters"),
        ({"speed": -1}, "speed"),
        ({"start": 25}, "start is"),
        ({"battery": -1}, "battery is"),
    ],
)
def test_invalid_house_raises_value_error(arguments: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        House(**arguments)  # type: ignore[arg-type]


def throttling(house: House) -> bool:
    return house.watchdog.throttling


def throttled_house() -> House:
    house = noon_house()
    house.advance(10, limited_to(10_000))
    house.heater = True
    house.advance(11, limited_to(10_000))
    return house


def test_load_step_throttles_inverters_for_2_to_3_minutes() -> None:
    house = throttled_house()
    assert throttling(house)
    assert house.inverter_power == 1_500
    house.advance(11 + 119, limited_to(10_000))
    assert house.inverter_power == 1_500
    house.advance(11 + 181, limited_to(10_000))
    assert not throttling(house)
    house.advance(11 + 240, limited_to(10_000))
    assert house.meter_power == pytest.approx(10_000)


def test_5_s_without_limit_end_throttling() -> None:
    house = throttled_house()
    house.advance(20, limited_to(10_000))
    house.advance(24, UNCONSTRAINED)
    assert throttling(house)
    house.advance(25, UNCONSTRAINED)
    assert not throttling(house)
    house.advance(60, limited_to(10_000))
    assert house.meter_power == pytest.approx(10_000)


def test_shorter_pause_or_other_mode_keeps_throttling() -> None:
    house = throttled_house()
    house.advance(20, limited_to(10_000))
    house.advance(23, UNCONSTRAINED)
    house.advance(24, limited_to(10_000))
    house.advance(27, UNCONSTRAINED)
    house.advance(28, limited_to(10_000))
    house.advance(40, ExportConstraint(None, ControlMode.DRED))
    assert throttling(house)


def test_load_step_without_limit_does_not_throttle() -> None:
    house = noon_house()
    house.heater = True
    house.advance(1, UNCONSTRAINED)
    assert not throttling(house)


def test_small_load_step_does_not_throttle() -> None:
    house = House(start=10.19, clouds=False)
    house.advance(0, limited_to(10_000))
    before = house.load_power
    house.advance(60, limited_to(10_000))
    assert house.load_power > before + 1_500
    assert not throttling(house)


def battery_house(*, start: float = 12.0, speed: float = 1.0) -> House:
    house = House(start=start, speed=speed, clouds=False, load=QUIET, battery=10_000)
    house.advance(10, limited_to(10_000))
    return house


def test_throttled_panels_leave_the_load_to_the_battery() -> None:
    house = battery_house()
    assert house.battery.power == 0
    assert house.meter_power == pytest.approx(10_000)
    before = house.inverter_power
    house.heater = True
    house.advance(60, limited_to(10_000))
    assert throttling(house)
    assert house.pv_power == 1_500
    assert house.battery.power == pytest.approx(house.load_power - 1_500)
    assert house.inverter_power == pytest.approx(house.load_power)
    assert house.inverter_power > before * 0.8
    assert house.meter_power == pytest.approx(0)
    assert house.telemetry().inverter_power == pytest.approx(house.inverter_power, abs=100)
    house.advance(65, UNCONSTRAINED)
    house.advance(90, limited_to(10_000))
    assert house.battery.power <= 0
    assert house.meter_power == pytest.approx(10_000)


def test_battery_is_charged_with_what_the_limit_curtails_only() -> None:
    house = battery_house()
    house.battery.level = 9_000
    house.advance(20, limited_to(10_000))
    assert house.battery.power == -10_000
    assert house.pv_power == pytest.approx(house.inverter_power + 10_000)
    assert house.meter_power == pytest.approx(10_000)
    house.advance(400, limited_to(10_000))
    assert (house.battery.level, house.battery.power) == (10_000, 0)
    house.battery.level = 5_000
    house.advance(440, UNCONSTRAINED)
    assert house.battery.power == pytest.approx(0)


def test_battery_carries_the_house_until_it_is_empty() -> None:
    house = battery_house(start=22.0, speed=60)
    assert house.meter_power == pytest.approx(0)
    assert house.battery.power == pytest.approx(house.load_power)
    house.battery.level = 1_000
    for second in range(20, 300, 10):
        house.advance(float(second), limited_to(10_000))
    assert (house.battery.level, house.battery.power) == (0, 0)
    assert house.meter_power == pytest.approx(-house.load_power)


def test_tripped_house_gets_nothing_from_its_battery() -> None:
    house = battery_house()
    house.tripped = True
    house.advance(20, limited_to(10_000))
    assert house.inverter_power == 0


def test_battery_gives_no_more_than_inverters_and_limit_allow() -> None:
    house = House(inverters=1, start=22.0, clouds=False, load=QUIET, battery=30_000)
    house.heater = True
    house.advance(10, limited_to(10_000))
    assert 9_000 < house.inverter_power <= 10_000
    house.load = Load(appliances=(Appliance("sauna", Phases(4_000.0, 4_000.0, 4_000.0), 0, 24 * 60),))
    house.advance(20, limited_to(10_000))
    assert house.inverter_power == 10_000
    below_zero = House(start=22.0, clouds=False, load=QUIET, battery=10_000)
    below_zero.advance(10, limited_to(-200))
    assert below_zero.meter_power == pytest.approx(-200)


async def test_house_follows_limit_in_force_not_stored_limit() -> None:
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
        assert known(sim.telemetry().meter_power) > 20_000


async def test_disobedient_inverters_ignore_the_limit() -> None:
    now = 0.0
    async with Simulator(clock=lambda: now, house=House(start=12, clouds=False, load=QUIET)) as sim:
        sim.inject("disobedient")
        now = 60.0
        assert known(sim.telemetry().meter_power) > 20_000
        assert sim.device.bound_limit == 10_000
        sim.clear_faults()
        now = 61.0
        assert sim.telemetry().meter_power == pytest.approx(10_000, abs=2)


async def test_watchdog_reset_by_requests_ends_throttling() -> None:
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


async def test_restart_ends_throttling() -> None:
    now = 0.0
    async with Simulator(clock=lambda: now, house=House(start=12, clouds=False, load=QUIET)) as sim:
        sim.event("heater-on")
        now = 2.0
        assert throttling(sim.house)
        sim.restart()
        assert not throttling(sim.house)


async def test_events_change_time_grid_and_heater() -> None:
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


async def test_held_telemetry_replaces_house_until_release(sim: Simulator) -> None:
    own = sim.telemetry()
    held = sim.telemetry()
    sim.hold(held)
    sim.event("night")
    assert sim.telemetry() is held
    sim.release()
    assert sim.telemetry().meter_power != own.meter_power
