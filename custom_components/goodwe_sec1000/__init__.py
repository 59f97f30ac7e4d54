"""GoodWe SEC1000/S: power, export limit and its control, without the vendor's cloud."""

from typing import Final

from homeassistant.const import Platform
from homeassistant.core import HassJob, HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN, ENTRY_VERSION
from .control.actions import ExportControl
from .coordinator import Sec1000Coordinator
from .data import Sec1000ConfigEntry, Sec1000Data
from .issues import Issue
from .migration.entities import async_migrate_entities
from .migration.entry import async_migrate_v1_entry
from .migration.follow_up import MigrationFollowUp
from .removal import async_clean_up_removed_entry
from .services import async_setup_services
from .tracking.reachability import async_forget_entry

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

PLATFORMS: Final = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
]
SHUTDOWN_TIMEOUT: Final = 15.0
"""s; how long unloading and stopping wait for actions that run and for a limit to be put back."""


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Register the actions."""
    async_setup_services(hass)
    return True


async def async_migrate_entry(hass: HomeAssistant, entry: Sec1000ConfigEntry) -> bool:
    """Move in an entry of the older integration of this domain, which is version 1.

    An entry of a later version than 2 is refused; Home Assistant says so.
    """
    if entry.version == 1:
        await async_migrate_v1_entry(hass, entry)
    return entry.version == ENTRY_VERSION


async def async_setup_entry(hass: HomeAssistant, entry: Sec1000ConfigEntry) -> bool:
    """Read the device once and set up what shows it; nothing is written to it.

    The one exception is a limit that an action had taken off when Home Assistant was ended: a note
    on disk tells what should hold, and restoring it goes before everything else.
    """
    async_migrate_entities(hass, entry)
    migration = MigrationFollowUp(hass, entry)
    await migration.async_report()
    coordinator = Sec1000Coordinator(hass, entry)
    await coordinator.async_config_entry_first_refresh()
    export = ExportControl(coordinator)
    entry.runtime_data = Sec1000Data(coordinator, export)
    entry.async_on_unload(hass.async_add_shutdown_job(HassJob(export.settle), SHUTDOWN_TIMEOUT))
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    coordinator.start_reading_settings(then=export.put_back)
    migration.async_schedule_cleanup()
    return True


async def async_unload_entry(hass: HomeAssistant, entry: Sec1000ConfigEntry) -> bool:
    """Let the actions that run come to their end and put the limit back, then unload."""
    await entry.runtime_data.export.settle(SHUTDOWN_TIMEOUT)
    async_forget_entry(hass, entry.entry_id)
    Issue.LIMIT_KEEPS_DRIFTING.async_clear(hass, entry.entry_id)
    await entry.runtime_data.coordinator.energy_totals.save()
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: Sec1000ConfigEntry) -> None:
    """Try once more to put back a limit that is off, and leave nothing else behind."""
    await async_clean_up_removed_entry(hass, entry, SHUTDOWN_TIMEOUT)
