"""The entities of the older integration under the unique ids of this one: ids, names and history stay."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_UNIT_OF_MEASUREMENT, Platform, UnitOfPower
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er

from ..const import DOMAIN, LOGGER

POWER_SENSORS: Final = {
    "p1": "power_l1",
    "p2": "power_l2",
    "p3": "power_l3",
    "meters_power": "meter_power",
    "inverters_power": "inverter_power",
    "load_power": "load_power",
}
"""Shown in kW by the older integration, in W by this one; old key to new key."""
FEEDBACK_SENSORS: Final = {
    "export_disable_feedback": "export_disable_feedback",
    "export_enable_feedback": "export_enable_feedback",
    "set_export_limit_feedback": "set_export_limit_feedback",
    "get_export_limit_feedback": "get_export_limit_feedback",
    "get_telemetry_data_feedback": "get_telemetry_data_feedback",
    "reset_export_watchdog_feedback": "reset_export_watchdog_feedback",
    "set_datetime_feedback": "set_date_and_time_feedback",
}
"""Kept in long-term statistics by the older integration; old key to new key."""
_KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    Platform.SENSOR: {
        "v1": "voltage_l1",
        "v2": "voltage_l2",
        "v3": "voltage_l3",
        "i1": "current_l1",
        "i2": "current_l2",
        "i3": "current_l3",
        **POWER_SENSORS,
        "export_limit": "export_limit",
        "export_state": "export_state",
        "modul_started": "module_started",
        **FEEDBACK_SENSORS,
    },
    Platform.SWITCH: {"export_to_grid": "export_to_grid"},
    Platform.NUMBER: {"export_limit": "export_limit"},
    Platform.BUTTON: {
        "export_enable": "enable_export",
        "export_disable": "disable_export",
        "set_datetime": "set_date_and_time",
        "reset_export_watchdog": "reset_export_watchdog",
    },
}


@callback
def async_migrate_entities(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Give the entities of the older integration the unique ids of this one.

    Called at every setup, although there is work for it only once: the registry is written to disk minutes
    after the entry, and Home Assistant may be killed in between. Entities without a counterpart keep their
    unique id: they are shown as no longer provided, and their history stays.
    """
    registry = er.async_get(hass)
    prefix = f"sec1000_{entry.entry_id}_"
    for registered in er.async_entries_for_config_entry(registry, entry.entry_id):
        old_key = registered.unique_id.removeprefix(prefix)
        new_key = _KEYS.get(registered.domain, {}).get(old_key)
        if new_key is None or old_key == registered.unique_id:
            continue
        unique_id = f"{entry.entry_id}_{new_key}"
        if not _async_resolve_duplicate(registry, registered, unique_id):
            continue
        registry.async_update_entity(registered.entity_id, new_unique_id=unique_id)
        if registered.domain == Platform.SENSOR and old_key in POWER_SENSORS:
            _async_keep_kw_unit(registry, registered)
    _async_clear_device_version(hass, entry)


@callback
def _async_resolve_duplicate(
    registry: er.EntityRegistry, registered: er.RegistryEntry, unique_id: str
) -> bool:
    """Return whether this entity may get the unique id; of two duplicates the older one stays.

    There are two where the older integration was installed again for a while. The older one has the history,
    and automations refer to it.
    """
    entity_id = registry.async_get_entity_id(registered.domain, DOMAIN, unique_id)
    if entity_id is None:
        return True
    other = registry.entities[entity_id]
    first, second = sorted((registered, other), key=lambda entity: entity.created_at)
    LOGGER.warning("Removing %s, a duplicate of %s", second.entity_id, first.entity_id)
    registry.async_remove(second.entity_id)
    return first is registered


@callback
def _async_keep_kw_unit(registry: er.EntityRegistry, registered: er.RegistryEntry) -> None:
    """Keep a power sensor in kW, which thresholds of automations are in, unless the user chose a unit."""
    options: Mapping[str, Any] = registered.options.get(SENSOR_DOMAIN, {})
    if CONF_UNIT_OF_MEASUREMENT not in options:
        registry.async_update_entity_options(
            registered.entity_id,
            SENSOR_DOMAIN,
            {**options, CONF_UNIT_OF_MEASUREMENT: UnitOfPower.KILO_WATT},
        )


@callback
def _async_clear_device_version(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Remove the version and the page of the older integration from the device."""
    registry = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(registry, entry.entry_id):
        if device.sw_version or device.configuration_url:
            registry.async_update_device(device.id, sw_version=None, configuration_url=None)
