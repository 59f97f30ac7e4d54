"""The end of a temporary limit that passed before setup: carried out late, asked for, or dropped."""

import asyncio
from datetime import timedelta
import logging
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import CONF_PUT_BACK, DOMAIN
from simulator import Simulator
from tests.calls import Storage, act, control, is_off, issue, load, outcomes

from .test_temporary_limit import FIVE_MINUTES, NOT_ENDED, ends, writes

pytestmark = pytest.mark.usefixtures("warp")
RUN = {"limit": 3_000, "then": 8_000, "before": 10_000, "duration": float(FIVE_MINUTES)}


def store_temporary(storage: Storage, entry: MockConfigEntry, **changed: Any) -> None:
    """Have a temporary limit of 3 kW on disk, which ended a minute ago, unless something else is said."""
    key = f"{DOMAIN}.{entry.entry_id}"
    ended = (dt_util.utcnow() - timedelta(minutes=1)).isoformat()
    data = {"limit": 3_000, "temporary": {**RUN, "ends": ended, **changed}}
    storage[key] = {"version": 1, "minor_version": 1, "key": key, "data": data}


async def test_clock_that_was_set_back_does_not_prolong_a_limit(
    hass: HomeAssistant, hass_storage: Storage, sim: Simulator, entry: MockConfigEntry
) -> None:
    sim.device.limit = sim.device.bound_limit = 3_000
    store_temporary(hass_storage, entry, ends=(dt_util.utcnow() + timedelta(days=30)).isoformat())
    await load(hass, entry)
    await asyncio.sleep(FIVE_MINUTES + 30)
    assert sim.device.bound_limit == 8_000


@pytest.mark.promise("R-14", "R-32")
@pytest.mark.parametrize("held", [3_000, 8_000], ids=["before", "between write and read-back"])
async def test_end_that_passed_before_setup_is_carried_out(
    hass: HomeAssistant,
    hass_storage: Storage,
    sim: Simulator,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
    held: int,
) -> None:
    sim.device.limit = sim.device.bound_limit = held
    store_temporary(hass_storage, entry)
    await load(hass, entry)
    await asyncio.sleep(30)
    assert sim.device.bound_limit == 8_000
    assert ends(hass) == "unknown"
    assert writes(sim) == 1
    late = [record for record in caplog.records if "should have ended 0:01:00 ago" in record.message]
    assert [record.levelno for record in late] == [logging.WARNING]


@pytest.mark.promise("R-32")
@pytest.mark.parametrize("proven", [10_000, None], ids=["proven", "unknown outcome"])
async def test_end_counts_where_its_limit_was_never_written(
    hass: HomeAssistant, hass_storage: Storage, sim: Simulator, entry: MockConfigEntry, proven: int | None
) -> None:
    """Home Assistant was killed after the end was stored, before the limit was written or read back."""
    store_temporary(hass_storage, entry, limit=9_000, then=0)
    hass_storage[f"{DOMAIN}.{entry.entry_id}"]["data"]["limit"] = proven
    await load(hass, entry)
    await asyncio.sleep(60)
    assert (sim.device.bound_limit, ends(hass)) == (0, "unknown")


@pytest.mark.promise("R-33")
async def test_end_passed_where_a_failed_limit_has_left_the_one_before(
    hass: HomeAssistant, hass_storage: Storage, sim: Simulator, loaded: MockConfigEntry
) -> None:
    sim.inject("refused")
    await outcomes(act(hass, "set_export_limit", limit=0, duration="00:05", then=3))
    sim.clear_faults()
    assert await hass.config_entries.async_unload(loaded.entry_id)
    await asyncio.sleep(FIVE_MINUTES + 60)
    assert sim.device.bound_limit == 10_000
    await load(hass, loaded)
    await asyncio.sleep(60)
    assert (sim.device.bound_limit, ends(hass)) == (3_000, "unknown")


@pytest.mark.promise("R-33")
async def test_end_is_dropped_where_the_device_holds_something_else(
    hass: HomeAssistant, hass_storage: Storage, sim: Simulator, entry: MockConfigEntry
) -> None:
    sim.device.limit = sim.device.bound_limit = 5_000
    store_temporary(hass_storage, entry)
    await load(hass, entry)
    await asyncio.sleep(60)
    assert writes(sim) == 0
    assert ends(hass) == "unknown"
    assert not is_off(hass, "limit_differs")


@pytest.mark.parametrize(("then", "held"), [(8_000, 5_000), (4_000, 4_000)], ids=["looser", "stricter"])
async def test_target_is_then_where_its_end_was_dropped(
    hass: HomeAssistant,
    hass_storage: Storage,
    sim: Simulator,
    entry: MockConfigEntry,
    then: int,
    held: int,
) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_PUT_BACK: True})
    sim.device.limit = sim.device.bound_limit = 5_000
    store_temporary(hass_storage, entry, then=then)
    await load(hass, entry)
    await asyncio.sleep(150)
    assert (sim.device.bound_limit, ends(hass)) == (held, "unknown")
    assert is_off(hass, "limit_differs") is (held == then)


async def test_end_that_passed_a_day_ago_asks_first(
    hass: HomeAssistant, hass_storage: Storage, sim: Simulator, entry: MockConfigEntry
) -> None:
    sim.device.limit = sim.device.bound_limit = 3_000
    store_temporary(hass_storage, entry, ends=(dt_util.utcnow() - timedelta(hours=25)).isoformat())
    await load(hass, entry)
    await asyncio.sleep(600)
    assert writes(sim) == 0
    assert ends(hass) != "unknown"
    assert issue(hass, entry, NOT_ENDED)
    await act(hass, "reset_export_watchdog")
    assert sim.device.bound_limit == 3_000
    await control(hass, "button", "press", "end_temporary_limit")
    assert sim.device.bound_limit == 8_000
    assert issue(hass, entry, NOT_ENDED) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"ends": "soon"},
        {"ends": 5},
        {"ends": "9999-12-31T23:59:59-14:00"},
        {"duration": -60.0},
        {"duration": 1e8, "ends": "2099-01-01T00:00:00+00:00"},
        {"duration": float("nan")},
        {"then": None},
        {"then": 9e9},
        {"limit": float("inf")},
    ],
    ids=str,
)
async def test_damaged_end_keeps_nothing_from_being_set_up(
    hass: HomeAssistant, hass_storage: Storage, sim: Simulator, entry: MockConfigEntry, changed: Any
) -> None:
    sim.device.limit = sim.device.bound_limit = 3_000
    store_temporary(hass_storage, entry, **changed)
    await load(hass, entry)
    assert ends(hass) == "unknown"
    await asyncio.sleep(60)
    assert writes(sim) == 0


async def test_end_that_passed_is_carried_out_once_the_device_answers(
    hass: HomeAssistant, hass_storage: Storage, sim: Simulator, entry: MockConfigEntry
) -> None:
    sim.device.limit = sim.device.bound_limit = 3_000
    store_temporary(hass_storage, entry)
    sim.inject("silence")
    await hass.config_entries.async_setup(entry.entry_id)
    await asyncio.sleep(400)
    assert issue(hass, entry, "device_silent")
    sim.clear_faults()
    await asyncio.sleep(150)
    assert sim.device.bound_limit == 8_000
