"""How long the inverters take to keep a limit that was just set, as the meter shows it."""

from typing import Final

from ..options import ExportOptions
from ..sec1000.model import ControlMode, ExportSettings

OBEYED_WITHIN_S: Final = 300.0
"""A fall of the meter after that has other reasons."""


class Obedience:
    """Waits for the meter to be within a limit that was just set; moments are in s of a monotonic clock.

    Only the limit by value of the sum of the phases can be judged by the meter's total.
    """

    def __init__(self) -> None:
        self._limit: int | None = None
        """W; None where nothing is waited for."""
        self._since = 0.0
        self._meter: int | None = None
        """As read last, in W."""

    @property
    def is_awaited(self) -> bool:
        """Whether the meter has not shown yet that a limit is kept."""
        return self._limit is not None

    def limit_set(self, settings: ExportSettings, options: ExportOptions, at: float) -> None:
        """Begin to wait where the meter, as read last, is above the limit that was just proven."""
        is_judged = settings.mode is ControlMode.VALUE and options.sum_of_phases
        is_above = settings.limit is not None and self._meter is not None and self._meter > settings.limit
        self._limit = settings.limit if is_judged and is_above else None
        self._since = at

    def judge(self, meter_power: int | None, at: float) -> float | None:
        """Return how long (s) it took until the meter (W), read at this moment, is within the limit."""
        self._meter = meter_power
        if self._limit is None or self._meter is None or at <= self._since:
            return None
        if at > self._since + OBEYED_WITHIN_S:
            self._limit = None
        if self._limit is None or self._meter > self._limit:
            return None
        self._limit = None
        return at - self._since
