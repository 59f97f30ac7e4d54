"""The actions on one device: disable, enable, set and read the export limit, clock, watchdog reset."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Final

from homeassistant.core import callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util

from ..const import (
    CONF_ALLOW_DEACTIVATING,
    CONF_CONTROL_MODE,
    CONF_MAX_EXPORT_LIMIT,
    CONF_MIN_EXPORT_LIMIT,
    CONF_PUT_BACK,
    CONF_TOTAL_CAPACITY,
    DOMAIN,
    LOGGER,
)
from ..coordinator import Sec1000Coordinator, export_is_on
from ..issues import Issue
from ..limit import WantedLimit, bound, wanted_limit
from ..messages import format_kw, mode_name, translated_error
from ..options import ExportOptions
from ..sec1000.errors import (
    InvalidValueError,
    NotAppliedError,
    NotLimitedError,
    OutcomeUnknownError,
    Sec1000Error,
    SupersededError,
)
from ..sec1000.model import ControlMode, ExportSettings, ExportTarget, kilowatts
from ..sec1000.stats import RequestStats
from ..tracking.baseline import Drift, adoptable_options, drift, is_acceptable
from ..tracking.feedback import Action, Feedback, FeedbackRecord
from .restore import Restorer

_ADOPTED_NAMES: Final = {CONF_CONTROL_MODE: "control mode", CONF_TOTAL_CAPACITY: "total capacity"}
PUT_BACKS_AN_HOUR: Final = 3
HOUR: Final = 3600.0


class ModeDeactivatedError(InvalidValueError):
    """Export is to be disabled, but the control mode of the options is deactivated."""


class DeactivatingNotAllowedError(InvalidValueError):
    """The control mode is to be deactivated, and the owner has not allowed that."""


class SettingNotAcceptableError(InvalidValueError):
    """What the device holds is to be kept, and it is deactivated or outside of the options."""


_ERROR_KEYS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ModeDeactivatedError, "choose_mode"),
    (DeactivatingNotAllowedError, "deactivating_not_allowed"),
    (SettingNotAcceptableError, "not_to_be_kept"),
    (SupersededError, "superseded"),
    (NotAppliedError, "not_applied"),
    (OutcomeUnknownError, "outcome_unknown"),
    (NotLimitedError, "nothing_to_reset"),
    (InvalidValueError, "invalid_limit"),
    (Sec1000Error, "action_failed"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an action ended well."""

    feedback: Feedback
    message: str
    settings: ExportSettings | None
    """What the device was last read to hold; None where that is too long ago."""


@dataclass(slots=True)
class _ActionStats(RequestStats):
    """What an action cost, and what of its input had to be corrected."""

    correction: str | None = None


type _ActionBody = Callable[[_ActionStats], Awaitable[str]]
"""Does what an action is for, and returns in words what came of it."""


class ExportControl:
    """Runs the actions, each to its end, and tells how each ended.

    Every method returns the Outcome or raises a translated error: ServiceValidationError where
    the request itself is at fault (feedback 128), HomeAssistantError otherwise. A cancelled caller
    loses the answer, not the action.
    """

    def __init__(self, coordinator: Sec1000Coordinator) -> None:
        self._coordinator = coordinator
        self._client = coordinator.client
        self._running: set[asyncio.Task[Outcome | HomeAssistantError]] = set()
        self._latest: dict[Action, object] = {}
        self._resetting = False
        self._unloaded = False
        self._put_back_at: deque[float] = deque(maxlen=PUT_BACKS_AN_HOUR)
        self._restorer = Restorer(coordinator)
        if self._client.pending_target:
            self._restorer.start()

    async def disable(self) -> Outcome:
        """Set the minimum export limit.

        With the control mode deactivated in the options nothing would hold it: feedback 128.
        """

        async def work(stats: _ActionStats) -> str:
            options = self._coordinator.options
            if options.control_mode is ControlMode.DEACTIVATED:
                raise ModeDeactivatedError(
                    "the control mode in the options is deactivated: choose a mode first"
                )
            return await self._apply(WantedLimit(options.min_export_limit), stats)

        return await self._perform(Action.EXPORT_DISABLE, work)

    async def enable(self) -> Outcome:
        """Set the maximum export limit."""

        async def work(stats: _ActionStats) -> str:
            return await self._apply(WantedLimit(self._coordinator.options.max_export_limit), stats)

        return await self._perform(Action.EXPORT_ENABLE, work)

    async def toggle(self) -> Outcome:
        """Enable export where it is off, disable it otherwise, also where its state is not known."""
        off = export_is_on(self._coordinator.data, self._coordinator.options) is False
        return await (self.enable() if off else self.disable())

    async def set_limit(self, limit: object) -> Outcome:
        """Set this limit (kW), brought into the range of the options; feedback 129 where it had to be.

        What is no finite number is refused with feedback 128, and nothing is sent.
        """

        async def work(stats: _ActionStats) -> str:
            return await self._apply(wanted_limit(limit, self._coordinator.options), stats)

        return await self._perform(Action.SET_EXPORT_LIMIT, work)

    async def set_minimum(self, limit: object) -> Outcome:
        """Make this the minimum export limit (kW), from 0 to the maximum; else refused (128)."""

        def changed(options: ExportOptions) -> Mapping[str, Any]:
            return {CONF_MIN_EXPORT_LIMIT: bound(limit, 0, options.max_export_limit)}

        return await self._change_options(changed)

    async def set_maximum(self, limit: object) -> Outcome:
        """Make this the maximum export limit (kW), from the minimum to the capacity; else refused (128)."""

        def changed(options: ExportOptions) -> Mapping[str, Any]:
            return {CONF_MAX_EXPORT_LIMIT: bound(limit, options.min_export_limit, options.total_capacity)}

        return await self._change_options(changed)

    async def choose_mode(self, mode: ControlMode) -> Outcome:
        """Let this mode decide on the export; deactivated only where the options allow it (else 128)."""

        def changed(_options: ExportOptions) -> Mapping[str, Any]:
            allowed = self._coordinator.config_entry.options.get(CONF_ALLOW_DEACTIVATING)
            if mode is ControlMode.DEACTIVATED and not allowed:
                raise DeactivatingNotAllowedError("deactivating is not allowed in the options")
            return {CONF_CONTROL_MODE: mode.key}

        return await self._change_options(changed)

    async def apply_options(self, changed: Mapping[str, Any]) -> Outcome:
        """Make the device hold what these options say, and save them once it has proven to.

        The limit that it holds follows minimum and maximum. Until they are saved, and for good where
        the device does not take them, everything else goes by the old options.
        """
        return await self._change_options(lambda _options: changed)

    async def _change_options(self, change: Callable[[ExportOptions], Mapping[str, Any]]) -> Outcome:
        async def work(stats: _ActionStats) -> str:
            old = self._coordinator.options
            changed = change(old)
            held = await self._client.read_export_settings(urgent=True, stats=stats)
            new = ExportOptions.from_options({**self._coordinator.config_entry.options, **changed})
            return await self._apply(WantedLimit(_limit_for_new_range(held.limit, old, new)), stats, changed)

        return await self._perform(Action.SET_EXPORT_LIMIT, work)

    async def read_limit(self) -> Outcome:
        """Read export limit and control mode now.

        Value, RCR and DRED, and a capacity that is no less than the maximum limit, are taken over
        into the options. Deactivated is only shown: a device that lost its mode must not take the
        owner's choice with it.
        """

        async def work(stats: _ActionStats) -> str:
            settings = await self._client.read_export_settings(urgent=True, stats=stats)
            adopted = adoptable_options(settings, self._coordinator.options)
            self._save(adopted)
            self._coordinator.show_settings(settings)
            message = f"The device holds {_in_words(settings)}."
            if adopted:
                names = [name for key, name in _ADOPTED_NAMES.items() if key in adopted]
                message += f" Taken over into the options: {', '.join(names)}."
            return message

        return await self._perform(Action.GET_EXPORT_LIMIT, work)

    async def set_clock(self) -> Outcome:
        """Set the device's clock to the time in Home Assistant's time zone."""

        async def work(stats: _ActionStats) -> str:
            time = await self._client.set_clock(dt_util.now, stats=stats)
            return f"The device acknowledged the time {time:%Y-%m-%d %H:%M:%S}; it cannot be read back."

        return await self._perform(Action.SET_DATETIME, work)

    async def reset_watchdog(self) -> Outcome:
        """Take the limit off for 5 s, then put all back as it was.

        Refused (ServiceValidationError) while another reset runs or the limit is being restored.
        """
        if self._resetting or self._client.pending_target:
            raise ServiceValidationError(translation_domain=DOMAIN, translation_key="reset_under_way")

        async def work(stats: _ActionStats) -> str:
            try:
                settings = await self._client.reset_watchdog(
                    sum_of_phases=self._coordinator.options.sum_of_phases, stats=stats
                )
            except NotAppliedError as error:
                self._coordinator.show_settings(error.held)
                raise
            except OutcomeUnknownError:
                self._coordinator.invalidate_settings()
                raise
            finally:
                self._resetting = False
            self._coordinator.show_settings(settings)
            return f"The limit was switched off for 5 s; the device holds {_in_words(settings)} again."

        self._resetting = True
        return await self._perform(Action.RESET_EXPORT_WATCHDOG, work)

    async def put_back(self) -> None:
        """Put the baseline back where the device drifted to something looser and the owner wants that.

        At most three times an hour; then Repairs tells that something else keeps changing it.
        """
        coordinator = self._coordinator
        snapshot, options = coordinator.data, coordinator.options
        entry_id = coordinator.config_entry.entry_id
        if snapshot.settings is None or snapshot.proven_limit is None or self._running or snapshot.note:
            return
        limit = snapshot.proven_limit
        found = drift(snapshot.settings, options, limit)
        is_wanted = coordinator.config_entry.options.get(CONF_PUT_BACK)
        if found is Drift.NONE or not is_wanted:
            Issue.LIMIT_KEEPS_DRIFTING.async_clear(coordinator.hass, entry_id)
        if found is not Drift.LESS_STRICT or not is_wanted:
            return
        now = monotonic()
        if len(self._put_back_at) == PUT_BACKS_AN_HOUR and now - self._put_back_at[0] < HOUR:
            Issue.LIMIT_KEEPS_DRIFTING.async_raise(
                coordinator.hass,
                entry_id,
                {
                    "name": coordinator.name,
                    "mode": mode_name(coordinator.hass, options.control_mode),
                    "limit": format_kw(limit),
                },
            )
            return
        self._put_back_at.append(now)
        LOGGER.warning(
            "%s: the device holds %s; putting back", coordinator.name, _in_words(snapshot.settings)
        )
        with suppress(HomeAssistantError):
            # The feedback tells how it ended.
            await self.restore_baseline(limit)

    async def restore_baseline(self, limit: int) -> Outcome:
        """Make the device hold this limit (W), which was proven before, under the options."""

        async def work(stats: _ActionStats) -> str:
            return await self._apply(WantedLimit(limit), stats)

        return await self._perform(Action.SET_EXPORT_LIMIT, work)

    async def accept_device_setting(self) -> Outcome:
        """Make what the device holds what should hold, and take mode and capacity over into the options.

        Deactivated, and a limit that is not within the options, is refused (128).
        """

        async def work(stats: _ActionStats) -> str:
            options = self._coordinator.options
            held = await self._client.read_export_settings(urgent=True, stats=stats)
            if not is_acceptable(held, options):
                self._coordinator.show_settings(held)
                raise SettingNotAcceptableError(f"the device holds {_in_words(held)}")
            return await self._apply(WantedLimit(held.limit), stats, adoptable_options(held, options))

        return await self._perform(Action.SET_EXPORT_LIMIT, work)

    async def restore(self) -> None:
        """Try at once to put back a limit that is off; raises Sec1000Error where that failed."""
        await self._restorer.try_now()

    async def settle(self, seconds: float) -> None:
        """Bring all to its end within this time: actions that run, and a limit that is off.

        Where it cannot be restored in time the note stays, and the next start restores it.
        """
        self._unloaded = True
        self._client.cut_reset_short("the end of the integration")
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                if self._running:
                    await asyncio.wait(self._running)
                self._restorer.stop()
                if self._client.pending_target:
                    await self._restorer.try_once()
        self._restorer.stop()
        # What still runs must not come between the device and a newer setup of this entry.
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def _apply(
        self, wanted: WantedLimit, stats: _ActionStats, changed: Mapping[str, Any] | None = None
    ) -> str:
        """Apply this limit under the options, of which the changed ones are saved when it is proven."""
        if wanted.correction:
            stats.correction = wanted.correction
            LOGGER.warning("%s: %s", self._coordinator.name, wanted.correction)
        target = await self._target(wanted.limit, stats, changed)
        try:
            settings = await self._client.apply(target, stats=stats)
        except NotAppliedError as error:
            self._coordinator.show_settings(error.held)
            raise
        except OutcomeUnknownError:
            self._coordinator.invalidate_settings()
            raise
        self._save(changed)
        await self._coordinator.set_verified(settings, wanted.limit)
        message = f"Read back: {_in_words(settings)}."
        if stats.arming_unacknowledged:
            message += " The device did not acknowledge the arming: see by the meter whether it holds."
        if settings.mode is not ControlMode.VALUE:
            message += f" {_limit_not_binding(settings.mode)}"
        if stats.arming_unacknowledged or settings.mode is not ControlMode.VALUE:
            LOGGER.warning("%s: %s", self._coordinator.name, message)
        return message

    async def _target(
        self, limit: int, stats: _ActionStats, changed: Mapping[str, Any] | None
    ) -> ExportTarget:
        """Return what the device is to hold.

        Setting a limit takes no mode off: where the options say deactivated and the device limits all
        the same, its mode stays. Only choosing deactivated, which changes the options, deactivates.
        """
        options = ExportOptions.from_options({**self._coordinator.config_entry.options, **(changed or {})})
        target = options.target(limit)
        if target.mode is ControlMode.DEACTIVATED and CONF_CONTROL_MODE not in (changed or {}):
            held = await self._client.read_export_settings(urgent=True, stats=stats)
            target = replace(target, mode=held.mode)
        return target

    @callback
    def _save(self, changed: Mapping[str, Any] | None) -> None:
        if changed:
            entry = self._coordinator.config_entry
            self._coordinator.hass.config_entries.async_update_entry(
                entry, options={**entry.options, **changed}
            )

    async def _perform(self, action: Action, work: _ActionBody) -> Outcome:
        """Run the work in a task of its own, and wait for it through a shield."""
        turn = self._latest[action] = object()
        self._coordinator.show_feedback(action, FeedbackRecord.begun())
        # Not a task of the config entry: unloading would give up on it and complain in the log.
        task = self._coordinator.hass.async_create_task(
            self._run(action, turn, work), f"{self._coordinator.name} {action}"
        )
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            ended = await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise HomeAssistantError(
                    translation_domain=DOMAIN,
                    translation_key="ended_with_the_integration",
                    translation_placeholders={"action": action},
                ) from None
            raise
        if isinstance(ended, HomeAssistantError):
            raise ended
        return ended

    async def _run(self, action: Action, turn: object, work: _ActionBody) -> Outcome | HomeAssistantError:
        """Do the work; an error is returned, since whoever called may be gone."""
        stats = _ActionStats()
        failure: Exception | None = None
        feedback = Feedback.OK
        try:
            try:
                message = await work(stats)
            finally:
                await self._see_to_the_note()
        except Exception as error:  # noqa: BLE001 - whatever it is, the feedback has to tell
            if not isinstance(error, Sec1000Error):
                LOGGER.exception("%s: %s failed", self._coordinator.name, action)
            failure = error
            feedback = Feedback.from_error(error)
            message = _sentence(str(error))
        if stats.correction:
            feedback |= Feedback.INVALID_INPUT
            message = f"{_sentence(stats.correction)} {message}"
        # An older call of the same action must not speak for the newer one that still runs.
        if self._latest[action] is turn:
            self._coordinator.show_feedback(action, FeedbackRecord.ended(feedback, message, stats))
        if failure:
            return self._translated(action, failure, feedback)
        return Outcome(feedback, message, self._coordinator.data.settings)

    def _translated(self, action: Action, error: Exception, feedback: Feedback) -> HomeAssistantError:
        return translated_error(
            self._coordinator.hass,
            ServiceValidationError if isinstance(error, InvalidValueError) else HomeAssistantError,
            next((key for kind, key in _ERROR_KEYS if isinstance(error, kind)), "unknown_error"),
            error,
            action=action,
            feedback=str(int(feedback)),
        )

    async def _see_to_the_note(self) -> None:
        """Drop the note of an action that left the limit on; restore where it may be off."""
        if self._client.pending_target:
            # Once unloaded, the note on disk is for the next setup.
            if not self._unloaded:
                self._restorer.start()
        elif self._coordinator.notes.note:
            await self._restorer.settled()


def _limit_for_new_range(held: int, old: ExportOptions, new: ExportOptions) -> int:
    """Return the limit (W) that is to hold under new options where the device held this under the old.

    Who had export disabled has it disabled under the new minimum, and likewise enabled.
    """
    if held <= old.min_export_limit:
        return new.min_export_limit
    if held >= old.max_export_limit:
        return new.max_export_limit
    return min(max(held, new.min_export_limit), new.max_export_limit)


def _sentence(text: str) -> str:
    """Return what an error says as a sentence of its own."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _in_words(settings: ExportSettings) -> str:
    return (
        f"limit {kilowatts(settings.limit):.2f} kW, control mode {settings.mode.key}, "
        f"total capacity {kilowatts(settings.capacity):.2f} kW"
    )


def _limit_not_binding(mode: ControlMode) -> str:
    """Return who decides on the export where the limit does not."""
    if mode is ControlMode.DEACTIVATED:
        return "The control mode is deactivated: nothing limits the export, this limit does not bind."
    return f"The control mode is {mode.name}: its receiver decides now, this limit may not bind."
