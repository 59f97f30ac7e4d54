"""Polling switched off by the user, and reads that a user asks for instead."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator import Simulator
from simulator.protocol import READ_LIMIT, TELEMETRY, VALUE, WRITE_LIMIT

from .calls import act, issue, load, outcomes, requested, until
from .states import get_state
from .test_options_flow import changing

EXPORT_LIMIT: Final = "sensor.sec1000_export_limit"
SETTINGS_ENTITIES: Final = (
    EXPORT_LIMIT,
    "number.sec1000_export_limit",
    "select.sec1000_control_mode",
    "switch.sec1000_export_to_grid",
    "binary_sensor.sec1000_export_state",
    "binary_sensor.sec1000_limit_differs",
)

type PassTime = Callable[[float], Awaitable[None]]


@pytest.fixture
async def unpolled(hass: HomeAssistant, entry: MockConfigEntry) -> MockConfigEntry:
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def update(hass: HomeAssistant, *entities: str) -> None:
    await async_setup_component(hass, "homeassistant", {})
    await hass.services.async_call(
        "homeassistant", "update_entity", {"entity_id": list(entities)}, blocking=True
    )


def commands(sim: Simulator, since: int) -> list[int]:
    return [command for command, _data in requested(sim, since)]


async def test_disabled_polling_sends_nothing(
    hass: HomeAssistant, pass_time: PassTime, unpolled: MockConfigEntry, sim: Simulator
) -> None:
    sent = len(sim.requests)
    for _ in range(20):
        await pass_time(60)
    assert requested(sim, sent) == []


async def test_disabled_polling_keeps_last_limit_with_its_time(
    hass: HomeAssistant, pass_time: PassTime, unpolled: MockConfigEntry, sim: Simulator
) -> None:
    read_at = get_state(hass, EXPORT_LIMIT).attributes["read_at"]
    for _ in range(5):
        await pass_time(60)
    state = get_state(hass, EXPORT_LIMIT)
    assert state.state == "10.0"
    assert state.attributes["read_at"] == read_at
    assert isinstance(read_at, datetime)
    assert 299 < (dt_util.utcnow() - read_at).total_seconds() < 310
    await update(hass, EXPORT_LIMIT)
    assert get_state(hass, EXPORT_LIMIT).attributes["read_at"] > read_at


async def test_disabled_polling_keeps_last_limit_after_a_failed_read(
    hass: HomeAssistant, pass_time: PassTime, unpolled: MockConfigEntry, sim: Simulator
) -> None:
    await pass_time(600)
    sim.inject("close-before-answer", count=3)
    await update(hass, EXPORT_LIMIT)
    assert get_state(hass, EXPORT_LIMIT).state == "10.0"


async def test_disabled_polling_reads_until_the_limit_is_known(
    hass: HomeAssistant, pass_time: PassTime, entry: MockConfigEntry, sim: Simulator
) -> None:
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
    sim.inject("close-before-answer", commands=(READ_LIMIT,), count=3)
    await load(hass, entry)
    assert get_state(hass, EXPORT_LIMIT).state == "unavailable"
    await pass_time(60)
    assert get_state(hass, EXPORT_LIMIT).state == "10.0"
    sim.inject("close-before-answer", commands=(WRITE_LIMIT, VALUE, READ_LIMIT))
    [unknown] = await outcomes(act(hass, "set_export_limit", limit=4))
    assert isinstance(unknown, HomeAssistantError)
    await pass_time(61)
    assert get_state(hass, EXPORT_LIMIT).state == "unavailable"
    sim.clear_faults()
    await pass_time(61)
    assert get_state(hass, EXPORT_LIMIT).state == "10.0"
    sent = len(sim.requests)
    await pass_time(61)
    assert requested(sim, sent) == []


async def test_new_interval_while_polling_is_disabled_sends_nothing(
    hass: HomeAssistant, pass_time: PassTime, unpolled: MockConfigEntry, sim: Simulator
) -> None:
    sent = len(sim.requests)
    walk = await changing(hass, unpolled, scan_interval=60)
    await walk.submit()
    await walk.submit()
    assert unpolled.options["scan_interval"] == 60
    await pass_time(120)
    assert requested(sim, sent) == []


async def test_one_failed_read_while_polling_is_disabled_is_no_outage(
    hass: HomeAssistant, pass_time: PassTime, unpolled: MockConfigEntry, sim: Simulator
) -> None:
    await pass_time(3600)
    sim.inject("close-before-answer")
    await update(hass, EXPORT_LIMIT)
    assert issue(hass, unpolled, "device_silent") is None
    await pass_time(200)
    await update(hass, EXPORT_LIMIT)
    assert issue(hass, unpolled, "device_silent")
    sim.clear_faults()
    await update(hass, EXPORT_LIMIT)
    assert issue(hass, unpolled, "device_silent") is None


async def test_commands_work_while_polling_is_disabled(
    hass: HomeAssistant, unpolled: MockConfigEntry, sim: Simulator
) -> None:
    assert await outcomes(act(hass, "set_export_limit", limit=4)) == [1]
    assert sim.device.bound_limit == 4_000
    assert get_state(hass, EXPORT_LIMIT).state == "4.0"


async def test_enabled_polling_shows_no_time_of_the_read(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    assert "read_at" not in get_state(hass, EXPORT_LIMIT).attributes


@pytest.mark.parametrize("entity", SETTINGS_ENTITIES)
async def test_update_entity_reads_the_settings(
    hass: HomeAssistant, pass_time: PassTime, loaded: MockConfigEntry, sim: Simulator, entity: str
) -> None:
    await pass_time(10)
    sim.device.limit = 3_000
    sent = len(sim.requests)
    await update(hass, entity)
    assert commands(sim, sent) == [READ_LIMIT]
    assert get_state(hass, EXPORT_LIMIT).state == "3.0"


async def test_update_of_all_entities_is_one_read(
    hass: HomeAssistant, pass_time: PassTime, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await pass_time(10)
    sent = len(sim.requests)
    await update(hass, *SETTINGS_ENTITIES)
    assert commands(sim, sent) == [READ_LIMIT]


@pytest.mark.usefixtures("warp")
async def test_update_entity_shares_the_read_that_runs(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("silence", commands=(READ_LIMIT,), count=1)
    sent = len(sim.requests)
    await until(lambda: READ_LIMIT in commands(sim, sent), within=100)
    await update(hass, EXPORT_LIMIT)
    await asyncio.sleep(5)
    # One that was lost, and its repetition.
    assert commands(sim, sent).count(READ_LIMIT) == 2


@pytest.mark.usefixtures("warp")
async def test_update_entity_soon_after_a_read_sends_nothing(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await asyncio.sleep(10)
    await update(hass, EXPORT_LIMIT)
    sent = len(sim.requests)
    await asyncio.sleep(4.4)
    await update(hass, EXPORT_LIMIT)
    assert commands(sim, sent) == []
    await asyncio.sleep(0.2)
    await update(hass, EXPORT_LIMIT)
    assert commands(sim, sent) == [READ_LIMIT]


async def test_update_entity_of_a_measurement_reads_telemetry(
    hass: HomeAssistant, pass_time: PassTime, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await pass_time(15)
    sent = len(sim.requests)
    await update(hass, "sensor.sec1000_meter_power")
    assert TELEMETRY in commands(sim, sent)
    assert READ_LIMIT not in commands(sim, sent)
