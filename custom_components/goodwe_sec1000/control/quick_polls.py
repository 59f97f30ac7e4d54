"""Looks at the meter sooner than at the refresh interval after the limit has changed."""

from datetime import datetime
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HassJob, callback
from homeassistant.helpers.event import async_call_later

from ..coordinator import Sec1000Coordinator
from ..tracking.limit_events import LimitEvent, LimitEventType

MOMENTS_S: Final = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 45.0, 60.0, 90.0, 100.0)
"""After the change; inverters need seconds to a minute and a half to follow."""
LEAST_CHANGE: Final = 0.05
"""Share of the capacity by which the limit has to change."""
LEAST_BUDGET: Final = 0.5
"""Share of the requests that the device bears at once which must be left: commands go first."""
_CHANGES: Final = frozenset({LimitEventType.SET, LimitEventType.ENDED, LimitEventType.CORRECTED})


class QuickPolls:
    """Polls at a few moments after a change of the limit, until the meter has shown that it is kept."""

    def __init__(self, coordinator: Sec1000Coordinator) -> None:
        """Serve one device until its entry is unloaded."""
        self._coordinator = coordinator
        self._since = 0.0
        self._cancel: CALLBACK_TYPE | None = None
        entry = coordinator.config_entry
        entry.async_on_unload(coordinator.limit_events.async_add_listener(self._happened))
        entry.async_on_unload(self._stop)

    @callback
    def _happened(self, event: LimitEvent) -> None:
        if event.type is LimitEventType.OBEYED:
            self._stop()
        if event.type not in _CHANGES or not self._is_large(event):
            return
        self._stop()
        self._since = self._now
        self._wait()

    def _is_large(self, event: LimitEvent) -> bool:
        before, after = event.limit_before, event.settings.limit if event.settings else None
        if before is None or after is None:
            return True
        return abs(after - before) > LEAST_CHANGE * self._coordinator.options.total_capacity

    @property
    def _now(self) -> float:
        return self._coordinator.hass.loop.time()

    @callback
    def _wait(self) -> None:
        """Poll at the next moment, if there is one left."""
        passed = self._now - self._since
        moment = next((moment for moment in MOMENTS_S if moment > passed), None)
        if moment is None:
            return

        @callback
        def poll(_now: datetime) -> None:
            self._cancel = None
            self._poll()
            self._wait()

        job = HassJob(poll, cancel_on_shutdown=True)
        self._cancel = async_call_later(self._coordinator.hass, moment - passed, job)

    @callback
    def _poll(self) -> None:
        coordinator = self._coordinator
        entry, transport = coordinator.config_entry, coordinator.client.transport
        is_enough = transport.turns.level > LEAST_BUDGET * transport.timing.budget
        if is_enough and not entry.pref_disable_polling and not coordinator.backing_off:
            entry.async_create_background_task(
                coordinator.hass, coordinator.async_refresh(), f"{coordinator.name} look at the meter"
            )

    @callback
    def _stop(self) -> None:
        if self._cancel:
            self._cancel()
            self._cancel = None
