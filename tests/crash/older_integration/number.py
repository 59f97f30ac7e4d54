"""The number of the older integration."""

from homeassistant.components.number import NumberEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import StandIn, of_platform


class StandInNumber(StandIn, NumberEntity):
    """A number of the older integration."""

    _attr_native_value = 10.0
    _attr_native_min_value = -100.0
    _attr_native_max_value = 100.0
    _attr_native_step = 0.1
    _attr_native_unit_of_measurement = "kW"


async def async_setup_entry(
    _hass: HomeAssistant, entry: ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the number."""
    async_add_entities(StandInNumber(entry, older) for older in of_platform(Platform.NUMBER))
