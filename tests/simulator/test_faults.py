"""Each fault: the bytes that come, the effect on the device, and on whom it falls."""

import asyncio
from collections.abc import Callable
import struct
from typing import Final

import pytest

from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import CAPTURED, FAULTS, Simulator
from simulator.faults import Reach
from simulator.protocol import CAPTURED_BYTES

from . import wire
from .wire import ask, status

RIGHT: Final = CAPTURED_BYTES
SETTINGS_LENGTH: Final = 25


@pytest.fixture
def captured(sim: Simulator) -> Simulator:
    sim.hold(CAPTURED)
    return sim


def _checksum_is_right(answer: bytes) -> bool:
    return sum(answer[7:-2]) == int.from_bytes(answer[-2:])


@pytest.mark.parametrize(
    ("name", "is_as_told"),
    [
        ("close-before-answer", lambda got: got == b""),
        ("close-inside-answer", lambda got: got == RIGHT[:28]),
        ("byte-by-byte", lambda got: got == RIGHT),
        ("wrong-checksum", lambda got: got[:-2] == RIGHT[:-2] and not _checksum_is_right(got)),
        (
            "wrong-command",
            lambda got: got[9] == 0x4B and got[10:-2] == RIGHT[10:-2] and _checksum_is_right(got),
        ),
        ("wrong-address", lambda got: got[7:9] == b"\x01\x02" and _checksum_is_right(got)),
        ("nak", lambda got: got == b"\x04REVO\x00\x06\x01\x01\x0b\x15\x00\x22"),
        ("six-byte-answer", lambda got: got == b"\x04REVO\x00\x06\x01\x01\x0b\x06\x00\x13"),
        ("wrong-length", lambda got: got[5:7] == b"\x00\x30" and len(got) == 55 and _checksum_is_right(got)),
        ("garbage", lambda got: len(got) == 64 and not got.startswith(RIGHT[:5])),
        ("http", lambda got: got.startswith(b"HTTP/1.1 400 ")),
        ("nonsense", lambda got: got.startswith(b"\x04REVO") and got[9] != 0x0B and _checksum_is_right(got)),
        ("trailing-bytes", lambda got: got == RIGHT + b"\x00\xff\x00"),
        ("other-prefix", lambda got: got[:5] != RIGHT[:5] and got[5:] == RIGHT[5:]),
        ("zero-inverters", lambda got: got[10:-6] == RIGHT[10:-6] and got[-6:-2] == bytes(4)),
        ("no-telemetry", lambda got: got == RIGHT[:5]),
    ],
)
async def test_bytes(captured: Simulator, name: str, is_as_told: Callable[[bytes], bool]) -> None:
    captured.inject(name, count=1)
    assert is_as_told(await ask(captured, wire.TELEMETRY))
    assert await ask(captured, wire.TELEMETRY) == RIGHT


async def test_silence_until_cleared(captured: Simulator) -> None:
    captured.inject("silence")
    for _ in range(2):
        waiting = asyncio.create_task(ask(captured, wire.TELEMETRY))
        await captured.wait_for_requests(1)
        captured.requests.clear()
        waiting.cancel()
        await asyncio.wait([waiting])
    captured.clear_faults()
    assert await ask(captured, wire.TELEMETRY) == RIGHT


async def test_reset(captured: Simulator) -> None:
    captured.inject("reset", count=1)
    with pytest.raises(ConnectionResetError):
        await ask(captured, wire.TELEMETRY)
    assert await ask(captured, wire.TELEMETRY) == RIGHT


async def test_oversized_length_announces_much_and_stays_open(captured: Simulator) -> None:
    captured.inject("oversized-length", count=1)
    reader, writer = await asyncio.open_connection(captured.host, captured.port)
    writer.write(wire.TELEMETRY)
    assert await reader.readexactly(15) == RIGHT[:5] + b"\xff\xff" + RIGHT[7:15]
    assert captured.connections_open == 1
    writer.close()
    await captured.wait_until_idle()


async def test_refused_until_cleared(sim: Simulator) -> None:
    port = sim.port
    sim.inject("refused")
    assert not sim.is_listening
    with pytest.raises(ConnectionRefusedError):
        await ask(sim, wire.TELEMETRY)
    sim.clear_faults()
    assert sim.port == port
    assert await ask(sim, wire.TELEMETRY)


async def test_refused_by_count_ends_by_itself(sim: Simulator) -> None:
    sim.inject("refused", count=1)
    with pytest.raises(ConnectionRefusedError):
        await ask(sim, wire.TELEMETRY)
    async with asyncio.timeout(5):
        await sim.wait_until_listening()
    assert await ask(sim, wire.TELEMETRY)


async def test_refused_after_a_command(sim: Simulator) -> None:
    sim.inject("refused", count=1, commands=(0x42,))
    await ask(sim, wire.TELEMETRY)
    assert await status(sim, wire.WRITE_5_KW) == wire.ACK
    with pytest.raises(ConnectionRefusedError):
        await ask(sim, wire.VALUE_ON)


async def test_stopped_while_refusing_leaves_no_timer(sim: Simulator) -> None:
    sim.inject("refused", count=1)
    await sim.stop()
    assert not sim.is_listening


async def test_stale_answer_is_the_last_one_to_another_command(captured: Simulator) -> None:
    settings = await ask(captured, wire.READ_LIMIT)
    await ask(captured, wire.TELEMETRY)
    captured.inject("stale-answer", count=1)
    assert await ask(captured, wire.TELEMETRY) == settings


@pytest.mark.parametrize(("request_", "command"), [(wire.TELEMETRY, 0x43), (wire.READ_LIMIT, 0x0B)])
async def test_a_stale_answer_comes_from_long_ago_where_there_was_none(
    sim: Simulator, request_: bytes, command: int
) -> None:
    sim.inject("stale-answer", count=1)
    answer = await ask(sim, request_)
    assert answer[9] == command
    assert _checksum_is_right(answer)


async def test_stale_value_is_the_last_different_one(sim: Simulator) -> None:
    before = await ask(sim, wire.READ_LIMIT)
    await status(sim, wire.WRITE_5_KW)
    sim.inject("stale-value", count=1)
    assert await ask(sim, wire.READ_LIMIT) == before
    assert await ask(sim, wire.READ_LIMIT) != before


async def test_unknown_mode(sim: Simulator) -> None:
    sim.inject("unknown-mode", count=1)
    answer = await ask(sim, wire.READ_LIMIT)
    assert answer[10] == 9
    assert _checksum_is_right(answer)


async def test_values_rounded_to_ten_watts(captured: Simulator) -> None:
    captured.device.limit = 1_234
    captured.inject("rounded")
    assert int.from_bytes((await ask(captured, wire.READ_LIMIT))[19:23]) == 1_230
    assert captured.device.limit == 1_234
    values = struct.unpack(">11i", (await ask(captured, wire.TELEMETRY))[10:-2])
    assert values == (2410, 2404, 2409, 480, 390, 508, 300, -110, -530, -350, 3390)


WITHOUT_EFFECT = (
    "silence",
    "close-before-answer",
    "reset",
    "nak",
    "garbage",
    "http",
    "nonsense",
    "ack-without-effect",
)
WITH_EFFECT = (
    "close-inside-answer",
    "byte-by-byte",
    "wrong-checksum",
    "wrong-command",
    "wrong-address",
    "nak-with-effect",
    "stale-answer",
    "wrong-length",
    "oversized-length",
    "trailing-bytes",
    "other-prefix",
    "effect-without-ack",
    "effect-then-silence",
)


@pytest.mark.parametrize(
    ("name", "effect"),
    [*((name, False) for name in WITHOUT_EFFECT), *((name, True) for name in WITH_EFFECT)],
)
async def test_effect_of_a_write(sim: Simulator, name: str, effect: bool) -> None:
    sim.inject(name, count=1)
    _, writer = await asyncio.open_connection(sim.host, sim.port)
    writer.write(wire.WRITE_5_KW)
    await sim.wait_for_requests(1)
    writer.close()
    assert sim.device.limit == (5_000 if effect else 10_000)


async def test_ack_without_effect_acknowledges(sim: Simulator) -> None:
    sim.inject("ack-without-effect", count=1)
    assert await status(sim, wire.VALUE_OFF) == wire.ACK
    assert sim.device.mode is ControlMode.VALUE


async def test_nak_with_effect(sim: Simulator) -> None:
    sim.inject("nak-with-effect", count=1)
    assert await status(sim, wire.VALUE_OFF) == wire.NAK
    assert sim.device.mode is ControlMode.DEACTIVATED


async def test_effect_without_ack(sim: Simulator) -> None:
    sim.inject("effect-without-ack", count=1)
    assert await ask(sim, wire.VALUE_OFF) == b""
    assert sim.device.mode is ControlMode.DEACTIVATED


async def test_late_effect_comes_after_two_seconds() -> None:
    now = 0.0
    async with Simulator(clock=lambda: now) as sim:
        sim.inject("late-effect", count=1)
        assert await status(sim, wire.VALUE_OFF) == wire.ACK
        now = 1.9
        early = sim.device.mode
        now = 2.0
        assert (early, sim.device.mode) == (ControlMode.VALUE, ControlMode.DEACTIVATED)


async def test_a_restart_forgets_a_late_effect() -> None:
    now = 0.0
    async with Simulator(clock=lambda: now) as sim:
        sim.inject("late-effect", count=1)
        await status(sim, wire.VALUE_OFF)
        sim.restart()
        now = 5.0
        assert sim.device.mode is ControlMode.VALUE


async def test_only_the_given_commands_are_befallen_and_counted(captured: Simulator) -> None:
    captured.inject("close-before-answer", count=1, commands=(0x43,))
    assert await ask(captured, wire.TELEMETRY) == RIGHT
    assert "close-before-answer" in captured.faults
    assert await ask(captured, wire.READ_LIMIT) == b""
    assert not captured.faults
    assert len(await ask(captured, wire.READ_LIMIT)) == SETTINGS_LENGTH


async def test_a_fault_leaves_alone_where_it_means_nothing(captured: Simulator) -> None:
    captured.inject("ack-without-effect", count=1)
    assert await ask(captured, wire.TELEMETRY) == RIGHT
    assert captured.faults == ("ack-without-effect",)


async def test_chance_is_kept_and_repeats_with_the_seed() -> None:
    async def closed(seed: int) -> list[bool]:
        async with Simulator(seed=seed, overload=False) as sim:
            sim.inject("close-before-answer", chance=0.25)
            return [await ask(sim, wire.READ_LIMIT) == b"" for _ in range(200)]

    first = await closed(1)
    assert 30 <= sum(first) <= 70
    assert await closed(1) == first
    assert await closed(2) != first


async def test_faults_add_up(captured: Simulator) -> None:
    captured.inject("rounded")
    captured.inject("zero-inverters", count=1)
    captured.inject("wrong-checksum", count=1)
    captured.inject("byte-by-byte", count=1)
    captured.inject("nak", count=1, commands=(0x43,))
    answer = await ask(captured, wire.TELEMETRY)
    assert struct.unpack(">11i", answer[10:-2])[-2:] == (-350, 0)
    assert not _checksum_is_right(answer)
    assert await status(captured, wire.READ_LIMIT) == wire.NAK


async def test_one_fault_can_be_cleared(captured: Simulator) -> None:
    captured.inject("nak")
    captured.inject("other-prefix")
    captured.clear_faults("nak")
    assert captured.faults == ("other-prefix",)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda sim: sim.inject("wrong-checksumm"), "did you mean wrong-checksum"),
        (lambda sim: sim.inject("xyzzy"), "unknown fault"),
        (lambda sim: sim.inject("nak", count=0), "1 or more"),
        (lambda sim: sim.inject("nak", chance=0), "above 0"),
        (lambda sim: sim.inject("nak", chance=1.5), "at most 1"),
        (lambda sim: sim.inject("nak", commands=(0x142,)), "one byte"),
        (lambda sim: sim.inject("disobedient", count=1), "until it is cleared"),
        (lambda sim: sim.event("heater-onn"), "did you mean heater-on"),
    ],
)
async def test_nonsense_is_refused(sim: Simulator, call: Callable[[Simulator], None], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        call(sim)
    assert sim.faults == ()


async def test_exhausted_by_order(sim: Simulator) -> None:
    sim.inject("exhausted")
    for _ in range(3):
        answer = await ask(sim, wire.TELEMETRY)
        assert answer[9] != 0x0B
        assert _checksum_is_right(answer)
    reader, writer = await asyncio.open_connection(sim.host, sim.port)
    writer.write(wire.VALUE_OFF)
    await sim.wait_for_requests(4)
    assert sim.overload.exhausted
    sim.clear_faults()
    assert sim.overload.exhausted
    sim.restart()
    assert await reader.read() == b""
    writer.close()
    assert sim.device.mode is ControlMode.VALUE
    assert len(await ask(sim, wire.READ_LIMIT)) == SETTINGS_LENGTH


async def test_exhausted_from_a_command_on_even_where_patience_is_off() -> None:
    async with Simulator(overload=False) as sim:
        sim.inject("exhausted", commands=(0x42,))
        assert len(await ask(sim, wire.READ_LIMIT)) == SETTINGS_LENGTH
        assert (await ask(sim, wire.WRITE_5_KW))[9] != 0x42
        assert sim.device.limit == 10_000
        assert sim.overload.exhausted


async def test_every_request_fault_can_befall_every_command_and_the_device_lives(captured: Simulator) -> None:
    requests = (wire.TELEMETRY, wire.READ_LIMIT, wire.WRITE_5_KW, wire.VALUE_ON, wire.SET_CLOCK)
    for name, fault in FAULTS.items():
        if fault.reach is not Reach.REQUEST:
            continue
        for request in requests:
            captured.overload.restart()
            captured.requests.clear()
            captured.clear_faults()
            captured.inject(name)
            _, writer = await asyncio.open_connection(captured.host, captured.port)
            writer.write(request)
            await captured.wait_for_requests(1)
            writer.close()
    captured.clear_faults()
    captured.overload.restart()
    assert await ask(captured, wire.TELEMETRY) == RIGHT
