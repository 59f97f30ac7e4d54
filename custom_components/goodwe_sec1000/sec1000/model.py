"""Measurements and settings of a SEC1000: power in W, positive to the grid (docs/protocol.md, "Signs")."""

from dataclasses import dataclass
from enum import IntEnum
import math
from typing import Final, NamedTuple

from .errors import InvalidValueError
from .plausibility import ImpossibleValue


class ControlMode(IntEnum):
    """What controls the export; the values are those of the `0x43` answer (docs/protocol.md, "Commands")."""

    DEACTIVATED = 0
    DRED = 1
    RCR = 2
    VALUE = 3

    @property
    def key(self) -> str:
        """Name of the mode in options, states and translations."""
        return self.name.lower()

    @classmethod
    def from_key(cls, key: str) -> ControlMode:
        """Return the mode with this key; raises InvalidValueError where there is none."""
        try:
            return cls[key.upper()]
        except KeyError:
            raise InvalidValueError(f"{key!r} is no control mode") from None


LIMITING_MODES: Final = (ControlMode.VALUE, ControlMode.DRED, ControlMode.RCR)


class Phases[T](NamedTuple):
    """A value for each of the three phases."""

    l1: T
    l2: T
    l3: T


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One answer to `0x0B`: voltage in V (steps of 0.1), current in A (steps of 0.01), power in W.

    An impossible value is None.
    """

    voltage: Phases[float | None]
    current: Phases[float | None]
    power: Phases[int | None]
    """Per phase, at the meter."""
    meter_power: int | None
    """Positive on export, negative on import."""
    inverter_power: int | None
    """AC output of all inverters."""
    impossible: tuple[ImpossibleValue, ...] = ()
    """What was reported in place of None."""

    @property
    def load_power(self) -> int | None:
        """Consumption behind the meter: inverter power minus meter power."""
        if self.inverter_power is None or self.meter_power is None:
            return None
        return self.inverter_power - self.meter_power


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """One answer to `0x43`: the current value of each setting, capacity and limit in W.

    An impossible capacity or limit is None.
    """

    mode: ControlMode
    capacity: int | None
    """Total capacity of the inverters."""
    ct_ratio: int
    """Ratio of the current transformers, in an unknown unit."""
    limit: int | None
    """Export limit."""
    impossible: tuple[ImpossibleValue, ...] = ()
    """What was reported in place of None."""


@dataclass(frozen=True, slots=True)
class ExportTarget:
    """The settings that the device should have, capacity and limit in W."""

    mode: ControlMode
    capacity: int
    """Total capacity of the inverters."""
    limit: int
    """Export limit."""
    sum_of_phases: bool
    """Measurement: whether the limit applies to the sum of the three phases, or to each phase."""


def watts(kilowatts: float) -> int:
    """Return kW rounded to whole W: 1.15 kW is 1150 W.

    Raises InvalidValueError for infinity and NaN.
    """
    if not math.isfinite(kilowatts):
        raise InvalidValueError(f"{kilowatts} is not a number of kW")
    return round(kilowatts * 1000)


def kilowatts(watts: int) -> float:
    """Return W as kW."""
    return watts / 1000
