"""The feedback of an action: a bitmap of its outcome, and what led to it."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag, StrEnum
from typing import Self

from homeassistant.util import dt as dt_util

from ..sec1000.errors import (
    AnswerTimeoutError,
    ChecksumError,
    ConnectionFailedError,
    InvalidValueError,
    OutcomeUnknownError,
    Sec1000Error,
    UnexpectedAnswerError,
)
from ..sec1000.stats import RequestStats


class Action(StrEnum):
    """The actions that have a feedback sensor; polling is one of them."""

    EXPORT_DISABLE = "export_disable"
    EXPORT_ENABLE = "export_enable"
    SET_EXPORT_LIMIT = "set_export_limit"
    GET_EXPORT_LIMIT = "get_export_limit"
    GET_TELEMETRY_DATA = "get_telemetry_data"
    RESET_EXPORT_WATCHDOG = "reset_export_watchdog"
    SET_DATETIME = "set_datetime"


class Feedback(IntFlag):
    """The outcome of an action; bits add up."""

    WAITING = 0
    OK = 1
    GENERAL_ERROR = 2
    """Answered, but the read-back disagrees or the data make no sense."""
    UNKNOWN_ERROR = 4
    """An exception of the integration itself."""
    TIMEOUT = 8
    """No answer in time, connecting included."""
    UNEXPECTED_PACKET = 16
    """Wrong length, address, command or size; NAK to a read."""
    CRC_ERROR = 32
    SOCKET_ERROR = 64
    """Refused, reset, name not found, closed early."""
    INVALID_INPUT = 128
    """A parameter that was corrected (with OK) or refused (alone)."""

    @classmethod
    def from_error(cls, error: Exception) -> Feedback:
        """Return the bit of this error."""
        if isinstance(error, OutcomeUnknownError) and isinstance(error.__cause__, Sec1000Error):
            return cls.from_error(error.__cause__)
        for kind, bit in _BITS:
            if isinstance(error, kind):
                return bit
        return cls.UNKNOWN_ERROR

    @property
    def flags(self) -> list[str]:
        """The names of the bits that are set; "waiting" where none is."""
        return [bit.name.lower() for bit in self if bit.name] or ["waiting"]


_BITS: tuple[tuple[type[Exception], Feedback], ...] = (
    (AnswerTimeoutError, Feedback.TIMEOUT),
    (ConnectionFailedError, Feedback.SOCKET_ERROR),
    (ChecksumError, Feedback.CRC_ERROR),
    (UnexpectedAnswerError, Feedback.UNEXPECTED_PACKET),
    (InvalidValueError, Feedback.INVALID_INPUT),
    (Sec1000Error, Feedback.GENERAL_ERROR),
)


@dataclass(frozen=True, slots=True)
class FeedbackRecord:
    """The last outcome of one action, as its feedback sensor shows it."""

    feedback: Feedback = Feedback.WAITING
    message: str | None = None
    """The outcome in whole sentences, in Home Assistant's language; None where the action never ran."""
    detail: str | None = None
    """What the log says of a failure, in English."""
    attempts: int = 0
    """Requests that were sent."""
    recovered_errors: tuple[str, ...] = ()
    """Errors that a retry recovered from, in their order."""
    when: datetime | None = None
    """UTC: when it began to run or to wait, then when it ended. Unlike the time of the sensor's state, it
    outlives a change of the entity id."""

    @classmethod
    def unfinished(cls, message: str) -> Self:
        """Return the record of an action that runs or waits."""
        return cls(message=message, when=dt_util.utcnow())

    @classmethod
    def ended(cls, feedback: Feedback, message: str, stats: RequestStats, detail: str | None = None) -> Self:
        """Return the record of an action that has ended, with its requests."""
        recovered = tuple(str(fault) for fault in stats.recovered_errors)
        return cls(feedback, message, detail, stats.requests, recovered, dt_util.utcnow())
