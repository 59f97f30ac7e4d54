"""Migration of an installation that Home Assistant itself has written, interrupted or not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from functools import partial
import json
from pathlib import Path
import shutil
import signal
import sqlite3
from typing import Any, Final

import pytest

from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import CAPTURED, Simulator
from tests.migration.older_entities import ENTITIES, FEEDBACKS, NEW, POWERS

from . import launch
from .home import CHECKOUT, ENTRY_ID, Home

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("homes"), pytest.mark.timeout(180)]

IDS: Final = {entity.entity_id() for entity in ENTITIES}
STATISTICS: Final = {entity.entity_id() for entity in ENTITIES if entity.state_class}
ADDED: Final = "binary_sensor.device_1_module_started"
"""An entity that the older integration did not have."""
FEEDBACK_IDS: Final = {entity.entity_id() for entity in FEEDBACKS}
OLDER_ENTRY: Final[dict[str, Any]] = {
    "created_at": "2026-01-01T00:00:00+00:00",
    "modified_at": "2026-01-01T00:00:00+00:00",
    "data": {
        "device_name": "Device 1",
        "include_device_name_in_entity": True,
        "host": "127.0.0.1",
        "scan_interval": 300,
        "min_export_limit": -120.0,
        "max_export_limit": 10.0,
        "total_capacity": 30.0,
        "export_limit_control_mode": 3,
        "scan_three_phases": True,
    },
    "disabled_by": None,
    "discovery_keys": {},
    "domain": DOMAIN,
    "entry_id": ENTRY_ID,
    "minor_version": 1,
    "options": {},
    "pref_disable_new_entities": False,
    "pref_disable_polling": False,
    "source": "user",
    "subentries": [],
    "title": "GoodWe SEC1000 - Device 1 - host:127.0.0.1",
    "unique_id": f"{DOMAIN}_device_1",
    "version": 1,
}


class Database:
    """The database of the recorder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "home-assistant_v2.db"

    def statistics(self) -> set[str]:
        """Return the ids of all statistics."""
        return {row[0] for row in self._rows("SELECT statistic_id FROM statistics_meta")}

    def states(self, entity_id: str) -> list[str]:
        """Return the states of an entity in order of time."""
        return [
            row[0]
            for row in self._rows(
                "SELECT state FROM states JOIN states_meta USING (metadata_id) "
                "WHERE states_meta.entity_id = ? ORDER BY state_id",
                entity_id,
            )
        ]

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        if not self._path.exists():
            return []
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as database:
            return database.execute(query, values).fetchall()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition on the files is met."""
    while True:
        try:
            if condition():
                return
        except sqlite3.OperationalError, ValueError:
            # Being written.
            pass
        await asyncio.sleep(0.05)


@asynccontextmanager
async def used_installation(folder: Path) -> AsyncIterator[tuple[Home, Path]]:
    """Run the older integration for a while, then install this one in its place.

    Yields the home and the folder of the older integration.
    """
    async with Simulator() as sim:
        sim.hold(CAPTURED)
        home = Home(folder, sim)
        home.integrations = {"recorder": {"commit_interval": 0}}
        home.automate()
        home.store("core.config_entries", {"entries": [OLDER_ENTRY]}, minor_version=5)
        home.store(f"{DOMAIN}.state", {"max_export_limit": 8.0, "export_state": True})
        older = _older_integration(folder / "older")
        home.install(older)
        database = Database(folder)
        async with home.running():
            await until(lambda: database.statistics() == STATISTICS)
            await stop(home)
        assert [database.states(power.entity_id())[0] for power in POWERS] == [
            power.state for power in POWERS
        ]
        assert unique_ids(home) == {
            entity.entity_id(): f"sec1000_{ENTRY_ID}_{entity.key}" for entity in ENTITIES
        }
        home.install(CHECKOUT / "custom_components" / DOMAIN)
        home.run = partial(launch.run_at_port, sim.port)
        yield home, older


def _older_integration(place: Path) -> Path:
    """Copy the stand-in and add its manifest, which the checkout must not contain."""
    shutil.copytree(CHECKOUT / "tests" / "crash" / "older_integration", place)
    manifest = {
        "domain": DOMAIN,
        "name": "Stand-in for the older integration",
        "after_dependencies": ["recorder"],
        "config_flow": True,
        "version": "1.1.3",
    }
    (place / "manifest.json").write_text(json.dumps(manifest))
    return place


async def stop(home: Home) -> None:
    """Stop Home Assistant with SIGTERM."""
    home.signal(signal.SIGTERM)
    await home.ended()


def unique_ids(home: Home) -> dict[str, str]:
    """Return the stored unique ids by entity id."""
    registry = home.stored("core.entity_registry")
    return {entity["entity_id"]: entity["unique_id"] for entity in registry["entities"]}


def check_migrated(home: Home, folder: Path) -> None:
    """Check the files after the stop: the migration is complete and nothing is lost."""
    [entry] = home.stored("core.config_entries")["entries"]
    assert (entry["version"], entry["unique_id"]) == (2, None)
    assert entry["options"]["max_export_limit"] == 8.0
    assert entry["options"]["min_export_limit"] == -100.0
    expected = {entity.entity_id(): f"{ENTRY_ID}_{entity.becomes}" for entity in ENTITIES}
    assert unique_ids(home).items() >= expected.items()
    assert len(unique_ids(home)) == len(IDS) + sum(map(len, NEW.values()))
    [issue] = [
        issue
        for issue in home.stored("repairs.issue_registry")["issues"]
        if issue["issue_id"] == f"moved_in_{ENTRY_ID}"
    ]
    assert "Minimum export limit: `-120.0` → -100.00 kW" in issue["translation_placeholders"]["corrections"]
    database = Database(folder)
    assert database.statistics() == STATISTICS - FEEDBACK_IDS
    for power in POWERS:
        states = [
            state for state in database.states(power.entity_id()) if state not in {"unavailable", "unknown"}
        ]
        assert set(states) == {power.state}
    assert home.errors == []


async def run_once(home: Home, folder: Path) -> None:
    """Run Home Assistant until it has started and the statistics are cleaned up."""
    database = Database(folder)
    known = len(database.states(ADDED))
    async with home.running():
        # The recorder writes nothing before Home Assistant has started.
        await until(lambda: len(database.states(ADDED)) > known)
        await until(lambda: database.statistics() == STATISTICS - FEEDBACK_IDS)
        await stop(home)


async def test_migration_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    async with asyncio.timeout(120), used_installation(folder) as (home, _older):
        await run_once(home, folder)
        check_migrated(home, folder)


async def test_migration_killed_after_entry_is_completed(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "home"
    async with asyncio.timeout(120), used_installation(folder) as (home, _older):
        before = unique_ids(home)
        async with home.running():
            await until(lambda: home.stored("core.config_entries")["entries"][0]["version"] == 2)
            home.signal(signal.SIGKILL)
            await home.ended()
        assert unique_ids(home) == before
        assert home.stored("repairs.issue_registry") is None
        await run_once(home, folder)
        check_migrated(home, folder)


async def test_rollback_reports_version_and_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    async with asyncio.timeout(120), used_installation(folder) as (home, older):
        await run_once(home, folder)
        new, run = unique_ids(home), home.run
        home.install(older)
        home.run = launch.run
        await run_once(home, folder)
        [error] = home.errors
        assert "config_entries" in error
        # Home Assistant 2026.3 has another message.
        assert "version 2 which is higher than" in error or "Migration handler not found" in error
        assert unique_ids(home) == new
        home.install(CHECKOUT / "custom_components" / DOMAIN)
        home.run = run
        await run_once(home, folder)
        assert unique_ids(home) == new
        assert home.errors == [error]
