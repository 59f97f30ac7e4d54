"""The sensors of the older integration, and the statistics of those that had some."""

from datetime import UTC, datetime
from typing import Final

from homeassistant.components.recorder.models import StatisticData, StatisticMeanType, StatisticMetaData
from homeassistant.components.recorder.statistics import async_import_statistics
from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorStateClass
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from tests.migration.older_entities import OlderEntity

from .entity import StandIn, of_platform

_UNIT_CLASSES: Final[dict[str | None, str | None]] = {
    "kW": "power",
    "V": "voltage",
    "A": "electric_current",
    None: None,
}


class StandInSensor(StandIn, SensorEntity):
    """A sensor of the older integration."""

    def __init__(self, entry: ConfigEntry, older: OlderEntity) -> None:
        super().__init__(entry, older)
        self._attr_native_value = older.state
        self._attr_native_unit_of_measurement = older.unit
        self._attr_suggested_display_precision = older.precision
        if older.device_class:
            self._attr_device_class = SensorDeviceClass(older.device_class)
        if older.state_class:
            self._attr_state_class = SensorStateClass(older.state_class)


async def async_setup_entry(
    hass: HomeAssistant, entry: ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors, and an hour of statistics."""
    async_add_entities(StandInSensor(entry, older) for older in of_platform(Platform.SENSOR))
    for older in of_platform(Platform.SENSOR):
        if older.state_class:
            async_import_statistics(hass, _metadata(older), [_an_hour(older)])


def _metadata(older: OlderEntity) -> StatisticMetaData:
    return StatisticMetaData(
        mean_type=StatisticMeanType.ARITHMETIC,
        has_sum=False,
        name=None,
        source="recorder",
        statistic_id=older.entity_id(),
        unit_class=_UNIT_CLASSES[older.unit],
        unit_of_measurement=older.unit,
    )


def _an_hour(older: OlderEntity) -> StatisticData:
    value = float(older.state)
    return StatisticData(start=datetime(2026, 3, 1, 10, tzinfo=UTC), mean=value, min=value, max=value)
