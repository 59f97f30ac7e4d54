"""Simulated devices in a separate process, so that they do not count in the measurement."""

import argparse
import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
import json
import sys
from typing import Final

from custom_components.goodwe_sec1000.sec1000.model import Phases, Telemetry
from simulator import Request, Simulator
from simulator.exchange import Answer

TELEMETRY: Final = 0x0B


@dataclass(frozen=True, slots=True)
class Devices:
    """Running devices."""

    ports: list[int]
    _process: Process

    async def polls(self) -> dict[int, list[float]]:
        """Stop the devices; return the times (s) of telemetry requests by port."""
        out, _ = await self._process.communicate(b"end\n")
        return {int(port): times for port, times in json.loads(out).items()}


@asynccontextmanager
async def devices(
    count: int = 1, *, overload: bool = False, core: int | None = None
) -> AsyncIterator[Devices]:
    """Run so many devices, on the CPU `core` if given.

    All values change with every answer. Without `overload` any number of requests leaves them healthy.
    """
    option = ["--overload"] if overload else []
    command = [sys.executable, "-m", "tests.benchmarks.devices", str(count), *option]
    if core is not None:
        command = ["taskset", "--cpu-list", str(core), *command]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdout
    try:
        yield Devices(json.loads(await process.stdout.readline()), process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _serve(count: int, *, overload: bool) -> None:
    polls: dict[int, list[float]] = {}
    async with AsyncExitStack() as stack:
        for _ in range(count):
            device = Device(overload=overload)
            await stack.enter_async_context(device.simulator)
            polls[device.simulator.port] = device.polled
        sys.stdout.write(json.dumps(list(polls)) + "\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        sys.stdout.write(json.dumps(polls))


class Device:
    """A simulated device that records when it is polled."""

    def __init__(self, *, overload: bool) -> None:
        self.simulator = Simulator(overload=overload, keep_requests=0, on_exchange=self._record)
        self.polled: list[float] = []
        """Seconds on the clock of the event loop."""
        self.simulator.hold(_measured(0))

    def _record(self, request: Request, _answer: Answer) -> None:
        if request.frame and request.frame.command == TELEMETRY:
            self.polled.append(request.time)
            self.simulator.hold(_measured(len(self.polled)))


def _measured(poll: int) -> Telemetry:
    """Return telemetry for this poll; every value differs from the previous one."""
    step = poll % 2_000
    power = Phases(2_500 + step, 2_400 - step, 2_600 + 2 * step)
    return Telemetry(
        voltage=Phases(*(round(volts + step % 50 / 10, 1) for volts in (228.0, 229.0, 230.0))),
        current=Phases(*(round(amperes + step / 100, 2) for amperes in (10.0, 11.0, 12.0))),
        power=Phases[int | None](*power),
        meter_power=sum(power),
        inverter_power=9_000 + 3 * step,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("--overload", action="store_true")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.count, overload=arguments.overload))
