"""Filter inverter power that wrongly reads 0 in full production.

Source: docs/protocol.md, "What goes wrong on real devices": the device refreshes the inverter power
about every 30 s and the meter power at once, and sometimes reports one refresh of the former as 0.
A real trip of the inverters shows at the meter.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from .model import Telemetry

HOLD_S: Final = 60.0
"""How long after its measurement the last value that was not 0 is held; a zero after that is real."""
LOOK_BACK_S: Final = 40.0
"""A little more than one refresh of the inverter power."""
NEGLIGIBLE_W: Final = 200
"""Inverters that produced no more than this may really have stopped (dusk)."""


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    inverter_power: int
    meter_power: int | None
    refreshed: bool
    """The inverter power differs from that of the previous sample."""


class ZeroGlitchFilter:
    """Hold the last inverter power while the meter does not confirm a zero."""

    def __init__(self) -> None:
        self._producing: deque[_Sample] = deque()
        self.held_until: float | None = None
        """Until when the value held by the last call may be shown; None where it held none."""

    def filter(self, telemetry: Telemetry, at: float) -> Telemetry:
        """Return the telemetry to show; `at` is when it was measured, in seconds of a monotonic clock."""
        self.held_until = None
        if telemetry.inverter_power is None:
            return telemetry
        if telemetry.inverter_power != 0:
            power = telemetry.inverter_power
            is_refreshed = not self._producing or power != self._producing[-1].inverter_power
            self._producing.append(_Sample(at, power, telemetry.meter_power, is_refreshed))
            while len(self._producing) > 1 and self._producing[1].at <= at - LOOK_BACK_S:
                self._producing.popleft()
            return telemetry
        if not self._producing:
            return telemetry
        last_sample = self._producing[-1]
        held = last_sample.inverter_power
        if at - last_sample.at > HOLD_S or held <= NEGLIGIBLE_W or self._meter_confirms(telemetry, at):
            self._producing.clear()
            return telemetry
        self.held_until = last_sample.at + HOLD_S
        return replace(telemetry, inverter_power=held)

    def _meter_confirms(self, telemetry: Telemetry, at: float) -> bool:
        """Return whether the meter power fell by at least half of the inverter power.

        The reference is the meter power at the last refresh that was not zero: when inverters trip
        between two refreshes, later samples already combine the fallen meter with the old inverter power.
        """
        recent = [sample for sample in self._producing if at - sample.at <= LOOK_BACK_S]
        if not recent:
            recent = [self._producing[-1]]
        reference = next((sample for sample in reversed(recent) if sample.refreshed), recent[0])
        if reference.meter_power is None or telemetry.meter_power is None:
            return False
        return reference.meter_power - telemetry.meter_power >= reference.inverter_power / 2
