"""The simulated device from outside: what it truly holds, and what befalls it."""

import json
import socket
import time
from typing import Any, Final

from demo.ports import LOOPBACK

LIMIT: Final = 10.0
CAPACITY: Final = 30.0
"""kW; what a device holds that is as new."""
_PATIENCE: Final = 60.0
_LOOK_AGAIN: Final = 0.05


class SimulatedDevice:
    """The device behind a port, ruled through the simulator's control port."""

    def __init__(self, port: int, control: int) -> None:
        self.port = port
        self._control = control

    def do(self, what: str, **details: object) -> dict[str, Any]:
        """Give the simulator an order (see `python -m simulator --help`) and return its answer."""
        with socket.create_connection((LOOPBACK, self._control), timeout=_PATIENCE) as connection:
            connection.sendall(json.dumps({"do": what, **details}).encode() + b"\n")
            with connection.makefile() as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
        assert answer["ok"], answer
        return answer

    def renew(self) -> None:
        """Let it be as new: no fault, in the network, rested, in value mode with LIMIT of CAPACITY."""
        self.do("clear")
        self.do("release")
        self.do("start")
        self.do("restart")
        self.do(
            "set",
            mode="value",
            limit=round(LIMIT * 1000),
            capacity=round(CAPACITY * 1000),
            sum_of_phases=True,
        )

    def mode(self) -> str:
        """Return the control mode that is on."""
        return str(self.do("state")["mode"])

    def limit_in_force(self) -> float | None:
        """Return to how much (kW) the inverters are held now; None where nothing limits them."""
        watts = self.do("state")["bound_limit"]
        return None if watts is None else watts / 1000

    def requests(self) -> int:
        """Return how many requests it has seen."""
        return int(self.do("state")["requests"])

    def await_mode(self, mode: str) -> None:
        """Return as soon as this control mode is on."""
        deadline = time.monotonic() + _PATIENCE
        while self.mode() != mode:
            assert time.monotonic() < deadline, f"the device is in mode {self.mode()!r}, not in {mode!r}"
            time.sleep(_LOOK_AGAIN)
