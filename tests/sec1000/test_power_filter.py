"""False zeros and impossible loads are hidden for a while; what is real is shown at once."""

from dataclasses import replace

import pytest

from custom_components.goodwe_sec1000.sec1000.model import Phases, Telemetry
from custom_components.goodwe_sec1000.sec1000.power_filter import HOLD_S, PowerFilter


def measured(inverters: int, meter: int) -> Telemetry:
    return Telemetry(Phases(230.0, 230.0, 230.0), Phases(0.0, 0.0, 0.0), Phases(0, 0, 0), meter, inverters)


@pytest.mark.promise("R-28")
def test_single_zero_in_full_production_is_hidden() -> None:
    power_filter = PowerFilter()
    power_filter.filter(measured(20_000, 15_000), 0)
    shown = power_filter.filter(measured(0, 14_800), 30)
    assert (shown.inverter_power, shown.meter_power, shown.load_power) == (20_000, 14_800, 5_200)
    assert power_filter.filter(measured(20_100, 15_000), 60).inverter_power == 20_100


def test_lasting_zero_is_shown_after_a_minute() -> None:
    power_filter = PowerFilter()
    power_filter.filter(measured(20_000, 15_000), 0)
    shown = [
        power_filter.filter(measured(0, 15_000), at).inverter_power
        for at in (5, 30, HOLD_S, HOLD_S + 5, HOLD_S + 10)
    ]
    assert shown == [20_000, 20_000, 20_000, 0, 0]


@pytest.mark.parametrize("interval", [5, 30])
def test_inverter_trip_is_shown_at_once(interval: int) -> None:
    """The meter power falls at the trip, the inverter power at its next refresh."""
    power_filter = PowerFilter()
    trip, refresh = 33, 60
    for at in range(0, 120, interval):
        inverters = 20_000 if at < refresh else 0
        meter = 15_000 if at < trip else -5_000
        shown = power_filter.filter(measured(inverters, meter), at)
        assert shown.inverter_power == inverters


def test_inverter_trip_under_changing_sun_is_shown_at_once() -> None:
    power_filter = PowerFilter()
    for at, inverters, meter in (
        (0, 18_000, 13_000),
        (30, 20_000, 15_000),
        (35, 20_000, -5_000),
        (55, 20_000, -5_000),
    ):
        power_filter.filter(measured(inverters, meter), at)
    assert power_filter.filter(measured(0, -5_000), 60).inverter_power == 0


def test_sunset_is_shown_at_once() -> None:
    power_filter = PowerFilter()
    for step, inverters in enumerate((900, 500, 180, 0)):
        assert (
            power_filter.filter(measured(inverters, inverters - 400), step * 30).inverter_power == inverters
        )


def test_zero_at_night_start_is_shown() -> None:
    assert PowerFilter().filter(measured(0, -400), 0).inverter_power == 0


def test_zero_at_dawn_is_shown() -> None:
    power_filter = PowerFilter()
    assert [
        power_filter.filter(measured(watts, -300), at * 30).inverter_power
        for at, watts in enumerate((0, 60, 0, 150))
    ] == [
        0,
        60,
        0,
        150,
    ]


def test_load_step_does_not_confirm_zero() -> None:
    power_filter = PowerFilter()
    power_filter.filter(measured(20_000, 15_000), 0)
    assert power_filter.filter(measured(0, 9_000), 30).inverter_power == 20_000


@pytest.mark.parametrize("interval", [61, 300, 3600])
def test_old_value_is_not_held_with_rare_polls(interval: int) -> None:
    power_filter = PowerFilter()
    power_filter.filter(measured(20_000, 15_000), 0)
    assert power_filter.filter(measured(0, 15_000), interval).inverter_power == 0


@pytest.mark.parametrize("interval", [5, 30, 31, 45, 59, 60])
def test_held_value_may_be_shown_for_a_minute_at_any_interval(interval: int) -> None:
    power_filter = PowerFilter()
    power_filter.filter(measured(20_000, 15_000), 0)
    assert power_filter.held_until is None
    for at in range(interval, 61, interval):
        assert power_filter.filter(measured(0, 15_000), at).inverter_power == 20_000
        assert power_filter.held_until == 60
    power_filter.filter(measured(0, 15_000), 61)
    assert power_filter.held_until is None


def test_unknown_power_is_neither_held_nor_a_reference() -> None:
    power_filter = PowerFilter()
    power_filter.filter(measured(20_000, 15_000), 0)
    unknown = replace(measured(0, 15_000), inverter_power=None)
    shown = power_filter.filter(unknown, 30)
    assert (shown.inverter_power, shown.load_power) == (None, None)
    assert power_filter.filter(replace(measured(0, 0), meter_power=None), 40).inverter_power == 20_000


def loads(*samples: tuple[int, int, int], changed_at: int | None = None) -> list[int | None]:
    """Return the load shown after each measurement: when (s), inverter power, meter power (W)."""
    power_filter = PowerFilter()
    shown = []
    for at, inverters, meter in samples:
        power_filter.record_limit("before" if changed_at is None or at < changed_at else "after", at)
        shown.append(power_filter.filter(measured(inverters, meter), at).load_power)
    return shown


def test_load_below_zero_is_held_until_inverters_are_refreshed() -> None:
    raised = [(0, 4_000, 0), (5, 4_000, 10_000), (10, 4_000, 10_000), (15, 14_100, 10_000)]
    assert loads(*raised) == [4_000, 4_000, 4_000, 4_100]


def test_load_below_zero_is_unknown_after_a_minute() -> None:
    lasting = [(at, 4_000, 10_000) for at in (30, 60, 61, 90)]
    assert loads((0, 4_000, 0), *lasting) == [4_000, 4_000, 4_000, None, None]


def test_load_below_zero_at_first_is_unknown() -> None:
    assert loads((0, 4_000, 10_000)) == [None]


def test_load_a_little_below_zero_is_zero() -> None:
    assert loads((0, 9_900, 10_000), (30, 9_799, 10_000)) == [0, 0]


@pytest.mark.parametrize("interval", [5, 30])
def test_load_is_held_after_a_lowered_limit(interval: int) -> None:
    """The limit is lowered at 61 s and the inverter power refreshed at 75 s: until then it is too high."""
    samples = [
        (at, 4_000 if at >= 75 else 14_000 + (at + 15) // 30, 10_000 if at < 61 else 0)
        for at in range(0, 121, interval)
    ]
    shown = loads(*samples, changed_at=61)
    assert all(load is not None and 3_900 <= load <= 4_100 for load in shown)


def test_load_after_an_ineffective_change_is_shown_again() -> None:
    night = [(at, 0, -400 - at) for at in (0, 5, 20, 40, 46)]
    assert loads(*night, changed_at=4) == [400, 400, 400, 400, 446]


def test_load_is_shown_under_changes_that_follow_each_other() -> None:
    power_filter = PowerFilter()
    shown = []
    for at in range(0, 121, 10):
        power_filter.record_limit(f"limit {at}", at - 1)
        shown.append(power_filter.filter(measured(5_000 + at, 1_000), at).load_power)
    assert shown[-1] == 4_120
