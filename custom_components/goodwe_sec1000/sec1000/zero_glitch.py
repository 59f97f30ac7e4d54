"""The zero glitch: inverter power that reads 0 in full production, and how it is told from a trip.

Source: docs/protocol.md, "What goes wrong on real devices": the device refreshes the inverters'
power about every 30 s and the meter's at once, and now and then shows one refresh of the former
as 0.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from .model import Telemetry

HOLD: Final = 60.0
"""s after the last value that was not 0; a zero that is seen later is believed."""
LOOK_BACK: Final = 40.0
"""s; a little more than one refresh of the inverters' power."""
SMALL: Final = 200
"""W; inverters that gave no more than this may well have stopped (dusk)."""


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    telemetry: Telemetry
    refreshed: bool
    """Whether the inverters' power had changed since the sample before."""


class ZeroGlitchFilter:
    """Holds the last inverter power while a zero is not confirmed by the meter."""

    def __init__(self) -> None:
        self._producing: deque[_Sample] = deque()

    def filter(self, telemetry: Telemetry, at: float) -> Telemetry:
        """Return what to show of a measurement taken at that moment (s, monotonic)."""
        if telemetry.inverter_power != 0:
            last = self._producing[-1].telemetry.inverter_power if self._producing else None
            self._producing.append(_Sample(at, telemetry, telemetry.inverter_power != last))
            while len(self._producing) > 1 and self._producing[1].at <= at - LOOK_BACK:
                self._producing.popleft()
            return telemetry
        if not self._producing:
            return telemetry
        last_sample = self._producing[-1]
        held = last_sample.telemetry.inverter_power
        if at - last_sample.at > HOLD or held <= SMALL or self._meter_confirms(telemetry, at):
            self._producing.clear()
            return telemetry
        return replace(telemetry, inverter_power=held)

    def _meter_confirms(self, telemetry: Telemetry, at: float) -> bool:
        """Tell whether the meter lost at least half of what the inverters would have.

        It is compared with the meter at the last refresh that was not zero: when inverters trip
        between two refreshes, later samples already carry the fallen meter beside the old power.
        """
        recent = [sample for sample in self._producing if at - sample.at <= LOOK_BACK]
        if not recent:
            recent = [self._producing[-1]]
        reference = next((sample for sample in reversed(recent) if sample.refreshed), recent[0]).telemetry
        fallen = reference.meter_power - telemetry.meter_power
        return fallen >= reference.inverter_power / 2
