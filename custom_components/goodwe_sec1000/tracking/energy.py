"""Energy from measured power, from one good poll to the next, and its totals on disk."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
import math
from pathlib import Path
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from ..const import DOMAIN
from ..sec1000.model import Telemetry, kilowatts, watts
from .storage import SAVE_INTERVAL_S, ThrottledStore, async_load_lenient

LONGEST_GAP: Final = 3.5
"""Refresh intervals between two good polls over which the power may be interpolated: two may fail between
them, and each comes a little late."""
LEAST_LONGEST_GAP_S: Final = 60.0
"""The same at short intervals, where one lost answer takes longer."""
RISING: Final = frozenset({"exported", "imported", "produced"})
"""The totals that never fall."""
SECONDS_PER_HOUR: Final = 3600.0
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Energy:
    """Totals in Wh since the entry was first set up."""

    exported: int = 0
    imported: int = 0
    produced: int = 0
    """AC output of the inverters; energy from batteries behind them is included."""
    consumed: int = 0
    """By the load, which is held while inverters and meter do not belong together."""


def longest_gap(interval: float) -> float:
    """Return over how many seconds the power may be interpolated at this refresh interval (s)."""
    return max(LONGEST_GAP * interval, LEAST_LONGEST_GAP_S)


class EnergyMeter:
    """Integrates the power between good polls; across a long gap nothing is added."""

    def __init__(self, start: Energy | None = None) -> None:
        self._last: dict[str, tuple[float, int]] = {}
        """When each power was last known (s), and what it was (W)."""
        self._interval = 0.0
        self._totals: dict[str, float] = asdict(start or Energy())

    @property
    def energy(self) -> Energy:
        """The totals up to the last measurement."""
        return Energy(**{kind: round(total) for kind, total in self._totals.items()})

    def add(self, telemetry: Telemetry, at: float, interval: float) -> Energy:
        """Return the totals up to this measurement; `at` (monotonic) and the interval of polls are in s."""
        # Where the interval was just shortened, the previous poll came at the longer one.
        longest = longest_gap(max(interval, self._interval))
        self._interval = interval
        for measured, power in (
            ("meter", telemetry.meter_power),
            ("inverters", telemetry.inverter_power),
            ("load", telemetry.load_power),
        ):
            if power is None:
                continue
            before_at, before = self._last.get(measured, (-math.inf, 0))
            if 0 < (seconds := at - before_at) <= longest:
                self._add_areas(measured, *areas(before, power, seconds))
            self._last[measured] = (at, power)
        return self.energy

    def _add_areas(self, measured: str, above: float, below: float) -> None:
        if measured == "meter":
            self._totals["exported"] += above
            self._totals["imported"] += below
        else:
            self._totals["produced" if measured == "inverters" else "consumed"] += above

    def restore(self, kind: str, total: int) -> Energy:
        """Go on from this total (Wh), which is newer; one that never falls stays where it is greater."""
        self._totals[kind] = max(self._totals[kind], total) if kind in RISING else total
        return self.energy


def areas(first: float, last: float, seconds: float) -> tuple[float, float]:
    """Return Wh above and below zero of a power (W) that changes linearly from first to last."""
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
    """The totals on disk, in kWh by the key of the sensor that shows them.

    Home Assistant's restored states would not do: they expire after a week without the entity, as with a
    disabled entry. In the Energy dashboard, a total that starts from zero takes back all energy before it.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        self._store = Store[dict[str, float]](
            hass, _VERSION, f"{DOMAIN}.{entry_id}.energy", atomic_writes=True
        )
        self._saves = ThrottledStore(self._store, self._stored)
        self._hass = hass
        self._energy: Energy | None = None
        self.loaded_from: datetime | None = None
        """When what was loaded had been saved, UTC; None where nothing was there."""

    async def load(self) -> Energy | None:
        """Return the totals on disk; None before the first measurement ever."""
        saved_at = await self._hass.async_add_executor_job(_modified_at, self._store.path)
        self._energy = await async_load_lenient(self._store, _energy)
        if self._energy:
            self.loaded_from = saved_at
        return self._energy

    @callback
    def keep(self, energy: Energy) -> None:
        """Save these totals within five minutes."""
        if energy == self._energy:
            return
        # The first measurement also says that the device serves telemetry: that is saved at once.
        delay = SAVE_INTERVAL_S if self._energy else 0.0
        self._energy = energy
        self._saves.save_soon(delay)

    async def save(self) -> None:
        """Save now, where a save is due."""
        await self._saves.save()

    async def remove(self) -> None:
        """Remove the file, with its entry."""
        await self._store.async_remove()

    @callback
    def _stored(self) -> dict[str, float]:
        return {
            f"energy_{kind}": kilowatts(total) for kind, total in asdict(self._energy or Energy()).items()
        }


def _energy(stored: Mapping[str, float]) -> Energy:
    return Energy(**{kind: watts(stored.get(f"energy_{kind}", 0.0)) for kind in asdict(Energy())})


def _modified_at(path: str) -> datetime:
    try:
        return datetime.fromtimestamp(Path(path).stat().st_mtime, UTC)
    except OSError:
        return datetime.fromtimestamp(0, UTC)
