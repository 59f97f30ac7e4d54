"""What the demo's Home Assistant runs to switch the simulated heater and to see the simulated house."""

from collections.abc import Mapping
import shlex
import sys
from typing import Final

from .options import CHECKOUT

_TELL: Final = CHECKOUT / "demo" / "send_command.py"


def environment(control_port: int) -> Mapping[str, str]:
    """Return what simulated_house_package.yaml takes from environment variables."""
    return {
        "DEMO_CONTROL_PORT": str(control_port),
        "DEMO_HOUSE_STATE": _command(control_port, "state"),
        "DEMO_HEATER_ON": _command(control_port, "event", "heater-on"),
        "DEMO_HEATER_OFF": _command(control_port, "event", "heater-off"),
    }


def _command(control_port: int, *order: str) -> str:
    return shlex.join([sys.executable, str(_TELL), str(control_port), *order])
