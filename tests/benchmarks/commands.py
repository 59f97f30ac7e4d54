"""Commands in Home Assistant: until the limit is in force in the device and proven, and time without one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.command import READ_EXPORT_SETTINGS, READ_TELEMETRY
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, ExportTarget
from simulator import Simulator
from simulator.protocol import WRITE_LIMIT

from .home import home, set_up
from .report import Figure, Goal, Table
from .scale import Scale

LIMIT_BEFORE_W: Final = 9_000
LIMIT_WANTED_KW: Final = 7.0
LIMIT_WANTED_W: Final = 7_000
QUIET_S: Final = 0.5
"""Of the line, before the call."""
POLL_S: Final = 0.2
"""How long the device takes to answer the poll during which the call comes; it comes halfway."""
POLL: Final = READ_TELEMETRY.encode()
STORING: Final = "storing the pending restore"


class Line(StrEnum):
    """What the line did before the call."""

    QUIET = f"quiet for {QUIET_S} s"
    AFTER_POLL = "right after a poll"
    DURING_POLL = "during a poll"


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and what it should cost on a quiet line."""

    name: str
    action: str = "set_export_limit"
    data: tuple[tuple[str, float], ...] = (("limit", LIMIT_WANTED_KW),)
    limit: int = LIMIT_WANTED_W
    """In force afterwards, in W."""
    mode: ControlMode = ControlMode.VALUE
    """Of the device, before."""
    fault: str | None = None
    faulty_command: int = READ_EXPORT_SETTINGS.request.command
    in_force: Goal | None = None
    """In ms, without what storing takes."""
    proven: Goal | None = None
    """In s from the call on."""
    without_limit: Goal | None = None
    """In ms."""
    after_in_force: Goal | None = None
    """In s, until it is proven."""
    requests: Goal | None = None


STANDS: Final = Command("mode stands", in_force=Goal(20), proven=Goal(0.6), requests=Goal(3, exactly=True))
CHANGES: Final = Command(
    "mode changes",
    mode=ControlMode.RCR,
    in_force=Goal(30),
    without_limit=Goal(20),
    requests=Goal(5, exactly=True),
)
RESET: Final = Command(
    "reset",
    action="reset_export_watchdog",
    data=(),
    limit=LIMIT_BEFORE_W,
    without_limit=Goal(5_100),
    after_in_force=Goal(0.7),
    requests=Goal(7, exactly=True),
)
TOGGLE: Final = Command(
    "mode stands, read first", action="export_toggle", data=(), limit=0, in_force=Goal(550)
)
FAULTY: Final = (
    Command("read-back with a wrong checksum", fault="wrong-checksum"),
    Command("answer to the write lost", fault="effect-then-silence", faulty_command=WRITE_LIMIT),
)
CASES: Final = (
    *((command, line) for command in (STANDS, CHANGES, RESET) for line in Line),
    *((command, Line.QUIET) for command in (TOGGLE, *FAULTY)),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command cost, in seconds from the call on."""

    in_force: float
    """Until the device armed the limit for the first time."""
    proven: float
    without_limit: float
    storing: float | None
    """None where nothing was stored."""
    requests: int


async def commanded(scale: Scale) -> Table:
    """Measure each command on a quiet line, and the usual ones after and during a poll, too."""
    table = Table(
        "Commands",
        "From the call of the action in Home Assistant, with the standard pauses, in real time; the device "
        "runs in the same process and reports when it armed the limit and how long it had none. In force is "
        "the moment in which the limit is armed; proven is the end of the call, after the read-back. "
        f'"{Line.DURING_POLL}": the device takes {POLL_S} s to answer a poll, and the call comes halfway.',
    )
    for command, line in CASES:
        costs = [await _measure(command, line) for _ in range(scale.changes)]
        table.figures += _figures(command, line, costs)
    return table


def _figures(command: Command, line: Line, costs: list[Cost]) -> list[Figure]:
    name = f"{command.name}, {line}"
    is_quiet = line is Line.QUIET

    def goal(goal: Goal | None) -> Goal | None:
        return goal if is_quiet else None

    stored = [cost.storing for cost in costs if cost.storing is not None]
    figures = [
        Figure(
            f"{name}: in force{', storing aside' if stored else ''}",
            "ms",
            [(cost.in_force - (cost.storing or 0)) * 1000 for cost in costs],
            goal(command.in_force),
        ),
        Figure(f"{name}: proven", "s", [cost.proven for cost in costs], goal(command.proven)),
        Figure(
            f"{name}: without a limit",
            "ms",
            [cost.without_limit * 1000 for cost in costs],
            goal(command.without_limit),
        ),
        Figure(f"{name}: requests", "", [cost.requests for cost in costs], command.requests),
    ]
    if command.after_in_force:
        figures.append(
            Figure(
                f"{name}: from in force to proven",
                "s",
                [cost.proven - cost.in_force for cost in costs],
                goal(command.after_in_force),
            )
        )
    if stored:
        figures.insert(1, Figure(f"{name}: {STORING}", "ms", [seconds * 1000 for seconds in stored]))
    return figures


class _Latency:
    """The time a device takes before it obeys a request, and anew before it answers."""

    slow = 0
    """How often it is slow from now on."""

    def __call__(self) -> float:
        if not self.slow:
            return 0.0
        self.slow -= 1
        return POLL_S / 2


async def _measure(command: Command, line: Line) -> Cost:
    """Run the command with a new device and a new Home Assistant."""
    latency = _Latency()
    async with (
        Simulator(mode=command.mode, limit=LIMIT_BEFORE_W, latency=latency) as simulator,
        home(recorder=False) as hass,
    ):
        entry = await set_up(hass, simulator.port)
        stored = _watch_storing(entry)
        await hass.async_block_till_done()
        async with _line(line, entry, latency):
            return await _run(hass, command, simulator, stored)


async def _run(hass: HomeAssistant, command: Command, simulator: Simulator, stored: list[float]) -> Cost:
    if command.fault:
        simulator.inject(command.fault, count=1, commands={command.faulty_command})
    loop = asyncio.get_running_loop()
    before, called = len(simulator.requests), loop.time()
    response = await hass.services.async_call(
        DOMAIN, command.action, dict(command.data), blocking=True, return_response=True
    )
    ended = loop.time()
    assert response
    history = simulator.device.history
    armed_at = history.armed_at(command.limit, since=called)
    assert armed_at is not None
    assert simulator.device.bound_limit == command.limit
    return Cost(
        armed_at - called,
        ended - called,
        history.unlimited_seconds(called, ended),
        sum(stored) if stored else None,
        len([request for request in simulator.requests[before:] if request.raw != POLL]),
    )


@asynccontextmanager
async def _line(line: Line, entry: ConfigEntry, latency: _Latency) -> AsyncIterator[None]:
    """Bring the line to this state."""
    coordinator = entry.runtime_data.coordinator
    await asyncio.sleep(QUIET_S)
    if line is Line.AFTER_POLL:
        await coordinator.async_refresh()
    if line is Line.DURING_POLL:
        latency.slow = 2
        poll = asyncio.create_task(coordinator.async_refresh())
        await asyncio.sleep(POLL_S / 2)
        yield
        await poll
    else:
        yield


def _watch_storing(entry: ConfigEntry) -> list[float]:
    """Return a list of the seconds that each storing of the pending restore will have taken."""
    pending = entry.runtime_data.coordinator.client.pending
    save: Final[Callable[[ExportTarget], object]] = pending.save
    taken: list[float] = []
    loop = asyncio.get_running_loop()

    async def timed(target: ExportTarget) -> None:
        began = loop.time()
        await save(target)  # type: ignore[misc]
        taken.append(loop.time() - began)

    pending.save = timed
    return taken
