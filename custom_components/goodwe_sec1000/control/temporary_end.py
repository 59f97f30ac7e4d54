"""Ends a temporary limit when its time has come, and tries again until the limit after it is proven."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HassJob, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from ..const import LOGGER
from ..coordinator import Sec1000Coordinator
from ..issues import Issue
from ..messages import ENGLISH, format_kw
from ..sec1000.setting_write import ROUNDS
from ..tracking.baseline import Drift, drift
from ..tracking.temporary import TemporaryLimit

PAUSES_S: Final = (6.0, 15.0)
"""After the first tries; then the longest pause after each."""
LONGEST_PAUSE_S: Final = 25.0
REPORT_AFTER_S: Final = 180.0
"""How long after its end Repairs says that it is not proven."""
ASK_AFTER: Final = timedelta(hours=24)
"""How late an end that passed before setup may be to be carried out without being asked for."""


class TemporaryLimitEnd:
    """Carries out the end of the temporary limit that the coordinator's snapshot shows.

    While Home Assistant runs, a limit lasts as long as it was set for, whatever is done to the clock.
    """

    def __init__(
        self,
        coordinator: Sec1000Coordinator,
        end: Callable[[datetime, int], Awaitable[object]],
    ) -> None:
        """Serve one device; `end` carries out the end of this moment, in so many rounds at most.

        It raises HomeAssistantError where that failed.
        """
        self._coordinator = coordinator
        self._end = end
        self._ends: datetime | None = None
        """The end that is waited for, or carried out."""
        self._remove_listener: CALLBACK_TYPE = lambda: None
        self._cancel_timer: CALLBACK_TYPE | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    @property
    def is_due(self) -> bool:
        """Whether the end has passed and is being carried out."""
        return self._task is not None and not self._task.done()

    @callback
    def start(self) -> None:
        """Wait for the end; one that passed before is carried out if the device holds what was set."""
        coordinator = self._coordinator
        self._remove_listener = coordinator.async_add_snapshot_listener(self._update)
        temporary = coordinator.data.temporary
        if temporary is None or temporary.remaining(dt_util.utcnow()) > timedelta():
            self._update()
            return
        self._ends = temporary.ends
        self._begin(self._end_late(temporary))

    @callback
    def stop(self) -> None:
        """End all of it; what is on disk stays."""
        self._remove_listener()
        self._remove_listener = lambda: None
        self._stop_timer()
        if self._task:
            self._task.cancel()

    @callback
    def _update(self) -> None:
        """Wait for another end where there is another one now."""
        self._changed.set()
        temporary = self._coordinator.data.temporary
        ends = temporary.ends if temporary else None
        if ends == self._ends:
            return
        self._ends = ends
        self._stop_timer()
        coordinator = self._coordinator
        Issue.TEMPORARY_LIMIT_NOT_ENDED.async_clear(coordinator.hass, coordinator.config_entry.entry_id)
        if temporary is None:
            return

        @callback
        def begin(_now: datetime) -> None:
            self._begin(self._end_until_proven(temporary.ends))

        self._call_later(temporary.remaining(dt_util.utcnow()).total_seconds(), begin)

    @callback
    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        @callback
        def report(_now: datetime) -> None:
            self._cancel_timer = None
            self._report()

        self._call_later(REPORT_AFTER_S, report)
        coordinator = self._coordinator
        self._task = coordinator.config_entry.async_create_background_task(
            coordinator.hass, work, f"{coordinator.name} end the temporary limit"
        )

    @callback
    def _call_later(self, seconds: float, action: Callable[[datetime], None]) -> None:
        job = HassJob(action, cancel_on_shutdown=True)
        self._cancel_timer = async_call_later(self._coordinator.hass, seconds, job)

    @callback
    def _stop_timer(self) -> None:
        if self._cancel_timer:
            self._cancel_timer()
            self._cancel_timer = None

    @callback
    def _report(self) -> None:
        coordinator = self._coordinator
        if (temporary := coordinator.data.temporary) is None:
            return
        LOGGER.error("%s: the end of the temporary limit is not proven yet", coordinator.name)
        Issue.TEMPORARY_LIMIT_NOT_ENDED.async_raise(
            coordinator.hass,
            coordinator.config_entry.entry_id,
            {
                "name": coordinator.device_name,
                "limit": format_kw(coordinator.hass, temporary.limit),
                "then": format_kw(coordinator.hass, temporary.then_within(coordinator.options)),
                "ends": f"{dt_util.as_local(temporary.ends):%Y-%m-%d %H:%M}",
            },
        )

    async def _end_late(self, temporary: TemporaryLimit) -> None:
        """Carry out an end that passed before setup, unless the device was set to something else since."""
        coordinator = self._coordinator
        late = dt_util.utcnow() - temporary.ends
        LOGGER.warning(
            "%s: the temporary limit of %s kW should have ended %s ago",
            coordinator.name,
            format_kw(coordinator.hass, temporary.limit, ENGLISH),
            timedelta(seconds=round(late.total_seconds())),
        )
        if late > ASK_AFTER:
            self._stop_timer()
            self._report()
            return
        pauses = _pauses()
        differing = 0
        while self._ends == temporary.ends:
            if coordinator.pending.current is None and await coordinator.async_request_settings():
                if self._is_held(temporary):
                    await self._end_until_proven(temporary.ends)
                    return
                differing += 1
                # One stale answer must not decide.
                if differing > 1:
                    LOGGER.warning(
                        "%s: its end is dropped, as the device holds something else", coordinator.name
                    )
                    # What was to hold by now is what the device differs from.
                    await coordinator.drop_end(temporary.then_within(coordinator.options))
                    return
            await self._pause(next(pauses), temporary.ends)

    def _is_held(self, temporary: TemporaryLimit) -> bool:
        """Return whether nothing but a command from here has set what the device holds.

        In a crash the temporary limit may not have been written yet, or the one after it already.
        """
        coordinator = self._coordinator
        snapshot, options = coordinator.data, coordinator.options
        limits = (temporary.limit, temporary.then_within(options), snapshot.proven_limit)
        return snapshot.settings is not None and any(
            limit is not None and drift(snapshot.settings, options, limit) is Drift.NONE for limit in limits
        )

    async def _end_until_proven(self, ends: datetime) -> None:
        pauses = _pauses()
        rounds = ROUNDS
        while self._ends == ends:
            # One request tells whether the device answers at all.
            if rounds > 1 or await self._coordinator.async_request_settings():
                try:
                    await self._end(ends, rounds)
                except HomeAssistantError as error:
                    LOGGER.debug(
                        "%s: the temporary limit is not ended yet: %s", self._coordinator.name, error
                    )
            rounds = 1
            if self._ends == ends:
                await self._pause(next(pauses), ends)

    async def _pause(self, seconds: float, ends: datetime) -> None:
        """Wait for so long, or until a restore that is pending or the end itself is done with."""
        pending = self._coordinator.pending
        was_pending = pending.current is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._ends == ends and not (was_pending and pending.current is None):
                    self._changed.clear()
                    await self._changed.wait()


def _pauses() -> Iterator[float]:
    return chain(PAUSES_S, repeat(LONGEST_PAUSE_S))
