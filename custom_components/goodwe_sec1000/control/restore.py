"""Retry restoring a suspended limit until the device reports it."""

import asyncio
from itertools import chain, repeat
from typing import Final

from homeassistant.core import HomeAssistant, callback

from ..const import LOGGER
from ..coordinator import Sec1000Coordinator
from ..issues import Issue
from ..messages import format_kw, mode_name
from ..sec1000.asker import asked_by
from ..sec1000.client import Sec1000Client
from ..sec1000.errors import OutcomeUnknownError, Sec1000Error
from ..sec1000.model import ExportSettings
from ..sec1000.pending import PendingTarget
from ..sec1000.setting_write import agrees
from ..tracking.pending import PendingRestore

PAUSES_S: Final = (1.0, 2.0, 5.0, 15.0, 30.0)
"""After the first tries; then the longest pause after each."""
LONGEST_PAUSE_S: Final = 60.0


class Restorer:
    """Restores the limit of one entry in the background while a restore is pending."""

    def __init__(self, coordinator: Sec1000Coordinator) -> None:
        self._coordinator = coordinator
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    @callback
    def start(self) -> None:
        """Try now, and again after pauses until nothing is pending."""
        self._wake.set()
        if self._task and not self._task.done():
            return
        coordinator = self._coordinator
        self._task = coordinator.config_entry.async_create_background_task(
            coordinator.hass, self._run(), f"{coordinator.name} restore the export limit"
        )

    @callback
    def stop(self) -> None:
        """End trying in the background; what is pending stays so."""
        if self._task:
            self._task.cancel()

    async def async_attempt(self) -> bool:
        """Try once, and return whether nothing is pending any more."""
        try:
            await self._restore()
        except Sec1000Error as error:
            LOGGER.debug("%s: the export limit is not restored yet: %s", self._coordinator.name, error)
        except Exception:  # noqa: BLE001 - it is logged with its traceback
            # Whatever it is, it must neither end the retries nor keep an entry from its unload.
            LOGGER.exception("%s: the export limit is not restored yet", self._coordinator.name)
        return self._coordinator.pending.current is None

    async def async_retry_now(self) -> None:
        """Try once between two tries in the background; raises Sec1000Error where that failed."""
        await self._restore()
        if self._coordinator.pending.current:
            raise OutcomeUnknownError("the export limit is not confirmed as restored yet")
        await self._async_restored()

    @callback
    def report_unrestored(self, *, is_ending: bool = False) -> None:
        """Say that the limit is off and is not restored by now, in the log and in Repairs.

        Where `is_ending`, nothing restores it from now on until the next setup.
        """
        coordinator = self._coordinator
        if (pending := coordinator.pending.current) is None:
            if is_ending:
                self._report_restored()
            return
        if is_ending:
            LOGGER.error(
                "%s: the export limit is suspended and is not restored: the export may be unlimited",
                coordinator.name,
            )
        elif not coordinator.pending.is_reported:
            LOGGER.warning("%s: the export may not be limited; its limit is being restored", coordinator.name)
        coordinator.pending.is_reported = True
        # Also where it is raised already: a newer command may have changed what should hold.
        Issue.LIMIT_IS_OFF.async_raise(
            coordinator.hass,
            coordinator.config_entry.entry_id,
            placeholders(coordinator.hass, coordinator.device_name, pending),
        )

    async def _run(self) -> None:
        while self._wake.is_set():
            await self._try_until_restored()
            # A limit may be suspended anew, and this be started again, while all is read.
            await self._async_restored()

    async def _try_until_restored(self) -> None:
        self._wake.clear()
        coordinator = self._coordinator
        pauses = chain(PAUSES_S, repeat(LONGEST_PAUSE_S))
        while coordinator.pending.current:
            self._wake.clear()
            if await self.async_attempt():
                break
            self.report_unrestored()
            try:
                async with asyncio.timeout(next(pauses)):
                    await self._wake.wait()
            except TimeoutError:
                continue
            pauses = chain(PAUSES_S, repeat(LONGEST_PAUSE_S))

    @callback
    def _report_restored(self) -> bool:
        """Say that the limit is back where it was said to be off; return whether it was."""
        if was_reported := self._coordinator.pending.is_reported:
            self._coordinator.pending.is_reported = False
            LOGGER.warning("%s: the export is limited again", self._coordinator.name)
        return was_reported

    async def _async_restored(self) -> None:
        if self._report_restored():
            await self._coordinator.async_refresh()

    async def _restore(self) -> None:
        coordinator = self._coordinator
        if (pending := coordinator.pending.current) is None:
            return
        own = coordinator.client
        if own.pending.target is None:
            client = client_of(pending, coordinator.pending.at(pending.host, pending.port))
            await client.pending.wait_until_provable()
            with asked_by("restore"):
                await client.restore()
            return
        await own.pending.wait_until_provable()
        with asked_by("restore"):
            settings = await own.restore()
        limit = pending.target.limit if agrees(settings, pending.target) else None
        await coordinator.settings_read(settings, verified_limit=limit)


def client_of(pending: PendingRestore, view: PendingTarget) -> Sec1000Client:
    """Return a client of the device at which this is to be restored."""
    return Sec1000Client(pending.host, pending.port, pending=view)


async def restore_removed(pending: PendingRestore, *, overwrite: bool = False) -> ExportSettings:
    """Restore what is pending for an entry that is gone or not loaded; return what the device holds then.

    A device that limits the export again, by whatever setting, is left as it is unless
    `overwrite`. Raises as `Sec1000Client.restore` and `Sec1000Client.apply`.
    """
    client = client_of(pending, PendingTarget())
    await client.pending.save(pending.target)
    with asked_by("restore"):
        return await (client.apply(pending.target) if overwrite else client.restore())


def placeholders(hass: HomeAssistant, name: str, pending: PendingRestore) -> dict[str, str]:
    """Return what the issues' texts need."""
    return {
        "name": name,
        "mode": mode_name(hass, pending.target.mode),
        "limit": format_kw(hass, pending.target.limit),
        "capacity": format_kw(hass, pending.target.capacity),
    }
