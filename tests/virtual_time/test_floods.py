"""Floods of calls neither exhaust the device nor keep anybody waiting for long: an hour, or a day each."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from homeassistant.const import CONF_SCAN_INTERVAL, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import Simulator
from tests.states import get_state

from .floods import (
    FLOODS,
    HOUR_S,
    LIMIT,
    LONGEST_TELEMETRY_S,
    LONGEST_WISH_S,
    MAXIMUM,
    MINUTE_S,
    POWER,
    Flood,
    run,
)

LONG_HOURS: Final = 24
SETTLED_S: Final = 90.0
"""After a flood: the longest pause between two tries to restore, a wait for the budget, a poll."""


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Return a configuration folder that blueprints may be copied to."""
    return str(tmp_path)


@pytest.fixture
async def with_few_entities(hass: HomeAssistant, entry: MockConfigEntry) -> MockConfigEntry:
    """Return the entry with what is looked at only: writing all states would take most of the time."""
    registry = er.async_get(hass)
    for entity_id in (LIMIT, MAXIMUM, POWER):
        platform, _, name = entity_id.partition(".")
        unique_id = f"{entry.entry_id}_{name.removeprefix('sec1000_')}"
        registry.async_get_or_create(
            platform, DOMAIN, unique_id, config_entry=entry, suggested_object_id=name
        )
    hass.config_entries.async_update_entry(entry, pref_disable_new_entities=True)
    return entry


@pytest.mark.promise("R-11")
@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("interval", [5, pytest.param(30, marks=pytest.mark.long)])
@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.name)
async def test_flood_neither_exhausts_device_nor_starves_anybody(
    hass: HomeAssistant,
    with_few_entities: MockConfigEntry,
    sim: Simulator,
    flood: Flood,
    interval: int,
    long_run: bool,
    record_property: Callable[[str, object], None],
) -> None:
    entry = with_few_entities
    options = {**entry.options, CONF_SCAN_INTERVAL: interval}
    hass.config_entries.async_update_entry(entry, options=options)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    course = await run(hass, sim, flood, (LONG_HOURS if long_run else 1) * HOUR_S)
    # For the benchmark.
    for name, value in (
        ("flood", flood.name),
        ("interval", interval),
        ("worst_hour", course.most_requests(HOUR_S)),
        ("oldest_wish", course.oldest_wish),
        ("oldest_telemetry", course.oldest_telemetry),
    ):
        record_property(name, value)

    assert not sim.overload.exhausted
    assert course.most_requests(MINUTE_S) <= flood.most_requests(MINUTE_S)
    assert course.most_requests(HOUR_S) <= flood.most_requests(HOUR_S)
    assert course.oldest_wish <= LONGEST_WISH_S
    assert course.oldest_telemetry <= LONGEST_TELEMETRY_S
    sim.clear_faults()
    await asyncio.sleep(SETTLED_S)
    assert sim.device.bound_limit == round(1000 * float(get_state(hass, LIMIT).state))
    assert get_state(hass, POWER).state != STATE_UNAVAILABLE
