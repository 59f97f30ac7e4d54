"""The commands that suspend the limit, and the requests that they send."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from custom_components.goodwe_sec1000.sec1000.model import ControlMode

from .home import Automation

OLD: Final = 4_320
"""Limit of the device before the command, in W."""
WISHED: Final = 7_000
"""Limit that the mode change sets, in W."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that suspends the limit, and the requests it sends."""

    held: ControlMode
    action: str
    data: Mapping[str, Any]
    sent: tuple[str, ...]
    target: tuple[ControlMode, int]
    """Mode and limit (W) of the device after the command or after a restore."""
    clock_first: bool = False
    """Set the clock before, so that the pacing delays the first request of the command."""

    def at(self, trigger: Mapping[str, str]) -> Automation:
        """Return an automation that calls this command at a trigger."""
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
    ("read", "read", "value off", "dred off", "rcr off", "write", "rcr on", "read"),
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
"""Requests of a start that finds a pending restore and value mode off."""
