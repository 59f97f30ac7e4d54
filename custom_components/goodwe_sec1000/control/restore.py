"""Bringing back a limit that is off: again and again, until the device holds what the note says."""

import asyncio
from itertools import chain, repeat
from typing import Final

from homeassistant.core import HomeAssistant, callback

from ..const import LOGGER
from ..coordinator import Sec1000Coordinator
from ..issues import Issue
from ..messages import format_kw, mode_name
from ..sec1000.errors import Sec1000Error
from ..sec1000.setting_write import agrees
from ..tracking.pending import PendingRestore

PAUSES: Final = (1.0, 2.0, 5.0, 10.0)
"""s after the first tries."""
LONGEST_PAUSE: Final = 30.0
"""s after every further one."""


class Restorer:
    """Restores one device's limit in the background while a note stands and no command settles it."""

    def __init__(self, coordinator: Sec1000Coordinator) -> None:
        self._coordinator = coordinator
        self._task: asyncio.Task[None] | None = None

    @callback
    def start(self) -> None:
        """Begin, unless it is under way."""
        if self._task and not self._task.done():
            return
        coordinator = self._coordinator
        self._task = coordinator.config_entry.async_create_background_task(
            coordinator.hass, self._run(), f"{coordinator.name} restore the export limit"
        )

    async def try_once(self) -> bool:
        """Try to restore, and tell whether the note could be dropped."""
        try:
            await self._restore()
        except Sec1000Error as error:
            LOGGER.debug("%s: the export limit is not restored yet: %s", self._coordinator.name, error)
            return False
        return True

    async def try_now(self) -> None:
        """Try to restore between two tries in the background; raises Sec1000Error where that failed."""
        await self._restore()
        await self._limited_again()

    async def _restore(self) -> None:
        wanted = self._coordinator.client.pending_target
        settings = await self._coordinator.client.restore()
        if wanted and agrees(settings, wanted):
            await self._coordinator.set_verified(settings, wanted.limit)
        else:
            self._coordinator.show_settings(settings)
        await self.settled()

    async def settled(self) -> None:
        """Drop the note: the device limits the export again."""
        coordinator = self._coordinator
        if self._task and self._task is not asyncio.current_task():
            self._task.cancel()
        await coordinator.clear_pending()
        Issue.LIMIT_IS_OFF.async_clear(coordinator.hass, coordinator.config_entry.entry_id)

    @callback
    def stop(self) -> None:
        """End trying in the background; the note stays."""
        if self._task:
            self._task.cancel()

    async def _run(self) -> None:
        coordinator = self._coordinator
        LOGGER.warning("%s: the export may not be limited; its limit is being restored", coordinator.name)
        pauses = chain(PAUSES, repeat(LONGEST_PAUSE))
        # A newer command may change what should hold.
        while note := coordinator.notes.note:
            self._raise_issue(note)
            if not await self.try_once():
                await asyncio.sleep(next(pauses))
        await self._limited_again()

    async def _limited_again(self) -> None:
        LOGGER.warning("%s: the export is limited again", self._coordinator.name)
        await self._coordinator.async_refresh()

    @callback
    def _raise_issue(self, note: PendingRestore) -> None:
        """Say in Repairs that the export may not be limited, and what should hold."""
        coordinator = self._coordinator
        Issue.LIMIT_IS_OFF.async_raise(
            coordinator.hass,
            coordinator.config_entry.entry_id,
            placeholders(coordinator.hass, coordinator.name, note),
        )


def placeholders(hass: HomeAssistant, name: str, note: PendingRestore) -> dict[str, str]:
    """Return what the issues' texts need."""
    return {
        "name": name,
        "mode": mode_name(hass, note.target.mode),
        "limit": format_kw(note.target.limit),
        "capacity": format_kw(note.target.capacity),
    }
