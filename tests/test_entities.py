"""Units, classes, ids and names of entities, on which statistics and cards rely."""

from dataclasses import replace

from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Phases
from simulator import Simulator

from .states import get_state

FEEDBACKS = [
    "export_disable",
    "export_enable",
    "set_export_limit",
    "get_export_limit",
    "get_telemetry_data",
    "reset_export_watchdog",
    "set_date_and_time",
]
MEASURED = [
    *((f"voltage_l{phase}", "voltage", "V", 1) for phase in (1, 2, 3)),
    *((f"current_l{phase}", "current", "A", 2) for phase in (1, 2, 3)),
    *((f"power_l{phase}", "power", "W", 0) for phase in (1, 2, 3)),
    ("meter_power", "power", "W", 0),
    ("inverter_power", "power", "W", 0),
    ("load_power", "power", "W", 0),
    ("export_limit", "power", "kW", 2),
]


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
@pytest.mark.parametrize(("key", "device_class", "unit", "precision"), MEASURED)
async def test_measured_values_suit_statistics(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    entity_registry: er.EntityRegistry,
    key: str,
    device_class: str,
    unit: str,
    precision: int,
) -> None:
    state = get_state(hass, f"sensor.sec1000_{key}")
    registered = entity_registry.async_get(f"sensor.sec1000_{key}")
    assert registered
    assert state.attributes["device_class"] == device_class
    assert state.attributes[ATTR_UNIT_OF_MEASUREMENT] == unit
    assert state.attributes["state_class"] == "measurement"
    assert registered.options["sensor"]["suggested_display_precision"] == precision
    assert registered.unique_id == f"{loaded.entry_id}_{key}"


@pytest.mark.parametrize("action", FEEDBACKS)
async def test_feedback_sensors_have_no_statistics(
    hass: HomeAssistant, loaded: MockConfigEntry, entity_registry: er.EntityRegistry, action: str
) -> None:
    state = get_state(hass, f"sensor.sec1000_{action}_feedback")
    registered = entity_registry.async_get(f"sensor.sec1000_{action}_feedback")
    assert registered
    assert state.state == ("1" if action == "get_telemetry_data" else "0")
    assert "state_class" not in state.attributes
    assert registered.entity_category is EntityCategory.DIAGNOSTIC


@pytest.mark.parametrize(
    ("mode", "limit", "state"),
    [
        (ControlMode.VALUE, 0, "off"),
        (ControlMode.VALUE, 49, "off"),
        (ControlMode.VALUE, 50, "on"),
        (ControlMode.VALUE, 10_000, "on"),
        (ControlMode.RCR, 0, "on"),
        (ControlMode.DRED, 0, "on"),
        (ControlMode.DEACTIVATED, 0, "on"),
    ],
)
async def test_export_is_off_only_where_limit_keeps_it_off(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, mode: ControlMode, limit: int, state: str
) -> None:
    sim.device.mode = mode
    sim.device.limit = limit
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert get_state(hass, "binary_sensor.sec1000_export_state").state == state


async def test_module_started_is_on_after_setup(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    state = get_state(hass, "binary_sensor.sec1000_module_started")
    assert (state.state, state.attributes["device_class"]) == ("on", "running")


async def test_all_entities_belong_to_one_device(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
) -> None:
    device = dr.async_entries_for_config_entry(device_registry, loaded.entry_id)[0]
    assert device.identifiers == {(DOMAIN, loaded.entry_id)}
    assert (device.name, device.manufacturer, device.model) == ("SEC1000", "GoodWe", "SEC1000/S")
    entities = er.async_entries_for_config_entry(entity_registry, loaded.entry_id)
    assert len(entities) == len(MEASURED) + len(FEEDBACKS) + 26
    assert {entity.device_id for entity in entities} == {device.id}


@pytest.mark.usefixtures("warp")
async def test_entity_ids_survive_a_renamed_device(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
) -> None:
    entities = er.async_entries_for_config_entry(entity_registry, loaded.entry_id)
    assert entities[0].device_id
    device_registry.async_update_device(entities[0].device_id, name_by_user="Garage roof")
    await hass.async_block_till_done()
    for entity in entities:
        assert entity_registry.async_get(entity.entity_id)
        # Home Assistant's "Recreate entity IDs" asks for these.
        assert entity_registry.async_regenerate_entity_id(entity) == entity.entity_id


async def test_unchanged_values_write_no_states(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    coordinator = loaded.runtime_data.coordinator
    # Without power no energy grows.
    sim.hold(replace(sim.telemetry(), power=Phases(0, 0, 0), meter_power=0, inverter_power=0))
    await coordinator.async_refresh()
    before = {state.entity_id: state.last_reported for state in hass.states.async_all()}
    await coordinator.async_refresh()
    await coordinator.read_settings()
    assert {state.entity_id: state.last_reported for state in hass.states.async_all()} == before
