"""Each fault: the bytes of the answer, the effect on the device, and the requests it affects."""

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
    ("name", "is_expected"),
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
async def test_fault_changes_the_bytes_of_one_answer(
    captured: Simulator, name: str, is_expected: Callable[[bytes], bool]
) -> None:
    captured.inject(name, count=1)
    assert is_expected(await ask(captured, wire.TELEMETRY))
    assert await ask(captured, wire.TELEMETRY) == RIGHT


async def test_silence_lasts_until_cleared(captured: Simulator) -> None:
    captured.inject("silence")
    for _ in range(2):
        waiting = asyncio.create_task(ask(captured, wire.TELEMETRY))
        await captured.wait_for_requests(1)
        captured.requests.clear()
        waiting.cancel()
        await asyncio.wait([waiting])
    captured.clear_faults()
    assert await ask(captured, wire.TELEMETRY) == RIGHT


async def test_reset_fault_resets_the_connection(captured: Simulator) -> None:
    captured.inject("reset", count=1)
    with pytest.raises(ConnectionResetError):
        await ask(captured, wire.TELEMETRY)
    assert await ask(captured, wire.TELEMETRY) == RIGHT


async def test_oversized_length_keeps_the_connection_open(captured: Simulator) -> None:
    captured.inject("oversized-length", count=1)
    reader, writer = await asyncio.open_connection(captured.host, captured.port)
    writer.write(wire.TELEMETRY)
    assert await reader.readexactly(15) == RIGHT[:5] + b"\xff\xff" + RIGHT[7:15]
    assert captured.connections_open == 1
    writer.close()
    await captured.wait_until_idle()


async def test_refused_closes_port_until_cleared(sim: Simulator) -> None:
    port = sim.port
    sim.inject("refused")
    assert not sim.is_listening
    with pytest.raises(ConnectionRefusedError):
        await ask(sim, wire.TELEMETRY)
    sim.clear_faults()
    assert sim.port == port
    assert await ask(sim, wire.TELEMETRY)


async def test_counted_refused_reopens_port_by_itself(sim: Simulator) -> None:
    sim.inject("refused", count=1)
    with pytest.raises(ConnectionRefusedError):
        await ask(sim, wire.TELEMETRY)
    async with asyncio.timeout(5):
        await sim.wait_until_listening()
    assert await ask(sim, wire.TELEMETRY)


async def test_refused_for_one_command_follows_its_answer(sim: Simulator) -> None:
    sim.inject("refused", count=1, commands=(0x42,))
    await ask(sim, wire.TELEMETRY)
    assert await status(sim, wire.WRITE_5_KW) == wire.ACK
    with pytest.raises(ConnectionRefusedError):
        await ask(sim, wire.VALUE_ON)


async def test_stop_while_refused_leaves_no_timer(sim: Simulator) -> None:
    sim.inject("refused", count=1)
    await sim.stop()
    assert not sim.is_listening


async def test_stale_answer_repeats_last_answer_to_other_command(captured: Simulator) -> None:
    settings = await ask(captured, wire.READ_LIMIT)
    await ask(captured, wire.TELEMETRY)
    captured.inject("stale-answer", count=1)
    assert await ask(captured, wire.TELEMETRY) == settings


@pytest.mark.parametrize(("request_", "command"), [(wire.TELEMETRY, 0x43), (wire.READ_LIMIT, 0x0B)])
async def test_stale_answer_without_history_is_an_old_one(
    sim: Simulator, request_: bytes, command: int
) -> None:
    sim.inject("stale-answer", count=1)
    answer = await ask(sim, request_)
    assert answer[9] == command
    assert _checksum_is_right(answer)


async def test_stale_value_repeats_last_different_answer(sim: Simulator) -> None:
    before = await ask(sim, wire.READ_LIMIT)
    await status(sim, wire.WRITE_5_KW)
    sim.inject("stale-value", count=1)
    assert await ask(sim, wire.READ_LIMIT) == before
    assert await ask(sim, wire.READ_LIMIT) != before


async def test_unknown_mode_reports_mode_9(sim: Simulator) -> None:
    sim.inject("unknown-mode", count=1)
    answer = await ask(sim, wire.READ_LIMIT)
    assert answer[10] == 9
    assert _checksum_is_right(answer)


async def test_rounded_reports_powers_rounded_to_10_w(captured: Simulator) -> None:
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
async def test_fault_decides_whether_a_write_takes_effect(sim: Simulator, name: str, effect: bool) -> None:
    sim.inject(name, count=1)
    _, writer = await asyncio.open_connection(sim.host, sim.port)
    writer.write(wire.WRITE_5_KW)
    await sim.wait_for_requests(1)
    writer.close()
    assert sim.device.limit == (5_000 if effect else 10_000)


async def test_ack_without_effect_acknowledges_but_keeps_mode(sim: Simulator) -> None:
    sim.inject("ack-without-effect", count=1)
    assert await status(sim, wire.VALUE_OFF) == wire.ACK
    assert sim.device.mode is ControlMode.VALUE


async def test_nak_with_effect_refuses_but_changes_mode(sim: Simulator) -> None:
    sim.inject("nak-with-effect", count=1)
    assert await status(sim, wire.VALUE_OFF) == wire.NAK
    assert sim.device.mode is ControlMode.DEACTIVATED


async def test_effect_without_ack_changes_mode_without_answer(sim: Simulator) -> None:
    sim.inject("effect-without-ack", count=1)
    assert await ask(sim, wire.VALUE_OFF) == b""
    assert sim.device.mode is ControlMode.DEACTIVATED


async def test_late_effect_comes_after_2_s() -> None:
    now = 0.0
    async with Simulator(clock=lambda: now) as sim:
        sim.inject("late-effect", count=1)
        assert await status(sim, wire.VALUE_OFF) == wire.ACK
        now = 1.9
        early = sim.device.mode
        now = 2.0
        assert (early, sim.device.mode) == (ControlMode.VALUE, ControlMode.DEACTIVATED)


async def test_no_write_after_read_ignores_writes_for_0_3_s() -> None:
    now = 0.0
    async with Simulator(clock=lambda: now) as sim:
        sim.inject("no-write-after-read")
        await status(sim, wire.VALUE_OFF)
        assert sim.device.mode is ControlMode.DEACTIVATED
        await ask(sim, wire.READ_LIMIT)
        now = 0.29
        for request in (wire.WRITE_5_KW, wire.VALUE_ON):
            assert await status(sim, request) == wire.ACK
        assert (sim.device.mode, sim.device.limit) == (ControlMode.DEACTIVATED, 10_000)
        now = 0.3
        for request in (wire.WRITE_5_KW, wire.VALUE_ON):
            assert await status(sim, request) == wire.ACK
        assert sim.device.bound_limit == 5_000


async def test_restart_cancels_late_effect() -> None:
    now = 0.0
    async with Simulator(clock=lambda: now) as sim:
        sim.inject("late-effect", count=1)
        await status(sim, wire.VALUE_OFF)
        sim.restart()
        now = 5.0
        assert sim.device.mode is ControlMode.VALUE


async def test_fault_for_one_command_ignores_and_skips_others(captured: Simulator) -> None:
    captured.inject("close-before-answer", count=1, commands=(0x43,))
    assert await ask(captured, wire.TELEMETRY) == RIGHT
    assert "close-before-answer" in captured.faults
    assert await ask(captured, wire.READ_LIMIT) == b""
    assert not captured.faults
    assert len(await ask(captured, wire.READ_LIMIT)) == SETTINGS_LENGTH


async def test_write_fault_does_not_affect_a_read(captured: Simulator) -> None:
    captured.inject("ack-without-effect", count=1)
    assert await ask(captured, wire.TELEMETRY) == RIGHT
    assert captured.faults == ("ack-without-effect",)


async def test_chance_is_met_and_repeats_with_the_seed() -> None:
    async def closed(seed: int) -> list[bool]:
        async with Simulator(seed=seed, overload=False) as sim:
            sim.inject("close-before-answer", chance=0.25)
            return [await ask(sim, wire.READ_LIMIT) == b"" for _ in range(200)]

    first = await closed(1)
    assert 30 <= sum(first) <= 70
    assert await closed(1) == first
    assert await closed(2) != first


async def test_several_faults_combine(captured: Simulator) -> None:
    captured.inject("rounded")
    captured.inject("zero-inverters", count=1)
    captured.inject("wrong-checksum", count=1)
    captured.inject("byte-by-byte", count=1)
    captured.inject("nak", count=1, commands=(0x43,))
    answer = await ask(captured, wire.TELEMETRY)
    assert struct.unpack(">11i", answer[10:-2])[-2:] == (-350, 0)
    assert not _checksum_is_right(answer)
    assert await status(captured, wire.READ_LIMIT) == wire.NAK


async def test_clearing_one_fault_keeps_the_others(captured: Simulator) -> None:
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
async def test_invalid_fault_or_event_raises_value_error(
    sim: Simulator, call: Callable[[Simulator], None], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        call(sim)
    assert sim.faults == ()


async def test_exhausted_fault_lasts_until_restart(sim: Simulator) -> None:
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


async def test_exhausted_fault_works_without_overload() -> None:
    async with Simulator(overload=False) as sim:
        sim.inject("exhausted", commands=(0x42,))
        assert len(await ask(sim, wire.READ_LIMIT)) == SETTINGS_LENGTH
        assert (await ask(sim, wire.WRITE_5_KW))[9] != 0x42
        assert sim.device.limit == 10_000
        assert sim.overload.exhausted


async def test_device_survives_every_fault_on_every_command(captured: Simulator) -> None:
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
