"""Binary sensors: export on or off, problems with its limit, and whether the integration is ready."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import Sec1000Coordinator, Snapshot, export_is_on, limit_differs
from .data import Sec1000ConfigEntry, Sec1000Data
from .entity import Sec1000Entity, Source
from .messages import format_drift, format_kw, text
from .options import ExportOptions
from .sec1000.model import ControlMode
from .sec1000.setting_write import TOLERANCE_W

PARALLEL_UPDATES = 0

NEAR: Final = 0.02
"""Share of the limit within which the meter counts as being at it."""


@dataclass(frozen=True, kw_only=True)
class Sec1000BinarySensorDescription(BinarySensorEntityDescription):
    """A binary sensor, and from what its value follows.

    Where the value is None it is unavailable, or unknown where its source was read.
    """

    value: Callable[[Snapshot, ExportOptions], bool | None]
    source: Source
    attributes: Callable[[Sec1000Coordinator], dict[str, bool | str | None]] | None = None
    """Those that say in words what a problem is, and what to do."""


def _difference(coordinator: Sec1000Coordinator) -> dict[str, bool | str | None]:
    """Return whether the limit is suspended and being restored, or else how it differs."""
    hass, snapshot, options = coordinator.hass, coordinator.data, coordinator.options
    message = None
    if snapshot.limit_is_off:
        message = text(hass, "common", "export_suspended")
    elif limit_differs(snapshot, options) and snapshot.settings and snapshot.proven_limit is not None:
        message = format_drift(hass, snapshot.settings, options.target(snapshot.proven_limit), options)
    return {"restore_pending": snapshot.limit_is_off, "message": message}


def _excess(coordinator: Sec1000Coordinator) -> dict[str, bool | str | None]:
    hass, limit = coordinator.hass, coordinator.exceeded_limit
    if not coordinator.data.limit_exceeded or limit is None:
        return {"message": None}
    return {"message": text(hass, "common", "exceeded", limit=format_kw(hass, limit))}


def _export_limited(snapshot: Snapshot, options: ExportOptions) -> bool | None:
    """Return whether the meter is at the limit; the meter shows that for a limit by value of the sum only."""
    if (settings := snapshot.held) is None or (telemetry := snapshot.telemetry) is None:
        return None
    if settings.mode is not ControlMode.VALUE or not options.sum_of_phases:
        return False
    if (limit := settings.limit) is None or (meter := telemetry.meter_power) is None:
        return None
    return abs(meter - limit) <= max(NEAR * abs(limit), TOLERANCE_W)


def _is_read(snapshot: Snapshot, source: Source) -> bool:
    """Return whether the snapshot holds all of this."""
    return (Source.SETTINGS not in source or snapshot.settings is not None) and (
        Source.TELEMETRY not in source or snapshot.telemetry is not None
    )


BINARY_SENSORS: Final = (
    Sec1000BinarySensorDescription(key="export_state", value=export_is_on, source=Source.SETTINGS),
    Sec1000BinarySensorDescription(
        key="module_started",
        device_class=BinarySensorDeviceClass.RUNNING,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda snapshot, _options: snapshot.answered,
        source=Source.TELEMETRY,
    ),
    Sec1000BinarySensorDescription(
        key="limit_differs",
        device_class=BinarySensorDeviceClass.PROBLEM,
        value=limit_differs,
        source=Source.SETTINGS,
        attributes=_difference,
    ),
    Sec1000BinarySensorDescription(
        key="limit_exceeded",
        device_class=BinarySensorDeviceClass.PROBLEM,
        value=lambda snapshot, _options: snapshot.limit_exceeded,
        source=Source.SETTINGS | Source.TELEMETRY,
        attributes=_excess,
    ),
    Sec1000BinarySensorDescription(
        key="export_limited",
        entity_registry_enabled_default=False,
        value=_export_limited,
        source=Source.SETTINGS | Source.TELEMETRY,
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: Sec1000ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the binary sensors of one device."""
    async_add_entities(Sec1000BinarySensor(entry.runtime_data, description) for description in BINARY_SENSORS)


class Sec1000BinarySensor(Sec1000Entity, BinarySensorEntity):
    """A state that is on or off."""

    _platform = Platform.BINARY_SENSOR
    entity_description: Sec1000BinarySensorDescription

    def __init__(self, data: Sec1000Data, description: Sec1000BinarySensorDescription) -> None:
        super().__init__(data, description)
        self._source = description.source

    @property
    @override
    def available(self) -> bool:
        return self.is_on is not None or _is_read(self.coordinator.data, self.entity_description.source)

    @property
    @override
    def is_on(self) -> bool | None:
        return self.entity_description.value(self.coordinator.data, self.coordinator.options)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, bool | str | None] | None:
        attributes = self.entity_description.attributes
        return attributes(self.coordinator) if attributes else None
