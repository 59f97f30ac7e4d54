"""A recorded device: the next answer of each command, in its pace, with its faults."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
from time import monotonic
from typing import Any, Final

import pytest

from simulator import Replay, Simulator
from simulator.commands import prepare
from simulator.protocol import CAPTURED_BYTES

from . import wire

BEGIN: Final = datetime(2026, 11, 29, tzinfo=UTC)
ACKNOWLEDGED: Final = bytes.fromhex("045245564f 0006 0101 40 06 0048")
SETTINGS: Final = bytes.fromhex("045245564f 0012 0101 43 03 00007530 000000c8 00002710 01ec")


def exchange(
    begins: float, request: bytes, answer: bytes = b"", outcome: str = "ok", seconds: float = 0.01
) -> dict[str, Any]:
    return {
        "at": (BEGIN + timedelta(seconds=begins + seconds)).isoformat(),
        "seconds": seconds,
        "asked_by": "poll",
        "command": "a name",
        "request": request.hex(),
        "answer": answer.hex(),
        "outcome": outcome,
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "report.json"


def replaying(file: Path, exchanges: Sequence[dict[str, Any]]) -> Simulator:
    """Return a simulator that replays a diagnostics file, as Home Assistant downloads it."""
    file.write_text(json.dumps({"home_assistant": {}, "data": {"exchanges": exchanges}}))
    return Simulator(replay=Replay.from_file(file))


async def test_each_command_gets_its_next_answer(file: Path) -> None:
    other = SETTINGS[:-6] + bytes.fromhex("00001388 01d0")
    recorded = [
        exchange(0, wire.READ_LIMIT, SETTINGS),
        exchange(1, wire.TELEMETRY, CAPTURED_BYTES),
        exchange(2, wire.VALUE_ON, ACKNOWLEDGED),
        exchange(3, wire.READ_LIMIT, other),
    ]
    async with replaying(file, recorded) as sim:
        requests = (wire.READ_LIMIT, wire.READ_LIMIT, wire.VALUE_ON, wire.TELEMETRY)
        answers = [await wire.ask(sim, request) for request in requests]
    assert answers == [SETTINGS, other, ACKNOWLEDGED, CAPTURED_BYTES]


async def test_past_the_end_last_answer_is_repeated_and_counted(file: Path) -> None:
    async with replaying(file, [exchange(0, wire.TELEMETRY, CAPTURED_BYTES)]) as sim:
        for exhausted in (0, 1, 2):
            assert await wire.ask(sim, wire.TELEMETRY) == CAPTURED_BYTES
            assert (await prepare({"do": "state"})(sim))["replay_exhausted"] == exhausted


async def test_command_that_was_never_asked_gets_no_answer(file: Path) -> None:
    async with replaying(file, [exchange(0, wire.TELEMETRY, CAPTURED_BYTES)]) as sim:
        asking = asyncio.create_task(wire.ask(sim, wire.READ_LIMIT))
        await sim.wait_for_requests(1)
        assert not (await asyncio.wait({asking}, timeout=0.1))[0]
        assert sim.replay is not None
        assert sim.replay.exhausted == 1
        asking.cancel()


async def test_answer_takes_as_long_as_it_did(file: Path) -> None:
    async with replaying(file, [exchange(0, wire.TELEMETRY, CAPTURED_BYTES, seconds=0.3)]) as sim:
        began = monotonic()
        await wire.ask(sim, wire.TELEMETRY)
        assert 0.3 <= monotonic() - began < 2


async def test_timeout_keeps_its_bytes_and_the_connection(file: Path) -> None:
    recorded = exchange(0, wire.TELEMETRY, CAPTURED_BYTES[:9], "AnswerTimeoutError", seconds=10)
    async with replaying(file, [recorded]) as sim:
        reader, writer = await asyncio.open_connection(sim.host, sim.port)
        writer.write(wire.TELEMETRY)
        assert await reader.readexactly(9) == CAPTURED_BYTES[:9]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.1)
        writer.close()


async def test_answer_that_was_cut_off_is_cut_off_again(file: Path) -> None:
    recorded = exchange(0, wire.TELEMETRY, CAPTURED_BYTES[:5], "ConnectionClosedError")
    async with replaying(file, [recorded]) as sim:
        assert await wire.ask(sim, wire.TELEMETRY) == CAPTURED_BYTES[:5]


async def test_cancelled_request_is_left_out(file: Path) -> None:
    recorded = [exchange(0, wire.TELEMETRY, outcome="cancelled"), exchange(1, wire.TELEMETRY, CAPTURED_BYTES)]
    async with replaying(file, recorded) as sim:
        assert await wire.ask(sim, wire.TELEMETRY) == CAPTURED_BYTES


@pytest.mark.parametrize("begins", [0.0, 0.3])
async def test_port_is_closed_for_as_long_as_it_was(file: Path, begins: float) -> None:
    refused = exchange(begins, wire.TELEMETRY, outcome="ConnectionFailedError")
    recorded = [refused, exchange(begins + 0.6, wire.TELEMETRY, CAPTURED_BYTES)]
    if begins:
        recorded.insert(0, exchange(0, wire.TELEMETRY, CAPTURED_BYTES))
    async with replaying(file, recorded) as sim:
        if begins:
            assert await wire.ask(sim, wire.TELEMETRY) == CAPTURED_BYTES
        began = monotonic()
        with pytest.raises(ConnectionRefusedError):
            await wire.ask(sim, wire.TELEMETRY)
        await sim.wait_until_listening()
        assert 0.2 < monotonic() - began < 2
        assert await wire.ask(sim, wire.TELEMETRY) == CAPTURED_BYTES


async def test_port_that_stayed_closed_stays_closed(file: Path) -> None:
    recorded = [
        exchange(0, wire.TELEMETRY, CAPTURED_BYTES),
        exchange(1, wire.TELEMETRY, outcome="ConnectionFailedError"),
    ]
    async with replaying(file, recorded) as sim:
        assert await wire.ask(sim, wire.TELEMETRY) == CAPTURED_BYTES
        assert not sim.is_listening


async def test_diagnostics_of_0_1_0_are_replayed(file: Path) -> None:
    recorded = exchange(0, wire.TELEMETRY, CAPTURED_BYTES)
    del recorded["seconds"], recorded["asked_by"]
    async with replaying(file, [recorded]) as sim:
        assert await wire.ask(sim, wire.TELEMETRY) == CAPTURED_BYTES


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("nothing", "is not JSON"),
        ("[]", "has no exchanges"),
        ('{"exchanges": []}', "has no exchanges"),
        ('{"exchanges": [{"at": "today"}]}', "cannot be read"),
        (json.dumps({"exchanges": [exchange(0, b"\x00")]}), "too short"),
    ],
)
def test_other_file_is_refused_with_a_sentence(file: Path, content: str, sentence: str) -> None:
    file.write_text(content)
    with pytest.raises(ValueError, match=sentence):
        Replay.from_file(file)


def test_missing_file_is_refused_with_a_sentence(file: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        Replay.from_file(file)
