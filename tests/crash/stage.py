"""A device, a home, and a witness of every request: what a life of Home Assistant did, and where it ends."""

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
"""What a start asks, where no note stands."""
_NAMES: Final = {READ_LIMIT: "read", TELEMETRY: "telemetry", WRITE_LIMIT: "write", SET_CLOCK: "clock"}
_READS: Final = frozenset({"read", "telemetry"})


def request_name(request: Request) -> str:
    """Return what a request is for: "read", "write", "rcr off"."""
    assert request.frame
    command, data = request.frame.command, request.frame.data
    if command in SWITCHES:
        return f"{SWITCHES[command].key} {'on' if data == b'\x01' else 'off'}"
    return _NAMES[command]


class Stage:
    """One device and one home."""

    def __init__(self, sim: Simulator, home: Home) -> None:
        self.sim = sim
        self.home = home
        self._began = 0
        self._at_request: tuple[int, Callable[[], None]] | None = None

    @classmethod
    @asynccontextmanager
    async def set_up(cls, folder: Path, *, mode: ControlMode, limit: int) -> AsyncIterator[Self]:
        """Set the scene of a device that holds this mode and limit (W), as its home knows."""
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
        """Count the requests from here on."""
        self._began = len(self.sim.requests)
        self._at_request = None

    @property
    def requests(self) -> list[Request]:
        """The requests since the beginning."""
        return self.sim.requests[self._began :]

    @property
    def request_names(self) -> tuple[str, ...]:
        """What the requests since the beginning were for."""
        return tuple(request_name(request) for request in self.requests)

    @property
    def written(self) -> list[str]:
        """What was written since the beginning."""
        return [name for name in self.request_names if name not in _READS]

    async def arrived(self, count: int) -> None:
        """Return once so many requests have arrived since the beginning."""
        await self.sim.wait_for_requests(self._began + count)

    async def answered(self, count: int) -> None:
        """Return once so many requests have been answered."""
        await self.arrived(count)
        await self.sim.wait_until_idle()

    async def telemetry_requested(self) -> None:
        """Return once the telemetry is asked for: all that goes before it has ended then."""
        while "telemetry" not in self.request_names:
            await self.arrived(len(self.requests) + 1)

    def kill_on_arrival(self, number: int) -> None:
        """Kill Home Assistant when this request has been done by the device and not been answered."""
        self._at_request = number, lambda: self.home.signal(signal.SIGKILL)

    def lose(self, number: int) -> None:
        """Let this request have no effect and no answer."""

        def lose_next() -> None:
            self.sim.inject("silence", count=1)
            self.kill_on_arrival(number)

        self._at_request = number - 1, lose_next

    def see(self) -> None:
        """Do what was planned for the request that has just been done."""
        if self._at_request and self._at_request[0] == len(self.requests):
            self._at_request[1]()

    @property
    def is_unlimited(self) -> bool:
        """Whether nothing limits the export."""
        return self.sim.device.mode is ControlMode.DEACTIVATED
