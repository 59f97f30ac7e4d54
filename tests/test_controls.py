"""Switch, numbers, select and buttons: each runs an action and shows what was read back."""

from dataclasses import replace
from typing import Any

from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import CAPTURED, Simulator

from .states import get_state, show_in

SWITCH = "switch.sec1000_export_to_grid"
NUMBER = "number.sec1000_export_limit"
MINIMUM = "number.sec1000_minimum_export_limit"
MAXIMUM = "number.sec1000_maximum_export_limit"
SELECT = "select.sec1000_control_mode"
EXPORT_LIMITED = "binary_sensor.sec1000_export_limited"


async def do(hass: HomeAssistant, action: str, entity_id: str, **data: Any) -> None:
    domain, name = action.split(".")
    await hass.services.async_call(domain, name, {ATTR_ENTITY_ID: entity_id, **data}, blocking=True)


def feedback(hass: HomeAssistant, action: str) -> str:
    return get_state(hass, f"sensor.sec1000_{action}_feedback").state


async def test_switch_disables_and_enables_export(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    assert get_state(hass, SWITCH).state == "on"
    await do(hass, "switch.turn_off", SWITCH)
    assert (sim.device.bound_limit, get_state(hass, SWITCH).state, feedback(hass, "export_disable")) == (
        0,
        "off",
        "1",
    )
    await do(hass, "switch.turn_on", SWITCH)
    assert (sim.device.bound_limit, get_state(hass, SWITCH).state) == (10_000, "on")
    assert feedback(hass, "export_enable") == "1"


async def test_failed_switch_shows_device_setting(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("ack-without-effect")
    with pytest.raises(HomeAssistantError):
        await do(hass, "switch.turn_off", SWITCH)
    assert get_state(hass, SWITCH).state == "on"
    assert feedback(hass, "export_disable") == "2"


async def test_toggle_inverts_export(hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator) -> None:
    for expected in (0, 10_000, 0):
        await hass.services.async_call(DOMAIN, "export_toggle", {}, blocking=True)
        assert sim.device.bound_limit == expected


@pytest.mark.usefixtures("warp")
async def test_toggle_disables_export_of_unknown_state(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("silence", count=1, commands=(0x43,))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert get_state(hass, SWITCH).state == "unavailable"
    await hass.services.async_call(DOMAIN, "export_toggle", {}, blocking=True)
    assert sim.device.bound_limit == 0


@pytest.mark.parametrize("unit", ["W", "kW", "MW"])
async def test_number_tells_kilowatts_in_any_unit(
    hass: HomeAssistant, loaded: MockConfigEntry, unit: str
) -> None:
    await show_in(hass, NUMBER, unit)
    attributes = get_state(hass, NUMBER).attributes
    assert [attributes[key] for key in ("kilowatts", "min_kilowatts", "max_kilowatts")] == [10, 0, 10]


async def test_number_sets_limit_within_options(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    attributes = get_state(hass, NUMBER).attributes
    assert (attributes["min"], attributes["max"], attributes["step"], attributes["mode"]) == (
        0,
        10,
        0.01,
        "box",
    )
    await do(hass, "number.set_value", NUMBER, value=7.25)
    assert (sim.device.bound_limit, get_state(hass, NUMBER).state) == (7_250, "7.25")
    with pytest.raises(ServiceValidationError):
        await do(hass, "number.set_value", NUMBER, value=10.01)
    assert sim.device.bound_limit == 7_250


@pytest.mark.parametrize(
    ("held", "number", "value", "expected"),
    [
        (0, MINIMUM, 1.0, 1_000),
        (500, MINIMUM, 1.0, 1_000),
        (5_000, MINIMUM, 1.0, 5_000),
        (10_000, MAXIMUM, 20.0, 20_000),
        (12_000, MAXIMUM, 20.0, 20_000),
        (5_000, MAXIMUM, 4.0, 4_000),
        (5_000, MAXIMUM, 20.0, 5_000),
    ],
)
async def test_limit_follows_minimum_and_maximum(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    held: int,
    number: str,
    value: float,
    expected: int,
) -> None:
    sim.device.limit = held
    await do(hass, "number.set_value", number, value=value)
    assert sim.device.bound_limit == expected
    assert float(get_state(hass, number).state) == value
    key = "min_export_limit" if number == MINIMUM else "max_export_limit"
    assert loaded.options[key] == value
    bound = "min" if number == MINIMUM else "max"
    assert get_state(hass, NUMBER).attributes[bound] == value


@pytest.mark.promise("R-09")
async def test_bounds_stay_where_device_did_not_follow(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("ack-without-effect")
    with pytest.raises(HomeAssistantError):
        await do(hass, "number.set_value", MAXIMUM, value=20)
    assert loaded.options["max_export_limit"] == 10.0
    assert get_state(hass, MAXIMUM).state == "10.0"
    assert feedback(hass, "set_export_limit") == "2"


@pytest.mark.parametrize(
    ("action", "limit"),
    [
        ("set_min_export_limit", 10.01),
        ("set_min_export_limit", -100.01),
        ("set_max_export_limit", 30.01),
        ("set_max_export_limit", "high"),
        ("set_max_export_limit", True),
        ("set_max_export_limit", None),
    ],
)
async def test_invalid_bounds_are_refused_and_not_sent(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, action: str, limit: object
) -> None:
    sim.requests.clear()
    with pytest.raises(ServiceValidationError):
        await hass.services.async_call(DOMAIN, action, {"limit": limit}, blocking=True)
    assert feedback(hass, "set_export_limit") == "128"
    assert sim.requests == []


async def test_select_changes_mode_and_option(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    assert get_state(hass, SELECT).state == "value"
    await do(hass, "select.select_option", SELECT, option="rcr")
    assert sim.device.mode is ControlMode.RCR
    assert get_state(hass, SELECT).state == loaded.options["export_limit_control_mode"] == "rcr"


@pytest.mark.promise("R-13")
async def test_deactivation_needs_its_option(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.requests.clear()
    with pytest.raises(ServiceValidationError, match="Allow deactivation"):
        await do(hass, "select.select_option", SELECT, option="deactivated")
    assert sim.requests == []
    hass.config_entries.async_update_entry(loaded, options={**loaded.options, "allow_deactivating": True})
    await do(hass, "select.select_option", SELECT, option="deactivated")
    assert sim.device.mode is ControlMode.DEACTIVATED
    assert get_state(hass, SELECT).state == "deactivated"


@pytest.mark.parametrize(
    ("button", "action"),
    [
        ("disable_export", "export_disable"),
        ("enable_export", "export_enable"),
        ("read_export_limit", "get_export_limit"),
        ("set_date_and_time", "set_date_and_time"),
        ("reset_export_watchdog", "reset_export_watchdog"),
    ],
)
async def test_each_button_runs_its_action(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, button: str, action: str
) -> None:
    sim.requests.clear()
    await do(hass, "button.press", f"button.sec1000_{button}")
    assert sim.requests
    assert feedback(hass, action) == "1"


@pytest.fixture
async def wanted(
    entity_registry_enabled_by_default: None, entry: MockConfigEntry, sim: Simulator
) -> MockConfigEntry:
    """Return the entry, not set up, with `export_limited` enabled."""
    sim.hold(replace(CAPTURED, meter_power=10_000))
    return entry


@pytest.mark.parametrize(
    ("meter_power", "expected"), [(9_799, "off"), (9_800, "on"), (10_200, "on"), (10_201, "off")]
)
async def test_export_limited_is_on_where_meter_is_at_limit(
    hass: HomeAssistant, wanted: MockConfigEntry, sim: Simulator, meter_power: int, expected: str
) -> None:
    sim.hold(replace(CAPTURED, meter_power=meter_power))
    assert await hass.config_entries.async_setup(wanted.entry_id)
    assert get_state(hass, EXPORT_LIMITED).state == expected


async def test_export_limited_is_off_in_other_control_modes(
    hass: HomeAssistant, wanted: MockConfigEntry, sim: Simulator
) -> None:
    sim.device.mode = ControlMode.DRED
    assert await hass.config_entries.async_setup(wanted.entry_id)
    assert get_state(hass, EXPORT_LIMITED).state == "off"


@pytest.mark.usefixtures("warp")
async def test_export_limited_is_unavailable_without_meter(
    hass: HomeAssistant, wanted: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("silence", commands=(0x0B,))
    assert await hass.config_entries.async_setup(wanted.entry_id)
    assert get_state(hass, EXPORT_LIMITED).state == "unavailable"


async def test_export_limited_is_disabled_by_default(
    loaded: MockConfigEntry, entity_registry: er.EntityRegistry
) -> None:
    registered = entity_registry.async_get(EXPORT_LIMITED)
    assert registered
    assert registered.disabled_by is er.RegistryEntryDisabler.INTEGRATION
