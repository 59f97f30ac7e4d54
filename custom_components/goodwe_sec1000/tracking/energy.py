"""Energy from measured power: the area under it, from one good poll to the next."""

from dataclasses import dataclass
from typing import Final

from ..sec1000.model import Telemetry

LONGEST_GAP: Final = 3
"""Refresh intervals between two good polls over which the power may be interpolated."""
SECONDS_PER_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Energy:
    """Wh since setup."""

    exported: int = 0
    imported: int = 0
    produced: int = 0
    """AC output of the inverters; energy from batteries behind them is in it."""
    consumed: int = 0
    """What the inverters gave and the grid did not get; may fall a little where the device's values,
    which it refreshes at different moments, do not belong together."""


class EnergyMeter:
    """Adds up what flowed between good polls; nothing is invented across a long gap."""

    def __init__(self) -> None:
        self._last: tuple[float, Telemetry] | None = None
        self._interval = 0.0
        self._exported = self._imported = self._produced = self._consumed = 0.0

    def add(self, telemetry: Telemetry, at: float, interval: float) -> Energy:
        """Return the energy up to this measurement; `at` (monotonic) and the interval of polls are in s."""
        # Where the interval was shortened just now, the poll before came at the longer one.
        longest_gap = LONGEST_GAP * max(interval, self._interval)
        self._interval = interval
        if self._last and 0 < (seconds := at - self._last[0]) <= longest_gap:
            before = self._last[1]
            exported, imported = _areas(before.meter_power, telemetry.meter_power, seconds)
            produced, _ = _areas(before.inverter_power, telemetry.inverter_power, seconds)
            gained, lost = _areas(before.load_power, telemetry.load_power, seconds)
            self._exported += exported
            self._imported += imported
            self._produced += produced
            self._consumed += gained - lost
        self._last = (at, telemetry)
        return Energy(
            round(self._exported), round(self._imported), round(self._produced), round(self._consumed)
        )


def _areas(first: float, last: float, seconds: float) -> tuple[float, float]:
    """Return Wh above and below zero of a power (W) that goes straight from first to last."""
    hours = seconds / SECONDS_PER_HOUR
    if first >= 0 <= last:
        return (first + last) / 2 * hours, 0.0
    if first <= 0 >= last:
        return 0.0, -(first + last) / 2 * hours
    crossing = first / (first - last)
    above, below = (first, -last) if first > 0 else (last, -first)
    share_above = crossing if first > 0 else 1 - crossing
    return above / 2 * share_above * hours, below / 2 * (1 - share_above) * hours
