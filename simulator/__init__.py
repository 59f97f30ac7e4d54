"""A simulated GoodWe SEC1000/S on loopback, with the house behind it and faults by name."""

from .device import Device
from .exchange import Request
from .faults import FAULTS, Fault
from .house import House
from .overload import OverloadModel
from .protocol import CAPTURED
from .replay import Replay
from .simulator import Simulator

__all__ = [
    "CAPTURED",
    "FAULTS",
    "Device",
    "Fault",
    "House",
    "OverloadModel",
    "Replay",
    "Request",
    "Simulator",
]
