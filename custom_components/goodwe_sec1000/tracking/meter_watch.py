"""A cross-check by the meter: whether the export stays within the limit that the device reports."""

from collections import deque
import math
from typing import Final

from ..options import ExportOptions
from ..sec1000.model import ControlMode, ExportSettings, Telemetry

GRACE_PERIOD_S: Final = 60.0
"""How long the meter may be above the highest limit of this time; inverters need time to follow."""
MARGIN_W: Final = 100
"""The least margin above the limit."""
MARGIN_BELOW_ZERO_W: Final = 200
"""The least margin above a limit below zero."""
MARGIN_OF_CAPACITY: Final = 0.02
UNKNOWN_AFTER_S: Final = 180.0
"""How long what was judged last counts where the meter cannot be judged."""


class MeterWatch:
    """Compares the meter with the limit, from poll to poll; moments are in s of a monotonic clock.

    Only the limit by value of the sum of the phases can be judged by the meter's total.
    """

    def __init__(self) -> None:
        self._limits: deque[tuple[float, float]] = deque()
        """What held from when on (W) in the grace period; infinity where it cannot be judged."""
        self._readings: deque[tuple[float, int, float]] = deque()
        """Meter and inverter power, W: the last reading older than the grace period, and those after it."""
        self._judged_at: float | None = None
        self.exceeded: int | None = None
        """The limit (W) that the meter was above for too long, as last judged."""
        self._exceeded_since: float | None = None

    def is_exceeded(self, at: float) -> bool | None:
        """Return what was last judged; None where that is too long ago."""
        if self._judged_at is None or at - self._judged_at >= UNKNOWN_AFTER_S:
            return None
        return self.exceeded is not None

    def exceeded_for(self, at: float) -> float:
        """Return for how long (s) it has been so without a break; 0 where it is not, or cannot be judged."""
        if self._exceeded_since is None or not self.is_exceeded(at):
            return 0.0
        return at - self._exceeded_since

    def record_limit(self, settings: ExportSettings, options: ExportOptions, at: float) -> None:
        """Record what holds from this moment on."""
        limit = math.inf
        if settings.mode is ControlMode.VALUE and options.sum_of_phases and settings.limit is not None:
            limit = settings.limit
        if not self._limits or limit != self._limits[-1][1]:
            self._limits.append((at, limit))
        while len(self._limits) > 1 and self._limits[1][0] <= at - GRACE_PERIOD_S:
            self._limits.popleft()

    def judge(
        self, telemetry: Telemetry, settings: ExportSettings | None, options: ExportOptions, at: float
    ) -> None:
        """Judge this measurement."""
        if settings is None or telemetry.meter_power is None:
            return
        self.record_limit(settings, options, at)
        if math.isinf(self._limits[-1][1]):
            self._set_exceeded(None, at)
            return
        if self._readings and at - self._readings[-1][0] > max(UNKNOWN_AFTER_S, 2 * options.scan_interval):
            self._readings.clear()
        self._judged_at = at
        inverters = math.inf if telemetry.inverter_power is None else telemetry.inverter_power
        self._readings.append((at, telemetry.meter_power, inverters))
        begin = at - GRACE_PERIOD_S
        while len(self._readings) > 1 and self._readings[1][0] <= begin:
            self._readings.popleft()
        # One that was set after the measurement was taken says nothing of it.
        held = [limit for since, limit in self._limits if since <= at]
        highest = max(held or (self._limits[0][1],))
        excess = min(excess_above(meter, inverters, highest) for _, meter, inverters in self._readings)
        is_long_enough = self._readings[0][0] <= begin
        is_exceeded = is_long_enough and excess > margin(highest, settings, options)
        self._set_exceeded(round(highest) if is_exceeded else None, at)

    def _set_exceeded(self, limit: int | None, at: float) -> None:
        if limit is None:
            self._exceeded_since = None
        elif self.exceeded is None:
            self._exceeded_since = at
        self.exceeded = limit


def excess_above(meter: float, inverters: float, limit: float) -> float:
    """Return by how much (W) the meter is above the limit; below zero at most what the inverters give.

    A house that uses less than it is to import cannot do more than switch them off.
    """
    return meter - limit if limit >= 0 else min(meter - limit, inverters)


def margin(limit: float, settings: ExportSettings, options: ExportOptions) -> float:
    """Return by how much (W) the meter may be above this limit (W)."""
    capacity = options.total_capacity
    if settings.capacity is not None:
        capacity = min(capacity, settings.capacity)
    return max(MARGIN_W if limit >= 0 else MARGIN_BELOW_ZERO_W, MARGIN_OF_CAPACITY * capacity)
