"""The client alone: decoding, and reads over a socket."""

import asyncio
from collections.abc import Awaitable, Callable
from statistics import median
from time import perf_counter
from timeit import repeat
from typing import Final

from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.command import READ_TELEMETRY
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from simulator.protocol import CAPTURED_BYTES

from .devices import devices
from .report import Figure, Goal, Table
from .scale import Scale

DECODES: Final = 2_000
"""Decodes per sample, so that the resolution of the clock does not matter."""
NO_PACING: Final = Timing(pacing=0.0, refill=0.0, reread_interval=0.0)
"""To measure the reads, not the pauses."""


async def decoding_and_reading(scale: Scale) -> Table:
    """Measure the decoding of an answer, and reads over a socket."""
    decoded = repeat(lambda: READ_TELEMETRY.read(CAPTURED_BYTES), number=DECODES, repeat=scale.repetitions)
    table = Table(
        "Decoding and reading",
        "One telemetry answer of 56 bytes. The floor is the same request and answer over a bare asyncio "
        "stream: open, write, read exactly 56 bytes, close, and wait until it is closed, since a device has "
        "one connection at a time. Both are measured in turns, without the pacing, against a simulated "
        "device in another process.",
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


async def _bare_exchange(port: int, size: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(READ_TELEMETRY.encode())
    await writer.drain()
    await reader.readexactly(size)
    writer.close()
    await writer.wait_closed()


async def _timed(ask: Callable[[], Awaitable[object]]) -> float:
    started = perf_counter()
    await ask()
    return (perf_counter() - started) * 1000
