"""Binary sensors: whether export is on, whether its limit holds, and whether the integration is ready."""

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

from .baseline import Drift, drift
from .coordinator import Sec1000Coordinator, Snapshot
from .data import Sec1000ConfigEntry
from .entity import Sec1000Entity
from .options import ExportOptions
from .sec1000.model import ControlMode

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class Sec1000BinarySensorDescription(BinarySensorEntityDescription):
    """A binary sensor that is told from the snapshot; unavailable where that yields None."""

    value: Callable[[Snapshot, ExportOptions], bool | None]


def _export_state(snapshot: Snapshot, options: ExportOptions) -> bool | None:
    """Off only where the limit is what decides and lets through no more than the minimum."""
    if snapshot.note:
        return True
    if (settings := snapshot.settings) is None:
        return None
    return settings.mode is not ControlMode.VALUE or settings.limit > options.min_export_limit


def _limit_differs(snapshot: Snapshot, options: ExportOptions) -> bool | None:
    if snapshot.settings is None or snapshot.proven_limit is None:
        return None
    return drift(snapshot.settings, options, snapshot.proven_limit) is not Drift.NONE


def _limit_exceeded(snapshot: Snapshot, _options: ExportOptions) -> bool | None:
    return None if snapshot.telemetry is None or snapshot.settings is None else snapshot.limit_exceeded


BINARY_SENSORS: Final = (
    Sec1000BinarySensorDescription(key="export_state", value=_export_state),
    Sec1000BinarySensorDescription(
        key="module_started",
        device_class=BinarySensorDeviceClass.RUNNING,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda snapshot, _options: snapshot.answered,
    ),
    Sec1000BinarySensorDescription(
        key="limit_differs", device_class=BinarySensorDeviceClass.PROBLEM, value=_limit_differs
    ),
    Sec1000BinarySensorDescription(
        key="limit_exceeded", device_class=BinarySensorDeviceClass.PROBLEM, value=_limit_exceeded
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: Sec1000ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the binary sensors of one device."""
    coordinator = entry.runtime_data.coordinator
    async_add_entities(Sec1000BinarySensor(coordinator, description) for description in BINARY_SENSORS)


class Sec1000BinarySensor(Sec1000Entity, BinarySensorEntity):
    """One thing that is so or is not."""

    entity_description: Sec1000BinarySensorDescription

    def __init__(self, coordinator: Sec1000Coordinator, description: Sec1000BinarySensorDescription) -> None:
        super().__init__(coordinator, Platform.BINARY_SENSOR, description)

    @property
    @override
    def available(self) -> bool:
        return self.is_on is not None

    @property
    @override
    def is_on(self) -> bool | None:
        return self.entity_description.value(self.coordinator.data, self.coordinator.options)
