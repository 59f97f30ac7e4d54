"""The faults by name: what each does to the effect, content and delivery of an answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from random import Random
import struct
from typing import Final

from custom_components.goodwe_sec1000.sec1000.frame import (
    KNOWN_PREFIX,
    LENGTH_SIZE,
    PREFIX_SIZE,
    Frame,
    encode_answer,
)
from custom_components.goodwe_sec1000.sec1000.model import ControlMode

from .exchange import Delivery
from .protocol import (
    ACK,
    CAPTURED_BYTES,
    COMMAND_BYTES,
    NAK,
    NO_VALUE,
    READ_LIMIT,
    READS,
    TELEMETRY,
    WRITE_LIMIT,
    WRITES,
)


class Effect(Enum):
    """When a request takes effect."""

    NOW = auto()
    NEVER = auto()
    LATE = auto()
    """After LATE_EFFECT_S."""


class Reach(Enum):
    """What a fault affects."""

    REQUEST = auto()
    """Single requests."""
    PORT = auto()
    """The listening port, before there is a request."""
    INVERTERS = auto()
    """The inverters, while it is active."""
    HEALTH = auto()
    """The whole device, until a restart."""


LATE_EFFECT_S: Final = 2.0
PAUSE_AFTER_READ_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class Context:
    """What a fault can use to corrupt the bytes of an answer."""

    request: Frame
    history: Sequence[bytes]
    """The correct answers given before, oldest first."""
    random: Random


type Alter = Callable[[Frame], Frame]
type Mangle = Callable[[bytes, Context], bytes]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that can go wrong."""

    name: str
    summary: str
    commands: frozenset[int] = COMMAND_BYTES
    """The requests that it can affect."""
    concerns: Callable[[Frame], bool] | None = None
    """Whether it can affect a request with this content; None where the content does not matter."""
    within_s_of_read: float | None = None
    """Affects only requests that come sooner than this after a read."""
    effect: Effect = Effect.NOW
    alter: Alter | None = None
    """Changes the content; the frame around it stays correct."""
    mangle: Mangle | None = None
    """Changes the bytes."""
    delivery: Delivery = Delivery.WHOLE
    reach: Reach = field(default=Reach.REQUEST)


def _status(status: bytes) -> Alter:
    return lambda answer: Frame(answer.command, status)


def _is_below_zero(request: Frame) -> bool:
    """Return whether a write of the export limit asks for one below 0."""
    return int.from_bytes(request.data[4:8], signed=True) < 0


def _one_byte_short(answer: Frame) -> Frame:
    return Frame(answer.command, answer.data[:-1])


def _zero_inverters(answer: Frame) -> Frame:
    return Frame(answer.command, answer.data[:-4] + bytes(4))


def _unknown_mode(answer: Frame) -> Frame:
    return Frame(answer.command, b"\x09" + answer.data[1:])


def _round(watts: int) -> int:
    return round(watts / 10) * 10


def _rounded(answer: Frame) -> Frame:
    if answer.command == READ_LIMIT:
        mode, capacity, ratio, limit = struct.unpack(">B3i", answer.data)
        return Frame(answer.command, struct.pack(">B3i", mode, _round(capacity), ratio, _round(limit)))
    values = struct.unpack(">11i", answer.data)
    return Frame(answer.command, struct.pack(">11i", *values[:6], *map(_round, values[6:])))


def _wrong_checksum(answer: bytes, _: Context) -> bytes:
    return answer[:-1] + bytes((answer[-1] ^ 0x01,))


def _reframed(answer: bytes, address: bytes | None = None, command: int | None = None) -> bytes:
    """Return the answer with another address or command and the checksum of the result."""
    body = answer[PREFIX_SIZE + LENGTH_SIZE : -2]
    body = (address or body[:2]) + (body[2:3] if command is None else bytes((command,))) + body[3:]
    return answer[: PREFIX_SIZE + LENGTH_SIZE] + body + (sum(body) & 0xFFFF).to_bytes(2)


def _wrong_command(answer: bytes, context: Context) -> bytes:
    return _reframed(answer, command=context.request.command ^ 0x40)


def _wrong_address(answer: bytes, _: Context) -> bytes:
    return _reframed(answer, address=b"\x01\x02")


def _impossible_value(answer: bytes, context: Context) -> bytes:
    """Return the answer with a power that no installation has; of the settings, limit or capacity."""
    body = answer[PREFIX_SIZE + LENGTH_SIZE : -2]
    # From the end, where the powers are the last five values.
    places = (4, 12) if context.request.command == READ_LIMIT else range(4, 24, 4)
    if len(body) < max(places) + 3:
        return answer
    offset = len(body) - context.random.choice(places)
    value = context.random.choice((NO_VALUE, NO_VALUE + 1)).to_bytes(4)
    body = body[:offset] + value + body[offset + 4 :]
    return answer[: PREFIX_SIZE + LENGTH_SIZE] + body + (sum(body) & 0xFFFF).to_bytes(2)


_OLD_SETTINGS = encode_answer(Frame(READ_LIMIT, struct.pack(">B3i", ControlMode.DEACTIVATED, 10_000, 1, 0)))


def _stale_answer(_: bytes, context: Context) -> bytes:
    """Return the last answer to another command, or an old one if there is none yet."""
    for old in reversed(context.history):
        if _command_of(old) != context.request.command:
            return old
    return _OLD_SETTINGS if context.request.command == TELEMETRY else CAPTURED_BYTES


def _stale_value(answer: bytes, context: Context) -> bytes:
    """Return the last different answer to the same command, if there is one."""
    for old in reversed(context.history):
        if _command_of(old) == context.request.command and old != answer:
            return old
    return answer


def _command_of(answer: bytes) -> int:
    return answer[PREFIX_SIZE + LENGTH_SIZE + 2]


def _oversized(answer: bytes, _: Context) -> bytes:
    return answer[:PREFIX_SIZE] + b"\xff\xff" + answer[PREFIX_SIZE + LENGTH_SIZE :][:8]


def _garbage(_: bytes, context: Context) -> bytes:
    return context.random.randbytes(64)


_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n"
    b"Connection: close\r\n\r\nBad Request"
)


def _http(_answer: bytes, _context: Context) -> bytes:
    return _HTTP


def _trailing(answer: bytes, _: Context) -> bytes:
    return answer + b"\x00\xff\x00"


def _other_prefix(answer: bytes, _: Context) -> bytes:
    return b"\x07XQZW" + answer[PREFIX_SIZE:]


def _nonsense(_answer: bytes, context: Context) -> bytes:
    return nonsense_answer(context.random)


def nonsense_answer(random: Random) -> bytes:
    """Return a well-formed answer to another request: what an exhausted device sends."""
    return encode_answer(Frame(random.choice((0x00, 0x7F, 0xFE)), random.randbytes(2)), KNOWN_PREFIX)


_CATALOGUE: Final = (
    Fault(
        "silence",
        "no answer, no effect; the connection stays open",
        effect=Effect.NEVER,
        delivery=Delivery.SILENCE,
    ),
    Fault("refused", "the port is closed: connections are refused", reach=Reach.PORT),
    Fault(
        "close-before-answer",
        "closed without an answer, no effect",
        effect=Effect.NEVER,
        delivery=Delivery.CLOSE,
    ),
    Fault("close-inside-answer", "effect, half an answer, closed", delivery=Delivery.HALF),
    Fault(
        "reset", "a TCP reset instead of an answer, no effect", effect=Effect.NEVER, delivery=Delivery.RESET
    ),
    Fault("byte-by-byte", "the correct answer in segments of one byte", delivery=Delivery.BYTE_BY_BYTE),
    Fault("wrong-checksum", "effect; one bit of the checksum is wrong", mangle=_wrong_checksum),
    Fault("wrong-command", "effect; echoes another command, checksum right", mangle=_wrong_command),
    Fault("wrong-address", "effect; address 01 02, checksum right", mangle=_wrong_address),
    Fault("nak", "status 0x15, also to a read; no effect", effect=Effect.NEVER, alter=_status(NAK)),
    Fault("nak-with-effect", "status 0x15 although the write is done", commands=WRITES, alter=_status(NAK)),
    Fault(
        "below-zero-refused",
        "a limit below 0 is refused with status 0x15",
        commands=frozenset({WRITE_LIMIT}),
        concerns=_is_below_zero,
        effect=Effect.NEVER,
        alter=_status(NAK),
    ),
    Fault("stale-answer", "effect; the previous answer to another command is sent", mangle=_stale_answer),
    Fault("stale-value", "the last different answer to the same command is sent", mangle=_stale_value),
    Fault(
        "six-byte-answer",
        "a read is answered with one byte of data (length 6)",
        commands=READS,
        alter=_status(ACK),
    ),
    Fault("wrong-length", "effect; a correct frame with one byte of data too few", alter=_one_byte_short),
    Fault(
        "oversized-length",
        "effect; 65535 bytes are announced, few are sent, the connection stays open",
        mangle=_oversized,
        delivery=Delivery.HOLD,
    ),
    Fault("garbage", "no effect; 64 random bytes", effect=Effect.NEVER, mangle=_garbage),
    Fault("http", "no effect; answers like a web server", effect=Effect.NEVER, mangle=_http),
    Fault(
        "nonsense",
        "no effect; a well-formed frame that was not requested",
        effect=Effect.NEVER,
        mangle=_nonsense,
    ),
    Fault("trailing-bytes", "the correct answer and three more bytes", mangle=_trailing),
    Fault("other-prefix", "the correct answer after five other bytes", mangle=_other_prefix),
    Fault("ack-without-effect", "a write is acknowledged and not done", commands=WRITES, effect=Effect.NEVER),
    Fault("effect-without-ack", "a write is done, then closed", commands=WRITES, delivery=Delivery.CLOSE),
    Fault("effect-then-silence", "a write is done, no answer", commands=WRITES, delivery=Delivery.SILENCE),
    Fault("late-effect", "a write is acknowledged and done 2 s later", commands=WRITES, effect=Effect.LATE),
    Fault(
        "no-write-after-read",
        "a write less than 0.3 s after a read is acknowledged and not done",
        commands=WRITES,
        within_s_of_read=PAUSE_AFTER_READ_S,
        effect=Effect.NEVER,
    ),
    Fault("rounded", "reads report powers rounded to 10 W", commands=READS, alter=_rounded),
    Fault(
        "impossible-value",
        "a power in the answer to a read is 0x7FFFFFFF or 0x80000000, checksum right",
        commands=READS,
        mangle=_impossible_value,
    ),
    Fault(
        "zero-inverters",
        "the inverter power is reported as 0",
        commands=frozenset({TELEMETRY}),
        alter=_zero_inverters,
    ),
    Fault(
        "no-telemetry",
        "telemetry is closed after fewer than 7 bytes",
        commands=frozenset({TELEMETRY}),
        delivery=Delivery.BEGINNING,
    ),
    Fault(
        "unknown-mode",
        "0x43 reports control mode 9",
        commands=frozenset({READ_LIMIT}),
        alter=_unknown_mode,
    ),
    Fault("disobedient", "limits are stored, the inverters ignore them", reach=Reach.INVERTERS),
    Fault("exhausted", "nonsense frames, then silence until restarted", reach=Reach.HEALTH),
)

FAULTS: Final[Mapping[str, Fault]] = {fault.name: fault for fault in _CATALOGUE}
