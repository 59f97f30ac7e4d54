"""Tests on the live installation whether it obeys its limit: lowers it for a while, looks, and lifts it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
import math
from typing import Final

from homeassistant.core import callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.typing import UNDEFINED
from homeassistant.util import dt as dt_util

from ..const import DOMAIN, LOGGER
from ..coordinator import SETTINGS_INTERVAL, Sec1000Coordinator, limit_differs
from ..limit import bound
from ..messages import ENGLISH, action_name, format_kw, mode_name, translated_error
from ..options import ExportOptions
from ..sec1000.errors import InvalidValueError
from ..sec1000.model import ControlMode, ExportSettings, watts
from ..sec1000.setting_write import ROUNDS, TOLERANCE_W
from ..tracking.feedback import Action
from ..tracking.limit_test import (
    LOWERED_S,
    Finding,
    LimitTest,
    LimitTestReason,
    LimitTestResult,
    Step,
    least_export,
)
from ..tracking.limit_test_record import LimitTestRecord
from ..tracking.meter_watch import margin
from .runner import ActionRunner

CALLED: Final = "test_export_limit"
"""How the action is called."""
POLL_S: Final = 6.0
"""Equal reads are one within 5 s."""
ENDED_WITHIN_S: Final = 5.0
"""How long a test may take to end once no command runs any more."""
LEAST_REQUESTS: Final = 10
"""How many the budget has to have left: two commands, and the first of some thirty reads."""
LEAST_REST: Final = timedelta(minutes=5)
"""Within which no temporary limit may end, so that its end does not fall into the test."""


class LimitTester:
    """Runs one test at a time; whatever is wanted in between ends it.

    The lower limit is a temporary one that leads back to what stood before: where nothing lifts it any
    more, it ends by itself.
    """

    def __init__(
        self,
        coordinator: Sec1000Coordinator,
        runner: ActionRunner,
        lower: Callable[[int, datetime], Awaitable[object]],
        lift: Callable[[datetime, int], Awaitable[object]],
    ) -> None:
        """Serve one device.

        `lower` interrupts the limit that stands by this one (W) up to this moment, or changes the one that
        interrupts it already; `lift` ends the temporary limit of this moment in so many rounds at most. Both
        raise HomeAssistantError where that failed.
        """
        self._coordinator = coordinator
        self._runner = runner
        self._lower, self._lift = lower, lift
        self._task: asyncio.Task[LimitTestRecord | HomeAssistantError] | None = None
        self._is_stopped = asyncio.Event()
        self._calls = 0
        """How often a limit was asked for up to now, by the test or before it."""
        self._ends: datetime | None = None
        """When the lower limit ends by itself; None where there is none to be lifted."""
        self._is_asked_for = False
        """Whether a lower limit waits for its turn, or is being written."""
        self._taken_at = 0.0
        """When the last reading was taken that was judged (s, the event loop's clock)."""

    async def run(self, limit: object) -> LimitTestRecord:
        """Test with this limit (kW), for UNDEFINED with half of what is exported; return how that ended.

        Raises a translated ServiceValidationError where nothing can be tested now; then nothing was written.
        A cancelled caller loses the answer, not the test.
        """
        if self._task and not self._task.done():
            raise _refused("test_under_way")
        coordinator = self._coordinator
        self._check_beforehand()
        self._check_budget()
        self._task = coordinator.config_entry.async_create_background_task(
            coordinator.hass, self._run(limit), f"{coordinator.name} test the limit"
        )
        try:
            ended = await asyncio.shield(self._task)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if self._task.cancelled() and not (caller and caller.cancelling()):
                raise HomeAssistantError(
                    translation_domain=DOMAIN,
                    translation_key="ended_with_the_integration",
                    translation_placeholders={
                        "action": action_name(coordinator.hass, CALLED, coordinator.hass.config.language)
                    },
                ) from None
            raise
        if isinstance(ended, HomeAssistantError):
            raise ended
        return ended

    @callback
    def stop(self) -> None:
        """End a test that runs, and lift its limit; to be called while commands are still taken."""
        self._is_stopped.set()
        if self._ends:
            coordinator = self._coordinator
            coordinator.config_entry.async_create_task(
                coordinator.hass, self._end_lower_limit(), f"{coordinator.name} lift the tested limit"
            )

    async def async_wait_ended(self) -> None:
        """Wait until a test that was stopped has reported how it ended, before its entry is unloaded."""
        if self._task:
            await asyncio.wait({self._task}, timeout=ENDED_WITHIN_S)

    def _check_beforehand(self) -> None:
        """Raise a translated error for what needs no reading."""
        coordinator = self._coordinator
        snapshot, options = coordinator.data, coordinator.options
        if coordinator.pending.current or snapshot.limit_is_off or coordinator.client.is_resetting:
            raise _refused("reset_under_way")
        mode = snapshot.settings.mode if snapshot.settings else options.control_mode
        for each in (options.control_mode, mode):
            if each is not ControlMode.VALUE:
                raise _refused("test_mode", mode=mode_name(coordinator.hass, each))
        if not options.sum_of_phases:
            raise _refused("test_each_phase")
        temporary = snapshot.temporary
        if temporary and temporary.remaining(dt_util.utcnow()) < LEAST_REST:
            raise _refused("test_end_near", time=f"{dt_util.as_local(temporary.ends):%H:%M}")

    def _check_budget(self) -> None:
        """Raise a translated error where too few requests are left, before the first of the test."""
        transport = self._coordinator.client.transport
        if (missing := LEAST_REQUESTS - transport.turns.level) <= 0:
            return
        # Polls go on meanwhile, one of them perhaps right before; at short intervals they take almost all.
        interval = self._coordinator.options.scan_interval
        gained = 1 / transport.timing.refill - 1 / interval - 1 / SETTINGS_INTERVAL.total_seconds()
        raise _refused("test_budget", seconds=str(math.ceil((missing + 1) / gained)))

    def _limit_to_test(self, limit: object) -> tuple[int, ExportSettings]:
        """Return the limit (W) to be tested, and what the device holds; raises a translated error."""
        coordinator = self._coordinator
        hass, snapshot, options = coordinator.hass, coordinator.data, coordinator.options
        telemetry = snapshot.telemetry
        if telemetry is None or (meter := telemetry.meter_power) is None:
            raise _refused("test_no_telemetry")
        settings, standing = snapshot.held, snapshot.proven_limit
        if settings is None or standing is None or limit_differs(snapshot, options) is not False:
            raise _refused("test_limit_unknown")
        least = least_export(options.total_capacity)
        # With the inverters off, the house imports what it uses, and no limit makes it import more.
        without_inverters = min(0, meter - (telemetry.inverter_power or meter))
        lowest = max(options.min_export_limit, without_inverters)
        needed = max(least, lowest + least / 2)
        highest = min(standing - TOLERANCE_W, round(meter - least / 2))
        if meter < needed or highest < lowest:
            enough = round(needed + margin(needed, settings, options))
            if standing < enough:
                # No sun brings the meter above it.
                raise _refused(
                    "test_limit_low", limit=format_kw(hass, standing), least=format_kw(hass, enough)
                )
            raise _refused(
                "test_export_low", export=format_kw(hass, meter), least=format_kw(hass, round(needed))
            )
        if limit is UNDEFINED:
            return min(max(round(min(meter, standing) // 2, -2), lowest), highest), settings
        try:
            return watts(bound(limit, lowest, highest)), settings
        except InvalidValueError as error:
            raise translated_error(
                coordinator.hass,
                ServiceValidationError,
                "invalid_limit",
                error,
                lambda language: {"export": coordinator.format_export(language)},
            ) from error

    async def _run(self, wanted: object) -> LimitTestRecord | HomeAssistantError:
        coordinator = self._coordinator
        self._is_stopped.clear()
        await self._poll()
        try:
            self._runner.check_accepts(Action.SET_EXPORT_LIMIT, takes_mode_off=True, called=CALLED)
            self._check_beforehand()
            limit, settings = self._limit_to_test(wanted)
        except HomeAssistantError as error:
            return error
        finding = await self._test(limit, settings)
        record = LimitTestRecord(finding, limit, dt_util.utcnow())
        if finding.result is LimitTestResult.FAILED:
            LOGGER.warning(
                "%s: the meter stayed %d W above the limit of %s kW while that was tested",
                coordinator.name,
                finding.excess,
                format_kw(coordinator.hass, limit, ENGLISH),
            )
        await coordinator.keep_limit_test(record)
        return record

    async def _test(self, limit: int, settings: ExportSettings) -> Finding:
        coordinator, loop = self._coordinator, asyncio.get_running_loop()
        options = coordinator.options
        test = LimitTest(limit, margin(limit, settings, options), loop.time())
        self._taken_at = 0.0
        self._calls = self._runner.limit_calls
        if self._runner.limit_tasks:
            test.interrupt(LimitTestReason.INTERRUPTED)
        next_at = loop.time()
        standing = coordinator.data.proven_limit
        while (step := self._judge(test, options)) is not Step.END:
            if step is Step.LIFT:
                await self._lift_limit(test, standing)
            elif step is not Step.READ:
                await self._set_limit(test, limit if step is Step.LOWER else test.halfway)
            next_at = max(next_at + POLL_S, loop.time())
            with suppress(TimeoutError):
                async with asyncio.timeout_at(next_at):
                    await self._is_stopped.wait()
            await self._poll()
        await self._end_lower_limit()
        return test.finding

    async def _poll(self) -> None:
        """Read the meter; a poll that waits for its turn does not keep an unload waiting."""
        coordinator = self._coordinator
        poll = coordinator.config_entry.async_create_background_task(
            coordinator.hass, coordinator.async_refresh(), f"{coordinator.name} read the tested meter"
        )
        stop = asyncio.ensure_future(self._is_stopped.wait())
        try:
            await asyncio.wait({poll, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()

    def _judge(self, test: LimitTest, options: ExportOptions) -> Step:
        """Judge what was read last, unless something came between."""
        snapshot = self._coordinator.data
        is_interrupted = (
            self._is_stopped.is_set()
            or self._runner.limit_calls != self._calls
            or self._coordinator.options != options
            or limit_differs(snapshot, options)
            or snapshot.pending_restore
            or snapshot.limit_is_off
        )
        if is_interrupted:
            return test.interrupt(LimitTestReason.INTERRUPTED)
        if test.has_ended:
            return Step.END
        taken_at = self._coordinator.client.telemetry_taken_at
        if snapshot.telemetry is None or taken_at <= self._taken_at:
            return test.read(None, None, asyncio.get_running_loop().time())
        self._taken_at = taken_at
        return test.read(snapshot.telemetry.meter_power, snapshot.telemetry.inverter_power, taken_at)

    @property
    def _is_lowered(self) -> bool:
        """Whether the limit that should hold, or is asked for, is the lower one of this test."""
        temporary = self._coordinator.data.temporary
        return self._is_asked_for or (temporary is not None and temporary.ends == self._ends)

    async def _set_limit(self, test: LimitTest, limit: int) -> None:
        self._ends = self._ends or dt_util.utcnow() + timedelta(seconds=LOWERED_S)
        self._is_asked_for = True
        try:
            with self._own_call():
                await self._lower(limit, self._ends)
        except HomeAssistantError as error:
            is_superseded = error.translation_key == "superseded"
            test.interrupt(LimitTestReason.INTERRUPTED if is_superseded else LimitTestReason.NOT_SET)
        else:
            test.proven(asyncio.get_running_loop().time())
        finally:
            self._is_asked_for = False

    async def _lift_limit(self, test: LimitTest, standing: int | None) -> None:
        await self._end_lower_limit()
        if self._coordinator.data.proven_limit == standing:
            test.proven(asyncio.get_running_loop().time())
        else:
            test.interrupt(LimitTestReason.NOT_SET)

    async def _end_lower_limit(self) -> None:
        """Lift the lower limit where it still holds; where that fails it ends by itself."""
        ends = self._ends if self._is_lowered else None
        self._ends = None
        if ends:
            with self._own_call(), suppress(HomeAssistantError):
                await self._lift(ends, ROUNDS)

    @contextmanager
    def _own_call(self) -> Iterator[None]:
        """Count what is asked for within this block once, as the test's own doing."""
        try:
            yield
        finally:
            self._calls += 1


def _refused(key: str, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders
    )
