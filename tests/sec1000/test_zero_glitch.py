"""A false zero in full production is hidden; a real zero is shown at once."""

from dataclasses import replace

import pytest

from custom_components.goodwe_sec1000.sec1000.model import Phases, Telemetry
from custom_components.goodwe_sec1000.sec1000.zero_glitch import HOLD_S, ZeroGlitchFilter


def measured(inverters: int, meter: int) -> Telemetry:
    return Telemetry(Phases(230.0, 230.0, 230.0), Phases(0.0, 0.0, 0.0), Phases(0, 0, 0), meter, inverters)


@pytest.mark.promise("R-28")
def test_single_zero_in_full_production_is_hidden() -> None:
    glitch = ZeroGlitchFilter()
    glitch.filter(measured(20_000, 15_000), 0)
    shown = glitch.filter(measured(0, 14_800), 30)
    assert (shown.inverter_power, shown.meter_power, shown.load_power) == (20_000, 14_800, 5_200)
    assert glitch.filter(measured(20_100, 15_000), 60).inverter_power == 20_100


def test_lasting_zero_is_shown_after_a_minute() -> None:
    glitch = ZeroGlitchFilter()
    glitch.filter(measured(20_000, 15_000), 0)
    shown = [
        glitch.filter(measured(0, 15_000), at).inverter_power
        for at in (5, 30, HOLD_S, HOLD_S + 5, HOLD_S + 10)
    ]
    assert shown == [20_000, 20_000, 20_000, 0, 0]


@pytest.mark.parametrize("interval", [5, 30])
def test_inverter_trip_is_shown_at_once(interval: int) -> None:
    """The meter power falls at the trip, the inverter power at its next refresh."""
    glitch = ZeroGlitchFilter()
    trip, refresh = 33, 60
    for at in range(0, 120, interval):
        inverters = 20_000 if at < refresh else 0
        meter = 15_000 if at < trip else -5_000
        shown = glitch.filter(measured(inverters, meter), at)
        assert shown.inverter_power == inverters


def test_inverter_trip_under_changing_sun_is_shown_at_once() -> None:
    glitch = ZeroGlitchFilter()
    for at, inverters, meter in (
        (0, 18_000, 13_000),
        (30, 20_000, 15_000),
        (35, 20_000, -5_000),
        (55, 20_000, -5_000),
    ):
        glitch.filter(measured(inverters, meter), at)
    assert glitch.filter(measured(0, -5_000), 60).inverter_power == 0


def test_sunset_is_shown_at_once() -> None:
    glitch = ZeroGlitchFilter()
    for step, inverters in enumerate((900, 500, 180, 0)):
        assert glitch.filter(measured(inverters, inverters - 400), step * 30).inverter_power == inverters


def test_zero_at_night_start_is_shown() -> None:
    assert ZeroGlitchFilter().filter(measured(0, -400), 0).inverter_power == 0


def test_zero_at_dawn_is_shown() -> None:
    glitch = ZeroGlitchFilter()
    assert [
        glitch.filter(measured(watts, -300), at * 30).inverter_power
        for at, watts in enumerate((0, 60, 0, 150))
    ] == [
        0,
        60,
        0,
        150,
    ]


def test_load_step_does_not_confirm_zero() -> None:
    glitch = ZeroGlitchFilter()
    glitch.filter(measured(20_000, 15_000), 0)
    assert glitch.filter(measured(0, 9_000), 30).inverter_power == 20_000


@pytest.mark.parametrize("interval", [61, 300, 3600])
def test_old_value_is_not_held_with_rare_polls(interval: int) -> None:
    glitch = ZeroGlitchFilter()
    glitch.filter(measured(20_000, 15_000), 0)
    assert glitch.filter(measured(0, 15_000), interval).inverter_power == 0


@pytest.mark.parametrize("interval", [5, 30, 31, 45, 59, 60])
def test_held_value_may_be_shown_for_a_minute_at_any_interval(interval: int) -> None:
    glitch = ZeroGlitchFilter()
    glitch.filter(measured(20_000, 15_000), 0)
    assert glitch.held_until is None
    for at in range(interval, 61, interval):
        assert glitch.filter(measured(0, 15_000), at).inverter_power == 20_000
        assert glitch.held_until == 60
    glitch.filter(measured(0, 15_000), 61)
    assert glitch.held_until is None


def test_unknown_power_is_neither_held_nor_a_reference() -> None:
    glitch = ZeroGlitchFilter()
    glitch.filter(measured(20_000, 15_000), 0)
    unknown = replace(measured(0, 15_000), inverter_power=None)
    assert glitch.filter(unknown, 30) == unknown
    assert glitch.filter(replace(measured(0, 0), meter_power=None), 40).inverter_power == 20_000
