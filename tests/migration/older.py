"""An installation of the older integration: an entry, registered entities, states, stored limits."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN

from .older_entities import ENTITIES

STATE_FILE: Final = f"{DOMAIN}.state"


DATA: Final[Mapping[str, Any]] = {
    "device_name": "Device 1",
    "include_device_name_in_entity": True,
    "host": "127.0.0.1",
    "scan_interval": 10,
    "min_export_limit": 0.0,
    "max_export_limit": 10.0,
    "total_capacity": 30.0,
    "export_limit_control_mode": 3,
    "scan_three_phases": True,
}


def older_entry(options: Mapping[str, Any] | None = None, **data: Any) -> MockConfigEntry:
    """Return an entry of the older integration; the arguments override DATA."""
    values = {**DATA, **data}
    name = values["device_name"]
    return MockConfigEntry(
        domain=DOMAIN,
        version=1,
        title=f"GoodWe SEC1000 - {name} - host:{values['host']}",
        unique_id=f"{DOMAIN}_{str(name).lower().replace(' ', '_')}",
        data=values,
        options=options or {},
    )


def older_unique_id(entry: MockConfigEntry, key: str) -> str:
    """Return the unique id of an entity in the older integration."""
    return f"sec1000_{entry.entry_id}_{key}"


def register(hass: HomeAssistant, entry: MockConfigEntry, prefix: str = "sec1000_device_1") -> dr.DeviceEntry:
    """Register device and entities of an entry as the older integration did, under this prefix."""
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, entry.entry_id)},
        name="SEC1000",
        manufacturer="An author",
        model="GoodWe SEC1000/S",
        sw_version="1.01.03",
        configuration_url="https://example.org/older",
    )
    registry = er.async_get(hass)
    for entity in ENTITIES:
        registered = registry.async_get_or_create(
            entity.platform,
            DOMAIN,
            older_unique_id(entry, entity.key),
            suggested_object_id=f"{prefix}_{entity.key}",
            config_entry=entry,
            device_id=device.id,
            has_entity_name=bool(entry.data.get("include_device_name_in_entity")),
            original_name=entity.key,
            original_device_class=entity.device_class,
            original_icon="mdi:flash",
            translation_key=entity.key,
            unit_of_measurement=entity.unit,
            capabilities={"state_class": entity.state_class} if entity.state_class else None,
        )
        assert registered.entity_id == entity.entity_id(prefix)
        if entity.precision is not None:
            registry.async_update_entity_options(
                registered.entity_id, entity.platform, {"suggested_display_precision": entity.precision}
            )
    return device


def stored(**limits: Any) -> dict[str, Any]:
    """Return the file of stored limits as Home Assistant's Store writes it."""
    return {"version": 1, "minor_version": 1, "key": STATE_FILE, "data": limits}


async def migrate(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Set up an entry of the older integration with this one."""
    if hass.config_entries.async_get_entry(entry.entry_id) is None:
        entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
