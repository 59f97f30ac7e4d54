"""The device that the demo shows: a simulator of its own, or a real one somewhere in the network."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
import shlex
import sys
from typing import Final

from .child import Child
from .errors import DemoError
from .folder import Folder
from .options import CHECKOUT, DEFAULT_DEVICE_PORT
from .ports import LOOPBACK, port_problem

_SIMULATED_INTERVAL: Final = 5
SEED: Final = 4
"""Of the simulated sky: clear until the heater has done its part of the story, then with clouds."""
_SIMULATOR_TIMEOUT: Final = 30.0
_SEND_COMMAND: Final = CHECKOUT / "demo" / "send_command.py"


@dataclass(frozen=True, slots=True)
class Device:
    """Where it is, and how often it is asked."""

    host: str
    port: int
    description: str
    scan_interval: int | None
    """s; None means the integration's own default, which spares a real device."""
    control_port: int | None
    """The simulator's; None where the device is a real one."""

    @property
    def is_simulated(self) -> bool:
        """Whether there is no real device behind it."""
        return self.control_port is not None


def clock(hour: float) -> str:
    """Return HH:MM of an hour of the day."""
    return "{:02}:{:02}".format(*divmod(round(hour * 60) % (24 * 60), 60))


def real_device(host: str, port: int) -> Device:
    """Return the device at an address."""
    description = f"the real one at {host}:{port}; what you press on the dashboard is written to it"
    return Device(host, port, description, None, None)


def simulator_process(folder: Folder, *, speed: float, start: float) -> Child:
    """Return the simulator, not started, on the port of a SEC1000 where that is free.

    Its day begins at the hour `start` and passes at this speed.
    """
    port = 0 if port_problem(DEFAULT_DEVICE_PORT) else DEFAULT_DEVICE_PORT
    command = [sys.executable, "-m", "simulator", "--port", str(port), "--control-port", "0"]
    # As little patience as a real one has: the demo must not show what would wear out a device.
    command += ["--overload", "on"]
    command += ["--seed", str(SEED)]
    command += ["--speed", str(speed), "--start-time", clock(start)]
    return Child("The simulator", command, log=folder.path / "simulator.log", folder=CHECKOUT)


async def simulated_device(simulator: Child) -> Device:
    """Return the device that a started simulator is."""
    try:
        async with asyncio.timeout(_SIMULATOR_TIMEOUT):
            control = int((await simulator.line(r"^control on \S+:(\d+)$"))[1])
            port = int((await simulator.line(r"^listening on \S+:(\d+)$"))[1])
    except TimeoutError:
        raise DemoError(f"The simulator says nothing. {simulator.end_of_log()}") from None
    description = f"a simulated SEC1000/S at {LOOPBACK}:{port}, control port {control}"
    return Device(LOOPBACK, port, description, _SIMULATED_INTERVAL, control)


def environment(control_port: int) -> Mapping[str, str]:
    """Return what simulated_house_package.yaml takes from environment variables."""
    return {
        "DEMO_CONTROL_PORT": str(control_port),
        "DEMO_HOUSE_STATE": _command(control_port, "state"),
        "DEMO_HEATER_ON": _command(control_port, "event", "heater-on"),
        "DEMO_HEATER_OFF": _command(control_port, "event", "heater-off"),
    }


def _command(control_port: int, *order: str) -> str:
    return shlex.join([sys.executable, str(_SEND_COMMAND), str(control_port), *order])
