"""Every command of docs/protocol.md byte for byte, and when a limit is in force."""

import asyncio
from datetime import datetime

import pytest

from custom_components.goodwe_sec1000.sec1000.frame import Frame
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import CAPTURED, Simulator

from . import wire
from .wire import ask, status

CAPTURED_ANSWER = bytes.fromhex(
    "04524556 4f 0031 0101 0b"
    "0000096a 00000964 00000969 000001e0 00000186 000001fc"
    "00000127 ffffff8e fffffdec fffffea1 00000d3a 0f42"
)


async def test_captured_telemetry_is_answered_byte_for_byte(sim: Simulator) -> None:
    sim.hold(CAPTURED)
    assert await ask(sim, wire.TELEMETRY) == CAPTURED_ANSWER


async def test_settings_are_answered_byte_for_byte(sim: Simulator) -> None:
    sim.device.mode = ControlMode.RCR
    sim.device.capacity = 30_000
    sim.device.ct_ratio = 200
    sim.device.limit = 7_000
    body = bytes.fromhex("0101 43 02 00007530 000000c8 00001b58")
    expected = b"\x04REVO\x00\x12" + body + sum(body).to_bytes(2)
    assert await ask(sim, wire.READ_LIMIT) == expected


@pytest.mark.parametrize(
    ("mode", "byte"),
    [(ControlMode.DEACTIVATED, 0), (ControlMode.DRED, 1), (ControlMode.RCR, 2), (ControlMode.VALUE, 3)],
)
async def test_mode_has_its_byte_in_the_settings(sim: Simulator, mode: ControlMode, byte: int) -> None:
    sim.device.mode = mode
    assert (await ask(sim, wire.READ_LIMIT))[10] == byte


@pytest.mark.parametrize(
    ("on", "off", "mode"),
    [
        (wire.VALUE_ON, wire.VALUE_OFF, ControlMode.VALUE),
        (wire.DRED_ON, wire.DRED_OFF, ControlMode.DRED),
        (wire.RCR_ON, wire.RCR_OFF, ControlMode.RCR),
    ],
)
async def test_mode_switches_on_and_off(sim: Simulator, on: bytes, off: bytes, mode: ControlMode) -> None:
    sim.device.mode = ControlMode.DEACTIVATED
    assert await status(sim, off) == wire.NAK
    assert sim.device.mode is ControlMode.DEACTIVATED
    assert await status(sim, on) == wire.ACK
    assert sim.device.mode is mode
    assert await status(sim, on) == wire.ACK
    assert await status(sim, off) == wire.ACK
    assert sim.device.mode is ControlMode.DEACTIVATED


async def test_switching_off_inactive_mode_changes_nothing(sim: Simulator) -> None:
    assert await status(sim, wire.RCR_OFF) == wire.NAK
    assert sim.device.mode is ControlMode.VALUE
    assert sim.device.bound_limit == sim.device.limit


async def test_mode_switched_on_replaces_the_active_one(sim: Simulator) -> None:
    assert await status(sim, wire.DRED_ON) == wire.ACK
    assert sim.device.mode is ControlMode.DRED
    assert sim.device.bound_limit is None


async def test_written_limit_is_in_force_after_value_mode_is_on(sim: Simulator) -> None:
    sim.device.limit = 10_000
    assert await status(sim, wire.WRITE_5_KW) == wire.ACK
    assert (await ask(sim, wire.READ_LIMIT))[19:23] == (5_000).to_bytes(4)
    assert sim.device.limit == 5_000
    assert sim.device.bound_limit == 10_000
    await status(sim, wire.VALUE_ON)
    assert sim.device.bound_limit == 5_000
    await status(sim, wire.VALUE_OFF)
    assert sim.device.bound_limit is None


async def test_write_stores_capacity_and_measurement(sim: Simulator) -> None:
    each_phase = bytes.fromhex("000e 0101 42 00002710 000003e8 01 0167")
    assert await status(sim, each_phase) == wire.ACK
    assert (sim.device.capacity, sim.device.limit, sim.device.sum_of_phases) == (10_000, 1_000, False)


async def test_written_limit_is_rounded_up_to_the_step(sim: Simulator) -> None:
    sim.device.limit_step = 1_500
    await status(sim, wire.WRITE_5_KW)
    assert sim.device.limit == 6_000


@pytest.mark.parametrize(
    "request_",
    [
        "000e 0101 42 00002710 000003e8 03 0169",  # an unknown measurement
        "000e 0101 42 ffffffff 000003e8 02 052d",  # a negative capacity
        "000d 0101 42 00002710 000003e8 0166",  # one byte too few
        "0006 0101 40 03 0045",  # neither on nor off
        "0005 0101 40 0042",  # no byte at all
    ],
)
async def test_invalid_write_is_refused_and_changes_nothing(sim: Simulator, request_: str) -> None:
    before = (sim.device.mode, sim.device.capacity, sim.device.limit, sim.device.sum_of_phases)
    assert await status(sim, bytes.fromhex(request_)) == wire.NAK
    assert (sim.device.mode, sim.device.capacity, sim.device.limit, sim.device.sum_of_phases) == before


async def test_clock_is_unknown_until_set(sim: Simulator) -> None:
    assert sim.device.clock is None
    assert await status(sim, wire.SET_CLOCK) == wire.CLOCK_SET
    assert sim.device.clock_set_to == datetime(2026, 3, 29, 2, 3, 4)  # noqa: DTZ001


async def test_clock_runs_once_set() -> None:
    now = 100.0
    async with Simulator(clock=lambda: now) as sim:
        await status(sim, wire.SET_CLOCK)
        now += 61.5
        assert sim.device.clock == datetime(2026, 3, 29, 2, 4, 5)  # noqa: DTZ001


@pytest.mark.parametrize(
    "data",
    [
        "1a 02 00 1e 00 00 00",
        "1a 0d 00 01 00 00 00",
        "1a 03 01 1d 00 00 00",
        "1a 03 00 1d 18 00 00",
        "1a 03 00 1d",
    ],
)
async def test_invalid_date_is_refused(sim: Simulator, data: str) -> None:
    body = bytes.fromhex("0101 05" + data)
    request = (len(body) + 2).to_bytes(2) + body + sum(body).to_bytes(2)
    assert await status(sim, request) == wire.NAK
    assert sim.device.clock is None


async def test_requests_are_recorded_as_received(sim: Simulator) -> None:
    await ask(sim, wire.TELEMETRY)
    await ask(sim, wire.VALUE_ON)
    assert [request.raw for request in sim.requests] == [wire.TELEMETRY, wire.VALUE_ON]
    assert [request.frame for request in sim.requests] == [Frame(0x0B), Frame(0x40, b"\x01")]
    assert sim.requests[0].time <= sim.requests[1].time


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xff\xff" + bytes(200),
        bytes.fromhex("0004 0101 0b 0d"),  # a length below the smallest
        bytes.fromhex("0005 0101 0b 000e"),  # a wrong checksum
        bytes.fromhex("0005 0102 0b 000e"),  # another address
        wire.TELEMETRY[:-1],  # a part
    ],
)
async def test_malformed_request_is_recorded_but_not_answered(sim: Simulator, raw: bytes) -> None:
    reader, writer = await asyncio.open_connection(sim.host, sim.port)
    writer.write(raw)
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    assert [request.frame for request in sim.requests] == [None]
    assert raw.startswith(sim.requests[0].raw)
    assert await ask(sim, wire.READ_LIMIT)


@pytest.mark.parametrize("raw", ["0005 0101 77 0079", "0006 0101 0b 00 000d"])
async def test_unknown_request_is_not_answered(sim: Simulator, raw: str) -> None:
    reader, writer = await asyncio.open_connection(sim.host, sim.port)
    writer.write(bytes.fromhex(raw))
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    assert sim.requests[0].frame is not None


async def test_request_in_pieces_is_served_but_not_a_second_one(sim: Simulator) -> None:
    reader, writer = await asyncio.open_connection(sim.host, sim.port)
    for byte in wire.VALUE_OFF:
        writer.write(bytes((byte,)))
        await asyncio.sleep(0)
    assert len(await reader.read()) == 13
    writer.close()
    await ask(sim, wire.TELEMETRY + wire.VALUE_ON)
    assert sim.device.mode is ControlMode.DEACTIVATED
    assert len(sim.requests) == 2


async def test_simultaneous_clients_get_the_same_answer(sim: Simulator) -> None:
    answers = await asyncio.gather(*(ask(sim, wire.READ_LIMIT) for _ in range(4)))
    assert len(set(answers)) == 1
    assert len(answers[0]) == 25


async def test_open_connections_are_counted(sim: Simulator) -> None:
    sim.inject("silence")
    _, writer = await asyncio.open_connection(sim.host, sim.port)
    writer.write(wire.TELEMETRY)
    await sim.wait_for_requests(1)
    assert sim.connections_open == 1
    writer.close()
    await sim.wait_until_idle()
    assert sim.connections_open == 0


async def test_start_after_stop_keeps_port_and_settings(sim: Simulator) -> None:
    port = sim.port
    sim.device.limit = 1_230
    await sim.stop()
    with pytest.raises(ConnectionRefusedError):
        await ask(sim, wire.TELEMETRY)
    await sim.start()
    assert sim.port == port
    assert sim.device.limit == 1_230
    assert await ask(sim, wire.TELEMETRY)


async def test_stop_closes_hanging_connections(sim: Simulator) -> None:
    sim.inject("silence")
    waiting = asyncio.create_task(ask(sim, wire.TELEMETRY))
    await sim.wait_for_requests(1)
    await sim.stop()
    assert sim.connections_open == 0
    assert await waiting == b""


async def test_settings_before_start_are_kept() -> None:
    sim = Simulator(mode=ControlMode.DRED, capacity=1, limit=2, ct_ratio=3, sum_of_phases=False)
    sim.device.limit = 4
    async with sim:
        device = sim.device
        assert (device.mode, device.capacity, device.limit, device.ct_ratio) == (ControlMode.DRED, 1, 4, 3)
        assert not device.sum_of_phases


async def test_keep_requests_keeps_only_the_last_ones() -> None:
    async with Simulator(keep_requests=2, overload=False) as sim:
        for _ in range(5):
            await ask(sim, wire.READ_LIMIT)
        assert len(sim.requests) == 2
