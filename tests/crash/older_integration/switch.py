"""The switch of the older integration."""

from homeassistant.components.switch import SwitchEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import StandIn, of_platform


class StandInSwitch(StandIn, SwitchEntity):
    """A switch of the older integration."""

    _attr_is_on = True


async def async_setup_entry(
    _hass: HomeAssistant, entry: ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the switch."""
    async_add_entities(StandInSwitch(entry, older) for older in of_platform(Platform.SWITCH))
