"""The clock blueprint: daily setting, changes of DST and time zone, retries."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import Simulator
from tests.entries import entry_of

from .home import Home, add_helpers

pytestmark = pytest.mark.slow

BLUEPRINT: Final = "clock"
SET_CLOCK: Final = 0x05
HOUR: Final = 3600

# Time zone and its first DST change (UTC) after the start.
AUTUMN: Final = ("Europe/Prague", "2026-10-25 01:00:00")
SPRING: Final = ("Europe/Prague", "2027-03-28 01:00:00")
LORD_HOWE: Final = ("Australia/Lord_Howe", "2026-10-03 15:30:00")
"""A change by half an hour."""
PACIFIC: Final = ("US/Pacific", "2026-11-01 09:00:00")
TROLL: Final = ("Antarctica/Troll", "2027-03-28 01:00:00")
"""A change by two hours."""


def inputs(hass: HomeAssistant, *entries: MockConfigEntry, **changed: Any) -> dict[str, Any]:
    registry = dr.async_get(hass)
    devices = [dr.async_entries_for_config_entry(registry, entry.entry_id)[0].id for entry in entries]
    return {"devices": devices, **changed}


def naive(text: str) -> datetime:
    return datetime.fromisoformat(text)


def local() -> datetime:
    return dt_util.now().replace(tzinfo=None)


def is_right(clock: datetime | None) -> bool:
    return clock is not None and abs(clock - local()) < timedelta(seconds=5)


async def sleep_until(moment: datetime) -> None:
    await asyncio.sleep((moment.astimezone(UTC) - dt_util.utcnow()).total_seconds())


@pytest.fixture
async def prague(hass: HomeAssistant) -> None:
    await hass.config.async_set_time_zone("Europe/Prague")


@pytest.mark.parametrize("warp", ["2026-06-21 01:20:00"], indirect=True)
async def test_clock_is_set_daily_at_0330(
    hass: HomeAssistant, prague: None, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs(hass, loaded))
    for day in (21, 22):
        await sleep_until(datetime(2026, 6, day, 3, 31, tzinfo=ZoneInfo("Europe/Prague")))
        assert sim.device.clock_set_to is not None
        assert abs(sim.device.clock_set_to - naive(f"2026-06-{day} 03:30")) < timedelta(seconds=5)
        await hass.config_entries.async_unload(loaded.entry_id)
        await asyncio.sleep(23 * HOUR)
        assert await hass.config_entries.async_setup(loaded.entry_id)
    assert home.calls == ["set_datetime"] * 2


@pytest.mark.parametrize("warp", ["2026-06-21 01:20:00"], indirect=True)
async def test_time_of_day_input_is_used(
    hass: HomeAssistant, prague: None, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs(hass, loaded, at="03:40:00"))
    await sleep_until(datetime(2026, 6, 21, 3, 41, tzinfo=ZoneInfo("Europe/Prague")))
    assert sim.device.clock_set_to is not None
    assert sim.device.clock_set_to.replace(second=0) == naive("2026-06-21 03:40")
    assert len(home.calls) == 1


@pytest.mark.parametrize(
    ("warp", "zone", "change"),
    [
        ((datetime.fromisoformat(change) - timedelta(minutes=30)).isoformat(" "), zone, change)
        for zone, change in (AUTUMN, SPRING, LORD_HOWE, PACIFIC, TROLL)
    ],
    indirect=["warp"],
    ids=["autumn", "spring", "by half an hour", "overseas", "by two hours"],
)
async def test_clock_is_right_two_minutes_after_dst_change(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, home: Home, zone: str, change: str
) -> None:
    await hass.config.async_set_time_zone(zone)
    assert await hass.config_entries.async_setup(entry.entry_id)
    sim.device.clock = local()
    await home.automate(BLUEPRINT, inputs(hass, entry, at="12:00:00"))
    before = dt_util.now().utcoffset()
    at = datetime.fromisoformat(change).replace(tzinfo=UTC)
    await sleep_until(at + timedelta(minutes=1))
    assert dt_util.now().utcoffset() != before
    assert sim.device.clock is not None
    assert abs(sim.device.clock - local()) > timedelta(minutes=29)
    assert home.calls == []
    await sleep_until(at + timedelta(minutes=3, seconds=10))
    assert is_right(sim.device.clock)
    # Without polls the hours take less real time; a call would still be recorded.
    await hass.config_entries.async_unload(entry.entry_id)
    await asyncio.sleep(7 * HOUR)
    assert home.calls == ["set_datetime"]


@pytest.mark.parametrize("warp", ["2026-10-25 00:30:00"], indirect=True)
@pytest.mark.parametrize(
    ("changed", "minutes"), [({"change_delay": {"minutes": 20}}, 20), ({"after_change": False}, None)]
)
async def test_dst_change_inputs_are_used(
    hass: HomeAssistant,
    prague: None,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    changed: dict[str, Any],
    minutes: int | None,
) -> None:
    await home.automate(BLUEPRINT, inputs(hass, loaded, at="12:00:00", **changed))
    change = datetime.fromisoformat("2026-10-25 01:00:00+00:00")
    await sleep_until(change + timedelta(minutes=minutes or 60) - timedelta(minutes=1))
    assert home.calls == []
    await asyncio.sleep(2.2 * 60)
    assert home.calls == ([] if minutes is None else ["set_datetime"])


@pytest.mark.parametrize("after_change", [True, False])
async def test_new_time_zone_sets_clock(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, after_change: bool
) -> None:
    await home.automate(BLUEPRINT, inputs(hass, loaded, after_change=after_change))
    await hass.config.async_update(location_name="Home")
    await asyncio.sleep(30)
    assert home.calls == []
    await hass.config.async_update(time_zone="Asia/Kolkata")
    await asyncio.sleep(30)
    if after_change:
        assert is_right(sim.device.clock)
    assert len(home.calls) == after_change


@pytest.mark.parametrize("at_start", [True, False])
async def test_start_sets_clock_if_not_set_for_a_day(
    hass: HomeAssistant, prague: None, loaded: MockConfigEntry, sim: Simulator, home: Home, at_start: bool
) -> None:
    automation = await home.automate(BLUEPRINT, inputs(hass, loaded, at_start=at_start))
    await home.restart(loaded)
    await asyncio.sleep(30)
    assert len(home.calls) == at_start
    await home.restart(loaded)
    await asyncio.sleep(30)
    assert len(home.calls) == at_start
    await hass.services.async_call("automation", "trigger", {"entity_id": automation}, blocking=True)
    home.calls.clear()
    await home.stop()
    await hass.config_entries.async_unload(loaded.entry_id)
    await asyncio.sleep(25 * HOUR)
    await home.restart(loaded)
    await asyncio.sleep(30)
    assert len(home.calls) == at_start


@pytest.mark.parametrize("warp", ["2026-10-25 00:30:00"], indirect=True)
async def test_start_sets_clock_after_missed_dst_change(
    hass: HomeAssistant, prague: None, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs(hass, loaded, at="02:45:00"))
    await asyncio.sleep(20 * 60)
    assert home.calls == ["set_datetime"]
    await home.stop()
    await asyncio.sleep(HOUR)
    await home.restart(loaded)
    await asyncio.sleep(30)
    assert home.calls == ["set_datetime"] * 2
    assert is_right(sim.device.clock)


@pytest.mark.parametrize("warp", ["2026-06-21 01:20:00"], indirect=True)
async def test_failed_command_is_retried(
    hass: HomeAssistant, prague: None, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs(hass, loaded))
    sim.inject("close-before-answer", commands=[SET_CLOCK])
    await sleep_until(datetime(2026, 6, 21, 3, 39, tzinfo=ZoneInfo("Europe/Prague")))
    assert len(home.calls) == 1
    sim.clear_faults()
    await asyncio.sleep(2 * 60)
    assert len(home.calls) == 2
    assert is_right(sim.device.clock)
    await asyncio.sleep(2 * HOUR)
    assert len(home.calls) == 2


@pytest.mark.parametrize("warp", ["2026-06-21 01:20:00"], indirect=True)
async def test_attempts_at_failing_device_are_limited(
    hass: HomeAssistant, prague: None, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs(hass, loaded, attempts=2, attempt_pause={"minutes": 30}))
    sim.inject("close-before-answer", commands=[SET_CLOCK])
    await sleep_until(datetime(2026, 6, 21, 3, 59, tzinfo=ZoneInfo("Europe/Prague")))
    assert len(home.calls) == 1
    await asyncio.sleep(2 * HOUR)
    assert len(home.calls) == 2


@pytest.mark.parametrize("warp", ["2026-06-21 01:20:00"], indirect=True)
async def test_helpers_on_device_do_not_matter(
    hass: HomeAssistant, prague: None, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await add_helpers(hass, loaded)
    chosen = inputs(hass, loaded)
    identifiers = {(DOMAIN, loaded.entry_id), *((f"other_{number}", "1") for number in range(20))}
    dr.async_get(hass).async_update_device(chosen["devices"][0], new_identifiers=identifiers)
    await home.automate(BLUEPRINT, chosen)
    await sleep_until(datetime(2026, 6, 21, 3, 31, tzinfo=ZoneInfo("Europe/Prague")))
    assert home.calls == ["set_datetime"]
    assert is_right(sim.device.clock)


@pytest.mark.parametrize("warp", ["2026-06-21 01:20:00"], indirect=True)
@pytest.mark.parametrize("none", [{"seconds": 0}, "00:00:00"])
async def test_attempt_pause_of_zero_still_keeps_15_s(
    hass: HomeAssistant, prague: None, loaded: MockConfigEntry, sim: Simulator, home: Home, none: object
) -> None:
    await home.automate(BLUEPRINT, inputs(hass, loaded, attempts=10, attempt_pause=none))
    sim.inject("close-before-answer", commands=[SET_CLOCK])
    await sleep_until(datetime(2026, 6, 21, 3, 31, tzinfo=ZoneInfo("Europe/Prague")))
    assert 3 <= len(home.calls) <= 4


@pytest.mark.parametrize("warp", ["2026-06-21 01:20:00"], indirect=True)
async def test_failing_or_missing_device_does_not_block_others(
    hass: HomeAssistant, prague: None, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    async with Simulator() as other:
        second = entry_of(other, "Barn")
        second.add_to_hass(hass)
        assert await hass.config_entries.async_setup(second.entry_id)
        chosen = inputs(hass, loaded, second)
        chosen["devices"].insert(0, "0123456789abcdef0123456789abcdef")
        await home.automate(BLUEPRINT, chosen)
        sim.inject("close-before-answer", commands=[SET_CLOCK])
        await sleep_until(datetime(2026, 6, 21, 3, 31, tzinfo=ZoneInfo("Europe/Prague")))
        assert is_right(other.device.clock)
        assert not is_right(sim.device.clock)
        sim.clear_faults()
        await asyncio.sleep(HOUR)
        assert is_right(sim.device.clock)
        assert home.calls == ["set_datetime"] * (3 + 2 + 1)
        await hass.config_entries.async_unload(second.entry_id)
