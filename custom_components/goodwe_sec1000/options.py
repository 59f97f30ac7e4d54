"""The options of a config entry as values with types and units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homeassistant.const import CONF_SCAN_INTERVAL

from .const import (
    CONF_CONTROL_MODE,
    CONF_MAX_EXPORT_LIMIT,
    CONF_MIN_EXPORT_LIMIT,
    CONF_SUM_OF_PHASES,
    CONF_TOTAL_CAPACITY,
    DEFAULT_SCAN_INTERVAL,
)
from .sec1000.model import ControlMode, ExportTarget, watts
from .sec1000.setting_write import TOLERANCE_W


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The options; powers in W, the interval in s."""

    scan_interval: int
    min_export_limit: int
    max_export_limit: int
    total_capacity: int
    control_mode: ControlMode
    sum_of_phases: bool

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> ExportOptions:
        """Return the options stored in an entry (kW), or those that a form is about to store.

        Raises KeyError where one is missing and InvalidValueError where one is invalid.
        """
        return cls(
            scan_interval=int(options.get(CONF_SCAN_INTERVAL, DEFAULT_SCAN_INTERVAL)),
            min_export_limit=watts(options[CONF_MIN_EXPORT_LIMIT]),
            max_export_limit=watts(options[CONF_MAX_EXPORT_LIMIT]),
            total_capacity=watts(options[CONF_TOTAL_CAPACITY]),
            control_mode=ControlMode.from_key(options[CONF_CONTROL_MODE]),
            sum_of_phases=bool(options[CONF_SUM_OF_PHASES]),
        )

    def disables_export(self, mode: ControlMode, limit: int) -> bool:
        """Return whether a device with this mode and limit (W) exports no more than the minimum.

        Only the limit of the mode value decides; within the tolerance of a read-back it is the minimum.
        """
        return mode is ControlMode.VALUE and limit < max(self.min_export_limit, 0) + TOLERANCE_W

    def target(self, limit: int) -> ExportTarget:
        """Return the target with this limit (W)."""
        return ExportTarget(self.control_mode, self.total_capacity, limit, self.sum_of_phases)
