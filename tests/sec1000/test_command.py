"""Requests are encoded as in docs/protocol.md; only complete and valid answers are decoded."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from custom_components.goodwe_sec1000.sec1000.command import (
    READ_EXPORT_SETTINGS,
    READ_TELEMETRY,
    Command,
    set_clock,
    switch_mode,
    write_export_limit,
)
from custom_components.goodwe_sec1000.sec1000.errors import (
    ChecksumError,
    InvalidAnswerError,
    InvalidValueError,
    NegativeAnswerError,
    UnexpectedAnswerError,
)
from custom_components.goodwe_sec1000.sec1000.frame import Frame, encode, encode_answer
from custom_components.goodwe_sec1000.sec1000.model import (
    ControlMode,
    ExportSettings,
    Phases,
    kilowatts,
    watts,
)

CAPTURED = bytes.fromhex(
    "045245564f 0031 0101 0b 0000096a 00000964 00000969 000001e0 00000186 000001fc"
    "00000127 ffffff8e fffffdec fffffea1 00000d3a 0f42"
)


@pytest.mark.parametrize(
    ("command", "request_bytes"),
    [
        (READ_TELEMETRY, "00 05 01 01 0b 00 0d"),
        (READ_EXPORT_SETTINGS, "00 05 01 01 43 00 45"),
        (switch_mode(ControlMode.VALUE, on=True), "00 06 01 01 40 01 00 43"),
        (switch_mode(ControlMode.VALUE, on=False), "00 06 01 01 40 02 00 44"),
        (switch_mode(ControlMode.DRED, on=True), "00 06 01 01 33 01 00 36"),
        (switch_mode(ControlMode.DRED, on=False), "00 06 01 01 33 02 00 37"),
        (switch_mode(ControlMode.RCR, on=True), "00 06 01 01 28 01 00 2b"),
        (switch_mode(ControlMode.RCR, on=False), "00 06 01 01 28 02 00 2c"),
        (
            write_export_limit(capacity=30_000, limit=7_500, sum_of_phases=True),
            "00 0e 01 01 42 00 00 75 30 00 00 1d 4c 02 01 54",
        ),
        (
            write_export_limit(capacity=30_000, limit=0, sum_of_phases=False),
            "00 0e 01 01 42 00 00 75 30 00 00 00 00 01 00 ea",
        ),
        (set_clock(datetime(2026, 11, 22, 13, 4, 59)), "00 0c 01 01 05 1a 0b 00 16 0d 04 3b 00 8e"),  # noqa: DTZ001
    ],
)
def test_request_encoding_matches_protocol(command: Command[object], request_bytes: str) -> None:
    assert command.encode() == bytes.fromhex(request_bytes)


def test_captured_telemetry_is_decoded() -> None:
    telemetry = READ_TELEMETRY.read(CAPTURED)
    assert telemetry.voltage == Phases(241.0, 240.4, 240.9)
    assert telemetry.current == Phases(4.80, 3.90, 5.08)
    assert telemetry.power == Phases(295, -114, -532)
    assert (telemetry.meter_power, telemetry.inverter_power) == (-351, 3386)
    assert telemetry.load_power == 3737


def test_negative_limit_in_settings_is_decoded() -> None:
    answer = encode_answer(Frame(0x43, bytes.fromhex("03 00007530 00000064 fffffc18")))
    assert READ_EXPORT_SETTINGS.read(answer) == ExportSettings(ControlMode.VALUE, 30_000, 100, -1_000)


def test_unknown_prefix_is_accepted() -> None:
    assert READ_TELEMETRY.read(b"\xff\x00\xffXY" + CAPTURED[5:]) == READ_TELEMETRY.read(CAPTURED)


@pytest.mark.promise("R-02")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", UnexpectedAnswerError),
        (CAPTURED[:6], UnexpectedAnswerError),
        (CAPTURED[:-1], UnexpectedAnswerError),
        (CAPTURED + b"\x00", UnexpectedAnswerError),
        (CAPTURED[:-1] + b"\x43", ChecksumError),
        (CAPTURED[:8] + b"\x02" + CAPTURED[9:-1] + b"\x43", UnexpectedAnswerError),
        (CAPTURED[:9] + b"\x0c" + CAPTURED[10:-1] + b"\x43", UnexpectedAnswerError),
        (encode_answer(Frame(0x0B, b"\x15")), NegativeAnswerError),
        (encode_answer(Frame(0x43, b"\x15")), UnexpectedAnswerError),
        (encode_answer(Frame(0x0B, bytes(40))), UnexpectedAnswerError),
        (encode_answer(Frame(0x0B, bytes(48))), UnexpectedAnswerError),
        (CAPTURED[:5] + b"\xff\xff" + CAPTURED[7:], UnexpectedAnswerError),
        (CAPTURED[:5] + b"\x00\x00" + CAPTURED[7:], UnexpectedAnswerError),
    ],
)
def test_malformed_answer_is_rejected(answer: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        READ_TELEMETRY.read(answer)


def test_unknown_control_mode_is_rejected() -> None:
    with pytest.raises(InvalidAnswerError, match="control mode 9"):
        READ_EXPORT_SETTINGS.read(encode_answer(Frame(0x43, b"\x09" + bytes(12))))


@pytest.mark.parametrize(
    "build",
    [
        lambda: write_export_limit(capacity=2**31, limit=0, sum_of_phases=True),
        lambda: write_export_limit(capacity=0, limit=-(2**31) - 1, sum_of_phases=True),
        lambda: switch_mode(ControlMode.DEACTIVATED, on=True),
        lambda: set_clock(datetime(1999, 12, 31, tzinfo=UTC)),
        lambda: set_clock(datetime(2256, 1, 1, tzinfo=UTC)),
        lambda: ControlMode.from_key("automatic"),
        lambda: watts(float("nan")),
        lambda: watts(float("-inf")),
    ],
)
def test_unencodable_value_raises_invalid_value(build: Callable[[], object]) -> None:
    with pytest.raises(InvalidValueError):
        build()


def test_data_beyond_length_field_is_rejected() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        encode(Frame(0x42, bytes(0xFFFF)))


@pytest.mark.parametrize(
    ("kw", "w"),
    [
        (1.15, 1150),
        (2.01, 2010),
        (4.02, 4020),
        (16.06, 16_060),
        (0.29, 290),
        (4.35, 4350),
        (100, 100_000),
        (0, 0),
        (8.07, 8070),
    ],
)
def test_kilowatts_are_rounded_to_watts(kw: float, w: int) -> None:
    assert watts(kw) == w
    assert kilowatts(w) == kw
