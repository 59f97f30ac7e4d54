"""Exceptions of the client, all derived from Sec1000Error."""

from typing import Final

from .plausibility import ImpossibleValue


class Sec1000Error(Exception):
    """Base of every error of a request or command."""


class AnswerTimeoutError(Sec1000Error):
    """Connecting, sending and receiving took longer than the deadline of one request."""


class ConnectTimeoutError(AnswerTimeoutError):
    """No connection was made within the deadline of one request."""


class ConnectionFailedError(Sec1000Error):
    """The connection was refused, was closed early, or the host is unreachable."""


class HostNotFoundError(ConnectionFailedError):
    """The host name could not be resolved."""


class ConnectionClosedError(ConnectionFailedError):
    """The connection was closed or reset before the answer was complete."""


class UnexpectedAnswerError(Sec1000Error):
    """An answer of the wrong length, address, command or data size."""


class NegativeAnswerError(UnexpectedAnswerError):
    """A NAK instead of the requested data."""


class ImpossibleValueError(UnexpectedAnswerError):
    """A well-formed measurement with a power that no installation has."""

    def __init__(self, message: str, values: tuple[ImpossibleValue, ...]) -> None:
        super().__init__(message)
        self.values: Final = values
        """All values of the answer that are impossible."""


class ChecksumError(Sec1000Error):
    """An answer of the right length with a wrong checksum."""


class InvalidAnswerError(Sec1000Error):
    """A well-formed answer with impossible content, such as an unknown control mode or a refused clock."""


class OutcomeUnknownError(Sec1000Error):
    """A write was sent but could not be read back; `__cause__` is the last error."""


class SupersededError(Sec1000Error):
    """A newer limit command took the place of this one; nothing was written for this one."""


class NotStoredError(Sec1000Error):
    """What should hold again could not be kept on disk, so the limit was not taken off."""


class RestorePendingError(Sec1000Error):
    """The limit is off already and not restored yet; nothing was sent."""


class RestorePendingElsewhereError(RestorePendingError):
    """The limit of a device at another address is off and not restored; nothing was sent."""


class ModeChangeRefusedError(Sec1000Error):
    """A limiting mode would have to be taken off, and must not be any more; nothing was sent."""


class InvalidValueError(Sec1000Error, ValueError):
    """A value that the protocol cannot express; nothing was sent."""


class NotLimitedError(InvalidValueError):
    """The limit cannot be suspended, because no mode that limits the export is on."""


def impossible_in(*errors: Exception) -> list[ImpossibleValue]:
    """Return the impossible values of the answers that these errors were about."""
    return [value for error in errors if isinstance(error, ImpossibleValueError) for value in error.values]
