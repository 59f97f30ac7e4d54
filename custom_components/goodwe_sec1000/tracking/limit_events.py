"""What happened to the export limit, one event for each change."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from homeassistant.core import CALLBACK_TYPE, callback

from ..sec1000.model import ExportSettings, ExportTarget
from ..sec1000.setting_write import agrees
from .caller import Caller, calling


class LimitEventType(StrEnum):
    """What happened."""

    SET = "set"
    """A command was confirmed."""
    NOT_APPLIED = "not_applied"
    """A command failed, and the device holds what it held or something else."""
    UNKNOWN = "unknown"
    """A command may or may not have taken effect."""
    EXTENDED = "extended"
    """The end of a temporary limit was moved, and nothing was sent."""
    ENDED = "ended"
    """A temporary limit has given way to the one after it."""
    CORRECTED = "corrected"
    """A device that allowed more than it should was corrected."""
    SUSPENDED = "suspended"
    RESTORED = "restored"
    DIFFERS = "differs"
    """The device was found to differ from the target."""
    EXCEEDED = "exceeded"
    """The meter has been above the limit for too long."""
    OBEYED = "obeyed"
    """The meter is at or below a limit that was set lower."""


@dataclass(frozen=True, slots=True)
class LimitEvent:
    """One change; limits in W, None where they are not known."""

    type: LimitEventType
    limit_before: int | None = None
    settings: ExportSettings | None = None
    """What the device holds now."""
    caller: Caller | None = None
    """Whose command it was; None where it was none."""
    requests: int | None = None
    """What it cost; None where it was no command."""
    message: str | None = None
    """What came of the command, in words."""
    seconds: float | None = None
    """How long it took until the meter was at or below the limit; None of any other event."""


class LimitEvents:
    """Tells those who listen what happens to the limit, by a command or without one."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[LimitEvent], None]] = []
        self._suspended: ExportTarget | None = None
        self._differs: bool | None = None
        self._exceeds: bool | None = None
        """Whether it differed, and was exceeded, when that was last known."""

    @callback
    def async_add_listener(self, listener: Callable[[LimitEvent], None]) -> CALLBACK_TYPE:
        """Call this with each event; return what ends that."""
        self._listeners.append(listener)
        return partial(self._listeners.remove, listener)

    @callback
    def report(self, event: LimitEvent) -> None:
        """Tell all who listen."""
        for listener in tuple(self._listeners):
            listener(event)

    @callback
    def observe(
        self,
        settings: ExportSettings | None,
        *,
        target: int | None,
        suspended: ExportTarget | None,
        differs: bool | None,
        exceeds: bool | None,
    ) -> None:
        """Report what has changed since the last time, where the device was last read to hold these settings.

        `target` is the limit (W) that it should hold, `suspended` what is to be restored, if anything is.
        """
        self._observe_suspension(settings, suspended)
        if differs is not None:
            if differs and not self._differs:
                self.report(LimitEvent(LimitEventType.DIFFERS, target, settings))
            self._differs = differs
        if exceeds is not None:
            if exceeds and not self._exceeds:
                self.report(LimitEvent(LimitEventType.EXCEEDED, settings=settings))
            self._exceeds = exceeds

    @callback
    def _observe_suspension(self, settings: ExportSettings | None, suspended: ExportTarget | None) -> None:
        before, self._suspended = self._suspended, suspended
        if suspended and before is None:
            self.report(LimitEvent(LimitEventType.SUSPENDED, suspended.limit, caller=calling()))
        if before and suspended is None:
            # What was read before it was suspended is what holds only where that was to be restored.
            is_so = settings is not None and agrees(settings, before)
            restored = settings if is_so else None
            self.report(LimitEvent(LimitEventType.RESTORED, settings=restored, caller=calling()))
