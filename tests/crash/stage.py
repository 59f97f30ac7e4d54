"""A simulated device with a Home Assistant process: what was requested, and a kill at a given request."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
import signal
from typing import Final, Self

from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Request, Simulator
from simulator.protocol import READ_LIMIT, SET_CLOCK, SWITCHES, TELEMETRY, WRITE_LIMIT

from .home import OPTIONS, Home

SETUP: Final = ("read", "telemetry")
"""Requests of a start without a pending restore."""
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
        self._at_request: tuple[int, Callable[[], None]] | None = None

    @classmethod
    @asynccontextmanager
    async def set_up(cls, folder: Path, *, mode: ControlMode, limit: int) -> AsyncIterator[Self]:
        """Start a device with this mode and limit (W), and create a configuration folder for it."""
        stage: Self

        def on_exchange(_request: Request, _answer: object) -> None:
            stage.see()

        async with Simulator(
            mode=mode,
            limit=limit,
            sum_of_phases=bool(OPTIONS["scan_three_phases"]),
            on_exchange=on_exchange,
        ) as sim:
            stage = cls(sim, Home(folder, sim))
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
        self._at_request = number, lambda: self.home.signal(signal.SIGKILL)

    def lose(self, number: int) -> None:
        """Let this request have neither effect nor answer, and kill Home Assistant."""

        def lose_next() -> None:
            self.sim.inject("silence", count=1)
            self.kill_on_arrival(number)

        self._at_request = number - 1, lose_next

    def see(self) -> None:
        """Run what was planned for the request that has just been processed."""
        if self._at_request and self._at_request[0] == len(self.requests):
            self._at_request[1]()

    @property
    def is_unlimited(self) -> bool:
        """Whether no mode limits the export."""
        return self.sim.device.mode is ControlMode.DEACTIVATED
