"""The commands that take the limit off for a while, and the requests by which they do."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from custom_components.goodwe_sec1000.sec1000.model import ControlMode

from .home import Automation

OLD: Final = 4_320
"""W; the limit that the device holds before the command."""
WISHED: Final = 7_000
"""W; the limit that a change of the mode brings."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that takes the limit off for a while, and what it sends."""

    held: ControlMode
    action: str
    data: Mapping[str, Any]
    sent: tuple[str, ...]
    target: tuple[ControlMode, int]
    """Mode and limit (W) that hold where the limit had been off."""
    clock_first: bool = False
    """Set the clock before: the pause that the device then gets keeps the command's first request back."""

    def at(self, trigger: Mapping[str, str]) -> Automation:
        """Return the automation that gives this command at that event."""
        actions = [(self.action, self.data)]
        return Automation(trigger, [("set_datetime", {}), *actions] if self.clock_first else actions)


RESET: Final = Command(
    ControlMode.VALUE,
    "reset_export_watchdog",
    {},
    ("read", "dred off", "rcr off", "value off", "write", "value on", "read"),
    (ControlMode.VALUE, OLD),
)
RESET_OF_RCR: Final = Command(
    ControlMode.RCR,
    "reset_export_watchdog",
    {},
    ("read", "value off", "dred off", "rcr off", "write", "rcr on", "read"),
    (ControlMode.RCR, OLD),
)
CHANGE: Final = Command(
    ControlMode.RCR,
    "set_export_limit",
    {"limit": WISHED / 1000},
    ("write", "dred off", "rcr off", "value on", "read"),
    (ControlMode.VALUE, WISHED),
)
CLOCK_AND_CHANGE: Final = replace(CHANGE, sent=("clock", *CHANGE.sent), clock_first=True)
RESTORING: Final = ("read", "write", "value on", "read")
"""What a start sends that finds a note and value mode off."""
