"""What is left to do when an entry is removed: its limit, and its files."""

import asyncio

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .after_migration import Rest, moved_in_issue_id
from .baseline import Baseline
from .const import DOMAIN, LOGGER
from .export import drift_issue_id
from .note import NoteKeeper
from .restore import issue_id, placeholders
from .sec1000.client import Sec1000Client
from .sec1000.errors import Sec1000Error
from .silence import async_forget, silence_issue_id
from .stored_limits import async_remove_stored_limits


async def async_settle_removed(hass: HomeAssistant, entry: ConfigEntry, seconds: float) -> None:
    """Put back a limit that is off within this time, or leave a repair issue that stays."""
    for issue in (silence_issue_id, drift_issue_id, issue_id, moved_in_issue_id):
        ir.async_delete_issue(hass, DOMAIN, issue(entry.entry_id))
    async_forget(hass, entry.entry_id)
    await Baseline(hass, entry.entry_id).remove()
    await Rest(hass, entry).remove()
    if not hass.config_entries.async_entries(DOMAIN):
        await async_remove_stored_limits(hass)
    notes = NoteKeeper(hass, entry.entry_id)
    if (note := await notes.load()) is None:
        await notes.drop()
        return
    client = Sec1000Client(note.host, note.port)
    client.unsettled = note.target
    try:
        async with asyncio.timeout(seconds):
            await client.restore()
    except (Sec1000Error, TimeoutError) as error:
        LOGGER.warning("%s: the export limit could not be put back: %s", entry.title, error)
        ir.async_create_issue(
            hass,
            DOMAIN,
            f"limit_was_left_off_{entry.entry_id}",
            is_fixable=False,
            is_persistent=True,
            severity=ir.IssueSeverity.CRITICAL,
            translation_key="limit_was_left_off",
            translation_placeholders={**placeholders(entry.title, note), "host": note.host},
        )
    await notes.drop()
