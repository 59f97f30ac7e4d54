"""Runs each action to its end: outcome, feedback, errors in words, and what may still begin."""

import asyncio
from bisect import insort
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from ..const import DOMAIN, LOGGER
from ..coordinator import Sec1000Coordinator
from ..limit import DurationMissingError, InvalidDurationError, OutOfRangeError
from ..messages import (
    action_name,
    format_kw,
    is_ended_by_an_answer,
    sentences,
    technical_detail,
    text,
    translated_error,
)
from ..sec1000.asker import asked_by
from ..sec1000.errors import (
    InvalidValueError,
    ModeChangeRefusedError,
    NotLimitedError,
    NotStoredError,
    OutcomeUnknownError,
    RestorePendingElsewhereError,
    RestorePendingError,
    Sec1000Error,
    SupersededError,
)
from ..sec1000.model import ExportSettings
from ..sec1000.setting_write import NotAppliedError
from ..tracking.caller import calling
from ..tracking.feedback import Action, Feedback, FeedbackRecord
from ..tracking.limit_events import LimitEvent, LimitEventType
from ..tracking.limit_test_record import LimitTestRecord
from ..tracking.temporary import EndNotStoredError
from .limit_commands import ActionStats, ModeDeactivatedError, NoTemporaryLimitError, ThenNeededError

WAIT_SHOWN_AFTER_S: Final = 2.0
"""How long an action may wait for its turn before its feedback says so."""


_LIMIT_ACTIONS: Final = frozenset(
    {
        Action.EXPORT_DISABLE,
        Action.EXPORT_ENABLE,
        Action.SET_EXPORT_LIMIT,
        Action.RESET_EXPORT_WATCHDOG,
    }
)
"""Those that are about the limit, also where they change options or the mode."""


class DeactivatingNotAllowedError(InvalidValueError):
    """The control mode is to be deactivated, and the options do not allow that."""


class SettingNotAcceptableError(InvalidValueError):
    """What the device holds is to be kept, and it is deactivated or outside of the options."""


_ERROR_KEYS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ModeDeactivatedError, "choose_mode"),
    (ThenNeededError, "then_needed"),
    (NoTemporaryLimitError, "no_temporary_limit"),
    (DurationMissingError, "duration_missing"),
    (InvalidDurationError, "invalid_duration"),
    (DeactivatingNotAllowedError, "deactivating_not_allowed"),
    (SettingNotAcceptableError, "not_to_be_kept"),
    (SupersededError, "superseded"),
    (NotAppliedError, "not_applied"),
    (OutcomeUnknownError, "outcome_unknown"),
    (NotLimitedError, "nothing_to_reset"),
    (NotStoredError, "not_stored"),
    (EndNotStoredError, "end_not_stored"),
    (RestorePendingElsewhereError, "pending_elsewhere"),
    (RestorePendingError, "reset_under_way"),
    (ModeChangeRefusedError, "stopping"),
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
    limit_test: LimitTestRecord | None = None
    """What a test of the limit has found; None of any other action."""


type ActionBody = Callable[[ActionStats], Awaitable[str]]
"""Does what an action is for, and returns in words what came of it."""


@dataclass(eq=False, slots=True)
class _Run:
    """One call of an action, and its feedback."""

    number: int
    """Its place in the order of the calls."""
    called: str
    """What was called: an action, or what else has a name in the translations."""
    record: FeedbackRecord
    has_ended: bool = False
    is_over_with_an_answer: bool = False
    """Whether what its message says is over once the device answers, and its limit is restored."""


class ActionRunner:
    """Runs actions as tasks of the entry; a cancelled caller loses the answer, not the action."""

    def __init__(self, coordinator: Sec1000Coordinator) -> None:
        self.stopping = False
        """Whether Home Assistant is stopping: no mode is taken off any more."""
        self.closed = False
        """Whether nothing that goes to the device is begun any more."""
        self.limit_calls = 0
        """How many calls there were of actions that change what limits the export."""
        self._coordinator = coordinator
        self._running: dict[asyncio.Task[Outcome | HomeAssistantError], Action] = {}
        self._runs: defaultdict[Action, list[_Run]] = defaultdict(list)
        """The runs that may have the feedback of an action, in the order of their calls."""
        self._numbers = count()
        coordinator.config_entry.async_on_unload(
            coordinator.async_add_settings_listener(self._drop_what_is_over)
        )

    @property
    def tasks(self) -> set[asyncio.Task[Outcome | HomeAssistantError]]:
        """The actions that run."""
        return set(self._running)

    @property
    def limit_tasks(self) -> set[asyncio.Task[Outcome | HomeAssistantError]]:
        """Those that set the limit, or what it depends on, or take it off."""
        return {task for task, action in self._running.items() if action in _LIMIT_ACTIONS}

    def is_running(self, action: Action) -> bool:
        """Return whether a call of this action has not ended."""
        return action in self._running.values()

    @callback
    def check_accepts(
        self, action: Action, *, takes_mode_off: bool = False, called: str | None = None
    ) -> None:
        """Raise a translated error where an action may not begin any more."""
        # An entry that is set up while Home Assistant stops is not told of the stop.
        is_closed = self.closed or self._coordinator.hass.is_stopping
        key = "closed" if is_closed else "stopping" if self.stopping and takes_mode_off else None
        if key:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key=key,
                translation_placeholders={
                    "action": self._name(called or action),
                    "name": self._coordinator.device_name,
                },
            )

    async def run(
        self,
        action: Action,
        body: ActionBody,
        *,
        takes_mode_off: bool = False,
        asked: str | None = None,
        called: str | None = None,
    ) -> Outcome:
        """Run the body in a task of its own, and wait for it through a shield.

        Its requests carry the name `asked`, and texts that of what was `called`, or else that of the action.
        Raises ServiceValidationError where the request itself is at fault (feedback 128), else
        HomeAssistantError, both translated.
        """
        self.check_accepts(action, takes_mode_off=takes_mode_off, called=called)
        self.limit_calls += action in _LIMIT_ACTIONS
        begun = FeedbackRecord.unfinished(self._text("in_progress"))
        coordinator = self._coordinator
        run = _Run(next(self._numbers), called or action, begun)
        self._runs[action].append(run)
        self._show(action)
        task = coordinator.config_entry.async_create_task(
            coordinator.hass,
            self._run(action, run, body, asked or action),
            f"{coordinator.name} {action}",
        )
        if not task.done():
            self._running[task] = action
            task.add_done_callback(self._running.pop)
        try:
            ended = await asyncio.shield(task)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            # A cancelled caller stays cancelled: at its final stage Home Assistant cancels both.
            if task.cancelled() and not (caller and caller.cancelling()):
                raise HomeAssistantError(
                    translation_domain=DOMAIN,
                    translation_key="ended_with_the_integration",
                    translation_placeholders={"action": self._name(run.called)},
                ) from None
            raise
        if isinstance(ended, HomeAssistantError):
            raise ended
        return ended

    async def _run(
        self, action: Action, run: _Run, body: ActionBody, asked: str
    ) -> Outcome | HomeAssistantError:
        """Do the work; an error is returned, since the caller may be gone."""
        stats = ActionStats()
        failure: HomeAssistantError | None = None
        detail: str | None = None
        feedback = Feedback.OK

        @callback
        def show_waiting() -> None:
            if not stats.is_under_way:
                run.record = FeedbackRecord.unfinished(self._text("waiting"))
                self._show(action)

        waiting = self._coordinator.hass.loop.call_later(WAIT_SHOWN_AFTER_S, show_waiting)
        try:
            with asked_by(asked):
                message = await body(stats)
        except Exception as error:  # noqa: BLE001 - whatever it is, the feedback has to say
            if not isinstance(error, Sec1000Error):
                LOGGER.exception("%s: %s failed", self._coordinator.name, action)
            feedback = Feedback.from_error(error)
            stats.event = _event_of_failure(action, error)
            detail = technical_detail(error)
            failure = self._translated(run, error)
            message = sentences(self._coordinator.hass, failure)
            run.is_over_with_an_answer = is_ended_by_an_answer(error) or self._coordinator.data.limit_is_off
        finally:
            waiting.cancel()
        if stats.adjusted:
            feedback |= Feedback.INVALID_INPUT
            adjusted = (
                self._text("adjusted", **_bounds(self._coordinator.hass, each)) for each in stats.adjusted
            )
            message = " ".join((*adjusted, message))
        # Before the feedback, so that who is told by that can ask the event for more.
        self._report(stats, message)
        run.record = FeedbackRecord.ended(feedback, message, stats, detail)
        run.has_ended = True
        if stats.action and stats.action is not action:
            # It turned out to be another one.
            if run in self._runs[action]:
                self._runs[action].remove(run)
            self._show(action)
            action = stats.action
            insort(self._runs[action], run, key=lambda run: run.number)
        self._show(action)
        if failure:
            return failure
        self._drop_what_is_over()
        return Outcome(feedback, message, stats.settings or self._coordinator.data.settings)

    @callback
    def _report(self, stats: ActionStats, message: str) -> None:
        """Report what an action did to the limit, if anything."""
        if stats.event is None:
            return
        snapshot = self._coordinator.data
        before = stats.limit_before if stats.is_under_way else snapshot.limit_before
        settings = stats.settings or snapshot.held
        self._coordinator.limit_events.report(
            LimitEvent(stats.event, before, settings, calling(), stats.requests, message)
        )

    @callback
    def _show(self, action: Action) -> None:
        """Show how the latest call stands: an older one must not speak for one that still runs."""
        runs = self._runs[action]
        if runs and runs[-1].has_ended:
            del runs[:-1]
        self._coordinator.show_feedback(action, runs[-1].record if runs else FeedbackRecord())

    @callback
    def _drop_what_is_over(self) -> None:
        """Let no message go on saying that the device does not answer, or that its limit is off."""
        coordinator = self._coordinator
        if coordinator.data.held is None or coordinator.data.pending_restore:
            return
        for action, runs in self._runs.items():
            if not runs or not (run := runs[-1]).is_over_with_an_answer:
                continue
            run.is_over_with_an_answer = False
            language = coordinator.hass.config.language
            message = self._text(
                "answers_again", action=self._name(run.called), export=coordinator.format_export(language)
            )
            run.record = replace(run.record, message=message)
            self._show(action)

    def _translated(self, run: _Run, error: Exception) -> HomeAssistantError:
        coordinator = self._coordinator

        def placeholders_in(language: str) -> dict[str, str]:
            return {
                "action": action_name(coordinator.hass, run.called, language),
                "export": coordinator.format_export(language),
                "name": coordinator.device_name,
            }

        return translated_error(
            coordinator.hass,
            ServiceValidationError if isinstance(error, InvalidValueError) else HomeAssistantError,
            next((key for kind, key in _ERROR_KEYS if isinstance(error, kind)), "unknown_error"),
            error,
            placeholders_in,
        )

    def _name(self, called: str) -> str:
        hass = self._coordinator.hass
        return action_name(hass, called, hass.config.language)

    def _text(self, key: str, **placeholders: str) -> str:
        return text(self._coordinator.hass, "common", key, **placeholders)


def _event_of_failure(action: Action, error: Exception) -> LimitEventType | None:
    """Return what happened to the limit; None where a newer command took the place, or it is not about it."""
    if action not in _LIMIT_ACTIONS or isinstance(error, SupersededError):
        return None
    is_unknown = isinstance(error, OutcomeUnknownError)
    return LimitEventType.UNKNOWN if is_unknown else LimitEventType.NOT_APPLIED


def _bounds(hass: HomeAssistant, adjusted: OutOfRangeError) -> dict[str, str]:
    return {
        "limit": format_kw(hass, adjusted.limit),
        "lowest": format_kw(hass, adjusted.lowest),
        "highest": format_kw(hass, adjusted.highest),
        "adjusted": format_kw(hass, adjusted.nearest),
    }
