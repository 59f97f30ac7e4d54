"""Encode and decode frames: length, address, command, data, checksum.

Source: docs/protocol.md, "Frames".
"""

from dataclasses import dataclass
from typing import Final

from .errors import ChecksumError, UnexpectedAnswerError

ADDRESS: Final = b"\x01\x01"
PREFIX_SIZE: Final = 5
"""Bytes in front of the frame of an answer; their content varies and is ignored."""
LENGTH_SIZE: Final = 2
HEAD_SIZE: Final = PREFIX_SIZE + LENGTH_SIZE
"""Bytes to receive before the length of an answer is known."""
OVERHEAD: Final = 5
"""Bytes that the length field counts in addition to the data: address, command, checksum."""
MAX_LENGTH: Final = 0xFFFF
KNOWN_PREFIX: Final = b"\x04REVO"
"""The prefix in the public captures; other firmware may send another."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A command byte and its data; `encode` adds length, address and checksum."""

    command: int
    data: bytes = b""


def checksum(body: bytes) -> int:
    """Return the 16-bit sum of address, command and data ("CRC" in the field)."""
    return sum(body) & 0xFFFF


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame: a complete request, or an answer without its prefix.

    Raises ValueError where the command exceeds one byte or the data exceeds the length field.
    """
    body = ADDRESS + bytes((frame.command,)) + frame.data
    length = len(body) + 2
    if length > MAX_LENGTH:
        raise ValueError(f"{len(frame.data)} bytes of data do not fit in one frame")
    return length.to_bytes(2) + body + checksum(body).to_bytes(2)


def encode_answer(frame: Frame, prefix: bytes = KNOWN_PREFIX) -> bytes:
    """Return the bytes of an answer as a device sends it: prefix and frame."""
    return prefix + encode(frame)


def answer_length(head: bytes) -> int:
    """Return how many bytes are to follow the head, the first HEAD_SIZE bytes of an answer."""
    return int.from_bytes(head[PREFIX_SIZE:HEAD_SIZE])


def decode(encoded: bytes) -> Frame:
    """Return the frame in these bytes, which are complete and without a prefix.

    Raises UnexpectedAnswerError for a wrong length or address, and ChecksumError.
    """
    length = int.from_bytes(encoded[:LENGTH_SIZE])
    body = encoded[LENGTH_SIZE:-2]
    if length < OVERHEAD or len(encoded) != LENGTH_SIZE + length:
        raise UnexpectedAnswerError(f"a frame of {len(encoded)} bytes has {length} in its length field")
    if checksum(body) != int.from_bytes(encoded[-2:]):
        raise ChecksumError(f"checksum {encoded[-2:].hex()} instead of {checksum(body):04x}")
    if body[: len(ADDRESS)] != ADDRESS:
        raise UnexpectedAnswerError(f"address {body[:2].hex()} instead of {ADDRESS.hex()}")
    return Frame(body[2], body[3:])
