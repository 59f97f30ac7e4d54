"""The mean export since :00, :15, :30 or :45, the highest such quarter hour of each month, and both on disk.

Times are seconds since the epoch: every time zone is offset from UTC by whole quarter hours. Months are those
of the local time.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from itertools import pairwise
import math
from typing import Any, Final, Self

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..sec1000.plausibility import MAX_POWER_W
from .energy import SECONDS_PER_HOUR, areas, longest_gap
from .storage import ThrottledStore, async_load_lenient

QUARTER_HOUR_S: Final = 900
ENOUGH: Final = 0.8
"""The share of a quarter hour that has to be measured for it to be projected, and to count."""
LONGEST_GAP_S: Final = QUARTER_HOUR_S / 2
"""No power is interpolated over more than this, at any refresh interval."""
DAY_S: Final = 86_400
_LATEST: Final = 2**32
_VERSION: Final = 1

type Month = tuple[int, int]


@dataclass(frozen=True, slots=True)
class QuarterHour:
    """What was exported since a quarter hour began, up to the last reading."""

    start: int
    until: float
    """When the last reading was taken."""
    power: int
    """What it was, in W; positive on export."""
    exported: float = 0.0
    """Wh; import is not subtracted, as in a meter that counts both."""
    measured: float = 0.0
    """For how many seconds the power is known."""

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Return what was stored; raises where it is damaged."""
        power = int(stored["power"])
        _within(abs(power), MAX_POWER_W)
        return cls(
            int(_within(stored["start"], _LATEST)),
            _within(stored["until"], _LATEST),
            power,
            _within(stored["exported"], MAX_POWER_W),
            _within(stored["measured"], DAY_S),
        )

    @property
    def mean(self) -> float | None:
        """The mean export (W) while it was measured; None where it was not yet."""
        return self.exported * SECONDS_PER_HOUR / self.measured if self.measured else None

    @property
    def covered(self) -> float:
        """The share (0 to 1) of the time since the start that was measured."""
        elapsed = self.until - self.start
        # After the clock was set back, more was measured than has passed.
        return min(1.0, self.measured / elapsed) if elapsed else 0.0

    @property
    def projected(self) -> float | None:
        """The mean (W) of the whole quarter hour if the power stays; None where too little is known."""
        if self.mean is None or self.covered < ENOUGH:
            return None
        elapsed = self.until - self.start
        return (self.mean * elapsed + max(self.power, 0) * (QUARTER_HOUR_S - elapsed)) / QUARTER_HOUR_S


@dataclass(frozen=True, slots=True)
class FullQuarterHour:
    """A quarter hour that is over, and of which enough was measured."""

    start: int
    mean: int
    """W."""

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Return what was stored; raises where it is damaged."""
        return cls(int(_within(stored["start"], _LATEST)), int(_within(stored["mean"], MAX_POWER_W)))

    @property
    def month(self) -> Month:
        """The month in which it began."""
        return month_of(dt_util.utc_from_timestamp(self.start))


@dataclass(frozen=True, slots=True)
class QuarterHours:
    """What is known of the export by quarter hours."""

    current: QuarterHour | None = field(default=None, compare=False)
    """None before the first reading. It covers more with each poll; if anything flows, the energy tells."""
    highest: tuple[FullQuarterHour, ...] = ()
    """The highest of the month in which the last one counted, and of the month before which it was known."""

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Return what was stored; raises where it is damaged."""
        current = stored["current"]
        return cls(
            QuarterHour.from_dict(current) if current else None,
            tuple(FullQuarterHour.from_dict(each) for each in stored["highest"]),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain values."""
        return {
            "current": asdict(self.current) if self.current else None,
            "highest": [asdict(each) for each in self.highest],
        }

    def highest_of(self, month: Month) -> FullQuarterHour | None:
        """Return the highest of this month; None where none counted."""
        # After a change of the time zone, what was of two months may be of one.
        of_month = (each for each in self.highest if each.month == month)
        return max(of_month, key=lambda each: each.mean, default=None)


def month_of(at: datetime) -> Month:
    """Return the local year and month of this time."""
    local = dt_util.as_local(at)
    return local.year, local.month


def month_before(month: Month) -> Month:
    """Return the month before this one."""
    year, number = month
    return (year, number - 1) if number > 1 else (year - 1, 12)


def _start(at: float) -> int:
    """Return when the quarter hour of this time began."""
    return int(at // QUARTER_HOUR_S) * QUARTER_HOUR_S


def _within(value: float, most: float) -> float:
    if not 0 <= value <= most:
        raise ValueError(f"{value} is not from 0 to {most}")
    return value


class QuarterHourMeter:
    """Integrates the export from reading to reading; what lies in a gap is not measured."""

    def __init__(self, start: QuarterHours | None = None) -> None:
        """Go on from this."""
        known = start or QuarterHours()
        self._current, self._highest = known.current, known.highest
        self._interval = 0.0

    @property
    def quarter_hours(self) -> QuarterHours:
        """What is known up to the last reading."""
        return QuarterHours(self._current, self._highest)

    def add(self, power: int | None, at: float, interval: float) -> QuarterHours:
        """Return what is known with this reading of the meter (W); the interval of polls is in s."""
        # Where the interval was just shortened, the previous poll came at the longer one.
        longest = min(longest_gap(max(interval, self._interval)), LONGEST_GAP_S)
        self._interval = interval
        last = self._current
        is_bridged = last is not None and 0 < at - last.until <= longest
        if power is not None:
            if last and is_bridged:
                self._bridge(last, power, at)
            self._enter(power, at)
        elif not is_bridged and last and last.start != _start(at):
            # Nothing is known of this one yet.
            self._end(last)
            self._current = None
        return self.quarter_hours

    def _bridge(self, last: QuarterHour, power: int, at: float) -> None:
        """Let the power change linearly since the last reading; each quarter hour gets its part."""
        slope = (power - last.power) / (at - last.until)
        ends = range(last.start + QUARTER_HOUR_S, math.ceil(at), QUARTER_HOUR_S)
        for begin, end in pairwise((last.until, *ends, at)):
            current = self._enter(power, begin)
            first, second = (last.power + slope * (moment - last.until) for moment in (begin, end))
            above, _below = areas(first, second, end - begin)
            self._current = replace(
                current, exported=current.exported + above, measured=current.measured + end - begin
            )

    def _enter(self, power: int, at: float) -> QuarterHour:
        """Return the quarter hour of this time; the one before is over then."""
        start, before = _start(at), self._current
        if before and before.start == start:
            self._current = replace(before, until=at, power=power)
            return self._current
        if before:
            self._end(before)
        self._current = QuarterHour(start, at, power)
        return self._current

    def _end(self, quarter_hour: QuarterHour) -> None:
        """Let it count where enough of it was measured."""
        if quarter_hour.mean is None or quarter_hour.measured < ENOUGH * QUARTER_HOUR_S:
            return
        ended = FullQuarterHour(quarter_hour.start, round(quarter_hour.mean))
        # The greatest, and of equal ones the first, comes last, in the place of the others of its month.
        by_mean = sorted((ended, *self._highest), key=lambda each: each.mean)
        by_month = {each.month: each for each in by_mean}
        # None that is later, from when the clock was wrong.
        months = sorted(month for month in by_month if month <= ended.month)
        self._highest = tuple(by_month[month] for month in months[-2:])


class QuarterHourStore:
    """What is known by quarter hours, on disk; Home Assistant itself restores no more than a week."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        self._store = Store[dict[str, Any]](
            hass, _VERSION, f"{DOMAIN}.{entry_id}.quarter_hour", atomic_writes=True
        )
        self._saves = ThrottledStore(self._store, self._stored)
        self._known = QuarterHours()

    async def load(self) -> QuarterHours:
        """Return what is on disk."""
        self._known = await async_load_lenient(self._store, QuarterHours.from_dict) or self._known
        return self._known

    @callback
    def keep(self, known: QuarterHours) -> None:
        """Save this within five minutes, if there is export to lose."""
        is_lost = known.highest != self._known.highest or (known.current and known.current.exported > 0)
        self._known = known
        if is_lost:
            self._saves.save_soon()

    async def save(self) -> None:
        """Save now, where a save is due."""
        await self._saves.save()

    async def remove(self) -> None:
        """Remove the file, with its entry."""
        await self._store.async_remove()

    @callback
    def _stored(self) -> dict[str, Any]:
        return self._known.as_dict()
