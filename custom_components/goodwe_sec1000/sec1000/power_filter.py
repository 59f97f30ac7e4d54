"""Filter inverter and load power while the device's values do not belong together.

Source: docs/protocol.md, "What goes wrong on real devices": the device refreshes the inverter power
about every 30 s and the meter power at once, and sometimes reports one refresh of the former as 0.
A real trip of the inverters shows at the meter. The load is the difference of the two: right after a
change of the export limit it is that of two different moments, often below zero.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Self, override

from .model import Telemetry

HOLD_S: Final = 60.0
"""How long after its measurement a value is held; what is reported after that is real, or unknown."""
LOOK_BACK_S: Final = 40.0
"""A little more than one refresh of the inverter power."""
NEGLIGIBLE_W: Final = 200
"""Inverters that produced no more than this may really have stopped (dusk), and meter and inverters may
differ by so much."""


@dataclass(frozen=True, slots=True)
class ShownTelemetry(Telemetry):
    """A measurement as it is shown, with the inverter power and the load that are taken for true."""

    load: int | None = None

    @property
    @override
    def load_power(self) -> int | None:
        return self.load

    @classmethod
    def show(cls, telemetry: Telemetry, inverter_power: int | None, load: int | None) -> Self:
        """Return this measurement with these powers (W); None where unknown."""
        return cls(
            telemetry.voltage,
            telemetry.current,
            telemetry.power,
            telemetry.meter_power,
            inverter_power,
            telemetry.impossible,
            load,
        )

    @classmethod
    def unheld(cls, telemetry: Telemetry) -> Self:
        """Return this measurement as it is reported; a load that would be clearly below zero is unknown."""
        return cls.show(telemetry, telemetry.inverter_power, _possible(telemetry.load_power))


def _possible(load: int | None) -> int | None:
    return None if load is None or load < -NEGLIGIBLE_W else max(0, load)


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    inverter_power: int
    meter_power: int | None
    refreshed: bool
    """The inverter power differs from that of the previous sample."""


class PowerFilter:
    """Hold the last inverter power and the last load that were true, for a minute at most.

    The inverter power is held while the meter does not confirm a zero; the load while it cannot be below
    zero, or the inverter power may be that from before a change of the limit.
    """

    def __init__(self) -> None:
        self._producing: deque[_Sample] = deque()
        self._load: tuple[float, int] | None = None
        """When the load was last known (s), and what it was (W)."""
        self._limit: object = None
        self._limit_changed_at: float | None = None
        self._first_after_change: int | None = None
        """The first inverter power (W) after the last change of the limit."""
        self.held_until: float | None = None
        """Until when what is held by the last call may be shown; None where nothing is held."""

    def record_limit(self, limit: object, at: float) -> None:
        """Record what limits the export, in whatever form, at `at` (s, monotonic); None: that is unknown."""
        if self._limit not in {None, limit}:
            self._limit_changed_at, self._first_after_change = at, None
        self._limit = limit

    def filter(self, telemetry: Telemetry, at: float) -> ShownTelemetry:
        """Return the telemetry to show; `at` is when it was measured, in seconds of a monotonic clock."""
        self.held_until = None
        inverter = self._filter_zero(telemetry, at)
        meter = telemetry.meter_power
        if inverter is None or meter is None:
            return ShownTelemetry.show(telemetry, inverter, None)
        load = _possible(inverter - meter)
        if load is not None and not self._is_stale(inverter, at):
            if inverter == telemetry.inverter_power:
                self._load = at, load
        elif self._load and (until := self._load[0] + HOLD_S) >= at:
            self.held_until = until if self.held_until is None else min(until, self.held_until)
            load = self._load[1]
        return ShownTelemetry.show(telemetry, inverter, load)

    def _is_stale(self, inverter_power: int, at: float) -> bool:
        """Return whether the inverter power may not have been refreshed since the limit changed."""
        if self._limit_changed_at is None or at - self._limit_changed_at > LOOK_BACK_S:
            return False
        if self._first_after_change is None:
            self._first_after_change = inverter_power
        return inverter_power == self._first_after_change

    def _filter_zero(self, telemetry: Telemetry, at: float) -> int | None:
        """Return the inverter power to show: the last one in place of a zero that is not confirmed."""
        power = telemetry.inverter_power
        if power is None:
            return None
        if power != 0:
            is_refreshed = not self._producing or power != self._producing[-1].inverter_power
            self._producing.append(_Sample(at, power, telemetry.meter_power, is_refreshed))
            while len(self._producing) > 1 and self._producing[1].at <= at - LOOK_BACK_S:
                self._producing.popleft()
            return power
        if not self._producing:
            return power
        last_sample = self._producing[-1]
        held = last_sample.inverter_power
        if at - last_sample.at > HOLD_S or held <= NEGLIGIBLE_W or self._meter_confirms(telemetry, at):
            self._producing.clear()
            return power
        self.held_until = last_sample.at + HOLD_S
        return held

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
