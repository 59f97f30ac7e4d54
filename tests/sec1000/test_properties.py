"""For any input, the codec returns the right value or raises a Sec1000Error, with bounded memory.

Each property runs a few examples always, and many where slow tests run, most of all in a long run. The
examples are the same in every run, so that a failure is one of the code and not of the dice.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
import itertools
import socket
import struct
from typing import Any, Final

from hypothesis import HealthCheck, example, given, settings, strategies as st
import pytest

from custom_components.goodwe_sec1000.limit import wanted_limit
from custom_components.goodwe_sec1000.options import ExportOptions
from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.command import (
    MAX_ANSWER_SIZE,
    READ_EXPORT_SETTINGS,
    READ_TELEMETRY,
    Command,
    read_telemetry_with_gaps,
    set_clock,
    switch_mode,
    write_export_limit,
)
from custom_components.goodwe_sec1000.sec1000.errors import (
    AnswerTimeoutError,
    ImpossibleValueError,
    InvalidAnswerError,
    InvalidValueError,
    Sec1000Error,
)
from custom_components.goodwe_sec1000.sec1000.frame import (
    HEAD_SIZE,
    Frame,
    answer_length,
    decode,
    encode,
    encode_answer,
)
from custom_components.goodwe_sec1000.sec1000.model import LIMITING_MODES, ControlMode, Phases, Telemetry
from custom_components.goodwe_sec1000.sec1000.plausibility import POWERS
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from simulator import CAPTURED, Device
from simulator.protocol import CAPTURED_BYTES, perform

FEW: Final = 200
MANY: Final = 1_000
MOST: Final = 4_000
"""Examples of each property without a socket; the twelve of them make 48,000 in a long run."""
MOST_KEPT: Final = 1024
"""Bytes that may be kept of one answer."""
MOST_BUFFERED: Final = 256 * 1024 + 2 * 512
"""Bytes that may wait unread: what asyncio takes from a socket at once, on top of the stream's limit."""

KILOBYTE_OF_NOISE: Final = bytes(range(256)) * 4


@pytest.fixture(params=["few", pytest.param("many", marks=pytest.mark.slow)])
def examples(request: pytest.FixtureRequest, long_run: bool) -> int:
    """Return how many examples a property is tried on: few, and many where slow tests run."""
    if request.param == "few":
        return FEW
    return MOST if long_run else MANY


def thorough(examples: int) -> settings:
    """Return the way to try so many examples: the same ones every time, however long one takes."""
    return settings(
        max_examples=examples,
        suppress_health_check=list(HealthCheck),
    )


# Answers of a device, and their damage in transit.

int32 = st.integers(-(2**31), 2**31 - 1)
mode = st.sampled_from(ControlMode)
device_time = st.datetimes(datetime(2000, 1, 1), datetime(2255, 12, 31, 23, 59, 59, 999_999))  # noqa: DTZ001 - the device knows no zone
anything = st.binary(max_size=2 * MAX_ANSWER_SIZE)

SETTINGS_BYTES: Final = encode_answer(Frame(0x43, struct.pack(">B3i", 3, 30_000, 200, 10_000)))
GOOD_ANSWERS: Final = (
    CAPTURED_BYTES,
    SETTINGS_BYTES,
    *(encode_answer(Frame(code, b"\x06")) for code in (0x42, 0x40, 0x33, 0x28)),
    encode_answer(Frame(0x40, b"\x15")),
    encode_answer(Frame(0x43, b"\x15")),
    encode_answer(Frame(0x05, b"\x03")),
)

COMMANDS: Final[tuple[Command[Any], ...]] = (
    READ_TELEMETRY,
    READ_EXPORT_SETTINGS,
    write_export_limit(capacity=30_000, limit=7_500, sum_of_phases=True),
    set_clock(datetime(2026, 11, 22, 13, 4, 59)),  # noqa: DTZ001 - the device knows no zone
    *(switch_mode(mode, on=on) for mode in LIMITING_MODES for on in (True, False)),
)
any_command = st.sampled_from(COMMANDS)


class Damage(Enum):
    """Damage to a frame in transit."""

    FLIP = "one bit"
    REPLACE = "one byte"
    DROP = "bytes lost"
    INSERT = "bytes inserted"
    DOUBLE = "bytes repeated"
    SWAP = "two bytes swapped"
    CUT = "end missing"


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a valid answer with one or more kinds of damage."""
    raw = bytearray(draw(st.sampled_from(GOOD_ANSWERS)))
    for damage in draw(st.lists(st.sampled_from(Damage), min_size=1, max_size=4)):
        if not raw:
            break
        at = draw(st.integers(0, len(raw) - 1))
        end = min(len(raw), at + draw(st.integers(1, 8)))
        match damage:
            case Damage.FLIP:
                raw[at] ^= 1 << draw(st.integers(0, 7))
            case Damage.REPLACE:
                raw[at] = draw(st.integers(0, 255))
            case Damage.DROP:
                del raw[at:end]
            case Damage.INSERT:
                raw[at:at] = draw(st.binary(min_size=1, max_size=8))
            case Damage.DOUBLE:
                raw[at:at] = raw[at:end]
            case Damage.SWAP:
                raw[at], raw[end - 1] = raw[end - 1], raw[at]
            case Damage.CUT:
                del raw[at:]
    return bytes(raw)


@st.composite
def framed(draw: st.DrawFn) -> bytes:
    """Return an answer that is a valid frame or close to one, with any content."""
    command = draw(st.sampled_from((0x05, 0x0B, 0x28, 0x33, 0x40, 0x42, 0x43)) | st.integers(0, 255))
    size = draw(st.sampled_from((1, 13, 44)) | st.integers(0, 64))
    address = draw(st.sampled_from((b"\x01\x01", b"\x01\x01", b"\x01\x02", b"\x00\x00")))
    body = address + bytes((command,)) + draw(st.binary(min_size=size, max_size=size))
    length = len(body) + 2 + draw(st.sampled_from((0, 0, 0, -1, 1, 0xFF00)))
    checksum = (sum(body) + draw(st.sampled_from((0, 0, 0, 1, 0x8000)))) & 0xFFFF
    return draw(st.binary(min_size=5, max_size=5)) + length.to_bytes(2) + body + checksum.to_bytes(2)


any_answer = anything | damaged() | framed()


def is_right(answer: bytes, command: Command[Any]) -> bool:
    """Return whether these bytes answer a command, judged without the code under test."""
    inner = answer[5:]
    return (
        len(inner) >= 7
        and inner[0] * 256 + inner[1] == len(inner) - 2 == command.answer_size + 5
        and inner[2:4] == b"\x01\x01"
        and inner[4] == command.encode()[4]
        and inner[-2] * 256 + inner[-1] == sum(inner[2:-2]) % 0x10000
    )


def attempt[T](read: Callable[[], T]) -> T | Sec1000Error:
    """Return the value or the Sec1000Error; raise any other exception."""
    try:
        return read()
    except Sec1000Error as error:
        return error


# Bytes to frame.


def test_decoded_frame_encodes_to_same_bytes(examples: int) -> None:
    """Decoding loses nothing: encoding a decoded frame gives the same bytes."""

    @thorough(examples)
    @example(b"")
    @example(CAPTURED_BYTES[5:])
    @example(CAPTURED_BYTES)
    @given(any_answer.map(lambda answer: answer[5:]) | anything)
    def check(raw: bytes) -> None:
        frame = attempt(lambda: decode(raw))
        if isinstance(frame, Frame):
            assert encode(frame) == raw

    check()


def test_encoded_frame_decodes_to_same_frame(examples: int) -> None:
    @thorough(examples)
    @given(st.builds(Frame, st.integers(0, 255), st.binary(max_size=300)))
    def check(frame: Frame) -> None:
        assert decode(encode(frame)) == frame

    check()


# Bytes to answer.


@pytest.mark.promise("R-02")
def test_answer_is_accepted_exactly_when_well_formed(examples: int) -> None:
    """Any bytes give a value or a Sec1000Error, and a value only if the whole frame is valid."""

    @thorough(examples)
    @example(CAPTURED_BYTES, READ_TELEMETRY)
    @example(CAPTURED_BYTES, READ_EXPORT_SETTINGS)
    @example(SETTINGS_BYTES, READ_EXPORT_SETTINGS)
    @example(b"", READ_TELEMETRY)
    @example(KILOBYTE_OF_NOISE, READ_TELEMETRY)
    @given(any_answer, any_command)
    def check(answer: bytes, command: Command[Any]) -> None:
        read = attempt(lambda: command.read(answer))
        if is_right(answer, command):
            assert not isinstance(read, Sec1000Error) or isinstance(read, InvalidAnswerError)
        else:
            assert isinstance(read, Sec1000Error)

    check()


@pytest.mark.promise("R-02")
def test_damaged_answer_never_gives_another_value(examples: int) -> None:
    """Damage is detected, or leaves the value unchanged, or happens to preserve the checksum."""

    @thorough(examples)
    @example(CAPTURED_BYTES[:-1])
    @example(CAPTURED_BYTES + b"\x00")
    @example(CAPTURED_BYTES[:20] + CAPTURED_BYTES[21:])
    @example(CAPTURED_BYTES[:20] + b"\x00" + CAPTURED_BYTES[20:])
    @example(CAPTURED_BYTES[:11] + CAPTURED_BYTES[15:19] + CAPTURED_BYTES[15:])
    @given(damaged())
    def check(answer: bytes) -> None:
        for command, good in ((READ_TELEMETRY, CAPTURED_BYTES), (READ_EXPORT_SETTINGS, SETTINGS_BYTES)):
            read = attempt(lambda command=command: command.read(answer))  # type: ignore[misc]
            if not isinstance(read, Sec1000Error) and read != command.read(good):
                assert is_right(answer, command)

    check()


@pytest.mark.promise("R-02")
@pytest.mark.parametrize(
    ("good", "command"), [(CAPTURED_BYTES, READ_TELEMETRY), (SETTINGS_BYTES, READ_EXPORT_SETTINGS)]
)
def test_single_wrong_byte_is_always_detected(good: bytes, command: Command[Any]) -> None:
    """Exhaustive: every byte after the prefix with every other value, and every truncation."""
    for at, byte in itertools.product(range(5, len(good)), range(256)):
        if byte != good[at]:
            assert isinstance(
                attempt(lambda at=at, byte=byte: command.read(good[:at] + bytes((byte,)) + good[at + 1 :])),  # type: ignore[misc]
                Sec1000Error,
            )
    for size in range(len(good)):
        assert isinstance(attempt(lambda size=size: command.read(good[:size])), Sec1000Error)  # type: ignore[misc]


def test_head_with_unexpected_length_is_rejected(examples: int) -> None:
    """No announced length beyond the largest known answer is accepted."""

    @thorough(examples)
    @example(CAPTURED_BYTES[:HEAD_SIZE], READ_TELEMETRY)
    @example(b"\x04REVO\xff\xff", READ_TELEMETRY)
    @given(st.binary(max_size=12) | any_answer.map(lambda answer: answer[:HEAD_SIZE]), any_command)
    def check(head: bytes, command: Command[Any]) -> None:
        announced = attempt(lambda: command.check_head(head))
        if not isinstance(announced, Sec1000Error):
            assert announced == answer_length(head) == command.answer_size + 5
            assert HEAD_SIZE + announced <= MAX_ANSWER_SIZE

    check()


# Value to bytes and back.


def test_any_int32_limit_reaches_device_unchanged(examples: int) -> None:
    """All 32-bit values are encoded; the simulated device refuses a negative capacity."""

    @thorough(examples)
    @example(-(2**31), 2**31 - 1, True)
    @example(2**31 - 1, -(2**31), False)
    @example(0, 0, False)
    @given(int32, int32, st.booleans())
    def check(capacity: int, limit: int, sum_of_phases: bool) -> None:
        command = write_export_limit(capacity=capacity, limit=limit, sum_of_phases=sum_of_phases)
        frame = decode(command.encode())
        assert struct.unpack(">iiB", frame.data) == (capacity, limit, 2 if sum_of_phases else 1)
        device = Device(lambda: 0.0)
        answer = perform(frame, device, lambda: CAPTURED)
        assert answer is not None
        if capacity >= 0:
            assert command.read(encode_answer(answer)) == 0x06
            assert (device.capacity, device.limit, device.sum_of_phases) == (capacity, limit, sum_of_phases)
        else:
            assert command.read(encode_answer(answer)) == 0x15

    check()


def test_limit_beyond_int32_is_rejected(examples: int) -> None:
    @thorough(examples)
    @example(2**31, 0)
    @example(0, -(2**31) - 1)
    @given(st.integers(), st.integers())
    def check(capacity: int, limit: int) -> None:
        carried = all(-(2**31) <= watts < 2**31 for watts in (capacity, limit))
        command = attempt(lambda: write_export_limit(capacity=capacity, limit=limit, sum_of_phases=True))
        assert isinstance(command, Command if carried else InvalidValueError)

    check()


def test_any_time_reaches_device_to_the_second(examples: int) -> None:
    @thorough(examples)
    @example(datetime(2000, 1, 1))  # noqa: DTZ001 - the device knows no zone
    @example(datetime(2024, 2, 29, 23, 59, 59))  # noqa: DTZ001 - the device knows no zone
    @example(datetime(2255, 12, 31, 23, 59, 59))  # noqa: DTZ001 - the device knows no zone
    @given(device_time)
    def check(time: datetime) -> None:
        command = set_clock(time)
        device = Device(lambda: 0.0)
        answer = perform(decode(command.encode()), device, lambda: CAPTURED)
        assert answer is not None
        assert command.read(encode_answer(answer)) == time
        assert device.clock_set_to == time.replace(microsecond=0)

    check()


def test_time_outside_clock_range_is_rejected(examples: int) -> None:
    @thorough(examples)
    @example(datetime(1999, 12, 31, 23, 59, 59))  # noqa: DTZ001 - the device knows no zone
    @example(datetime(2256, 1, 1))  # noqa: DTZ001 - the device knows no zone
    @given(st.datetimes())
    def check(time: datetime) -> None:
        command = attempt(lambda: set_clock(time))
        assert isinstance(command, Command if 2000 <= time.year <= 2255 else InvalidValueError)

    check()


@pytest.mark.parametrize("before", ControlMode)
@pytest.mark.parametrize("mode", LIMITING_MODES)
@pytest.mark.parametrize("on", [True, False])
def test_mode_switch_reaches_device(before: ControlMode, mode: ControlMode, on: bool) -> None:
    command = switch_mode(mode, on=on)
    device = Device(lambda: 0.0, mode=before)
    answer = perform(decode(command.encode()), device, lambda: CAPTURED)
    assert answer is not None
    switched_off = ControlMode.DEACTIVATED if before is mode else before
    assert device.mode is (mode if on else switched_off)
    assert command.read(encode_answer(answer)) == (0x06 if on or before is mode else 0x15)


BOUNDS: Final = (
    *((0, 10_000),) * 3,
    *((-1_000_000, 1_000_000),) * 3,
    *((-10_000_000, 10_000_000),) * 4,
    (-2_000_000, 2_000_000),
)
"""Lowest and highest raw value of each measurement that can be."""
raw_telemetry = st.tuples(*(st.integers(*bounds) | int32 for bounds in BOUNDS))


def test_any_telemetry_is_decoded_or_named_impossible(examples: int) -> None:
    @thorough(examples)
    @example((2**31 - 1,) * 11, b"\x04REVO")
    @example((-(2**31),) * 11, b"\x00\x31\x01\x01\x0b")
    @example(tuple(lowest for lowest, _ in BOUNDS), b"\x04REVO")
    @example(tuple(highest for _, highest in BOUNDS), b"\x04REVO")
    @given(raw_telemetry, st.binary(min_size=5, max_size=5))
    def check(raw: tuple[int, ...], prefix: bytes) -> None:
        answer = encode_answer(Frame(0x0B, struct.pack(">11i", *raw)), prefix)
        possible = [
            value if lowest <= value <= highest else None
            for value, (lowest, highest) in zip(raw, BOUNDS, strict=True)
        ]
        impossible = [value for value, known in zip(raw, possible, strict=True) if known is None]
        telemetry = read_telemetry_with_gaps(POWERS).read(answer)
        assert [value.raw for value in telemetry.impossible] == impossible
        assert telemetry.voltage == tuple(None if value is None else value / 10 for value in possible[:3])
        assert telemetry.current == tuple(None if value is None else value / 100 for value in possible[3:6])
        assert telemetry.power == tuple(possible[6:9])
        assert (telemetry.meter_power, telemetry.inverter_power) == (possible[9], possible[10])
        assert telemetry.load_power == (None if None in possible[9:] else raw[10] - raw[9])
        if None in possible[6:]:
            with pytest.raises(ImpossibleValueError) as raised:
                READ_TELEMETRY.read(answer)
            assert raised.value.values == telemetry.impossible
        else:
            assert READ_TELEMETRY.read(answer) == telemetry

    check()


def test_possible_telemetry_passes_the_simulator_unchanged(examples: int) -> None:
    @thorough(examples)
    @given(st.tuples(*(st.integers(*bounds) for bounds in BOUNDS)))
    def check(raw: tuple[int, ...]) -> None:
        telemetry = Telemetry(
            voltage=Phases[float | None](*(tenths / 10 for tenths in raw[:3])),
            current=Phases[float | None](*(hundredths / 100 for hundredths in raw[3:6])),
            power=Phases[int | None](*raw[6:9]),
            meter_power=raw[9],
            inverter_power=raw[10],
        )
        answer = perform(decode(READ_TELEMETRY.encode()), Device(lambda: 0.0), lambda: telemetry)
        assert answer is not None
        assert answer.data == struct.pack(">11i", *raw)
        assert READ_TELEMETRY.read(encode_answer(answer)) == telemetry

    check()


def test_any_settings_are_decoded_without_what_cannot_be(examples: int) -> None:
    setting = st.integers(-1_000_000, 1_000_000)

    @thorough(examples)
    @example(ControlMode.VALUE, 2**31 - 1, 2**31 - 1, -(2**31))
    @given(mode, setting | int32, int32, setting | int32)
    def check(mode: ControlMode, capacity: int, ct_ratio: int, limit: int) -> None:
        device = Device(lambda: 0.0, mode=mode, capacity=capacity, ct_ratio=ct_ratio, limit=limit)
        answer = perform(decode(READ_EXPORT_SETTINGS.encode()), device, lambda: CAPTURED)
        assert answer is not None
        held = READ_EXPORT_SETTINGS.read(encode_answer(answer))
        is_possible = {"capacity": 0 <= capacity <= 1_000_000, "limit": abs(limit) <= 1_000_000}
        assert (held.mode, held.capacity, held.ct_ratio, held.limit) == (
            mode,
            capacity if is_possible["capacity"] else None,
            ct_ratio,
            limit if is_possible["limit"] else None,
        )
        assert [value.name for value in held.impossible] == [
            name for name, possible in is_possible.items() if not possible
        ]

    check()


# Over a socket.


class End(Enum):
    """What the device does after its last byte."""

    CLOSE = "closes"
    RESET = "resets the connection"
    SILENCE = "keeps the connection open without sending"


class AnyDevice:
    """Sends given bytes in given segments."""

    def __init__(self) -> None:
        self.segments: list[bytes] = []
        self.end = End.CLOSE
        self.open = 0

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[int]:
        """Listen on a free port and yield it."""
        async with await asyncio.start_server(self._answer, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1]

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            await reader.readexactly(7)
            for segment in self.segments:
                writer.write(segment)
                await writer.drain()
                await asyncio.sleep(0)
            if self.end is End.SILENCE:
                while await reader.read(64):
                    pass
            if self.end is End.RESET:
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.close()
        except ConnectionError, EOFError:
            # The client closed the connection.
            writer.close()
        finally:
            self.open -= 1


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[bytes], Command[Any]]:
    """Return the segments of an answer, valid or not, with trailing bytes, and the command it is for."""
    command, good = draw(
        st.sampled_from(((READ_TELEMETRY, CAPTURED_BYTES), (READ_EXPORT_SETTINGS, SETTINGS_BYTES)))
    )
    stream = good if draw(st.booleans()) else draw(any_answer)
    stream += draw(st.just(b"") | st.binary(max_size=40) | st.just(KILOBYTE_OF_NOISE * 2))
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return [stream[start:end] for start, end in itertools.pairwise([0, *cuts, len(stream)])], command


HANG_S: Final = 20.0
"""Far beyond the deadline of a request, so that a slow machine is not taken for a hang."""


@pytest.mark.promise("R-02")
def test_any_bytes_from_socket_give_value_or_error(examples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any segments and with any end; memory is bounded and no connection is left open."""
    reads = examples // 2
    buffered = 0
    feed = asyncio.StreamReader.feed_data

    def watched(self: asyncio.StreamReader, data: bytes) -> None:
        nonlocal buffered
        feed(self, data)
        buffered = max(buffered, len(self._buffer))  # type: ignore[attr-defined]

    monkeypatch.setattr(asyncio.StreamReader, "feed_data", watched)
    device = AnyDevice()
    values = 0

    async def read(port: int, command: Command[Any]) -> object:
        client = Sec1000Client("127.0.0.1", port)
        client.transport.timing = Timing(
            pacing=0, deadline=0.05, malformed_answer_drain=0.01, refill=0, reread_interval=0
        )
        async with asyncio.timeout(HANG_S):
            try:
                if command is READ_TELEMETRY:
                    return await client.read_telemetry(tries=1)
                return await client.read_export_settings(tries=1)
            except Sec1000Error as error:
                return error
            finally:
                assert len(client.transport.exchanges[-1].answer) <= MOST_KEPT
                while device.open:  # noqa: ASYNC110 - what is waited for is on the other side of a socket
                    await asyncio.sleep(0)

    # A Runner would take the thread's event loop away from the tests that follow.
    with closing(asyncio.new_event_loop()) as loop:
        serving = device.serve()
        port = loop.run_until_complete(serving.__aenter__())

        @thorough(reads)
        @example(([CAPTURED_BYTES], READ_TELEMETRY), End.SILENCE)
        @example(([bytes((byte,)) for byte in CAPTURED_BYTES], READ_TELEMETRY), End.CLOSE)
        @example(([CAPTURED_BYTES + KILOBYTE_OF_NOISE], READ_TELEMETRY), End.RESET)
        @example(([SETTINGS_BYTES], READ_EXPORT_SETTINGS), End.CLOSE)
        @example(([SETTINGS_BYTES], READ_TELEMETRY), End.CLOSE)
        @example(([KILOBYTE_OF_NOISE * 2048], READ_TELEMETRY), End.CLOSE)
        @example(([], READ_EXPORT_SETTINGS), End.SILENCE)
        @given(streams(), st.sampled_from(End))
        def check(case: tuple[list[bytes], Command[Any]], end: End) -> None:
            nonlocal values
            segments, command = case
            device.segments, device.end = segments, end
            answer = b"".join(segments)[: HEAD_SIZE + 5 + command.answer_size]
            got = loop.run_until_complete(read(port, command))
            if not is_right(answer, command):
                assert isinstance(got, Sec1000Error)
            elif isinstance(got, Sec1000Error):
                # A reset overtakes what was sent before it, and a busy machine may be too slow.
                assert end is End.RESET or isinstance(
                    got, AnswerTimeoutError | InvalidAnswerError | ImpossibleValueError
                )
            else:
                assert got == command.read(answer)
                values += 1

        check()
        loop.run_until_complete(serving.__aexit__(None, None, None))
    assert 0 < buffered <= MOST_BUFFERED
    assert values > reads / 10


# Limits as given to an action.

number = (
    st.integers()
    | st.floats()
    | st.integers(0, 100_000).map(lambda watts: watts / 1000)
    | st.integers(-(10**400), 10**400)
)
anything_given = (
    number
    | number.map(str)
    | st.none()
    | st.booleans()
    | st.text()
    | st.from_regex(r"\s*[+-]?[0-9]*\.?[0-9]*([eE][+-]?[0-9]{1,4})?\s*", fullmatch=True)
    | st.binary()
    | st.complex_numbers()
    | st.decimals()
    | st.fractions()
    | st.datetimes()
    | st.lists(number, max_size=2)
    | st.dictionaries(st.text(), number, max_size=1)
    | st.builds(object)
)
range_of_limits = st.tuples(st.integers(0, 100_000), st.integers(0, 100_000)).map(sorted)
OPTIONS: Final = ExportOptions(
    scan_interval=30,
    min_export_limit=0,
    max_export_limit=10_000,
    total_capacity=30_000,
    control_mode=ControlMode.VALUE,
    sum_of_phases=True,
)


def test_any_limit_input_is_in_range_or_rejected(examples: int) -> None:
    @thorough(examples)
    @example("1e306", [0, 10_000])
    @example(-1.7e308, [0, 10_000])
    @example(10**5000, [0, 10_000])
    @example("0\x1f", [0, 10_000])
    @example("9" * 5000, [0, 10_000])
    @example(float("nan"), [0, 10_000])
    @example(True, [0, 10_000])
    @example(Decimal("sNaN"), [0, 10_000])
    @example(Fraction(1, 3), [0, 10_000])
    @given(anything_given, range_of_limits)
    def check(value: object, limits: list[int]) -> None:
        low, high = limits
        wanted = attempt(
            lambda: wanted_limit(value, replace(OPTIONS, min_export_limit=low, max_export_limit=high))
        )
        if isinstance(wanted, Sec1000Error):
            assert isinstance(wanted, InvalidValueError)
        else:
            assert low <= wanted.limit <= high
            assert isinstance(wanted.limit, int)
            assert isinstance(value, int | float | str)
            assert not isinstance(value, bool)

    check()


def test_limit_in_range_is_kept_to_the_watt(examples: int) -> None:
    """In any notation, and without a correction."""

    @thorough(examples)
    @given(st.integers(0, 10_000), st.sampled_from((float, str, "{:.3f}".format, " {:.3e} ".format)))
    def check(watts: int, written: Callable[[float], object]) -> None:
        wanted = wanted_limit(written(watts / 1000), OPTIONS)
        assert (wanted.limit, wanted.adjusted) == (watts, None)

    check()
