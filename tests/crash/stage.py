"""A simulated device with a Home Assistant process: what was requested, and a kill at a given request."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
import signal
from typing import Final, Self

import pytest

from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import House, Request, Simulator
from simulator.protocol import READ_LIMIT, SET_CLOCK, SWITCHES, TELEMETRY, WRITE_LIMIT

from .home import OPTIONS, Home

SETUP: Final = ("read", "telemetry")
"""Requests of a start without a pending restore."""
PARALLEL: Final = 8
"""Number of scenarios that run at the same time; most of the time they wait."""
_NAMES: Final = {READ_LIMIT: "read", TELEMETRY: "telemetry", WRITE_LIMIT: "write", SET_CLOCK: "clock"}
_READS: Final = frozenset({"read", "telemetry"})


def request_name(request: Request) -> str:
    """Return a name of the request, such as "read", "write" or "rcr off"."""
    assert request.frame
    command, data = request.frame.command, request.frame.data
    if command in SWITCHES:
        return f"{SWITCHES[command].key} {'on' if data == b'\x01' else 'off'}"
    return _NAMES[command]


class Stage:
    """One simulated device and one Home Assistant."""

    def __init__(self, sim: Simulator, home: Home) -> None:
        self.sim = sim
        self.home = home
        self._began = 0
        self._at_request: tuple[Callable[[], bool], Callable[[], None]] | None = None

    @classmethod
    @asynccontextmanager
    async def set_up(
        cls, folder: Path, *, mode: ControlMode, limit: int, house: House | None = None, **options: object
    ) -> AsyncIterator[Self]:
        """Start a device with this mode and limit (W), and create a configuration folder for it.

        `house`: the one behind the device.
        `options`: of the entry, in place of those that it has otherwise.
        """
        stage: Self

        def on_exchange(_request: Request, _answer: object) -> None:
            stage.see()

        async with Simulator(
            mode=mode,
            limit=limit,
            sum_of_phases=bool({**OPTIONS, **options}["scan_three_phases"]),
            house=house,
            on_exchange=on_exchange,
        ) as sim:
            stage = cls(sim, Home(folder, sim, options))
            yield stage

    def begin(self) -> None:
        """Start counting requests."""
        self._began = len(self.sim.requests)
        self._at_request = None

    @property
    def requests(self) -> list[Request]:
        """Requests since `begin`."""
        return self.sim.requests[self._began :]

    @property
    def request_names(self) -> tuple[str, ...]:
        """Names of the requests since `begin`."""
        return tuple(request_name(request) for request in self.requests)

    @property
    def written(self) -> list[str]:
        """Names of the writes since `begin`."""
        return [name for name in self.request_names if name not in _READS]

    async def arrived(self, count: int) -> None:
        """Wait until so many requests have arrived since `begin`."""
        await self.sim.wait_for_requests(self._began + count)

    async def answered(self, count: int) -> None:
        """Wait until so many requests have been answered since `begin`."""
        await self.arrived(count)
        await self.sim.wait_until_idle()

    async def telemetry_requested(self) -> None:
        """Wait for a telemetry request, which follows a restore."""
        while "telemetry" not in self.request_names:
            await self.arrived(len(self.requests) + 1)

    def kill_on_arrival(self, number: int) -> None:
        """Kill Home Assistant when this request has taken effect and before it is answered."""
        self.kill_when(lambda: len(self.requests) == number)

    def kill_when(self, is_time: Callable[[], bool]) -> None:
        """Kill Home Assistant at the first request, before it is answered, at which this is so."""
        self._at_request = is_time, lambda: self.home.signal(signal.SIGKILL)

    def lose(self, number: int) -> None:
        """Let this request have neither effect nor answer, and kill Home Assistant."""

        def lose_next() -> None:
            self.sim.inject("silence", count=1)
            self.kill_on_arrival(number)

        self._at_request = (lambda: len(self.requests) == number - 1), lose_next

    def see(self) -> None:
        """Run what was planned for the request that has just been processed."""
        if self._at_request and self._at_request[0]():
            self._at_request[1]()

    @property
    def is_unlimited(self) -> bool:
        """Whether no mode limits the export."""
        return self.sim.device.mode is ControlMode.DEACTIVATED


class How(Enum):
    """What happens to the last request before the kill, or follows it."""

    LOST = auto()
    """It arrives and has neither effect nor answer."""
    DONE = auto()
    """It takes effect and is not answered."""
    ANSWERED = auto()
    """It is answered; the next one follows after a pause, since there is no moment between two writes."""
    PENDING_SAVED = auto()
    """It is answered, and the pending restore is stored."""
    PENDING_CLEARED = auto()
    """It is answered, and the pending restore is removed."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When Home Assistant is killed, and whether the limit is off then."""

    name: str
    sent: int
    """Requests of the command; those of the start come before them."""
    how: How
    off: bool = False
    delay: float = 0.0
    """Further seconds until the kill."""

    async def kill(self, stage: Stage, start: int) -> None:
        """Kill Home Assistant at this moment; `start` requests come before those of the command."""
        sent = start + self.sent
        match self.how:
            case How.LOST:
                stage.lose(sent)
            case How.DONE:
                stage.kill_on_arrival(sent)
            case How.ANSWERED:
                await stage.answered(sent)
            case How.PENDING_SAVED:
                await stage.answered(sent)
                await stage.home.pending_saved()
            case How.PENDING_CLEARED:
                await stage.answered(sent)
                await stage.home.pending_cleared()
        await asyncio.sleep(self.delay)
        if self.how not in {How.LOST, How.DONE}:
            stage.home.signal(signal.SIGKILL)
        assert await stage.home.ended() == -signal.SIGKILL
        await stage.sim.wait_until_idle()


async def run_all(
    folder: Path, subtests: pytest.Subtests, scenarios: Mapping[str, Callable[[Path], Awaitable[None]]]
) -> None:
    """Run these scenarios in parallel, each in a folder with its own device and Home Assistant."""
    room = asyncio.Semaphore(PARALLEL)

    async def run(name: str) -> None:
        async with room, asyncio.timeout(60):
            await scenarios[name](folder / name.replace("/", " "))

    ends = await asyncio.gather(*map(run, scenarios), return_exceptions=True)
    for name, end in zip(scenarios, ends, strict=True):
        with subtests.test(name):
            if end:
                raise end
