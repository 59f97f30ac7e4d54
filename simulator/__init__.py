"""A GoodWe SEC1000/S on loopback: the device, a house behind it, and all that goes wrong."""

from .captured import CAPTURED
from .device import Device
from .faults import FAULTS, Fault
from .house import House
from .overload import Patience
from .requests import Request
from .simulator import Simulator

__all__ = ["CAPTURED", "FAULTS", "Device", "Fault", "House", "Patience", "Request", "Simulator"]
