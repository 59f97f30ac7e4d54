"""The entities of the older integration, and the entity of this one that each becomes."""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class OlderEntity:
    """An entity of the older integration, and the entity of this one that it becomes."""

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
NEW: Final = {
    "sensor": {
        *(f"energy_{kind}" for kind in ("exported", "imported", "produced", "consumed")),
        *("temporary_limit_ends", "quarter_hour_export", "highest_quarter_hour_export", "last_limit_test"),
    },
    "binary_sensor": {
        *("export_state", "module_started", "limit_differs", "limit_exceeded", "export_limited"),
    },
    "number": {"minimum_export_limit", "maximum_export_limit"},
    "select": {"control_mode"},
    "button": {"read_export_limit", "end_temporary_limit", "test_export_limit"},
    "event": {"export_limit"},
}
"""The keys of the entities that the older integration did not have, by platform."""
