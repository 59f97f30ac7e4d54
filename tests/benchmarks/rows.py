"""Recorder rows per entity and bytes per day of one device."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
import sqlite3
from typing import Final
from unittest.mock import patch

from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.tasks import StatisticsTask, SynchronizeTask
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from custom_components.goodwe_sec1000 import coordinator as coordinator_module
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from simulator import House, Simulator

from .home import DATABASE, home, set_up
from .report import Figure, Goal, Table
from .scale import Scale

INTERVAL_S: Final = 30
"""The default."""
POLLS_PER_HOUR: Final = 3600 // INTERVAL_S
SETTINGS_EVERY: Final = 2
"""Polls per read of the export settings, which is due every minute."""


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def recorded(scale: Scale) -> Table:
    """Measure the recorder with changing values and with constant ones."""
    hours = scale.hours
    changing, size, statistics = await _hours(hours, still=False)
    still, _, _ = await _hours(hours, still=True)
    return Table(
        "What the recorder writes",
        f"One device at the default interval of {INTERVAL_S} s: {hours} hours of the simulated house with "
        "sun, clouds and appliances from midnight on, polled without waiting in between; the clocks of "
        f"the integration, the house and all timers are moved on by {INTERVAL_S} s each time. A row is a "
        f"row of the table `states`; {POLLS_PER_HOUR} an hour is one with every poll. Each sample is an "
        "hour. Energy flows on while the power stands still: the energy sensors then write once a minute, "
        "and nothing else does. The bytes are what the database file grew by, indices included, without "
        "the statistics. Those are rows that Home Assistant keeps whatever the values do.",
        [
            Figure("changing: rows per hour, all entities", "", [rows.total() for rows in changing]),
            *(
                Figure(f"changing: rows per hour, `{entity}`", "", [rows[entity] for rows in changing])
                for entity in sorted(set().union(*changing))
            ),
            Figure("changing: size of the states of a day", "KiB", [size / hours * 24 / 1024]),
            Figure(
                "standing still: rows per hour, all entities but energy",
                "",
                [rows.total() - _of_energy(rows) for rows in still],
                Goal(0, exactly=True),
            ),
            Figure("standing still: rows per hour, energy", "", [_of_energy(rows) for rows in still]),
            Figure("short-term statistics: rows per hour", "", [statistics * 12]),
            Figure("long-term statistics: rows per hour", "", [statistics]),
        ],
    )


def _of_energy(rows: Counter[str]) -> int:
    return sum(count for entity, count in rows.items() if "_energy_" in entity)


async def _hours(hours: int, *, still: bool) -> tuple[list[Counter[str]], int, int]:
    """Return rows of each hour by entity, bytes in total, and the number of entities with statistics."""
    clock = Clock()
    rows: list[Counter[str]] = []
    with _integration_on(clock):
        async with (
            Simulator(clock=clock, house=House(start=0.0), keep_requests=0) as simulator,
            home() as hass,
        ):
            simulator.hold(simulator.telemetry())
            entry = await set_up(hass, simulator.port, name="SEC1000")
            coordinator = entry.runtime_data.coordinator
            coordinator.client.transport.timing = Timing(pacing=0.0, refill=0.0, reread_interval=0.0)
            if not still:
                simulator.release()
            await _written(hass)
            database = Path(hass.config.path(DATABASE))
            before, size = _rows(database), _bytes(database)
            for _ in range(hours):
                for poll in range(POLLS_PER_HOUR):
                    clock.now += INTERVAL_S
                    await coordinator.async_refresh()
                    if poll % SETTINGS_EVERY == 0:
                        await coordinator.read_settings()
                await _written(hass)
                after = _rows(database)
                rows.append(after - before)
                before = after
            grown = _bytes(database) - size
            return rows, grown, 0 if still else await _statistics(hass, database)


@contextmanager
def _integration_on(clock: Clock) -> Iterator[None]:
    """Let this clock move on the integration's, and the timers of Home Assistant."""
    loop = asyncio.get_running_loop()
    real = loop.time
    with (
        patch.object(coordinator_module, "monotonic", clock),
        patch.object(loop, "time", lambda: real() + clock.now),
    ):
        yield


async def _written(hass: HomeAssistant) -> None:
    """Wait until the recorder has processed its queue."""
    await hass.async_block_till_done()
    done: asyncio.Future[None] = hass.loop.create_future()
    get_instance(hass).queue_task(SynchronizeTask(done))
    await done


def _rows(database: Path) -> Counter[str]:
    """Return the number of states of each entity of the device."""
    query = """
        SELECT states_meta.entity_id, COUNT(*)
        FROM states JOIN states_meta USING (metadata_id) GROUP BY metadata_id
    """
    with closing(sqlite3.connect(database)) as connection:
        return Counter({entity: rows for entity, rows in connection.execute(query) if ".sec1000_" in entity})


def _bytes(database: Path) -> int:
    """Return the size of the database after a checkpoint of its log."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(FULL)")
        pages, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
        )
    return int(pages) * int(size)


async def _statistics(hass: HomeAssistant, database: Path) -> int:
    """Return the number of rows per period of five minutes, by compiling the current one."""
    now = dt_util.utcnow()
    start = now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0)
    instance = get_instance(hass)
    periods = (start, start - timedelta(minutes=5))
    for period in periods:
        instance.queue_task(StatisticsTask(period, fire_events=False))
    await _written(hass)
    with closing(sqlite3.connect(database)) as connection:
        return int(
            connection.execute(
                "SELECT COUNT(DISTINCT metadata_id) FROM statistics_short_term WHERE start_ts IN (?, ?)",
                [period.timestamp() for period in periods],
            ).fetchone()[0]
        )
