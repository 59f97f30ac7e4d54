"""A stand-in for the older integration: registers what it registered, measures nothing, asks no device."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant

PLATFORMS = [Platform.BUTTON, Platform.NUMBER, Platform.SENSOR, Platform.SWITCH]


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Set up its entities."""
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True
