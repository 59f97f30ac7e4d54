"""How the cost grows with the devices in one Home Assistant: polls on time, CPU and memory."""

import asyncio
from dataclasses import dataclass
import gc
from itertools import pairwise
import os
from pathlib import Path
from time import monotonic, process_time
from typing import Final

from .devices import devices
from .home import home, set_up
from .report import Figure, Goal, Table
from .scale import Scale

LATE: Final = 1.0
"""s past the refresh interval. Home Assistant's own timers start a poll in the second after it is due."""
HOME_CORE: Final = 0
DEVICE_CORE: Final = 1


@dataclass(frozen=True, slots=True)
class Growth:
    """What so many devices cost."""

    gaps: list[float]
    """s between two polls of the same device."""
    cpu: float
    """Percent of one core, recorder included."""
    memory: float
    """MiB of the whole process."""


async def growing(scale: Scale) -> Table:
    """Measure several numbers of devices and intervals, one after the other, and first none."""
    table = Table(
        "Growth",
        "Real time, with the pacing, from after setup on. Home Assistant with the recorder runs on one "
        "core and the devices on another; every value changes with every poll. A gap is the time between "
        f"two polls of one device, as the device sees it; a poll is late that comes more than {LATE:g} s "
        "after its interval. CPU is the share of one core. Memory is that of the whole process. What a "
        "device costs is what it adds to a Home Assistant without any.",
    )
    empty = await _run(0, 0, scale)
    table.figures += [
        Figure("no device: CPU", "%", [empty.cpu]),
        Figure("no device: memory", "MiB", [empty.memory]),
    ]
    for count, interval in scale.devices:
        run = await _run(count, interval, scale)
        name = f"{count} at {interval} s"
        late = sum(gap > interval + LATE for gap in run.gaps)
        table.figures += [
            Figure(f"{name}: gap between polls", "s", run.gaps),
            Figure(f"{name}: late polls", "", [late], Goal(0, exactly=True)),
            Figure(f"{name}: CPU", "%", [run.cpu]),
            Figure(f"{name}: CPU of one poll", "ms", [(run.cpu - empty.cpu) * 10 * interval / count]),
            Figure(f"{name}: memory of one device", "KiB", [(run.memory - empty.memory) * 1024 / count]),
        ]
    return table


async def _run(count: int, interval: int, scale: Scale) -> Growth:
    os.sched_setaffinity(0, {HOME_CORE})
    try:
        async with devices(count, core=DEVICE_CORE) as running, home() as hass:
            await asyncio.gather(*(set_up(hass, port, interval=interval) for port in running.ports))
            await hass.async_block_till_done()
            started, spent = monotonic(), process_time()
            await asyncio.sleep(max(scale.watched, scale.intervals * interval))
            cpu = (process_time() - spent) / (monotonic() - started) * 100
            gc.collect()
            memory = _resident()
            polls = await running.polls()
    finally:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    assert all(len(times) > 1 for times in polls.values())
    gaps = [after - before for times in polls.values() for before, after in pairwise(times)]
    return Growth(gaps, cpu, memory)


def _resident() -> float:
    """Return MiB that the process holds in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
