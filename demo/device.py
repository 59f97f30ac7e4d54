"""The device of the demo: its own simulator, or a real device in the network."""

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

_SIMULATOR_SCAN_INTERVAL_S: Final = 6
"""At 5 s the polls alone would use up almost all requests that the device bears."""
_BATTERY_KW: Final = 10
"""Enough for the heater, so that a throttled house shows at panels and battery and not at the grid."""
SEED: Final = 4
"""A day that is clear until some time after the heater has switched on, then cloudy."""
_START_TIMEOUT_S: Final = 30.0
_SEND_COMMAND: Final = CHECKOUT / "demo" / "send_command.py"


@dataclass(frozen=True, slots=True)
class Device:
    """The address of the device and how to poll it."""

    host: str
    port: int
    description: str
    scan_interval: int | None
    """In seconds; None means the integration's default."""
    control_port: int | None
    """Of the simulator; None for a real device."""

    @property
    def is_simulated(self) -> bool:
        """Whether the device is a simulator."""
        return self.control_port is not None


def format_time(hour: float) -> str:
    """Return an hour of the day as HH:MM."""
    return "{:02}:{:02}".format(*divmod(round(hour * 60) % (24 * 60), 60))


def real_device(host: str, port: int) -> Device:
    """Return the device at an address."""
    description = f"the real one at {host}:{port}; commands on the dashboard change its settings"
    return Device(host, port, description, None, None)


def simulator_process(folder: Folder, *, speed: float, start: float) -> Child:
    """Return the simulator, not started yet, on the port of a SEC1000 if that is free.

    Its day begins at the hour `start` and runs at this speed.
    """
    port = 0 if port_problem(DEFAULT_DEVICE_PORT) else DEFAULT_DEVICE_PORT
    command = [sys.executable, "-m", "simulator", "--port", str(port), "--control-port", "0"]
    command += ["--seed", str(SEED)]
    command += ["--battery", str(_BATTERY_KW)]
    command += ["--speed", str(speed), "--start-time", format_time(start)]
    return Child("The simulator", command, log=folder.path / "simulator.log", folder=CHECKOUT)


async def simulated_device(simulator: Child) -> Device:
    """Return the device of a running simulator."""
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            control = int((await simulator.wait_for_line(r"^control on \S+:(\d+)$"))[1])
            port = int((await simulator.wait_for_line(r"^listening on \S+:(\d+)$"))[1])
    except TimeoutError:
        raise DemoError(f"The simulator did not start in time. {simulator.end_of_log()}") from None
    description = f"a simulated SEC1000/S at {LOOPBACK}:{port}, control port {control}"
    return Device(LOOPBACK, port, description, _SIMULATOR_SCAN_INTERVAL_S, control)


def simulated_house_environment(control_port: int) -> Mapping[str, str]:
    """Return the environment variables of simulated_house_package.yaml."""
    return {
        "DEMO_CONTROL_PORT": str(control_port),
        "DEMO_HOUSE_STATE": _command(control_port, "state"),
        "DEMO_HEATER_ON": _command(control_port, "event", "heater-on"),
        "DEMO_HEATER_OFF": _command(control_port, "event", "heater-off"),
    }


def _command(control_port: int, *command: str) -> str:
    return shlex.join([sys.executable, str(_SEND_COMMAND), str(control_port), *command])
