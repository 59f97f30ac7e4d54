"""A simulated device, controlled through the simulator's control port."""

from collections.abc import Iterator
from contextlib import contextmanager
import json
import socket
import subprocess
import sys
import time
from typing import Any, Final

from demo.child import dies_with_parent
from demo.options import CHECKOUT
from demo.ports import LOOPBACK

LIMIT_KW: Final = 10.0
CAPACITY_KW: Final = 30.0
"""Settings after a reset."""
_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.05


class SimulatedDevice:
    """A simulated device and its control port."""

    def __init__(self, port: int, control: int) -> None:
        self.port = port
        self._control = control

    def do(self, what: str, **details: object) -> dict[str, Any]:
        """Send a command to the simulator (see `python -m simulator --help`) and return the answer."""
        with socket.create_connection((LOOPBACK, self._control), timeout=_TIMEOUT_S) as connection:
            connection.sendall(json.dumps({"do": what, **details}).encode() + b"\n")
            with connection.makefile() as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
        assert answer["ok"], answer
        return answer

    def renew(self) -> None:
        """Reset it: no fault, reachable, not overloaded, value mode, LIMIT_KW and CAPACITY_KW."""
        self.do("clear")
        self.do("release")
        self.do("start")
        self.do("restart")
        self.do(
            "set",
            mode="value",
            limit=round(LIMIT_KW * 1000),
            capacity=round(CAPACITY_KW * 1000),
            sum_of_phases=True,
        )

    def mode(self) -> str:
        """Return the control mode."""
        return str(self.do("state")["mode"])

    def limit_in_force(self) -> float | None:
        """Return the limit in force (kW), or None."""
        watts = self.do("state")["bound_limit"]
        return None if watts is None else watts / 1000

    def requests(self) -> int:
        """Return the number of requests received."""
        return int(self.do("state")["requests"])

    def await_mode(self, mode: str) -> None:
        """Wait for a control mode."""
        deadline = time.monotonic() + _TIMEOUT_S
        while self.mode() != mode:
            assert time.monotonic() < deadline, f"the device is in mode {self.mode()!r}, not in {mode!r}"
            time.sleep(_POLL_S)


@contextmanager
def running_device() -> Iterator[SimulatedDevice]:
    """Run a simulator on free ports, as renew() leaves it."""
    with subprocess.Popen(
        [sys.executable, "-m", "simulator", "--port", "0", "--control-port", "0"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=dies_with_parent(),  # noqa: PLW1509 - it only asks the system for a signal
    ) as simulator:
        try:
            assert simulator.stdout is not None
            control, port = (int(simulator.stdout.readline().rpartition(":")[2]) for _ in range(2))
            device = SimulatedDevice(port, control)
            device.renew()
            yield device
        finally:
            simulator.terminate()
