"""What a SEC1000 measures and what it can be told: frozen values, watts and volts."""

from dataclasses import dataclass
from enum import IntEnum
import math
from typing import Final, NamedTuple

from .errors import InvalidValueError


class ControlMode(IntEnum):
    """What decides on the export, as the device numbers it (docs/protocol.md, "Commands")."""

    DEACTIVATED = 0
    DRED = 1
    RCR = 2
    VALUE = 3

    @property
    def key(self) -> str:
        """The mode's name in options, states and translations."""
        return self.name.lower()

    @classmethod
    def from_key(cls, key: str) -> ControlMode:
        """Return the mode of that name; raises InvalidValueError for a name that is none."""
        try:
            return cls[key.upper()]
        except KeyError:
            raise InvalidValueError(f"{key!r} is no control mode") from None


LIMITING_MODES: Final = (ControlMode.VALUE, ControlMode.DRED, ControlMode.RCR)


class Phases[T: (int, float)](NamedTuple):
    """One value of each of the three phases."""

    l1: T
    l2: T
    l3: T


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One measurement. Power is positive towards the grid (docs/protocol.md, "Signs")."""

    voltage: Phases[float]
    """V, in steps of 0.1."""
    current: Phases[float]
    """A, in steps of 0.01."""
    power: Phases[int]
    """W at the meter, per phase."""
    meter_power: int
    """W; positive on export, negative on import."""
    inverter_power: int
    """W; AC output of all inverters."""

    @property
    def load_power(self) -> int:
        """W used behind the meter: what the inverters give and the grid does not get."""
        return self.inverter_power - self.meter_power


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What the device says that it holds."""

    mode: ControlMode
    capacity: int
    """W; total capacity of the inverters."""
    ct_ratio: int
    """Ratio of the current transformers; its unit is not known."""
    limit: int
    """W; export limit."""


@dataclass(frozen=True, slots=True)
class ExportTarget:
    """What the device is to hold."""

    mode: ControlMode
    capacity: int
    """W; total capacity of the inverters."""
    limit: int
    """W; export limit."""
    sum_of_phases: bool
    """Measurement: the sum of the three phases, or each phase on its own."""


def watts(kilowatts: float) -> int:
    """Return kW as the nearest whole number of W: 1.15 kW is 1150 W.

    Raises InvalidValueError for what is not finite.
    """
    if not math.isfinite(kilowatts):
        raise InvalidValueError(f"{kilowatts} is not a number of kW")
    return round(kilowatts * 1000)


def kilowatts(watts: int) -> float:
    """Return W as kW."""
    return watts / 1000
