"""What the answer of an exchange holds, whatever is wrong with it; nothing here raises."""

import struct
from typing import Final, NamedTuple

from .command import READ_EXPORT_SETTINGS, READ_TELEMETRY, Command
from .frame import HEAD_SIZE, KNOWN_PREFIX, OVERHEAD, PREFIX_SIZE, answer_length, checksum
from .plausibility import TELEMETRY_NAMES
from .transport import Exchange

_DATA_AT: Final = HEAD_SIZE + 3
_CHECKSUM_SIZE: Final = 2


class Settings(NamedTuple):
    """The data of an answer to 0x43, as they are on the wire."""

    mode: int
    capacity: int
    ct_ratio: int
    limit: int


def is_answer(exchange: Exchange) -> bool:
    """Return whether a SEC1000 seems to have sent this: a whole frame, or one that begins as known."""
    answer = exchange.answer
    if len(answer) < _DATA_AT:
        return False
    return answer.startswith(KNOWN_PREFIX) or len(answer) == HEAD_SIZE + answer_length(answer)


def prefix(exchange: Exchange) -> bytes:
    """Return the bytes in front of the frame."""
    return exchange.answer[:PREFIX_SIZE]


def address(exchange: Exchange) -> bytes:
    """Return the address and group."""
    return exchange.answer[HEAD_SIZE : _DATA_AT - 1]


def echo(exchange: Exchange) -> int:
    """Return the command byte of an answer (see `is_answer`)."""
    return exchange.answer[_DATA_AT - 1]


def data(exchange: Exchange) -> bytes:
    """Return what is between command byte and checksum."""
    return exchange.answer[_DATA_AT:-_CHECKSUM_SIZE]


def telemetry(exchange: Exchange) -> dict[str, int] | None:
    """Return the values of an answer to 0x0B by name, in the steps of the wire; None where it is none."""
    if not _is_whole(exchange, READ_TELEMETRY):
        return None
    return dict(zip(TELEMETRY_NAMES, struct.unpack(">11i", data(exchange)), strict=True))


def settings(exchange: Exchange) -> Settings | None:
    """Return the values of an answer to 0x43; None where it is none."""
    if not _is_whole(exchange, READ_EXPORT_SETTINGS):
        return None
    return Settings(*struct.unpack(">B3i", data(exchange)))


def _is_whole(exchange: Exchange, command: Command[object]) -> bool:
    return (
        exchange.command == command.name
        and len(exchange.answer) == HEAD_SIZE + OVERHEAD + command.answer_size
        and echo(exchange) == command.request.command
        and checksum(exchange.answer[HEAD_SIZE:-_CHECKSUM_SIZE])
        == int.from_bytes(exchange.answer[-_CHECKSUM_SIZE:])
    )
