"""Reads are retried with pauses, raise the right error, and leave no task or connection behind."""

import asyncio
from datetime import datetime
import socket
import time

import pytest

from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.errors import (
    AnswerTimeoutError,
    ChecksumError,
    ConnectionClosedError,
    ConnectionFailedError,
    HostNotFoundError,
    InvalidAnswerError,
    NegativeAnswerError,
    Sec1000Error,
    UnexpectedAnswerError,
)
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from custom_components.goodwe_sec1000.sec1000.stats import RequestStats
from simulator import CAPTURED, Simulator
from simulator.protocol import CAPTURED_BYTES

ERROR_OF_FAULT: list[tuple[str, type[Sec1000Error]]] = [
    ("silence", AnswerTimeoutError),
    ("refused", ConnectionFailedError),
    ("close-before-answer", ConnectionClosedError),
    ("close-inside-answer", ConnectionClosedError),
    ("reset", ConnectionClosedError),
    ("wrong-checksum", ChecksumError),
    ("wrong-command", UnexpectedAnswerError),
    ("wrong-address", UnexpectedAnswerError),
    ("nak", NegativeAnswerError),
    ("stale-answer", UnexpectedAnswerError),
    ("six-byte-answer", UnexpectedAnswerError),
    ("wrong-length", UnexpectedAnswerError),
    ("oversized-length", UnexpectedAnswerError),
    ("garbage", UnexpectedAnswerError),
    ("http", UnexpectedAnswerError),
    ("exhausted", UnexpectedAnswerError),
]


async def test_captured_telemetry_is_read_over_socket(client: Sec1000Client, sim: Simulator) -> None:
    sim.hold(CAPTURED)
    assert await client.read_telemetry() == CAPTURED


async def test_settings_match_device(client: Sec1000Client, sim: Simulator) -> None:
    sim.device.mode = ControlMode.RCR
    settings = await client.read_export_settings()
    assert (settings.mode, settings.capacity, settings.limit) == (ControlMode.RCR, 30_000, 10_000)


@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize(("fault", "error"), ERROR_OF_FAULT)
async def test_fault_raises_its_error(
    client: Sec1000Client, sim: Simulator, fault: str, error: type[Sec1000Error]
) -> None:
    sim.inject(fault)
    with pytest.raises(error) as caught:
        await client.read_export_settings(tries=1)
    assert type(caught.value) is error


@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize(
    "fault", [fault for fault, _ in ERROR_OF_FAULT if fault not in {"exhausted", "refused"}]
)
async def test_transient_fault_costs_one_more_request(
    client: Sec1000Client, sim: Simulator, fault: str
) -> None:
    sim.inject(fault, count=1)
    stats = RequestStats()
    await client.read_telemetry(stats=stats)
    assert stats.requests == len(sim.requests) == 2
    assert len(stats.recovered_errors) == 1


@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize("fault", ["byte-by-byte", "trailing-bytes", "other-prefix"])
async def test_unusual_but_valid_answer_needs_no_retry(
    client: Sec1000Client, sim: Simulator, fault: str
) -> None:
    sim.hold(CAPTURED)
    sim.inject(fault)
    assert await client.read_telemetry(tries=1) == CAPTURED


@pytest.mark.promise("R-05")
async def test_read_is_attempted_three_times(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("wrong-checksum")
    with pytest.raises(ChecksumError):
        await client.read_telemetry()
    assert len(sim.requests) == 3


async def test_unknown_mode_raises_invalid_answer(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("unknown-mode")
    with pytest.raises(InvalidAnswerError):
        await client.read_export_settings()


async def test_unresolved_host_fails_without_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nowhere(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nowhere)
    stats = RequestStats()
    with pytest.raises(HostNotFoundError, match="could not be resolved"):
        await Sec1000Client("sec1000.invalid", 1234).read_telemetry(stats=stats)
    assert stats.requests == 1


@pytest.mark.usefixtures("warp")
async def test_identify_does_not_retry_after_timeout(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("silence")
    with pytest.raises(AnswerTimeoutError):
        await client.identify()
    assert len(sim.requests) == 1


async def test_identify_retries_after_malformed_answer(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("six-byte-answer", count=2)
    assert (await client.identify()).limit == 10_000


async def test_clock_is_set_to_local_time_of_sending(client: Sec1000Client, sim: Simulator) -> None:
    wanted = datetime(2026, 3, 29, 3, 0, 1)  # noqa: DTZ001 - the device knows no time zone
    assert await client.set_clock(lambda: wanted) == wanted
    assert sim.requests[-1].raw.hex(" ") == "00 0c 01 01 05 1a 03 00 1d 03 00 01 00 45"


async def test_refused_clock_raises_invalid_answer(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("nak")
    with pytest.raises(InvalidAnswerError, match="0x15"):
        await client.set_clock(lambda: datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("moment", ["waiting for the transport", "connecting", "reading", "pausing"])
async def test_cancelled_request_leaves_nothing_behind(
    client: Sec1000Client, sim: Simulator, moment: str
) -> None:
    tasks_before = asyncio.all_tasks()
    sim.inject("silence", count=2)
    blocker = (
        asyncio.create_task(client.read_telemetry(tries=1)) if moment == "waiting for the transport" else None
    )
    stats = RequestStats()
    task = asyncio.create_task(client.read_telemetry(stats=stats))
    if moment == "connecting":
        await asyncio.sleep(0)
    elif moment == "pausing":
        sim.clear_faults()
        sim.inject("close-before-answer", count=1)
        while not stats.recovered_errors:  # noqa: ASYNC110
            await asyncio.sleep(0)
    else:
        await sim.wait_for_requests(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    if blocker:
        blocker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await blocker
    sim.clear_faults()
    async with asyncio.timeout(1):
        await client.read_telemetry()
        await sim.wait_until_idle()
    assert asyncio.all_tasks() - tasks_before == set()


async def test_huge_answer_costs_little_memory_and_time(client: Sec1000Client) -> None:
    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(bytes(65536))
                await writer.drain()
        except ConnectionError:
            writer.close()

    async with await asyncio.start_server(flood, "127.0.0.1", 0) as server:
        other = Sec1000Client("127.0.0.1", server.sockets[0].getsockname()[1])
        started = time.monotonic()
        with pytest.raises(UnexpectedAnswerError):
            await other.read_telemetry(tries=1)
        assert time.monotonic() - started < 1
    assert len(other.transport.exchanges[-1].answer) <= 1024


async def test_last_exchanges_are_kept_for_diagnostics(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("six-byte-answer", count=1)
    await client.read_telemetry()
    malformed, good = client.transport.exchanges
    assert (malformed.outcome, good.outcome) == ("UnexpectedAnswerError", "ok")
    assert malformed.request.hex() == "00050101 0b000d".replace(" ", "")
    assert malformed.answer[:5] == good.answer[:5] == b"\x04REVO"
    assert len(good.answer) == 56


@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize("rest", [b"", CAPTURED_BYTES[40:55]])
async def test_bytes_before_a_timeout_are_kept_for_diagnostics(rest: bytes) -> None:
    async def answer_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CAPTURED_BYTES[:40])
        await writer.drain()
        await asyncio.sleep(0.5)
        writer.write(rest)
        await reader.read()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer_slowly, "127.0.0.1", 0) as server:
        slow = Sec1000Client("127.0.0.1", server.sockets[0].getsockname()[1])
        with pytest.raises(AnswerTimeoutError):
            await slow.read_telemetry(tries=1)
    assert slow.transport.exchanges[-1].answer == CAPTURED_BYTES[:40] + rest


async def test_malformed_answer_is_kept_in_all_its_segments() -> None:
    async def answer_in_segments(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for segment in (b"\x04REVO\x00\x20", b"firmware", b" of another kind"):
            writer.write(segment)
            await writer.drain()
            await asyncio.sleep(0.005)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer_in_segments, "127.0.0.1", 0) as server:
        other = Sec1000Client("127.0.0.1", server.sockets[0].getsockname()[1])
        with pytest.raises(UnexpectedAnswerError):
            await other.read_telemetry(tries=1)
    assert other.transport.exchanges[-1].answer == b"\x04REVO\x00\x20firmware of another kind"
