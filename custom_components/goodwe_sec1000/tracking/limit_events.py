"""What happened to the export limit, one event for each change."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from homeassistant.core import CALLBACK_TYPE, Context, callback

from ..sec1000.model import ExportSettings


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
    asked_by: str | None = None
    """The automation, script or user; None where it was none of them."""
    context: Context | None = None
    requests: int | None = None
    """What it cost; None where it was no command."""
    seconds: float | None = None
    """How long it took until the meter was at or below the limit; None of any other event."""


class LimitEvents:
    """Tells those who listen what happens to the limit, by a command or without one."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[LimitEvent], None]] = []
        self._is_suspended = False
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
        is_suspended: bool,
        differs: bool | None,
        exceeds: bool | None,
    ) -> None:
        """Report what has changed since the last time, where the device holds these settings now."""
        if is_suspended is not self._is_suspended:
            self._is_suspended = is_suspended
            kind = LimitEventType.SUSPENDED if is_suspended else LimitEventType.RESTORED
            self.report(LimitEvent(kind, settings=settings))
        if differs is not None:
            if differs and not self._differs:
                self.report(LimitEvent(LimitEventType.DIFFERS, settings=settings))
            self._differs = differs
        if exceeds is not None:
            if exceeds and not self._exceeds:
                self.report(LimitEvent(LimitEventType.EXCEEDED, settings=settings))
            self._exceeds = exceeds
