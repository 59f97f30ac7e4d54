"""Cost by number of devices in one Home Assistant: punctuality of polls, CPU and memory."""

import asyncio
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from dataclasses import asdict, dataclass
import gc
from itertools import pairwise
import json
import os
from pathlib import Path
import sys
from time import monotonic, process_time
from typing import Final

from .devices import devices
from .home import home, set_up
from .report import Figure, Goal, Table
from .scale import Scale

LATE_S: Final = 1.0
"""Past the refresh interval; Home Assistant's timers start a poll up to a second after it is due."""
HOME_CORE: Final = 0
DEVICE_CORE: Final = 1


@dataclass(frozen=True, slots=True)
class Growth:
    """Cost of a number of devices in one Home Assistant."""

    gaps: list[float]
    """Seconds between polls of the same device."""
    cpu: float
    """Percent of one core, recorder included."""
    memory: float
    """MiB of the whole process."""


async def growing(scale: Scale) -> Table:
    """Measure without devices, then each number of devices and interval of the scale."""
    table = Table(
        "Growth",
        "Real time, with the standard pauses, each in a process of its own. Home Assistant with the recorder "
        "runs on one core and the devices, which bear 7 requests in 30 s, on another; every value changes "
        "with every poll. What is measured begins "
        f"{scale.settled:g} s after setup, when Home Assistant has written its registries. A gap is the time "
        "between two polls of one device, as the device sees it; a poll is late that comes more than "
        f"{LATE_S:g} s after its interval. CPU is the share of one core. Memory is that of the whole "
        "process. What a device costs is what it adds to a Home Assistant without any; to a poll belong the "
        "read of the export settings every minute and the wakening of a processor that was idle.",
    )
    empty = await _run_process(0, 0, scale)
    table.figures += [
        Figure("no device: CPU", "%", [empty.cpu]),
        Figure("no device: memory", "MiB", [empty.memory]),
    ]
    for count, interval in scale.devices:
        run = await _run_process(count, interval, scale)
        name = f"{count} at {interval} s"
        late = sum(gap > interval + LATE_S for gap in run.gaps)
        table.figures += [
            Figure(f"{name}: gap between polls", "s", run.gaps),
            Figure(f"{name}: late polls", "", [late], Goal(0, exactly=True)),
            Figure(f"{name}: CPU", "%", [run.cpu]),
            Figure(f"{name}: CPU of one poll", "ms", [(run.cpu - empty.cpu) * 10 * interval / count]),
            Figure(f"{name}: memory of one device", "KiB", [(run.memory - empty.memory) * 1024 / count]),
        ]
    return table


async def _run_process(count: int, interval: int, scale: Scale) -> Growth:
    seconds = max(scale.watched, scale.intervals * interval)
    arguments = (str(value) for value in (count, interval, scale.settled, seconds))
    process = await create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.growth", *arguments, stdout=PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the measured Home Assistant exited with status {process.returncode}")
    return Growth(**json.loads(out))


async def _measure(count: int, interval: int, settled: float, seconds: float) -> Growth:
    os.sched_setaffinity(0, {HOME_CORE})
    async with devices(count, overload=True, core=DEVICE_CORE) as running, home() as hass:
        await asyncio.gather(*(set_up(hass, port, interval=interval) for port in running.ports))
        await hass.async_block_till_done()
        await asyncio.sleep(settled)
        started, spent = monotonic(), process_time()
        await asyncio.sleep(seconds)
        cpu = (process_time() - spent) / (monotonic() - started) * 100
        gc.collect()
        memory = _resident()
        polls = await running.polls()
    assert all(len(times) > 1 for times in polls.values())
    gaps = [after - before for times in polls.values() for before, after in pairwise(times)]
    return Growth(gaps, cpu, memory)


def _resident() -> float:
    """Return the resident memory of the process in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    devices_and_interval, times = map(int, sys.argv[1:3]), map(float, sys.argv[3:5])
    measured = asyncio.run(_measure(*devices_and_interval, *times))
    sys.stdout.write(json.dumps(asdict(measured)))
