"""Sensors that live on only where an installation of the older integration has them.

They show on and off, as binary sensors do that stand beside them: a registered entity cannot change
its kind, and automations name it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription
from homeassistant.const import STATE_OFF, STATE_ON, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .const import DOMAIN
from .coordinator import Sec1000Coordinator, Snapshot
from .entity import Sec1000Entity
from .export_state import export_is_on
from .options import ExportOptions


@dataclass(frozen=True, kw_only=True)
class LegacySensorDescription(SensorEntityDescription):
    """A sensor that is on or off; unavailable where its value is None."""

    value: Callable[[Snapshot, ExportOptions], bool | None]


LEGACY_SENSORS: Final = (
    LegacySensorDescription(key="export_state", value=export_is_on),
    LegacySensorDescription(key="module_started", value=lambda snapshot, _options: snapshot.answered),
)


def legacy_sensors(hass: HomeAssistant, coordinator: Sec1000Coordinator) -> Iterator[LegacySensor]:
    """Yield those of them that the entity registry holds."""
    registry = er.async_get(hass)
    for description in LEGACY_SENSORS:
        sensor = LegacySensor(coordinator, description)
        if registry.async_get_entity_id(Platform.SENSOR, DOMAIN, str(sensor.unique_id)):
            yield sensor


class LegacySensor(Sec1000Entity, SensorEntity):
    """On or off, as a sensor."""

    entity_description: LegacySensorDescription
    _attr_device_class = SensorDeviceClass.ENUM
    _attr_options = [STATE_ON, STATE_OFF]  # noqa: RUF012 - Home Assistant's own type

    def __init__(self, coordinator: Sec1000Coordinator, description: LegacySensorDescription) -> None:
        super().__init__(coordinator, Platform.SENSOR, description)

    @property
    @override
    def available(self) -> bool:
        return self.native_value is not None

    @property
    @override
    def native_value(self) -> str | None:
        value = self.entity_description.value(self.coordinator.data, self.coordinator.options)
        return None if value is None else STATE_ON if value else STATE_OFF
