"""Cost of an entry in Home Assistant: setup time, CPU, stalls and memory."""

from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
import json
import sys

from .one_home import Costs
from .report import Figure, Goal, Table
from .scale import Scale

MAX_STALL_MS = Goal(20)


async def inside_home_assistant(scale: Scale) -> Table:
    """Measure one entry in `scale.starts` new processes."""
    runs = [await _one_home(scale) for _ in range(scale.starts)]
    table = Table(
        "One entry in Home Assistant",
        "Each sample is a process of its own with a Home Assistant in it: core, registries and recorder, "
        "no other integration. The device runs in another process and measures something else with every "
        f"poll. CPU per poll is that of {scale.polls} whole updates in a row: request, decode, snapshot, "
        "all state writes. A stall is the longest single callback of the event loop in that phase, "
        f"of any integration. Memory is the slope over {scale.entries} further entries, as Python counts it.",
        [
            Figure("from the setup call to the loaded entry", "s", [run.loaded for run in runs], Goal(1.5)),
            Figure("CPU per poll", "ms", [run.poll_bare for run in runs], Goal(2)),
            Figure("CPU per poll, recorder included", "ms", [run.poll_recorded for run in runs]),
        ],
    )
    table.figures += [
        Figure(f"longest stall: {phase}", "ms", [run.stalls[phase] for run in runs], MAX_STALL_MS)
        for phase in runs[0].stalls
    ]
    table.figures.append(Figure("memory per entry", "KiB", [run.memory for run in runs]))
    return table


async def _one_home(scale: Scale) -> Costs:
    process = await create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.one_home",
        str(scale.polls),
        str(scale.entries),
        stdout=PIPE,
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the measured Home Assistant exited with status {process.returncode}")
    return Costs(**json.loads(out))
