"""The client alone: decoding, reads over a socket, and verified changes of the limit."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from timeit import repeat
from typing import Final

from custom_components.goodwe_sec1000.sec1000 import timing
from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.command import READ_EXPORT_SETTINGS, READ_TELEMETRY
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, ExportTarget
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from simulator import Simulator
from simulator.protocol import CAPTURED_BYTES

from ..known import known
from .devices import devices
from .report import Figure, Goal, Table
from .scale import Scale

DECODES: Final = 2_000
"""Decodes per sample, so that the resolution of the clock does not matter."""
NO_PACING: Final = Timing(pacing=0.0)
"""To measure the reads, not the pauses."""


async def decoding_and_reading(scale: Scale) -> Table:
    """Measure the decoding of an answer, and reads over a socket."""
    decoded = repeat(lambda: READ_TELEMETRY.read(CAPTURED_BYTES), number=DECODES, repeat=scale.repetitions)
    table = Table(
        "Decoding and reading",
        "One telemetry answer of 56 bytes. The floor is the same request and answer over a bare asyncio "
        "stream: open, write, read exactly 56 bytes, close. Both are measured in turns, without the "
        "pacing, against a simulated device in another process.",
        [Figure("decode one answer", "µs", [seconds / DECODES * 1e6 for seconds in decoded])],
    )
    async with devices() as running:
        port = running.ports[0]
        client = Sec1000Client("127.0.0.1", port)
        client.transport.timing = NO_PACING
        floor, read = [], []
        for _ in range(scale.reads):
            floor.append(await _timed(lambda: _bare_exchange(port, len(CAPTURED_BYTES))))
            read.append(await _timed(client.read_telemetry))
    table.figures += [
        Figure("floor: the bytes over a bare stream", "ms", floor),
        Figure("read_telemetry()", "ms", read),
        Figure("read, times the floor", "×", [median(read) / median(floor)], Goal(1.3)),
    ]
    return table


async def proven_changes(scale: Scale) -> Table:
    """Measure changes of the limit up to the read-back, with the standard pacing."""
    table = Table(
        "A proven change of the limit",
        f"From the call to the read-back that agrees, with the pacing of {timing.STANDARD.pacing} s from "
        "the end of one request to the start of the next. The share of the pacing is what of that time "
        "is spent in these pauses.",
    )
    for case in CASES:
        changes = [await _change(case) for _ in range(scale.changes)]
        table.figures += [
            Figure(f"{case.name}: requests", "", [change.requests for change in changes], case.goal),
            Figure(f"{case.name}: time", "s", [change.seconds for change in changes]),
            Figure(f"{case.name}: share of the pacing", "%", [change.share_of_pacing for change in changes]),
        ]
    return table


@dataclass(frozen=True, slots=True)
class Case:
    """Control mode of the device before a change, and the fault during it."""

    name: str
    mode: ControlMode = ControlMode.VALUE
    fault: str | None = None
    faulty_command: int = READ_EXPORT_SETTINGS.request.command
    goal: Goal | None = None


CASES: Final = (
    Case("mode stands", goal=Goal(3, exactly=True)),
    Case("mode changes", mode=ControlMode.RCR, goal=Goal(5, exactly=True)),
    Case("read-back with a wrong checksum", fault="wrong-checksum"),
    Case("answer to the write lost", fault="effect-then-silence", faulty_command=0x42),
)


@dataclass(frozen=True, slots=True)
class Change:
    """Cost of one change."""

    requests: int
    seconds: float

    @property
    def share_of_pacing(self) -> float:
        """Share in percent; because of the read before, the first request waits as well."""
        return self.requests * timing.STANDARD.pacing / self.seconds * 100


async def _change(case: Case) -> Change:
    async with Simulator(overload=False, mode=case.mode) as simulator:
        client = Sec1000Client(simulator.host, simulator.port)
        before = await client.read_export_settings()
        if case.fault:
            simulator.inject(case.fault, count=1, commands={case.faulty_command})
        wanted = ExportTarget(
            ControlMode.VALUE, known(before.capacity), known(before.limit) // 2, sum_of_phases=True
        )
        started = perf_counter()
        held = await client.apply(wanted)
        seconds = perf_counter() - started
        assert (held.mode, held.limit) == (wanted.mode, wanted.limit)
        return Change(len(simulator.requests) - 1, seconds)


async def _bare_exchange(port: int, size: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(READ_TELEMETRY.encode())
    await writer.drain()
    await reader.readexactly(size)
    writer.close()


async def _timed(ask: Callable[[], Awaitable[object]]) -> float:
    started = perf_counter()
    await ask()
    return (perf_counter() - started) * 1000
