"""What follows a migration: the report in Repairs, and statistics that have to be cleared."""

import asyncio
from typing import Final, TypedDict

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import DATA_INSTANCE
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.storage import Store

from ..const import DOMAIN
from ..device import device_name
from ..issues import Issue
from ..tracking.storage import async_load_lenient
from .entities import FEEDBACK_SENSORS

_VERSION: Final = 1


class _Stored(TypedDict):
    corrections: str


class MigrationFollowUp:
    """Persisted from before the entry is version 2 until every step has finished.

    The entry is written within a second, all else minutes later: where Home Assistant is killed in between,
    the next start does it once more. A report stays until the user confirms it in Repairs.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self._store = Store[_Stored](hass, _VERSION, f"{DOMAIN}.{entry.entry_id}.moved_in")
        self._pending: _Stored | None = None

    async def save(self, corrections: str) -> None:
        """Save what there is to report: Markdown, or empty where only statistics are to be cleared."""
        await self._store.async_save({"corrections": corrections})

    async def remove(self) -> None:
        """Remove the file: the report is confirmed, there was none, or the entry is removed."""
        await self._store.async_remove()

    async def async_report(self) -> None:
        """Raise the repair issue where a report is stored."""
        if not (stored := await async_load_lenient(self._store, dict)):
            return
        self._pending = {"corrections": str(stored.get("corrections") or "")}
        if corrections := self._pending["corrections"]:
            Issue.MOVED_IN.async_raise(
                self._hass,
                self._entry.entry_id,
                {"name": device_name(self._hass, self._entry), "corrections": corrections},
            )

    @callback
    def async_schedule_cleanup(self) -> None:
        """Clear statistics once Home Assistant has started; the entities must have been added before."""
        if (pending := self._pending) is None:
            return

        async def clean_up() -> None:
            await self._clear_statistics()
            if not pending.get("corrections"):
                await self.remove()

        @callback
        def begin(_hass: HomeAssistant) -> None:
            self._entry.async_create_background_task(
                self._hass, clean_up(), f"{self._entry.title} clear statistics after the migration"
            )

        self._entry.async_on_unload(async_at_started(self._hass, begin))

    async def _clear_statistics(self) -> None:
        """Clear the long-term statistics of the feedback sensors.

        A mean of them says nothing, and while they exist Repairs asks what became of the state class.
        """
        if (recorder := self._hass.data.get(DATA_INSTANCE)) is None:
            return
        registry = er.async_get(self._hass)
        found = (
            registry.async_get_entity_id(Platform.SENSOR, DOMAIN, f"{self._entry.entry_id}_{key}")
            for key in FEEDBACK_SENSORS.values()
        )
        cleared = asyncio.Event()

        def done() -> None:
            self._hass.loop.call_soon_threadsafe(cleared.set)

        recorder.async_clear_statistics([entity_id for entity_id in found if entity_id], on_done=done)
        await cleared.wait()
