"""A cross-check by the meter: whether the export stays within the limit that the device reports."""

from typing import Final

from ..options import ExportOptions
from ..sec1000.model import ControlMode, ExportSettings, Telemetry

GRACE_PERIOD_S: Final = 60.0
"""How long the meter may be above the limit and the margin; inverters need time to follow."""
MARGIN_W: Final = 100
"""The least margin above the limit."""
MARGIN_OF_CAPACITY: Final = 0.02


class MeterWatch:
    """Compares the meter with the limit, from poll to poll."""

    def __init__(self) -> None:
        self._limit: int | None = None
        self._above_since: float | None = None

    def forget(self) -> None:
        """Start anew: the meter is unknown while a poll fails."""
        self._above_since = None

    def exceeded(
        self, telemetry: Telemetry, settings: ExportSettings | None, options: ExportOptions, at: float
    ) -> int | None:
        """Return the limit (W) that the meter has been above for too long at that moment (s, monotonic).

        Only the limit by value of the sum of the phases can be judged by the meter's total.
        """
        meter, limit = telemetry.meter_power, settings.limit if settings else None
        is_judged = settings and settings.mode is ControlMode.VALUE and options.sum_of_phases
        if settings is None or not is_judged or meter is None or limit is None:
            self._above_since = None
            return None
        if limit != self._limit:
            self._limit = limit
            self._above_since = None
        margin = max(MARGIN_W, MARGIN_OF_CAPACITY * (settings.capacity or 0))
        if meter <= limit + margin:
            self._above_since = None
            return None
        if self._above_since is None:
            self._above_since = at
        return limit if at - self._above_since >= GRACE_PERIOD_S else None
