"""What the older integration leaves behind: an entry, registered entities, states, a file of limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN

STATE_FILE: Final = f"{DOMAIN}.state"


@dataclass(frozen=True, slots=True)
class OlderEntity:
    """An entity of the older integration, and which of ours it becomes."""

    platform: str
    key: str
    becomes: str
    state: str = "unknown"
    unit: str | None = None
    device_class: str | None = None
    state_class: str | None = None
    precision: int | None = None

    def entity_id(self, prefix: str = "sec1000_device_1") -> str:
        """Return its entity id; older releases had no name in the prefix."""
        return f"{self.platform}.{prefix}_{self.key}"

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of its state."""
        found = {
            "unit_of_measurement": self.unit,
            "device_class": self.device_class,
            "state_class": self.state_class,
        }
        return {name: value for name, value in found.items() if value}


def _measured(key: str, becomes: str, state: str, unit: str, kind: str, precision: int) -> OlderEntity:
    return OlderEntity("sensor", key, becomes, state, unit, kind, "measurement", precision)


POWERS: Final = (
    _measured("p1", "power_l1", "0.295", "kW", "power", 3),
    _measured("p2", "power_l2", "-0.114", "kW", "power", 3),
    _measured("p3", "power_l3", "-0.532", "kW", "power", 3),
    _measured("meters_power", "meter_power", "-0.351", "kW", "power", 3),
    _measured("inverters_power", "inverter_power", "3.386", "kW", "power", 3),
    _measured("load_power", "load_power", "3.737", "kW", "power", 3),
)
OTHER_MEASURED: Final = (
    _measured("v1", "voltage_l1", "241.0", "V", "voltage", 1),
    _measured("v2", "voltage_l2", "240.4", "V", "voltage", 1),
    _measured("v3", "voltage_l3", "240.9", "V", "voltage", 1),
    _measured("i1", "current_l1", "4.8", "A", "current", 2),
    _measured("i2", "current_l2", "3.9", "A", "current", 2),
    _measured("i3", "current_l3", "5.08", "A", "current", 2),
    _measured("export_limit", "export_limit", "10.0", "kW", "power", 1),
)
FEEDBACKS: Final = tuple(
    OlderEntity("sensor", f"{action}_feedback", f"{becomes}_feedback", "1", None, None, "measurement", 0)
    for action, becomes in (
        ("export_disable", "export_disable"),
        ("export_enable", "export_enable"),
        ("set_export_limit", "set_export_limit"),
        ("get_export_limit", "get_export_limit"),
        ("get_telemetry_data", "get_telemetry_data"),
        ("reset_export_watchdog", "reset_export_watchdog"),
        ("set_datetime", "set_date_and_time"),
    )
)
ON_OR_OFF: Final = (
    OlderEntity("sensor", "export_state", "export_state", "on"),
    OlderEntity("sensor", "modul_started", "module_started", "on"),
)
CONTROLS: Final = (
    OlderEntity("switch", "export_to_grid", "export_to_grid", "on"),
    OlderEntity("number", "export_limit", "export_limit", "10.0", "kW"),
    OlderEntity("button", "reset_export_watchdog", "reset_export_watchdog"),
    OlderEntity("button", "set_datetime", "set_date_and_time"),
    OlderEntity("button", "export_enable", "enable_export"),
    OlderEntity("button", "export_disable", "disable_export"),
)
ENTITIES: Final = (*OTHER_MEASURED, *POWERS, *ON_OR_OFF, *FEEDBACKS, *CONTROLS)

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
    """Return an entry as the older integration keeps it; what is given differs from DATA."""
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
    """Return the unique id that the older integration gave."""
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
    """Return the file of limits as Home Assistant's Store writes it."""
    return {"version": 1, "minor_version": 1, "key": STATE_FILE, "data": limits}


async def move_in(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Let Home Assistant set up, with this integration in its place, what the older one left."""
    if hass.config_entries.async_get_entry(entry.entry_id) is None:
        entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
