"""Bytes to frame and back: length, address, command, data, checksum.

Source: docs/protocol.md, "Frames".
"""

from dataclasses import dataclass
from typing import Final

from .errors import ChecksumError, UnexpectedAnswerError

ADDRESS: Final = b"\x01\x01"
PREFIX_SIZE: Final = 5
"""An answer is a frame behind this many bytes, whose content is not judged."""
LENGTH_SIZE: Final = 2
HEAD_SIZE: Final = PREFIX_SIZE + LENGTH_SIZE
"""What has to be read of an answer before its length is known."""
OVERHEAD: Final = 5
"""Bytes that the length field counts besides the data: address, command, checksum."""
MAX_LENGTH: Final = 0xFFFF
KNOWN_PREFIX: Final = b"\x04REVO"
"""The prefix of the one public capture; other firmware may send others."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One command with its data (no address, no checksum: those are the wire's)."""

    command: int
    data: bytes = b""


def checksum(body: bytes) -> int:
    """Return the 16-bit sum of address, command and data ("CRC" in the field)."""
    return sum(body) & 0xFFFF


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame: a whole request, or an answer without its prefix.

    Raises ValueError where the command is no byte or the data does not fit the length field.
    """
    body = ADDRESS + bytes((frame.command,)) + frame.data
    length = len(body) + 2
    if length > MAX_LENGTH:
        raise ValueError(f"{len(frame.data)} bytes of data do not fit into one frame")
    return length.to_bytes(2) + body + checksum(body).to_bytes(2)


def encode_answer(frame: Frame, prefix: bytes = KNOWN_PREFIX) -> bytes:
    """Return the bytes of an answer as a device sends it: the frame behind its prefix."""
    return prefix + encode(frame)


def answer_length(head: bytes) -> int:
    """Return how many bytes follow the first HEAD_SIZE bytes of an answer, as the answer says."""
    return int.from_bytes(head[PREFIX_SIZE:HEAD_SIZE])


def decode(encoded: bytes) -> Frame:
    """Return the frame that these bytes are, whole and without a prefix.

    Raises UnexpectedAnswerError where length or address is wrong and ChecksumError where only
    the checksum is.
    """
    length = int.from_bytes(encoded[:LENGTH_SIZE])
    body = encoded[LENGTH_SIZE:-2]
    if length < OVERHEAD or len(encoded) != LENGTH_SIZE + length:
        raise UnexpectedAnswerError(f"a frame of {len(encoded)} bytes says that {length} follow its length")
    if checksum(body) != int.from_bytes(encoded[-2:]):
        raise ChecksumError(f"checksum {encoded[-2:].hex()} instead of {checksum(body):04x}")
    if body[: len(ADDRESS)] != ADDRESS:
        raise UnexpectedAnswerError(f"address {body[:2].hex()} instead of {ADDRESS.hex()}")
    return Frame(body[2], body[3:])
