"""Files on disk that are damaged or of a newer version do not keep a suspended limit from its restore."""

import asyncio
from typing import Any

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator
from tests.calls import Storage, act, issue, load, outcomes
from tests.pending_restore import store_pending


@pytest.mark.promise("R-23")
@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("", {"version": 99, "data": {"limit": 1}}),
        ("", {"version": 1, "data": {"limits": "x"}}),
        ("", {"version": 1, "data": [1]}),
        (".energy", {"version": 99, "data": {}}),
        (".energy", {"version": 1, "data": {"energy_exported": "x"}}),
        (".energy", {"version": 1, "data": 7}),
        (".moved_in", {"version": 99, "data": {}}),
        (".moved_in", {"version": 1, "data": ["x"]}),
    ],
)
async def test_damaged_file_does_not_keep_the_limit_off(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    hass_storage: Storage,
    file: str,
    content: dict[str, Any],
) -> None:
    sim.device.mode = ControlMode.DEACTIVATED
    store_pending(hass_storage, entry, sim)
    key = f"{DOMAIN}.{entry.entry_id}{file}"
    hass_storage[key] = {"minor_version": 1, "key": key, **content}
    await load(hass, entry)
    await asyncio.sleep(10)
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)


@pytest.mark.promise("R-23")
class TestUnreadablePendingRestore:
    @pytest.fixture(autouse=True)
    def damaged(self, hass_storage: Storage, entry: MockConfigEntry) -> str:
        key = f"{DOMAIN}.{entry.entry_id}.note"
        hass_storage[key] = {"version": 99, "minor_version": 1, "key": key, "data": {"mode": "x"}}
        return key

    async def test_without_baseline_is_reported_until_a_limit_is_set(
        self, hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, hass_storage: Storage, damaged: str
    ) -> None:
        sim.device.mode = ControlMode.DEACTIVATED
        await load(hass, entry)
        found = issue(hass, entry, "pending_unreadable")
        assert found
        assert found.is_persistent
        assert damaged in hass_storage
        await hass.config_entries.async_reload(entry.entry_id)
        assert issue(hass, entry, "pending_unreadable")
        await outcomes(act(hass, "set_export_limit", limit=5))
        assert sim.device.bound_limit == 5_000
        assert issue(hass, entry, "pending_unreadable") is None

    async def test_of_removed_entry_keeps_issue_and_file(
        self, hass: HomeAssistant, entry: MockConfigEntry, hass_storage: Storage, damaged: str
    ) -> None:
        await load(hass, entry)
        await hass.config_entries.async_remove(entry.entry_id)
        assert issue(hass, entry, "pending_unreadable")
        assert damaged in hass_storage

    async def test_baseline_is_not_read_while_it_is_pending(
        self, hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, hass_storage: Storage
    ) -> None:
        sim.device.mode = ControlMode.DEACTIVATED
        await load(hass, entry)
        await asyncio.sleep(120)
        assert f"{DOMAIN}.{entry.entry_id}" not in hass_storage


@pytest.mark.promise("R-23")
@pytest.mark.parametrize(
    "changed",
    [
        {"port": 70_000},
        {"port": -1},
        {"host": ""},
        {"limit": 10**12},
        {"limit": 1e300},
        {"limit": -1_000_001},
        {"capacity": -5},
        {"mode": "deactivated"},
    ],
    ids=str,
)
async def test_impossible_pending_restore_leaves_the_baseline(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    hass_storage: Storage,
    changed: dict[str, object],
) -> None:
    sim.device.mode = ControlMode.DEACTIVATED
    store_pending(hass_storage, entry, sim, **changed)
    key = f"{DOMAIN}.{entry.entry_id}"
    hass_storage[key] = {"version": 1, "minor_version": 1, "key": key, "data": {"limit": 5_000}}
    await load(hass, entry)
    await asyncio.sleep(120)
    held = sim.device.mode, sim.device.bound_limit
    assert held == (ControlMode.VALUE, 5_000)
    assert await hass.config_entries.async_unload(entry.entry_id)
