"""The watchdog blueprint resets the watchdog when it throttles the inverters, and in no other case."""

import asyncio
from dataclasses import replace
from typing import Any, Final

from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import CAPTURED, House, Simulator
from tests.states import get_state, show_in

from .home import Home, add_helpers
from .watchdog import BLUEPRINT, CALM_S, INVERTERS, fall, inputs, measure, resets, sun

BUTTON: Final = "button.sec1000_reset_export_watchdog"
COUNTER: Final = "counter.resets"
VALUE: Final = 0x40
READ_SETTINGS: Final = 0x43
HOUR: Final = 3600
NONE: Final = {"hours": 0, "minutes": 0, "seconds": 0}


@pytest.fixture(autouse=True)
async def _noon(hass: HomeAssistant) -> None:
    await hass.config.async_set_time_zone("UTC")
    sun(hass, 50)


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("house", [House()], ids=["live"])
async def test_throttling_after_load_step_is_ended(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    """In the simulated house a load of 9 kW is switched on."""
    automation = await home.automate(BLUEPRINT, inputs())
    await asyncio.sleep(CALM_S)
    assert get_state(hass, automation).attributes["last_triggered"] is None
    sim.event("heater-on")
    await asyncio.sleep(5)
    assert sim.house.inverter_power < 2_000
    await asyncio.sleep(115)
    assert sim.house.inverter_power > 15_000
    assert resets(sim) == 1
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 10_000)
    assert get_state(hass, "sensor.sec1000_reset_export_watchdog_feedback").state == "1"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "readings", "expected"),
    [
        ({}, {}, 1),
        ({}, {"to": 1_800}, 1),
        ({}, {"to": 1_850}, 0),
        ({"collapsed_to": 30}, {"to": 2_600}, 1),
        ({}, {"before": 990, "to": 90}, 0),
        ({"power_before": 500}, {"before": 990, "to": 90}, 1),
        ({}, {"load": 1_350}, 0),
        ({"import_above": 400}, {"load": 1_350}, 1),
        ({}, {"load": 800}, 0),
        ({"import_above": 6_000}, {}, 0),
    ],
)
async def test_collapse_inputs_are_used(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    changed: dict[str, Any],
    readings: dict[str, int],
    expected: int,
) -> None:
    measure(sim, readings.get("before", 9_000), 800)
    await asyncio.sleep(65)
    await home.automate(BLUEPRINT, inputs(**changed))
    await fall(sim, **readings)
    assert resets(sim) == expected


async def test_clouds_and_dusk_are_no_collapse(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs())
    await asyncio.sleep(CALM_S)
    watts = 9_000
    while watts > 20:
        measure(sim, watts, 6_000)
        await asyncio.sleep(30)
        watts = watts * 3 // 4
    assert resets(sim) == 0


async def test_short_fall_is_no_collapse(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs(collapsed_for={"minutes": 2}))
    for _ in range(3):
        await fall(sim, seconds=75)
    measure(sim, 9_000, 6_000)
    await asyncio.sleep(300)
    assert resets(sim) == 0
    await fall(sim, seconds=160)
    assert resets(sim) == 1


@pytest.mark.parametrize(("chosen", "expected"), [("", 0), ("sensor.grid", 1)])
async def test_renamed_meter_has_to_be_chosen(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, chosen: str, expected: int
) -> None:
    er.async_get(hass).async_update_entity("sensor.sec1000_meter_power", new_entity_id="sensor.grid")
    await home.automate(BLUEPRINT, inputs(meter_power=chosen))
    await fall(sim)
    assert resets(sim) == expected


async def test_former_input_of_the_load_does_not_matter(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs(load_power="sensor.sec1000_load_power"))
    await fall(sim)
    assert resets(sim) == 1


@pytest.mark.parametrize("scan_interval", [5, 10, 30])
async def test_meter_at_limit_counts_whatever_the_inverter_power(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, home: Home, scan_interval: int
) -> None:
    """The load is held where inverters and meter do not belong together: only the meter tells."""
    hass.config_entries.async_update_entry(entry, options={**entry.options, "scan_interval": scan_interval})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await home.automate(BLUEPRINT, inputs())
    measure(sim, 9_000, 6_000)
    await asyncio.sleep(CALM_S)
    sim.hold(replace(CAPTURED, inverter_power=900, meter_power=10_000))
    await asyncio.sleep(100)
    assert resets(sim) == 0


async def test_unresponsive_device_is_no_collapse(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs(collapsed_for={"minutes": 2}))
    await fall(sim, seconds=35)
    sim.inject("reset")
    await asyncio.sleep(60)
    assert get_state(hass, INVERTERS).state == "unavailable"
    sim.clear_faults()
    await asyncio.sleep(600)
    assert get_state(hass, INVERTERS).state == "900"
    assert resets(sim) == 0


@pytest.mark.parametrize("case", ["export is off", "mode rcr", "deactivated", "mode unknown"])
async def test_other_cause_of_throttling_prevents_reset(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, case: str
) -> None:
    if case == "export is off":
        await hass.services.async_call("goodwe_sec1000", "export_disable", blocking=True)
    elif case == "mode rcr":
        sim.device.mode = ControlMode.RCR
    elif case == "deactivated":
        sim.device.mode = ControlMode.DEACTIVATED
    else:
        er.async_get(hass).async_update_entity(
            "select.sec1000_control_mode", disabled_by=er.RegistryEntryDisabler.USER
        )
    await asyncio.sleep(70)
    await home.automate(BLUEPRINT, inputs())
    await fall(sim)
    assert resets(sim) == 0


async def test_helpers_on_device_do_not_matter(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await add_helpers(hass, loaded)
    await home.automate(BLUEPRINT, inputs())
    await asyncio.sleep(200)
    await fall(sim)
    assert resets(sim) == 1


async def test_export_disabled_during_collapse_prevents_reset(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs())
    await fall(sim, seconds=35)
    await hass.services.async_call("goodwe_sec1000", "export_disable", blocking=True)
    await asyncio.sleep(100)
    assert resets(sim) == 0


async def test_device_has_one_switch_and_one_select(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    entries = er.async_entries_for_config_entry(er.async_get(hass), loaded.entry_id)
    for platform in (Platform.SWITCH, Platform.SELECT):
        (only,) = [entry for entry in entries if entry.domain == platform]
        assert only.disabled_by is None
        assert only.entity_category is not EntityCategory.DIAGNOSTIC


@pytest.mark.parametrize(
    ("elevation", "changed", "expected"),
    [
        (9, {}, 0),
        (9, {"sun_elevation": 5}, 1),
        (-50, {"sun_elevation": -90}, 1),
        (None, {}, 0),
        (None, {"sun_elevation": -90}, 1),
    ],
)
async def test_low_sun_prevents_reset(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    elevation: float | None,
    changed: dict[str, Any],
    expected: int,
) -> None:
    if elevation is None:
        hass.states.async_remove("sun.sun")
    else:
        sun(hass, elevation)
    await home.automate(BLUEPRINT, inputs(**changed))
    await fall(sim)
    assert resets(sim) == expected


@pytest.mark.parametrize(
    ("value", "changed", "expected"),
    [
        ("100", {}, 1),
        ("99", {}, 0),
        ("99", {"sun_sensor_above": 50}, 1),
        ("unavailable", {}, 0),
        (None, {}, 0),
    ],
)
async def test_sun_sensor_must_confirm(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    value: str | None,
    changed: dict[str, Any],
    expected: int,
) -> None:
    if value is not None:
        hass.states.async_set("sensor.irradiance", value)
    await home.automate(BLUEPRINT, inputs(sun_sensor="sensor.irradiance", **changed))
    await fall(sim)
    assert resets(sim) == expected


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["kW", "MW", "BTU/h"])
@pytest.mark.parametrize("keys", [("inverter_power", "meter_power"), ("inverter_power",), ("meter_power",)])
async def test_sensors_in_other_units_are_converted(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    keys: tuple[str, ...],
    unit: str,
) -> None:
    for key in keys:
        await show_in(hass, f"sensor.sec1000_{key}", unit)
    await home.automate(BLUEPRINT, inputs())
    await fall(sim, to=1_850)
    assert resets(sim) == 0
    await fall(sim, load=1_350)
    assert resets(sim) == 0
    await fall(sim)
    assert resets(sim) == 1


async def test_new_unit_is_no_collapse(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    automation = await home.automate(BLUEPRINT, inputs())
    measure(sim, 9_000, 6_000)
    await asyncio.sleep(CALM_S)
    await show_in(hass, INVERTERS, "MW")
    await asyncio.sleep(100)
    assert get_state(hass, INVERTERS).state == "0.009"
    assert get_state(hass, automation).attributes["last_triggered"] is None


@pytest.mark.parametrize("by_hand", [False, True])
async def test_minimum_pause_is_kept_over_restart(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, by_hand: bool
) -> None:
    assert await async_setup_component(hass, "counter", {"counter": {"resets": {}}})
    await home.automate(
        BLUEPRINT, inputs(minimum_pause="00:30:00" if by_hand else {"minutes": 30}, counter=COUNTER)
    )
    if by_hand:
        await hass.services.async_call("button", "press", {"entity_id": BUTTON}, blocking=True)
    else:
        await fall(sim)
    assert resets(sim) == 1
    for _ in range(2):
        await fall(sim)
    await home.restart(loaded)
    for _ in range(2):
        await fall(sim)
    assert resets(sim) == 1
    await asyncio.sleep(700)
    await fall(sim)
    assert resets(sim) == 2


async def test_minimum_pause_of_zero_still_keeps_three_minutes(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, "scan_interval": 10})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await home.automate(BLUEPRINT, inputs(minimum_pause=NONE, collapsed_for={"seconds": 1}, daily_maximum=20))
    await asyncio.sleep(CALM_S)
    for _ in range(30):
        measure(sim, 9_000, 6_000)
        await asyncio.sleep(12)
        measure(sim, 900, 6_000)
        await asyncio.sleep(12)
    assert 3 <= resets(sim) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("warp", ["2026-06-21 21:00:00"], indirect=True)
@pytest.mark.parametrize("counted", [False, True])
async def test_daily_maximum_holds_until_midnight(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, counted: bool
) -> None:
    assert await async_setup_component(hass, "counter", {"counter": {"resets": {}}})
    changed = {"counter": COUNTER} if counted else {}
    automation = await home.automate(
        BLUEPRINT, inputs(daily_maximum=3, minimum_pause={"minutes": 1}, **changed)
    )
    for _ in range(8):
        await fall(sim)
    assert resets(sim) == 3
    assert get_state(hass, COUNTER).state == ("3" if counted else "0")
    assert get_state(hass, automation).attributes["current"] == (0 if counted else 3)
    await asyncio.sleep(2.7 * HOUR)
    assert get_state(hass, automation).attributes["current"] == 0
    for _ in range(8):
        await fall(sim)
    assert resets(sim) == 6
    assert get_state(hass, COUNTER).state == ("3" if counted else "0")


@pytest.mark.slow
@pytest.mark.parametrize("warp", ["2026-06-21 22:00:00"], indirect=True)
async def test_restart_without_counter_ends_resets_for_the_day(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs())
    await home.restart(loaded)
    await fall(sim)
    assert resets(sim) == 1
    await home.restart(loaded)
    await asyncio.sleep(700)
    await fall(sim)
    assert resets(sim) == 1
    await asyncio.sleep(1.8 * HOUR)
    await fall(sim)
    assert resets(sim) == 2


async def test_counter_keeps_number_over_restart(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    assert await async_setup_component(hass, "counter", {"counter": {"resets": {}}})
    await home.automate(BLUEPRINT, inputs(counter=COUNTER, daily_maximum=2, minimum_pause={"minutes": 1}))
    for _ in range(3):
        await fall(sim)
        await home.restart(loaded)
        await asyncio.sleep(60)
    assert resets(sim) == 2


async def test_missing_counter_prevents_further_resets_today(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    assert await async_setup_component(hass, "counter", {"counter": {"another": {}}})
    await hass.services.async_call("button", "press", {"entity_id": BUTTON}, blocking=True)
    await home.automate(BLUEPRINT, inputs(counter=COUNTER))
    await asyncio.sleep(700)
    await fall(sim)
    assert resets(sim) == 1


async def test_manual_press_does_not_count_for_daily_maximum(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs(daily_maximum=1))
    await hass.services.async_call("button", "press", {"entity_id": BUTTON}, blocking=True)
    await asyncio.sleep(700)
    await fall(sim)
    assert resets(sim) == 2


async def test_failed_reset_counts_and_is_not_repeated(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    automation = await home.automate(BLUEPRINT, inputs())
    await fall(sim, seconds=35)
    sim.inject("close-before-answer", commands=[VALUE])
    await asyncio.sleep(60)
    assert get_state(hass, "sensor.sec1000_reset_export_watchdog_feedback").state == "64"
    assert get_state(hass, automation).attributes["current"] == 1
    sim.clear_faults()
    tried = resets(sim)
    await fall(sim)
    assert resets(sim) == tried


async def test_device_that_cannot_be_read_is_not_reset(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    automation = await home.automate(BLUEPRINT, inputs())
    await fall(sim, seconds=35)
    sim.inject("close-before-answer", commands=[READ_SETTINGS])
    await asyncio.sleep(60)
    assert home.calls == ["get_export_limit"]
    assert resets(sim) == 0
    assert get_state(hass, automation).attributes["current"] == 0
    sim.clear_faults()
    await fall(sim)
    assert resets(sim) == 1


async def test_conditions_not_met_prevent_commands(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    hass.states.async_set("input_boolean.allowed", "off")
    condition = {"condition": "state", "entity_id": "input_boolean.allowed", "state": "on"}
    await home.automate(BLUEPRINT, inputs(only_if=[condition]))
    await fall(sim)
    assert resets(sim) == 0
    hass.states.async_set("input_boolean.allowed", "on")
    await fall(sim, seconds=35)
    hass.states.async_set("input_boolean.allowed", "off")
    await asyncio.sleep(100)
    assert resets(sim) == 0
    hass.states.async_set("input_boolean.allowed", "on")
    await fall(sim)
    assert resets(sim) == 1
