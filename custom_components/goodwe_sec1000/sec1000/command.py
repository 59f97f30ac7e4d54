"""The requests that a SEC1000 serves, and the decoding of their answers.

Source: docs/protocol.md, "Commands".
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from functools import partial
import struct
from typing import Final

from .errors import (
    ImpossibleValueError,
    InvalidAnswerError,
    InvalidValueError,
    NegativeAnswerError,
    UnexpectedAnswerError,
)
from .frame import HEAD_SIZE, OVERHEAD, PREFIX_SIZE, Frame, answer_length, decode, encode
from .model import ControlMode, ExportSettings, Phases, Telemetry
from .plausibility import POWERS, TELEMETRY_NAMES, impossible_values

_TELEMETRY: Final = struct.Struct(">11i")
_EXPORT_SETTINGS: Final = struct.Struct(">Biii")
_EXPORT_LIMIT: Final = struct.Struct(">iiB")

MAX_ANSWER_SIZE: Final = HEAD_SIZE + OVERHEAD + _TELEMETRY.size
"""Bytes of the largest known answer (telemetry); a longer one is rejected."""

_NAK: Final = 0x15


class Status(IntEnum):
    """Status byte in the answer to a write. It does not prove that the write took effect."""

    ACKNOWLEDGED = 0x06
    NEGATIVE = _NAK
    CLOCK_SET = 0x03


@dataclass(frozen=True, slots=True)
class Command[T]:
    """A request and the decoder of its answer."""

    name: str
    request: Frame
    answer_size: int
    """Bytes of data in a valid answer."""
    _read: Callable[[bytes], T]

    def encode(self) -> bytes:
        """Return the bytes of the request."""
        return encode(self.request)

    def check_head(self, head: bytes) -> int:
        """Return how many bytes of a valid answer follow its head.

        Raises UnexpectedAnswerError where the head announces another length.
        """
        length = answer_length(head)
        if length != self.answer_size + OVERHEAD:
            raise UnexpectedAnswerError(
                f"{self.name}: the answer announces {length} bytes instead of {self.answer_size + OVERHEAD}"
            )
        return length

    def read(self, answer: bytes) -> T:
        """Return the decoded data of a complete answer, prefix included.

        Raises UnexpectedAnswerError (length, address, command, size), NegativeAnswerError (NAK
        instead of data), ImpossibleValueError, ChecksumError, and InvalidAnswerError (an unknown mode).
        """
        if len(answer) < HEAD_SIZE:
            raise UnexpectedAnswerError(f"{self.name}: an answer of only {len(answer)} bytes")
        if len(answer) == HEAD_SIZE + OVERHEAD + 1 != self.answer_size + HEAD_SIZE + OVERHEAD:
            self._raise_if_negative(answer)
        self.check_head(answer)
        frame = decode(answer[PREFIX_SIZE:])
        if frame.command != self.request.command:
            raise UnexpectedAnswerError(
                f"{self.name}: answer to command {frame.command:#04x} instead of {self.request.command:#04x}"
            )
        return self._read(frame.data)

    def _raise_if_negative(self, answer: bytes) -> None:
        frame = decode(answer[PREFIX_SIZE:])
        if frame == Frame(self.request.command, bytes((_NAK,))):
            raise NegativeAnswerError(f"{self.name}: the device refused (NAK)")


def _read_telemetry(data: bytes, *, accepted_gaps: frozenset[str]) -> Telemetry:
    values = dict(zip(TELEMETRY_NAMES, _TELEMETRY.unpack(data), strict=True))
    impossible = impossible_values(values)
    names = {value.name for value in impossible}
    if names & POWERS - accepted_gaps:
        found = ", ".join(f"{name} {raw}" for name, raw in impossible)
        raise ImpossibleValueError(f"impossible values: {found}", impossible)
    v1, v2, v3, i1, i2, i3, p1, p2, p3, meter, inverters = (
        None if name in names else raw for name, raw in values.items()
    )
    return Telemetry(
        voltage=Phases(_in_units(v1, 10), _in_units(v2, 10), _in_units(v3, 10)),
        current=Phases(_in_units(i1, 100), _in_units(i2, 100), _in_units(i3, 100)),
        power=Phases(p1, p2, p3),
        meter_power=meter,
        inverter_power=inverters,
        impossible=impossible,
    )


def _in_units(raw: int | None, steps: int) -> float | None:
    return None if raw is None else raw / steps


def _read_export_settings(data: bytes) -> ExportSettings:
    mode, capacity, ct_ratio, limit = _EXPORT_SETTINGS.unpack(data)
    impossible = impossible_values({"capacity": capacity, "limit": limit})
    names = {value.name for value in impossible}
    try:
        return ExportSettings(
            ControlMode(mode),
            None if "capacity" in names else capacity,
            ct_ratio,
            None if "limit" in names else limit,
            impossible,
        )
    except ValueError:
        raise InvalidAnswerError(f"unknown control mode {mode}; 0 to 3 are known") from None


def _read_status(data: bytes) -> int:
    return data[0]


def _write(name: str, code: int, data: bytes) -> Command[int]:
    return Command(name, Frame(code, data), 1, _read_status)


READ_TELEMETRY: Final = Command(
    "read telemetry",
    Frame(0x0B),
    _TELEMETRY.size,
    partial(_read_telemetry, accepted_gaps=frozenset()),
)
READ_EXPORT_SETTINGS: Final = Command(
    "read export limit", Frame(0x43), _EXPORT_SETTINGS.size, _read_export_settings
)


def read_telemetry_with_gaps(names: frozenset[str]) -> Command[Telemetry]:
    """Return READ_TELEMETRY for a device where these powers may be impossible: the rest counts."""
    return replace(READ_TELEMETRY, _read=partial(_read_telemetry, accepted_gaps=names))


_MODE_CODES: Final = {ControlMode.VALUE: 0x40, ControlMode.DRED: 0x33, ControlMode.RCR: 0x28}


def write_export_limit(*, capacity: int, limit: int, sum_of_phases: bool) -> Command[int]:
    """Return the command that stores total capacity (W), export limit (W) and measurement.

    It takes effect only once the mode is switched on. Its answer is a status byte. Raises
    InvalidValueError for values beyond 32 bits.
    """
    try:
        data = _EXPORT_LIMIT.pack(capacity, limit, 2 if sum_of_phases else 1)
    except struct.error:
        raise InvalidValueError(f"capacity {capacity} W, limit {limit} W: not 32-bit integers") from None
    return _write("write export limit", 0x42, data)


def switch_mode(mode: ControlMode, *, on: bool) -> Command[int]:
    """Return the command that switches one limiting mode on or off.

    Its answer is a status byte. Raises InvalidValueError for DEACTIVATED, which has no switch: it is
    the state with all modes off.
    """
    if mode not in _MODE_CODES:
        raise InvalidValueError("deactivated cannot be switched; it is the state with all modes off")
    return _write(f"{mode.key} {'on' if on else 'off'}", _MODE_CODES[mode], bytes((1 if on else 2,)))


SET_CLOCK: Final = "set the clock"


def set_clock(local_time: datetime) -> Command[datetime]:
    """Return the command that sets the device's clock. Its answer is read as the time that was set.

    The local time is sent to the second, without its time zone. Raises InvalidValueError for years
    outside 2000 to 2255; reading the answer raises InvalidAnswerError where it says anything but "set".
    """
    year = local_time.year - 2000
    if year not in range(0x100):
        raise InvalidValueError(f"the device's clock covers the years 2000 to 2255, not {local_time.year}")

    def read(data: bytes) -> datetime:
        if data[0] != Status.CLOCK_SET:
            raise InvalidAnswerError(f"the device did not set its clock (status {data[0]:#04x})")
        return local_time

    time = (year, local_time.month, 0, local_time.day, local_time.hour, local_time.minute, local_time.second)
    return Command(SET_CLOCK, Frame(0x05, bytes(time)), 1, read)
