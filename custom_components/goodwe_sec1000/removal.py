"""What is left to do when an entry is removed: its limit, and its files."""

import asyncio

from homeassistant.core import HomeAssistant

from .const import DOMAIN, LOGGER
from .control.restore import placeholders
from .data import Sec1000ConfigEntry
from .issues import Issue
from .migration.follow_up import MigrationFollowUp
from .migration.stored_limits import async_remove_stored_limits
from .sec1000.client import Sec1000Client
from .sec1000.errors import Sec1000Error
from .sec1000.model import ExportSettings
from .tracking.baseline import Baseline
from .tracking.energy import EnergyTotals
from .tracking.pending import PendingRestore, PendingRestoreStore
from .tracking.reachability import async_forget_entry


async def async_clean_up_removed_entry(
    hass: HomeAssistant, entry: Sec1000ConfigEntry, seconds: float
) -> None:
    """Put back a limit that is off within this time, or leave a repair issue that stays."""
    for issue in (Issue.LIMIT_KEEPS_DRIFTING, Issue.LIMIT_IS_OFF, Issue.MOVED_IN):
        issue.async_clear(hass, entry.entry_id)
    async_forget_entry(hass, entry.entry_id)
    await Baseline(hass, entry.entry_id).remove()
    await EnergyTotals(hass, entry.entry_id).remove()
    await MigrationFollowUp(hass, entry).remove()
    if not hass.config_entries.async_entries(DOMAIN):
        await async_remove_stored_limits(hass)
    notes = PendingRestoreStore(hass, entry.entry_id)
    if (note := await notes.load()) is None:
        await notes.drop()
        return
    try:
        async with asyncio.timeout(seconds):
            await put_back(note)
    except (Sec1000Error, TimeoutError) as error:
        LOGGER.warning("%s: the export limit could not be put back: %s", entry.title, error)
        Issue.LIMIT_WAS_LEFT_OFF.async_raise(
            hass,
            entry.entry_id,
            {**placeholders(hass, entry.title, note), "host": note.host},
            data={**note.stored()},
        )
    await notes.drop()


async def put_back(note: PendingRestore, *, whatever_holds: bool = False) -> ExportSettings:
    """Put back what a note of a removed entry says, and return what the device holds then.

    A device that limits the export again, by whatever setting, is left as it is unless
    `whatever_holds`. Raises as `Sec1000Client.restore` and `Sec1000Client.apply`.
    """
    client = Sec1000Client(note.host, note.port)
    client.pending_target = note.target
    return await (client.apply(note.target) if whatever_holds else client.restore())
