"""What is left to do once an entry has moved in: tell what was corrected, clear what is no statistic."""

import asyncio
from datetime import datetime
from typing import Final, TypedDict

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_NAME, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.recorder import DATA_INSTANCE
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..issues import Issue
from .entities import FEEDBACK_SENSORS

SAVED_AFTER: Final = 300.0
"""s after the start by which Home Assistant has written its registries, repair issues among them."""

_VERSION: Final = 1
_TOLD: Final[HassKey[set[str]]] = HassKey(f"{DOMAIN}_moved_in_told")
"""Ids of the entries whose corrections were told since Home Assistant was started."""


class _Stored(TypedDict):
    corrections: str


class MigrationFollowUp:
    """Stands on disk from before the entry is version 2 until all has come to its end.

    The entry is written within a second, all else minutes later. Where Home Assistant is killed in
    between, the next start does it once more.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self._store = Store[_Stored](hass, _VERSION, f"{DOMAIN}.{entry.entry_id}.moved_in")
        self._stands = False

    async def write(self, corrections: str) -> None:
        """Have on disk that there is something left to do; the corrections are Markdown, or empty."""
        await self._store.async_save({"corrections": corrections})

    async def remove(self) -> None:
        """Forget it: all is done, or the entry is removed."""
        await self._store.async_remove()

    async def tell(self) -> None:
        """Tell in Repairs what was corrected, unless that was told since the start."""
        stored = await self._store.async_load()
        self._stands = stored is not None
        told = self._hass.data.setdefault(_TOLD, set())
        corrections = stored.get("corrections") if stored else None
        if not corrections or self._entry.entry_id in told:
            return
        told.add(self._entry.entry_id)
        Issue.MOVED_IN.async_raise(
            self._hass,
            self._entry.entry_id,
            {"name": self._entry.data[CONF_NAME], "corrections": corrections},
        )

    @callback
    def finish(self) -> None:
        """Do all else once Home Assistant has started, and forget it; the entities are there already."""
        if not self._stands:
            return

        async def finish() -> None:
            await self._clear_statistics()
            self._entry.async_on_unload(async_call_later(self._hass, SAVED_AFTER, forget))

        async def forget(_now: datetime) -> None:
            await self.remove()

        @callback
        def begin(_hass: HomeAssistant) -> None:
            self._entry.async_create_background_task(
                self._hass, finish(), f"{self._entry.title} finish moving in"
            )

        self._entry.async_on_unload(async_at_started(self._hass, begin))

    async def _clear_statistics(self) -> None:
        """Clear the long-term statistics of the feedbacks.

        A mean of them says nothing, and while they stand Repairs asks what became of the state class.
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
