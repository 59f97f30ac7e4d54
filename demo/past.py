"""The past of a new demo: the statistics that the sensors would have recorded in the last days.

The simulated house is polled as by the integration: its telemetry goes through the integration's energy
meter, and each full hour becomes a row of Home Assistant's long-term statistics.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
import os
from statistics import fmean
from typing import Any, Final
from zoneinfo import ZoneInfo

from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Telemetry, kilowatts
from custom_components.goodwe_sec1000.tracking.energy import Energy, EnergyMeter
from simulator.device import DEFAULT_LIMIT, Restriction
from simulator.house import ExportConstraint, House

from .device import SEED

TIME_ZONE: Final = ZoneInfo(os.environ.get("DEMO_TIME_ZONE", "Europe/Prague"))
"""As in configuration.yaml."""

_POLL_INTERVAL_S: Final = 30.0
_HOUR: Final = timedelta(hours=1)
_CONSTRAINT: Final = ExportConstraint(Restriction(DEFAULT_LIMIT, sum_of_phases=True), ControlMode.VALUE)
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_ARITHMETIC: Final = 1

_POWERS: Final[Mapping[str, Callable[[Telemetry], float]]] = {
    "meter_power": lambda telemetry: telemetry.meter_power or 0,
    # The Energy dashboard creates this one, because import is positive there.
    "meter_power_inverted": lambda telemetry: -(telemetry.meter_power or 0),
    "inverter_power": lambda telemetry: telemetry.inverter_power or 0,
    "load_power": lambda telemetry: telemetry.load_power or 0,
    "export_limit": lambda _telemetry: DEFAULT_LIMIT,
}
_ENERGIES: Final = ("exported", "imported", "produced", "consumed")

type Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Statistics:
    """The hourly rows of one statistic, as Home Assistant imports them."""

    metadata: dict[str, Any]
    rows: list[Row]


@dataclass(slots=True)
class _Hour:
    start: datetime
    polls: list[Telemetry] = field(default_factory=list)
    energy: Energy = field(default_factory=Energy)


def local_hour(now: datetime) -> float:
    """Return the hour of the day in the demo's time zone."""
    local = now.astimezone(TIME_ZONE)
    return local.hour + local.minute / 60 + local.second / 3600


def past_statistics(days: int, now: datetime) -> list[Statistics]:
    """Return the statistics of the full hours of the last days, in the demo's time zone."""
    hours = list(_hours(days, now))
    return [
        *(_power(key, value, hours) for key, value in _POWERS.items()),
        *(_energy(kind, hours) for kind in _ENERGIES),
    ]


def _hours(days: int, now: datetime) -> Iterator[_Hour]:
    """Simulate the days; yields each hour with its polls and the energy up to its end.

    The battery is left out: with it, the graphs would show a house that hardly needs the grid.
    """
    end = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    start = end - timedelta(days=days)
    house, meter = House(start=local_hour(start), seed=SEED), EnergyMeter()
    seconds = 0.0
    while start < end:
        hour = _Hour(start)
        start += _HOUR
        while len(hour.polls) < _HOUR.total_seconds() / _POLL_INTERVAL_S:
            seconds += _POLL_INTERVAL_S
            house.advance(seconds, _CONSTRAINT)
            hour.polls.append(house.telemetry())
            hour.energy = meter.add(hour.polls[-1], seconds, _POLL_INTERVAL_S)
        yield hour


def _power(key: str, value: Callable[[Telemetry], float], hours: list[_Hour]) -> Statistics:
    rows = []
    for hour in hours:
        watts = [value(telemetry) for telemetry in hour.polls]
        rows.append(
            {"start": hour.start.isoformat(), "mean": fmean(watts), "min": min(watts), "max": max(watts)}
        )
    return Statistics(_metadata(key, "power", "W", mean_type=_ARITHMETIC, has_sum=False), rows)


def _energy(kind: str, hours: list[_Hour]) -> Statistics:
    """Return sums that end at 0, where those of the sensor begin with its first poll."""
    sums = [kilowatts(getattr(hour.energy, kind)) for hour in hours]
    total = sums[-1] if sums else 0.0
    # The first row counts as a rise from 0, so it is dated to where no graph shows it.
    rows = [{"start": _LONG_AGO.isoformat(), "state": 0.0, "sum": -total}]
    rows += [
        {"start": hour.start.isoformat(), "state": kwh, "sum": kwh - total}
        for hour, kwh in zip(hours, sums, strict=True)
    ]
    return Statistics(_metadata(f"energy_{kind}", "energy", "kWh", mean_type=0, has_sum=True), rows)


def _metadata(key: str, unit_class: str, unit: str, *, mean_type: int, has_sum: bool) -> dict[str, Any]:
    return {
        "statistic_id": f"sensor.sec1000_{key}",
        "source": "recorder",
        "name": None,
        "unit_class": unit_class,
        "unit_of_measurement": unit,
        "mean_type": mean_type,
        "has_sum": has_sum,
    }
