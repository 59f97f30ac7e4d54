"""The actions on one device: disable, enable, set and read the export limit, clock, watchdog reset."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from homeassistant.core import callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.typing import UNDEFINED
from homeassistant.util import dt as dt_util

from ..const import (
    CONF_ALLOW_DEACTIVATING,
    CONF_CONTROL_MODE,
    CONF_MAX_EXPORT_LIMIT,
    CONF_MIN_EXPORT_LIMIT,
    CONF_TOTAL_CAPACITY,
    DOMAIN,
    LOGGER,
    MIN_LIMIT_KW,
)
from ..coordinator import Sec1000Coordinator, export_is_on
from ..limit import LimitEnd, WantedLimit, bound, wanted_duration, wanted_limit
from ..messages import ENGLISH, format_export, format_kw, mode_name, text
from ..options import ExportOptions
from ..sec1000.errors import ModeChangeRefusedError, OutcomeUnknownError, SupersededError
from ..sec1000.model import ControlMode, ExportSettings, ExportTarget, watts
from ..sec1000.setting_write import TOLERANCE_W, NotAppliedError
from ..tracking.baseline import adoptable_options, is_acceptable
from ..tracking.caller import called_by
from ..tracking.feedback import Action, Feedback
from ..tracking.limit_events import LimitEventType
from .limit_commands import ActionStats, LimitCommand, ModeDeactivatedError, Plan
from .limit_queue import LimitQueue, describe
from .limit_test import CALLED, LimitTester
from .restore import Restorer
from .runner import ActionRunner, DeactivatingNotAllowedError, Outcome, SettingNotAcceptableError
from .temporary_end import TemporaryLimitEnd

_ADOPTED_FIELDS: Final = {
    CONF_CONTROL_MODE: f"step.control.data.{CONF_CONTROL_MODE}",
    CONF_TOTAL_CAPACITY: f"step.export_limits.data.{CONF_TOTAL_CAPACITY}",
}
"""Where the translations have the name of an option that is taken over from the device."""

STOP_TIMEOUT_S: Final = 15.0
"""How long a stop waits for actions that run and for a limit to be restored; Home Assistant gives 20 s."""
UNLOAD_TIMEOUT_S: Final = 120.0
"""How long an unload waits for actions that run or wait; each command takes up to 45 s."""
RESTORE_TIMEOUT_S: Final = 15.0
"""How long an unload waits for a limit to be restored once no action runs any more."""
SHUTDOWN_GRACE_S: Final = 0.5
"""How long automations on Home Assistant's shutdown event have to begin what they want."""


class ExportControl:
    """What can be done with one device.

    Every action returns the Outcome or raises a translated error: ServiceValidationError where
    the request itself is at fault (feedback 128), HomeAssistantError otherwise. A cancelled caller
    loses the answer, not the action.
    """

    def __init__(self, coordinator: Sec1000Coordinator) -> None:
        self._coordinator = coordinator
        self._client = coordinator.client
        self._restorer = Restorer(coordinator)
        self._runner = ActionRunner(coordinator)
        self._queue = LimitQueue(coordinator, lambda: not self._runner.stopping)
        if coordinator.pending.current:
            self._restorer.report_unrestored()
            self._restorer.start()
        coordinator.config_entry.async_on_unload(coordinator.async_add_settings_listener(self._settle))
        self._temporary_end = TemporaryLimitEnd(coordinator, self._end_temporary_limit)
        self._temporary_end.start()
        self._limit_tester = LimitTester(
            coordinator, self._runner, self._interrupt, self._end_temporary_limit
        )

    @property
    def is_busy(self) -> bool:
        """Whether the limit is being changed, or the watchdog reset."""
        return bool(self._runner.limit_tasks)

    @property
    def may_correct_drift(self) -> bool:
        """Whether drift may be corrected now."""
        may_be_off = self._client.pending.target is not None
        is_other_wanted = self.is_busy or may_be_off or self._temporary_end.is_due
        return not is_other_wanted and self._queue.may_correct_drift

    async def disable(self, end: LimitEnd | None = None) -> Outcome:
        """Set the minimum export limit, until another is set or up to its end.

        With the control mode deactivated in the options nothing would hold it: feedback 128.
        """
        return await self._set(Action.EXPORT_DISABLE, _minimum, end)

    async def enable(self, end: LimitEnd | None = None) -> Outcome:
        """Set the maximum export limit, until another is set or up to its end."""
        return await self._set(Action.EXPORT_ENABLE, _maximum, end)

    async def toggle(self) -> Outcome:
        """Enable export where it is off, disable it otherwise; the device is read before.

        The feedback is that of `enable` or `disable`, whichever it comes to.
        """

        async def body(stats: ActionStats) -> str:
            async def plan(plan: Plan) -> None:
                if await plan.export_is_on():
                    stats.action = Action.EXPORT_DISABLE
                    plan.set_limit((await _minimum(plan.options)).limit)
                else:
                    stats.action = Action.EXPORT_ENABLE
                    plan.set_limit((await _maximum(plan.options)).limit)

            return await self._carry_out(LimitCommand(plan=plan, decides_limit=True), stats)

        off = export_is_on(self._coordinator.data, self._coordinator.options) is False
        action = Action.EXPORT_ENABLE if off else Action.EXPORT_DISABLE
        return await self._runner.run(action, body, called="export_toggle")

    async def set_limit(self, limit: object, end: LimitEnd | None = None) -> Outcome:
        """Set this limit (kW), brought into the range of the options; feedback 129 where it had to be.

        It holds until another is set or up to its end. A future is waited for, and has its place in the order
        by then. What is no finite number is refused with feedback 128, and nothing is sent.
        """

        async def wanted(options: ExportOptions) -> WantedLimit:
            return wanted_limit(await _known(limit), options)

        return await self._set(Action.SET_EXPORT_LIMIT, wanted, end)

    async def end_temporary_limit(self) -> Outcome:
        """Set the limit to which the temporary one leads now; refused (128) where none is temporary."""

        async def plan(plan: Plan) -> None:
            plan.end_now()

        return await self._change(
            Action.SET_EXPORT_LIMIT,
            LimitCommand(plan=plan, decides_limit=True, event=LimitEventType.ENDED),
            called="end",
        )

    async def set_minimum(self, limit: object, *, keeps_limit: bool = False) -> Outcome:
        """Make this the minimum export limit (kW), from -100 to the maximum; else refused (128).

        A limit at the minimum follows it, unless `keeps_limit`.
        """

        async def changed(options: ExportOptions) -> Mapping[str, Any]:
            lowest = watts(MIN_LIMIT_KW)
            return {CONF_MIN_EXPORT_LIMIT: bound(await _known(limit), lowest, options.max_export_limit)}

        return await self._change_options(
            "set_min_export_limit", {CONF_MIN_EXPORT_LIMIT}, changed, keeps_limit=keeps_limit
        )

    async def set_maximum(self, limit: object, *, keeps_limit: bool = False) -> Outcome:
        """Make this the maximum export limit (kW), from the minimum to the capacity; else refused (128).

        A limit at the maximum follows it, unless `keeps_limit`.
        """

        async def changed(options: ExportOptions) -> Mapping[str, Any]:
            lowest, highest = options.min_export_limit, options.total_capacity
            return {CONF_MAX_EXPORT_LIMIT: bound(await _known(limit), lowest, highest)}

        return await self._change_options(
            "set_max_export_limit", {CONF_MAX_EXPORT_LIMIT}, changed, keeps_limit=keeps_limit
        )

    async def choose_mode(self, mode: ControlMode) -> Outcome:
        """Let this mode decide on the export; deactivated only where the options allow it (else 128)."""

        async def changed(_options: ExportOptions) -> Mapping[str, Any]:
            allowed = self._coordinator.config_entry.options.get(CONF_ALLOW_DEACTIVATING)
            if mode is ControlMode.DEACTIVATED and not allowed:
                raise DeactivatingNotAllowedError("deactivating is not allowed in the options")
            return {CONF_CONTROL_MODE: mode.key}

        return await self._change_options(
            "choose_mode", {CONF_CONTROL_MODE}, changed, takes_mode_off=True, ends_temporary=True
        )

    async def apply_options(self, changed: Mapping[str, Any]) -> Outcome:
        """Make the device hold what these options say, and save them once it has proven to.

        The limit that it holds follows minimum and maximum. Until they are saved, and for good where
        the device does not take them, everything else goes by the old options.
        """

        async def all_of_them(_options: ExportOptions) -> Mapping[str, Any]:
            return changed

        mode = changed.get(CONF_CONTROL_MODE)
        takes_mode_off = mode not in (None, self._coordinator.options.control_mode.key)
        return await self._change_options(
            "apply_options", changed.keys(), all_of_them, takes_mode_off=takes_mode_off
        )

    async def restore_baseline(self) -> Outcome:
        """Make the device hold the limit that was proven last when this has its turn, under the options.

        Where it is temporary, its end stays.
        """

        async def plan(plan: Plan) -> None:
            plan.put_back()

        return await self._change(
            Action.SET_EXPORT_LIMIT,
            LimitCommand(plan=plan, decides_limit=True, sets_limit=True, event=LimitEventType.CORRECTED),
            asked="put_back",
            called="put_back",
        )

    async def accept_device_setting(self) -> Outcome:
        """Make what the device holds the target, and take mode and capacity over into the options.

        Deactivated, and a limit that is not within the options, is refused (128).
        """

        async def plan(plan: Plan) -> None:
            held = await plan.held()
            if held.limit is None or not is_acceptable(held, plan.options):
                self._coordinator.show_settings(held)
                raise SettingNotAcceptableError(f"the device reports {describe(held)}")
            options = plan.options
            plan.set_limit(min(max(held.limit, options.min_export_limit), options.max_export_limit))
            plan.changed |= adoptable_options(held, plan.options)

        return await self._change(
            Action.SET_EXPORT_LIMIT, LimitCommand(plan=plan, decides_limit=True), called="keep"
        )

    async def read_limit(self) -> Outcome:
        """Read export limit and control mode now.

        Value, RCR and DRED, and a capacity that is no less than the maximum limit, are taken over
        into the options. Deactivated is only shown: a device that lost its mode must not change what
        the user chose.
        """

        async def body(stats: ActionStats) -> str:
            settings = await self._client.read_export_settings(urgent=True, stats=stats)
            # In one step with the answer: the command that has the line next goes by these options.
            adopted: dict[str, Any] = {}
            if not self._client.pending.target:
                adopted = adoptable_options(settings, self._coordinator.options)
            self._queue.save(adopted)
            self._coordinator.show_settings(settings)
            if CONF_CONTROL_MODE in adopted:
                temporary = self._coordinator.data.temporary
                await self._coordinator.drop_end(temporary.then if temporary and temporary.is_test else None)
            message = f"{self._text('read')} {self._format_export(settings)}"
            if adopted:
                hass = self._coordinator.hass
                names = [
                    text(hass, "config", field) for key, field in _ADOPTED_FIELDS.items() if key in adopted
                ]
                message += f" {self._text('saved', names=', '.join(names))}"
            return message

        return await self._runner.run(Action.GET_EXPORT_LIMIT, body)

    async def test_limit(self, limit: object = UNDEFINED) -> Outcome:
        """Find out by the meter whether the installation obeys a lower limit (kW), which is lifted again.

        Left out, it is half of what is exported; a future is waited for. Where nothing can be tested now,
        that is refused (ServiceValidationError), and nothing is written.
        """
        self._runner.check_accepts(Action.SET_EXPORT_LIMIT, takes_mode_off=True, called=CALLED)
        record = await self._limit_tester.run(await _known(limit))
        coordinator, finding = self._coordinator, record.finding
        sensor = "sensor.last_limit_test"
        message = text(coordinator.hass, "entity", f"{sensor}.state.{finding.result}")
        if finding.reason:
            reason = f"{sensor}.state_attributes.reason.state.{finding.reason}"
            message = f"{message}: {text(coordinator.hass, 'entity', reason)}"
        return Outcome(Feedback.OK, f"{message}.", coordinator.data.settings, record)

    async def set_clock(self) -> Outcome:
        """Set the device's clock to the time in Home Assistant's time zone."""

        async def body(stats: ActionStats) -> str:
            time = await self._client.set_clock(dt_util.now, stats=stats)
            return self._text("clock_acknowledged", time=f"{time:%Y-%m-%d %H:%M:%S}")

        return await self._runner.run(Action.SET_DATETIME, body)

    async def reset_watchdog(self) -> Outcome:
        """Take the limit off for 5 s, then put all back as it was.

        Refused (ServiceValidationError) while another reset runs or the limit is being restored.
        """
        action = Action.RESET_EXPORT_WATCHDOG
        self._runner.check_accepts(action, takes_mode_off=True)
        if self._runner.is_running(action) or self._client.pending.target:
            raise ServiceValidationError(translation_domain=DOMAIN, translation_key="reset_under_way")

        async def body(stats: ActionStats) -> str:
            coordinator = self._coordinator
            stats.limit_before = coordinator.data.limit_before
            try:
                before, settings = await self._client.reset_watchdog(
                    self._reset_target,
                    highest=lambda: coordinator.options.max_export_limit,
                    # Limit commands that were called before keep their place.
                    after=self._queue.task,
                    stats=stats,
                )
            except NotAppliedError as error:
                coordinator.show_settings(error.held)
                self._restorer.report_unrestored()
                raise
            except OutcomeUnknownError:
                coordinator.invalidate_settings()
                self._restorer.report_unrestored()
                raise
            finally:
                self._resume_restore()
            coordinator.show_settings(settings)
            message = f"{self._text('reset')} {self._format_export(settings)}"
            if before.limit is None or (
                settings.limit is not None and before.limit - settings.limit >= TOLERANCE_W
            ):
                held = {
                    "limit": format_kw(coordinator.hass, before.limit),
                    "capacity": format_kw(coordinator.hass, before.capacity),
                    "mode": mode_name(coordinator.hass, before.mode),
                }
                message += f" {self._text('reset_to_target', **held)}"
            return message

        return await self._runner.run(action, body, takes_mode_off=True)

    async def restore(self) -> None:
        """Try at once to restore a limit that is off; raises Sec1000Error where that failed."""
        await self._restorer.async_retry_now()

    async def async_close(self) -> None:
        """Take nothing more, and bring all that runs to its end, for an unload.

        Where a limit that is off cannot be restored in time, an issue says so and the next start restores it.
        """
        self._limit_tester.stop()
        self._runner.closed = True
        self._temporary_end.stop()
        entry = self._coordinator.config_entry
        if entry.disabled_by:
            # Where Home Assistant is killed in the middle, it does not set up this entry at its next start:
            # the issue has to be there by then.
            self._restorer.report_unrestored()
            entry.async_on_unload(self._coordinator.async_add_listener(self._restorer.report_unrestored))
        await self._finish(UNLOAD_TIMEOUT_S)
        # What still runs must not come between the device and a newer setup of this entry.
        leftover = self._tasks()
        for task in leftover:
            task.cancel()
        if leftover:
            await asyncio.wait(leftover)
        await self._limit_tester.async_wait_ended()

    async def async_stop(self) -> None:
        """Take no mode off any more, and bring all that runs to its end, for a stop of Home Assistant.

        Automations on its shutdown event may set a limit as long as anything runs here.
        """
        self._limit_tester.stop()
        self._runner.stopping = True
        self._temporary_end.stop()
        await self._finish(STOP_TIMEOUT_S, grace=SHUTDOWN_GRACE_S)
        self._queue.refuse_waiting(ModeChangeRefusedError("Home Assistant is stopping"))

    async def _finish(self, seconds: float, grace: float = 0) -> None:
        self._client.cut_reset_short("the end of the integration")
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    while running := self._tasks():
                        await asyncio.wait(running)
                    await asyncio.sleep(grace)
                    if not self._tasks():
                        break
                self._runner.closed = True
                self._restorer.stop()
                if self._coordinator.pending.current:
                    async with asyncio.timeout(RESTORE_TIMEOUT_S):
                        await self._restorer.async_attempt()
        self._runner.closed = True
        self._restorer.stop()
        self._restorer.report_unrestored(is_ending=True)

    def _text(self, key: str, **placeholders: str) -> str:
        return text(self._coordinator.hass, "common", key, **placeholders)

    def _format_export(self, settings: ExportSettings) -> str:
        hass = self._coordinator.hass
        return format_export(hass, settings, self._coordinator.options, hass.config.language)

    def _tasks(self, actions: Iterable[asyncio.Task[Any]] | None = None) -> set[asyncio.Task[Any]]:
        """Return these actions that run, or all of them, and what carries out the commands of some."""
        tasks: set[asyncio.Task[Any]] = {*(self._runner.tasks if actions is None else actions)}
        if self._queue.task:
            tasks.add(self._queue.task)
        return tasks

    def _reset_target(self, held: ExportSettings) -> ExportTarget:
        """Return what should hold by what was last proven, or else by what the device holds.

        In place of what it cannot hold, the options say it.
        """
        options, limit = self._coordinator.options, self._coordinator.data.proven_limit
        temporary = self._coordinator.data.temporary
        if temporary and self._temporary_end.is_due:
            limit, _ = temporary.following(options, dt_util.utcnow())
        if limit is not None and options.control_mode is not ControlMode.DEACTIVATED:
            return options.target(limit)
        return ExportTarget(
            held.mode,
            options.total_capacity if held.capacity is None else held.capacity,
            options.max_export_limit if held.limit is None else held.limit,
            options.sum_of_phases,
        )

    async def _set(
        self,
        action: Action,
        wanted: Callable[[ExportOptions], Awaitable[WantedLimit]],
        end: LimitEnd | None,
    ) -> Outcome:
        async def body(stats: ActionStats) -> str:
            async def plan(plan: Plan) -> None:
                limit = await wanted(plan.options)
                then = None
                if end:
                    duration = wanted_duration(await _known(end.duration))
                    if end.then is not UNDEFINED:
                        then = wanted_limit(await _known(end.then), plan.options)
                    plan.set_temporary_limit(limit.limit, duration, then.limit if then else None)
                else:
                    plan.set_limit(limit.limit)
                stats.adjusted = [each.adjusted for each in (limit, then) if each and each.adjusted]

            # One that is to lead back to the limit before depends on what that was.
            sets_limit = end is None or end.then is not UNDEFINED
            command = LimitCommand(plan=plan, decides_limit=True, sets_limit=sets_limit)
            return await self._carry_out(command, stats)

        return await self._runner.run(action, body)

    async def _interrupt(self, limit: int, ends: datetime) -> Outcome:
        """Have this lower limit (W) hold until then at most, and what stands now after it."""

        async def plan(plan: Plan) -> None:
            plan.interrupt(limit, ends)

        command = LimitCommand(plan=plan, decides_limit=True)
        return await self._change(Action.SET_EXPORT_LIMIT, command, asked=CALLED, called=CALLED)

    async def _end_temporary_limit(self, ends: datetime, rounds: int) -> Outcome:
        """Carry out the end of this moment, once earlier commands are; a reset of before is not cut short.

        Where another limit was asked for meanwhile, that one holds, and there may be another end or none.
        """
        earlier = self._tasks(self._runner.limit_tasks)

        async def body(stats: ActionStats) -> str:
            if earlier:
                await asyncio.wait(earlier)

            async def plan(plan: Plan) -> None:
                if plan.temporary is None or plan.temporary.ends != ends:
                    raise SupersededError("superseded by a newer limit command")
                plan.end_now()

            command = LimitCommand(plan=plan, decides_limit=True, rounds=rounds, event=LimitEventType.ENDED)
            try:
                return await self._carry_out(command, stats)
            except SupersededError:
                return self._text("end_dropped")

        with called_by(None):
            return await self._runner.run(Action.SET_EXPORT_LIMIT, body, asked="end", called="end")

    async def _change_options(
        self,
        called: str,
        keys: set[str] | Any,
        change: Callable[[ExportOptions], Awaitable[Mapping[str, Any]]],
        *,
        takes_mode_off: bool = False,
        keeps_limit: bool = False,
        ends_temporary: bool = False,
    ) -> Outcome:
        async def plan(plan: Plan) -> None:
            await plan.change_options(await change(plan.options), keeps_limit=keeps_limit)
            if ends_temporary:
                plan.let_stand()

        command = LimitCommand(plan=plan, options=frozenset(keys))
        return await self._change(
            Action.SET_EXPORT_LIMIT, command, takes_mode_off=takes_mode_off, called=called
        )

    async def _change(
        self,
        action: Action,
        command: LimitCommand,
        *,
        takes_mode_off: bool = False,
        asked: str | None = None,
        called: str | None = None,
    ) -> Outcome:
        async def body(stats: ActionStats) -> str:
            return await self._carry_out(command, stats)

        return await self._runner.run(action, body, takes_mode_off=takes_mode_off, asked=asked, called=called)

    async def _carry_out(self, command: LimitCommand, stats: ActionStats) -> str:
        try:
            return await self._queue.run(command, stats)
        except NotAppliedError, OutcomeUnknownError:
            self._restorer.report_unrestored()
            raise
        finally:
            for adjusted in stats.adjusted:
                LOGGER.warning(
                    "%s: %s and was adjusted to %s kW",
                    self._coordinator.name,
                    adjusted,
                    format_kw(self._coordinator.hass, adjusted.nearest, ENGLISH),
                )
            self._resume_restore()

    @callback
    def _resume_restore(self) -> None:
        """Restore a limit that is off, once nothing that took it off runs any more."""
        pending = self._coordinator.pending
        if (
            (pending.current or pending.is_reported)
            and not self._runner.closed
            and not self._client.is_resetting
            and self._queue.task is None
        ):
            self._restorer.start()

    @callback
    def _settle(self) -> None:
        settings = self._coordinator.data.settings
        if settings and not self._client.pending.target:
            self._queue.settle(settings)


async def _known(limit: object) -> object:
    """Return a limit as it was given, or what its future comes to; that may be asked for again."""
    return await asyncio.shield(limit) if isinstance(limit, asyncio.Future) else limit


async def _maximum(options: ExportOptions) -> WantedLimit:
    return WantedLimit(options.max_export_limit)


async def _minimum(options: ExportOptions) -> WantedLimit:
    if options.control_mode is ControlMode.DEACTIVATED:
        raise ModeDeactivatedError(
            "the control mode in the options is deactivated: select another mode first"
        )
    return WantedLimit(options.min_export_limit)
