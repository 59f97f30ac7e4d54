"""Energy from measured power, from one good poll to the next, and its totals on disk."""

from dataclasses import dataclass
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from ..const import DOMAIN
from ..sec1000.model import Telemetry

LONGEST_GAP: Final = 3
"""Refresh intervals between two good polls over which the power may be interpolated."""
SECONDS_PER_HOUR: Final = 3600.0
_VERSION: Final = 1
_SAVE_WITHIN: Final = 86_400.0
"""s. Home Assistant itself restores what is younger; unload and stop save at once."""


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


class EnergyTotals:
    """kWh by the key of the sensor, on disk.

    Home Assistant forgets the state of an entity that is absent for a week, such as that of a disabled entry
    or of a device under repair. In the Energy dashboard, a total that began anew would take back all that
    had flowed.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        self._store = Store[dict[str, float]](hass, _VERSION, f"{DOMAIN}.{entry_id}.energy")
        self._totals: dict[str, float] = {}
        self._to_be_saved = False

    async def load(self) -> None:
        """Take over what was kept before."""
        self._totals = await self._store.async_load() or {}

    def of(self, key: str) -> float | None:
        """Return where the sensor last stood; None where it never did."""
        return self._totals.get(key)

    @callback
    def keep(self, key: str, total: float) -> None:
        """Keep where a sensor stands."""
        if self._totals.get(key) == total:
            return
        self._totals[key] = total
        if not self._to_be_saved:
            self._to_be_saved = True
            self._store.async_delay_save(self._saved, _SAVE_WITHIN)

    async def save(self) -> None:
        """Have on disk what is kept."""
        if self._to_be_saved:
            await self._store.async_save(self._saved())

    async def remove(self) -> None:
        """Forget it with its entry."""
        await self._store.async_remove()

    @callback
    def _saved(self) -> dict[str, float]:
        self._to_be_saved = False
        return dict(self._totals)
