"""Migration keeps entities: ids, names, units, the user's changes, and the values automations rely on."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import CAPTURED, Simulator
from tests.states import get_state

from .older import migrate, older_entry, older_unique_id, register
from .older_entities import ENTITIES, FEEDBACKS, NEW, POWERS

type PassTime = Callable[[float], Awaitable[None]]


def registered(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, er.RegistryEntry]:
    """Return the registered entities of an entry by their ids."""
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {entity.entity_id: entity for entity in entities}


def devices_of(hass: HomeAssistant, entry: MockConfigEntry) -> list[dr.DeviceEntry]:
    """Return the devices of an entry."""
    return dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)


def older(hass: HomeAssistant, prefix: str = "sec1000_device_1", **data: Any) -> MockConfigEntry:
    """Return an entry of the older integration, its entities registered under this prefix."""
    entry = older_entry(**data)
    entry.add_to_hass(hass)
    register(hass, entry, prefix)
    return entry


@pytest.mark.parametrize(
    ("prefix", "with_name"),
    [("sec1000_device_1", True), ("sec1000_device_1", False), ("sec1000", False), ("my_own", True)],
)
async def test_every_entity_keeps_its_id_and_is_updated(
    hass: HomeAssistant, device: Simulator, prefix: str, with_name: bool
) -> None:
    entry = older(hass, prefix, include_device_name_in_entity=with_name)
    before = registered(hass, entry)
    await migrate(hass, entry)
    after = registered(hass, entry)
    assert before.keys() <= after.keys()
    for entity in ENTITIES:
        entity_id = entity.entity_id(prefix)
        assert after[entity_id].id == before[entity_id].id
        assert after[entity_id].unique_id == f"{entry.entry_id}_{entity.becomes}"
        state = get_state(hass, entity_id)
        assert state.state != "unavailable", entity_id
        assert "restored" not in state.attributes
    added = after.keys() - before.keys()
    assert added == {f"{platform}.device_1_{key}" for platform, keys in NEW.items() for key in keys}


async def test_measured_values_are_unchanged(hass: HomeAssistant, device: Simulator) -> None:
    entry = older(hass)
    await migrate(hass, entry)
    for entity in ENTITIES:
        if entity.state_class and entity not in FEEDBACKS:
            state = get_state(hass, entity.entity_id())
            assert float(state.state) == float(entity.state), entity.key
            assert state.attributes.items() >= entity.attributes.items()


async def test_powers_stay_in_kilowatts_with_three_decimals(hass: HomeAssistant, device: Simulator) -> None:
    entry = older(hass)
    await migrate(hass, entry)
    for power in POWERS:
        assert get_state(hass, power.entity_id()).state == power.state
        options = registered(hass, entry)[power.entity_id()].options["sensor"]
        assert options["unit_of_measurement"] == "kW"
        assert options["suggested_display_precision"] == 3
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert get_state(hass, "sensor.sec1000_device_1_meters_power").state == "-0.351"


@pytest.mark.parametrize(("unit", "state"), [("W", "-351"), ("MW", "-0.000351"), ("kW", "-0.351")])
async def test_unit_chosen_by_user_is_kept(
    hass: HomeAssistant, device: Simulator, unit: str, state: str
) -> None:
    entry = older(hass)
    er.async_get(hass).async_update_entity_options(
        "sensor.sec1000_device_1_meters_power",
        "sensor",
        {"unit_of_measurement": unit, "display_precision": 1},
    )
    await migrate(hass, entry)
    after = get_state(hass, "sensor.sec1000_device_1_meters_power")
    assert float(after.state) == float(state)
    assert after.attributes["unit_of_measurement"] == unit
    options = registered(hass, entry)["sensor.sec1000_device_1_meters_power"].options["sensor"]
    assert options["display_precision"] == 1


async def test_user_can_choose_watts_afterwards(hass: HomeAssistant, device: Simulator) -> None:
    entry = older(hass)
    await migrate(hass, entry)
    er.async_get(hass).async_update_entity_options(
        "sensor.sec1000_device_1_p1", "sensor", {"unit_of_measurement": "W"}
    )
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert float(get_state(hass, "sensor.sec1000_device_1_p1").state) == 295
    assert get_state(hass, "sensor.sec1000_device_1_p1").attributes["unit_of_measurement"] == "W"


async def test_threshold_in_kilowatts_still_works(hass: HomeAssistant, device: Simulator) -> None:
    await migrate(hass, older(hass))
    automation = {
        "triggers": [
            {
                "trigger": "numeric_state",
                "entity_id": "sensor.sec1000_device_1_inverters_power",
                "above": 5,
            }
        ],
        "conditions": [
            {"condition": "state", "entity_id": "sensor.sec1000_device_1_export_state", "state": "on"},
            {"condition": "state", "entity_id": "switch.sec1000_device_1_export_to_grid", "state": "on"},
            {
                "condition": "numeric_state",
                "entity_id": "sensor.sec1000_device_1_get_telemetry_data_feedback",
                "below": 2,
            },
        ],
        "actions": [
            {"action": "goodwe_sec1000.export_disable"},
        ],
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    coordinator = hass.config_entries.async_entries(DOMAIN)[0].runtime_data.coordinator
    device.hold(replace(CAPTURED, inverter_power=4_900))
    await coordinator.async_refresh()
    await hass.async_block_till_done()
    assert device.device.limit == 10_000
    device.hold(replace(CAPTURED, inverter_power=5_100))
    await coordinator.async_refresh()
    await hass.async_block_till_done()
    assert device.device.limit == 0
    assert get_state(hass, "sensor.sec1000_device_1_export_state").state == "off"
    assert get_state(hass, "binary_sensor.device_1_export_state").state == "off"


async def test_legacy_sensors_stay_beside_binary_sensors(hass: HomeAssistant, device: Simulator) -> None:
    entry = older(hass)
    device.device.limit = 0
    await migrate(hass, entry)
    assert get_state(hass, "sensor.sec1000_device_1_export_state").state == "off"
    assert get_state(hass, "binary_sensor.device_1_export_state").state == "off"
    assert get_state(hass, "sensor.sec1000_device_1_modul_started").state == "on"
    assert get_state(hass, "binary_sensor.device_1_module_started").state == "on"


async def test_legacy_sensors_are_not_added_anew(
    hass: HomeAssistant, device: Simulator, loaded: MockConfigEntry
) -> None:
    assert hass.states.get("sensor.sec1000_export_state") is None
    entry = older(hass, device_name="Barn", host="localhost")
    er.async_get(hass).async_remove("sensor.sec1000_device_1_modul_started")
    await migrate(hass, entry)
    assert get_state(hass, "sensor.sec1000_device_1_export_state")
    unique_ids = {
        entity.unique_id for entity in registered(hass, entry).values() if entity.domain == "sensor"
    }
    assert f"{entry.entry_id}_module_started" not in unique_ids
    er.async_get(hass).async_remove("sensor.sec1000_device_1_export_state")
    await hass.async_block_till_done()
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert hass.states.get("sensor.sec1000_device_1_export_state") is None


async def test_legacy_sensors_are_unavailable_with_binary_ones(
    pass_time: PassTime, hass: HomeAssistant, device: Simulator
) -> None:
    await migrate(hass, older(hass))
    await device.stop()
    for _ in range(4):
        await pass_time(61)
    assert get_state(hass, "sensor.sec1000_device_1_export_state").state == "unavailable"
    assert get_state(hass, "binary_sensor.device_1_export_state").state == "unavailable"
    assert get_state(hass, "sensor.sec1000_device_1_modul_started").state == "on"


async def test_unreachable_device_at_first_start_loses_no_entity(
    hass: HomeAssistant, device: Simulator
) -> None:
    await device.stop()
    entry = older(hass)
    before = registered(hass, entry).keys()
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert registered(hass, entry).keys() == before
    await device.start()
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert get_state(hass, "sensor.sec1000_device_1_p1").state == "0.295"


async def test_user_changes_on_entities_and_device_are_kept(hass: HomeAssistant, device: Simulator) -> None:
    entry = older(hass)
    registry = er.async_get(hass)
    [before] = devices_of(hass, entry)
    dr.async_get(hass).async_update_device(before.id, name_by_user="Powerhouse", area_id="cellar")
    registry.async_update_entity(
        "sensor.sec1000_device_1_meters_power",
        name="Grid",
        icon="mdi:home",
        area_id="cellar",
        new_entity_id="sensor.grid",
    )
    registry.async_update_entity("sensor.sec1000_device_1_p2", disabled_by=er.RegistryEntryDisabler.USER)
    registry.async_update_entity("sensor.sec1000_device_1_v3", hidden_by=er.RegistryEntryHider.USER)
    await migrate(hass, entry)
    entities = registered(hass, entry)
    grid = entities["sensor.grid"]
    assert (grid.name, grid.icon, grid.area_id) == ("Grid", "mdi:home", "cellar")
    assert get_state(hass, "sensor.grid").state == "-0.351"
    # Home Assistant 2026.11 and later put the name of the device in front.
    assert get_state(hass, "sensor.grid").name in {"Grid", "Powerhouse Grid"}
    disabled = entities["sensor.sec1000_device_1_p2"]
    assert disabled.disabled_by is er.RegistryEntryDisabler.USER
    assert disabled.unique_id == f"{entry.entry_id}_power_l2"
    assert disabled.options["sensor"]["unit_of_measurement"] == "kW"
    assert hass.states.get("sensor.sec1000_device_1_p2") is None
    assert entities["sensor.sec1000_device_1_v3"].hidden_by is er.RegistryEntryHider.USER
    [after] = devices_of(hass, entry)
    assert (after.id, after.name_by_user, after.area_id) == (before.id, "Powerhouse", "cellar")


async def test_device_loses_version_of_older_integration(hass: HomeAssistant, device: Simulator) -> None:
    entry = older(hass)
    await migrate(hass, entry)
    [after] = devices_of(hass, entry)
    assert after.identifiers == {(DOMAIN, entry.entry_id)}
    assert (after.name, after.manufacturer, after.model) == ("Device 1", "GoodWe", "SEC1000/S")
    assert (after.sw_version, after.configuration_url) == (None, None)


async def test_two_entries_migrate_side_by_side(hass: HomeAssistant, device: Simulator) -> None:
    first = older(hass)
    second = older(hass, "sec1000_barn", device_name="Barn", host="localhost")
    before = {**registered(hass, first), **registered(hass, second)}
    await migrate(hass, first)
    assert second.state is ConfigEntryState.LOADED
    after = {**registered(hass, first), **registered(hass, second)}
    assert before.keys() <= after.keys()
    for prefix in ("sec1000_device_1", "sec1000_barn"):
        for entity in ENTITIES:
            assert get_state(hass, entity.entity_id(prefix)).state != "unavailable"
            assert after[entity.entity_id(prefix)].id == before[entity.entity_id(prefix)].id


async def test_unknown_entity_keeps_its_unique_id(hass: HomeAssistant, device: Simulator) -> None:
    entry = older(hass)
    unknown = er.async_get(hass).async_get_or_create(
        "sensor", DOMAIN, older_unique_id(entry, "something"), config_entry=entry
    )
    foreign = er.async_get(hass).async_get_or_create("light", DOMAIN, "v1", config_entry=entry)
    await migrate(hass, entry)
    after = registered(hass, entry)
    assert after[unknown.entity_id].unique_id == older_unique_id(entry, "something")
    assert after[foreign.entity_id].unique_id == "v1"


async def test_kill_before_registry_is_written_loses_nothing(hass: HomeAssistant, device: Simulator) -> None:
    """The entry is on disk as version 2 a second later, the registry as it was for three more minutes."""
    entry = older_entry()
    await migrate(hass, entry)
    assert await hass.config_entries.async_unload(entry.entry_id)
    registry = er.async_get(hass)
    for entity_id in registered(hass, entry):
        registry.async_remove(entity_id)
    register(hass, entry)
    before = registered(hass, entry)
    await migrate(hass, entry)
    assert before.keys() <= registered(hass, entry).keys()
    for power in POWERS:
        assert get_state(hass, power.entity_id()).state == power.state
    assert get_state(hass, "sensor.sec1000_device_1_export_state").state == "on"


async def test_kill_before_entry_is_written_repeats_migration(hass: HomeAssistant, device: Simulator) -> None:
    entry = older(hass, max_export_limit=50.0)
    await migrate(hass, entry)
    options, entities = dict(entry.options), registered(hass, entry)
    assert await hass.config_entries.async_unload(entry.entry_id)
    hass.config_entries.async_update_entry(
        entry,
        data=older_entry(max_export_limit=50.0).data,
        options={},
        unique_id="goodwe_sec1000_device_1",
        version=1,
    )
    await migrate(hass, entry)
    assert (entry.version, entry.unique_id, dict(entry.options)) == (2, None, options)
    assert registered(hass, entry).keys() == entities.keys()


@pytest.mark.parametrize("older_first", [True, False])
async def test_duplicate_entity_with_history_is_kept(
    hass: HomeAssistant, device: Simulator, freezer: FrozenDateTimeFactory, older_first: bool
) -> None:
    """The older integration was installed again for a while, and registered its entities anew."""
    entry = older_entry()
    entry.add_to_hass(hass)
    registry = er.async_get(hass)

    def create(unique_id: str, object_id: str, year: int) -> er.RegistryEntry:
        freezer.move_to(datetime(year, 1, 1, tzinfo=UTC))
        return registry.async_get_or_create(
            "sensor", DOMAIN, unique_id, suggested_object_id=object_id, config_entry=entry
        )

    create(older_unique_id(entry, "p1"), "by_the_older", 2025 if older_first else 2026)
    create(f"{entry.entry_id}_power_l1", "by_this", 2026 if older_first else 2025)
    await migrate(hass, entry)
    after = registered(hass, entry)
    kept, gone = ("by_the_older", "by_this") if older_first else ("by_this", "by_the_older")
    assert after[f"sensor.{kept}"].unique_id == f"{entry.entry_id}_power_l1"
    assert f"sensor.{gone}" not in after
    assert get_state(hass, f"sensor.{kept}").state in {"0.295", "295"}
