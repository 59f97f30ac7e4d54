"""The actions on one device: disable, enable, set and read the export limit, clock, watchdog reset."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.core import callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util

from .const import DOMAIN, LOGGER
from .coordinator import Sec1000Coordinator
from .feedback import Action, Feedback, FeedbackRecord
from .limit import WantedLimit, wanted_limit
from .options import ExportOptions
from .sec1000.effort import Effort
from .sec1000.errors import (
    InvalidValueError,
    NotAppliedError,
    NotLimitedError,
    OutcomeUnknownError,
    Sec1000Error,
    SupersededError,
)
from .sec1000.model import ControlMode, ExportSettings, kilowatts


class ChooseModeError(InvalidValueError):
    """Export is to be disabled, but the control mode of the options is deactivated."""


_ERROR_KEYS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ChooseModeError, "choose_mode"),
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


@dataclass(frozen=True, slots=True)
class _Done:
    """What the work of an action comes to, before it is reported."""

    message: str
    correction: str | None = None


type _Work = Callable[[Effort], Awaitable[_Done]]


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

    async def disable(self) -> Outcome:
        """Set the minimum export limit.

        With the control mode deactivated in the options nothing would hold it: feedback 128.
        """

        async def work(effort: Effort) -> _Done:
            options = self._coordinator.options
            if options.control_mode is ControlMode.DEACTIVATED:
                raise ChooseModeError("the control mode in the options is deactivated: choose a mode first")
            return await self._apply(WantedLimit(options.min_export_limit), effort)

        return await self._perform(Action.EXPORT_DISABLE, work)

    async def enable(self) -> Outcome:
        """Set the maximum export limit."""

        async def work(effort: Effort) -> _Done:
            return await self._apply(WantedLimit(self._coordinator.options.max_export_limit), effort)

        return await self._perform(Action.EXPORT_ENABLE, work)

    async def set_limit(self, limit: object) -> Outcome:
        """Set this limit (kW), brought into the range of the options; feedback 129 where it had to be.

        What is no finite number is refused with feedback 128, and nothing is sent.
        """

        async def work(effort: Effort) -> _Done:
            return await self._apply(wanted_limit(limit, self._coordinator.options), effort)

        return await self._perform(Action.SET_EXPORT_LIMIT, work)

    async def apply_options(self, changed: Mapping[str, Any]) -> Outcome:
        """Make the device hold what these options say, and save them once it has proven to.

        The limit that it holds follows minimum and maximum. Until they are saved, and for good where
        the device does not take them, everything else goes by the old options.
        """

        async def work(effort: Effort) -> _Done:
            held = await self._client.read_export_settings(urgent=True, effort=effort)
            old = self._coordinator.options
            new = ExportOptions.of({**self._coordinator.config_entry.options, **changed})
            return await self._apply(WantedLimit(_follow(held.limit, old, new)), effort, changed)

        return await self._perform(Action.SET_EXPORT_LIMIT, work)

    async def read_limit(self) -> Outcome:
        """Read export limit and control mode now."""

        async def work(effort: Effort) -> _Done:
            settings = await self._client.read_export_settings(urgent=True, effort=effort)
            self._coordinator.show_settings(settings)
            return _Done(f"The device holds {_in_words(settings)}.")

        return await self._perform(Action.GET_EXPORT_LIMIT, work)

    async def set_clock(self) -> Outcome:
        """Set the device's clock to the time in Home Assistant's time zone."""

        async def work(effort: Effort) -> _Done:
            time = await self._client.set_clock(dt_util.now, effort=effort)
            return _Done(
                f"The device acknowledged the time {time:%Y-%m-%d %H:%M:%S}; it cannot be read back."
            )

        return await self._perform(Action.SET_DATETIME, work)

    async def reset_watchdog(self) -> Outcome:
        """Take the limit off for 5 s, then put all back as it was."""

        async def work(effort: Effort) -> _Done:
            settings = await self._client.reset_watchdog(
                sum_of_phases=self._coordinator.options.sum_of_phases, effort=effort
            )
            self._coordinator.show_settings(settings)
            return _Done(f"The limit was off for 5 s; the device holds {_in_words(settings)} again.")

        return await self._perform(Action.RESET_EXPORT_WATCHDOG, work)

    async def finish(self, timeout: float) -> None:  # noqa: ASYNC109
        """Wait (s) for the actions that run; what runs longer is left to run."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout)

    async def _apply(
        self, wanted: WantedLimit, effort: Effort, changed: Mapping[str, Any] | None = None
    ) -> _Done:
        """Apply this limit under the options, of which the changed ones are saved when it is proven."""
        entry = self._coordinator.config_entry
        options = ExportOptions.of({**entry.options, **(changed or {})})
        if wanted.correction:
            LOGGER.warning("%s: %s", self._coordinator.name, wanted.correction)
        try:
            settings = await self._client.apply(options.target(wanted.limit), effort=effort)
        except NotAppliedError as error:
            self._coordinator.show_settings(error.held)
            raise
        if changed:
            self._coordinator.hass.config_entries.async_update_entry(
                entry, options={**entry.options, **changed}
            )
        self._coordinator.show_settings(settings)
        message = f"Read back: {_in_words(settings)}."
        if options.control_mode is not ControlMode.VALUE:
            message += f" {_who_decides(options.control_mode)}"
            LOGGER.warning("%s: %s", self._coordinator.name, message)
        return _Done(message, wanted.correction)

    async def _perform(self, action: Action, work: _Work) -> Outcome:
        """Run the work in a task of the entry's, and wait for it through a shield."""
        turn = self._latest[action] = object()
        self._coordinator.show_feedback(action, FeedbackRecord())
        task = self._coordinator.config_entry.async_create_task(
            self._coordinator.hass, self._run(action, turn, work), f"{self._coordinator.name} {action}"
        )
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        ended = await asyncio.shield(task)
        if isinstance(ended, HomeAssistantError):
            raise ended
        return ended

    async def _run(self, action: Action, turn: object, work: _Work) -> Outcome | HomeAssistantError:
        """Do the work; an error is returned, since whoever called may be gone."""
        effort = Effort()
        try:
            done = await work(effort)
        except Exception as error:  # noqa: BLE001 - whatever it is, the feedback has to tell
            if not isinstance(error, Sec1000Error):
                LOGGER.exception("%s: %s failed", self._coordinator.name, action)
            feedback = Feedback.of(error)
            self._report(action, turn, feedback, str(error), effort)
            return _translated(action, error, feedback)
        feedback = Feedback.OK
        message = done.message
        if done.correction:
            feedback |= Feedback.INVALID_INPUT
            message = f"{done.correction}. {message}"
        self._report(action, turn, feedback, message, effort)
        return Outcome(feedback, message, self._coordinator.data.settings)

    @callback
    def _report(self, action: Action, turn: object, feedback: Feedback, message: str, effort: Effort) -> None:
        # An older call of the same action must not speak for the newer one that still runs.
        if self._latest[action] is turn:
            self._coordinator.show_feedback(action, FeedbackRecord.ended(feedback, message, effort))


def _translated(action: Action, error: Exception, feedback: Feedback) -> HomeAssistantError:
    kind = ServiceValidationError if isinstance(error, InvalidValueError) else HomeAssistantError
    key = next((key for cls, key in _ERROR_KEYS if isinstance(error, cls)), "unknown_error")
    translated = kind(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={
            "action": action,
            "reason": str(error) or type(error).__name__,
            "feedback": str(int(feedback)),
        },
    )
    translated.__cause__ = error
    return translated


def _follow(held: int, old: ExportOptions, new: ExportOptions) -> int:
    """Return the limit (W) that is to hold under new options where the device held this under the old.

    Who had export disabled has it disabled under the new minimum, and likewise enabled.
    """
    if held <= old.min_export_limit:
        return new.min_export_limit
    if held >= old.max_export_limit:
        return new.max_export_limit
    return min(max(held, new.min_export_limit), new.max_export_limit)


def _in_words(settings: ExportSettings) -> str:
    return (
        f"limit {kilowatts(settings.limit):.2f} kW, control mode {settings.mode.key}, "
        f"total capacity {kilowatts(settings.capacity):.2f} kW"
    )


def _who_decides(mode: ControlMode) -> str:
    """Return who decides on the export where the limit does not."""
    if mode is ControlMode.DEACTIVATED:
        return "The control mode is deactivated: nothing limits the export, this limit does not bind."
    return f"The control mode is {mode.name}: its receiver decides now, this limit may not bind."
