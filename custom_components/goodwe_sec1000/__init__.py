"""GoodWe SEC1000/S: power, export limit and its control, without the vendor's cloud."""

from typing import Final

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN
from .coordinator import Sec1000Coordinator
from .data import Sec1000ConfigEntry, Sec1000Data
from .export import ExportControl
from .services import async_setup_services

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

PLATFORMS: Final = [Platform.BINARY_SENSOR, Platform.SENSOR]
FINISH_TIMEOUT: Final = 15.0
"""s; how long unloading waits for actions that run."""


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Register the actions."""
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: Sec1000ConfigEntry) -> bool:
    """Read the device once and set up what shows it; nothing is written to it."""
    coordinator = Sec1000Coordinator(hass, entry)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = Sec1000Data(coordinator, ExportControl(coordinator))
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    coordinator.start_reading_settings()
    return True


async def async_unload_entry(hass: HomeAssistant, entry: Sec1000ConfigEntry) -> bool:
    """Let the actions that run come to their end, then unload."""
    await entry.runtime_data.export.finish(FINISH_TIMEOUT)
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
