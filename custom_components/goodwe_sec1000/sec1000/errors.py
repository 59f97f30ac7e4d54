"""What can go wrong between us and a SEC1000: one tree of exceptions."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import ExportSettings


class Sec1000Error(Exception):
    """Anything that keeps a request or a command from its good end."""


class AnswerTimeoutError(Sec1000Error):
    """Connecting, sending and reading did not end within the deadline of one request."""


class ConnectionFailedError(Sec1000Error):
    """The connection could not be made (refused, unreachable) or did not hold."""


class HostNotFoundError(ConnectionFailedError):
    """The host name has no address."""


class ConnectionClosedError(ConnectionFailedError):
    """The connection was made, and closed or reset before the answer was whole."""


class TelemetryNotServedError(ConnectionClosedError):
    """The device answers for its settings, but closes every request for telemetry."""


class UnexpectedAnswerError(Sec1000Error):
    """An answer of the wrong length, address, command or data size."""


class NegativeAnswerError(UnexpectedAnswerError):
    """A NAK where data was asked for."""


class ChecksumError(Sec1000Error):
    """A whole answer of the right length whose checksum is wrong."""


class InvalidAnswerError(Sec1000Error):
    """A well-formed answer whose content cannot be: an unknown control mode, a refused clock."""


class NotAppliedError(Sec1000Error):
    """The read-back after the last write disagrees with what was to be set."""

    def __init__(self, message: str, held: ExportSettings) -> None:
        super().__init__(message)
        self.held = held
        """What the device holds instead."""


class OutcomeUnknownError(Sec1000Error):
    """Something was sent and could not be read back; `__cause__` is what the last read met."""


class SupersededError(Sec1000Error):
    """A newer limit arrived before this one was begun; nothing was sent for this one."""


class InvalidValueError(Sec1000Error, ValueError):
    """A value that has no place on the wire; nothing was sent."""


class NotLimitedError(InvalidValueError):
    """The limit is to be interrupted, but nothing limits the export."""
