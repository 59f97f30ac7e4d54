"""Runs each action to its end: outcome, feedback, errors in words, and what may still begin."""

import asyncio
from bisect import insort
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from homeassistant.core import callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from ..const import DOMAIN, LOGGER
from ..coordinator import Sec1000Coordinator
from ..messages import translated_error
from ..sec1000.asker import asked_by
from ..sec1000.errors import (
    InvalidValueError,
    ModeChangeRefusedError,
    NotLimitedError,
    NotStoredError,
    OutcomeUnknownError,
    RestorePendingElsewhereError,
    Sec1000Error,
    SupersededError,
)
from ..sec1000.model import ExportSettings
from ..sec1000.setting_write import NotAppliedError
from ..tracking.feedback import Action, Feedback, FeedbackRecord
from .limit_commands import ActionStats, ModeDeactivatedError

WAIT_SHOWN_AFTER_S: Final = 2.0
"""How long an action may wait for its turn before its feedback says so."""


class DeactivatingNotAllowedError(InvalidValueError):
    """The control mode is to be deactivated, and the options do not allow that."""


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
    (NotStoredError, "not_stored"),
    (RestorePendingElsewhereError, "pending_elsewhere"),
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


type ActionBody = Callable[[ActionStats], Awaitable[str]]
"""Does what an action is for, and returns in words what came of it."""


@dataclass(eq=False, slots=True)
class _Run:
    """One call of an action, and its feedback."""

    number: int
    """Its place in the order of the calls."""
    record: FeedbackRecord = field(default_factory=FeedbackRecord.begun)
    has_ended: bool = False


class ActionRunner:
    """Runs actions as tasks of the entry; a cancelled caller loses the answer, not the action."""

    def __init__(self, coordinator: Sec1000Coordinator) -> None:
        self.stopping = False
        """Whether Home Assistant is stopping: no mode is taken off any more."""
        self.closed = False
        """Whether nothing that goes to the device is begun any more."""
        self._coordinator = coordinator
        self._running: dict[asyncio.Task[Outcome | HomeAssistantError], Action] = {}
        self._runs: defaultdict[Action, list[_Run]] = defaultdict(list)
        """The runs that may have the feedback of an action, in the order of their calls."""
        self._numbers = count()

    @property
    def tasks(self) -> set[asyncio.Task[Outcome | HomeAssistantError]]:
        """The actions that run."""
        return set(self._running)

    def is_running(self, action: Action) -> bool:
        """Return whether a call of this action has not ended."""
        return action in self._running.values()

    @callback
    def check_accepts(self, action: Action, *, takes_mode_off: bool = False) -> None:
        """Raise a translated error where an action may not begin any more."""
        # An entry that is set up while Home Assistant stops is not told of the stop.
        is_closed = self.closed or self._coordinator.hass.is_stopping
        key = "closed" if is_closed else "stopping" if self.stopping and takes_mode_off else None
        if key:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key=key,
                translation_placeholders={"action": action, "name": self._coordinator.device_name},
            )

    async def run(
        self,
        action: Action,
        body: ActionBody,
        *,
        takes_mode_off: bool = False,
        asked: str | None = None,
    ) -> Outcome:
        """Run the body in a task of its own, and wait for it through a shield.

        Its requests carry the name `asked`, or else that of the action.
        Raises ServiceValidationError where the request itself is at fault (feedback 128), else
        HomeAssistantError, both translated.
        """
        self.check_accepts(action, takes_mode_off=takes_mode_off)
        run = _Run(next(self._numbers))
        self._runs[action].append(run)
        self._show(action)
        coordinator = self._coordinator
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
                    translation_placeholders={"action": action},
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
        failure: Exception | None = None
        feedback = Feedback.OK

        @callback
        def show_waiting() -> None:
            if not stats.is_under_way:
                run.record = FeedbackRecord.waiting()
                self._show(action)

        waiting = self._coordinator.hass.loop.call_later(WAIT_SHOWN_AFTER_S, show_waiting)
        try:
            with asked_by(asked):
                message = await body(stats)
        except Exception as error:  # noqa: BLE001 - whatever it is, the feedback has to say
            if not isinstance(error, Sec1000Error):
                LOGGER.exception("%s: %s failed", self._coordinator.name, action)
            failure = error
            feedback = Feedback.from_error(error)
            message = _sentence(str(error))
        finally:
            waiting.cancel()
        if stats.correction:
            feedback |= Feedback.INVALID_INPUT
            message = f"{_sentence(stats.correction)} {message}"
        run.record = FeedbackRecord.ended(feedback, message, stats)
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
            return self._translated(action, failure, feedback)
        return Outcome(feedback, message, stats.settings or self._coordinator.data.settings)

    @callback
    def _show(self, action: Action) -> None:
        """Show how the latest call stands: an older one must not speak for one that still runs."""
        runs = self._runs[action]
        if runs and runs[-1].has_ended:
            del runs[:-1]
        self._coordinator.show_feedback(action, runs[-1].record if runs else FeedbackRecord())

    def _translated(self, action: Action, error: Exception, feedback: Feedback) -> HomeAssistantError:
        return translated_error(
            self._coordinator.hass,
            ServiceValidationError if isinstance(error, InvalidValueError) else HomeAssistantError,
            next((key for kind, key in _ERROR_KEYS if isinstance(error, kind)), "unknown_error"),
            error,
            action=action,
            feedback=str(int(feedback)),
            name=self._coordinator.device_name,
        )


def _sentence(text: str) -> str:
    """Return what an error says as a sentence of its own."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
