"""GoodWe SEC1000/S: power, export limit and its control, without the vendor's cloud."""

import asyncio
from typing import Final

from homeassistant.const import EVENT_HOMEASSISTANT_STOP, Platform
from homeassistant.core import Event, HassJob, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN, ENTRY_VERSION, LOGGER
from .control.actions import ExportControl
from .control.drift import DriftCorrection
from .control.quick_polls import QuickPolls
from .control.restore import placeholders, restore_removed
from .coordinator import Sec1000Coordinator
from .data import Sec1000ConfigEntry, Sec1000Data
from .device import device_name
from .issues import Issue
from .messages import ENGLISH, format_kw
from .migration.entities import async_migrate_entities
from .migration.entry import async_migrate_v1_entry
from .migration.follow_up import MigrationFollowUp
from .migration.stored_limits import async_remove_stored_limits
from .sec1000.errors import Sec1000Error
from .services import async_setup_services
from .tracking.baseline import Baseline
from .tracking.energy import EnergyTotals
from .tracking.limit_test_record import LimitTestStore
from .tracking.pending import PendingRestoreStore
from .tracking.quarter_hour import QuarterHourStore
from .tracking.reachability import async_forget_entry

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

PLATFORMS: Final = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
]
REMOVAL_TIMEOUT_S: Final = 15.0
"""How long the removal of an entry waits for a limit that is off to be restored."""


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

    The two exceptions are a limit that was off when Home Assistant was ended: what should hold again
    is on disk, and restoring it goes before everything else; and a temporary limit whose end passed
    meanwhile.
    """
    async_migrate_entities(hass, entry)
    migration = MigrationFollowUp(hass, entry)
    await migration.async_report()
    coordinator = Sec1000Coordinator(hass, entry)
    await coordinator.async_config_entry_first_refresh()
    export = ExportControl(coordinator)
    entry.runtime_data = Sec1000Data(coordinator, export)
    DriftCorrection(coordinator, export)
    QuickPolls(coordinator)
    entry.async_on_unload(hass.async_add_shutdown_job(HassJob(export.async_stop)))
    # Last of all, together with the end of the polls: none may leave anything to be saved after that.
    entry.async_on_unload(coordinator.energy_totals.save)
    entry.async_on_unload(coordinator.quarter_hour_store.save)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)

    @callback
    def write_last(_event: Event) -> None:
        coordinator.async_update_listeners()

    # What is written less often than it changes is written once more.
    entry.async_on_unload(hass.bus.async_listen(EVENT_HOMEASSISTANT_STOP, write_last))
    coordinator.start_reading_settings()
    migration.async_schedule_cleanup()
    return True


async def async_unload_entry(hass: HomeAssistant, entry: Sec1000ConfigEntry) -> bool:
    """Let the actions that run come to their end and restore the limit, then unload."""
    await entry.runtime_data.export.async_close()
    async_forget_entry(hass, entry.entry_id)
    for issue in (Issue.LIMIT_EXCEEDED, Issue.LIMIT_KEEPS_DRIFTING):
        issue.async_clear(hass, entry.entry_id)
    coordinator = entry.runtime_data.coordinator
    # As at a stop of Home Assistant; once the platforms are unloaded, nothing can be written any more.
    coordinator.async_update_listeners()
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: Sec1000ConfigEntry) -> None:
    """Restore a limit that is off, or leave a repair issue that stays; leave nothing else behind."""
    entry_id = entry.entry_id
    for issue in (Issue.LIMIT_KEEPS_DRIFTING, Issue.TEMPORARY_LIMIT_NOT_ENDED, Issue.MOVED_IN):
        issue.async_clear(hass, entry_id)
    async_forget_entry(hass, entry_id)
    baseline = Baseline(hass, entry_id)
    await baseline.load()
    if temporary := baseline.temporary:
        LOGGER.warning(
            "%s: the temporary limit of %s kW stays in the device, as nothing ends it any more",
            entry.title,
            format_kw(hass, temporary.limit, ENGLISH),
        )
    await baseline.remove()
    await EnergyTotals(hass, entry_id).remove()
    await QuarterHourStore(hass, entry_id).remove()
    await LimitTestStore(hass, entry_id).remove()
    await MigrationFollowUp(hass, entry).remove()
    if not hass.config_entries.async_entries(DOMAIN):
        await async_remove_stored_limits(hass)
    store = PendingRestoreStore(hass, entry_id)
    await store.load()
    if store.corrupt:
        # The file stays as well: it may be read by hand.
        Issue.PENDING_UNREADABLE.async_raise(hass, entry_id, {"name": device_name(hass, entry)})
        return
    if pending := store.current:
        try:
            async with asyncio.timeout(REMOVAL_TIMEOUT_S):
                await restore_removed(pending)
        except (Sec1000Error, TimeoutError) as error:
            LOGGER.error(
                "%s: the export limit is suspended and could not be restored: %s", entry.title, error
            )
            Issue.LIMIT_WAS_LEFT_OFF.async_raise(
                hass,
                entry_id,
                {**placeholders(hass, device_name(hass, entry), pending), "host": pending.host},
                data={**pending.as_dict()},
            )
    await store.clear()
    # Not before: a stop of Home Assistant may come in between.
    Issue.LIMIT_IS_OFF.async_clear(hass, entry_id)
