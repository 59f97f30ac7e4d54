"""What a user sees of the budget: waits that say so, one read for many, telemetry that gets too old."""

import asyncio
from typing import Any, Final

from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, get_system_health_info

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.diagnostics import async_get_config_entry_diagnostics
from custom_components.goodwe_sec1000.sec1000 import timing
from simulator import Simulator
from simulator.protocol import READ_LIMIT
from tests.calls import outcomes, suspend_limit
from tests.entries import entry_at
from tests.states import get_state

FEEDBACK: Final = "sensor.sec1000_set_export_limit_feedback"
POWER: Final = "sensor.sec1000_meter_power"
REFILL: Final = timing.STANDARD.refill


def leave(entry: MockConfigEntry, requests: int) -> None:
    """Let the budget have so many requests left; below zero is debt."""
    turns = entry.runtime_data.coordinator.client.transport.turns
    while turns.level >= requests + 1:
        turns.spend()


async def act(hass: HomeAssistant, action: str, **data: Any) -> dict[str, Any]:
    response = await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)
    assert response is not None
    return response


async def test_command_that_waits_says_so_after_2s(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    leave(loaded, 0)
    command = asyncio.create_task(act(hass, "set_export_limit", limit=3))
    await asyncio.sleep(1.9)
    assert get_state(hass, FEEDBACK).attributes["message"] == "In progress."
    await asyncio.sleep(0.2)
    assert get_state(hass, FEEDBACK).state == "0"
    assert "does not receive too many requests" in get_state(hass, FEEDBACK).attributes["message"]
    assert (await command)["feedback"] == 1
    assert get_state(hass, FEEDBACK).state == "1"
    assert sim.device.bound_limit == 3_000


async def test_newer_limit_takes_the_place_of_one_that_waits(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    leave(loaded, 0)
    began = hass.loop.time()
    first = asyncio.create_task(act(hass, "set_export_limit", limit=3))
    await asyncio.sleep(10)
    assert (await act(hass, "set_export_limit", limit=4))["feedback"] == 1
    assert hass.loop.time() - began < 3 * REFILL + 2
    with pytest.raises(HomeAssistantError, match="newer limit"):
        await first
    assert sim.device.bound_limit == 4_000


@pytest.mark.promise("R-18", "R-22")
async def test_newer_limit_for_a_suspended_one_waits_no_longer_than_a_restore(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    reset = await suspend_limit(hass, sim)
    sim.inject("ack-without-effect")
    await outcomes(reset)
    await asyncio.sleep(10)
    sim.clear_faults()
    turns = loaded.runtime_data.coordinator.client.transport.turns
    assert turns.level < 0
    began = hass.loop.time()
    assert (await act(hass, "set_export_limit", limit=4))["feedback"] == 1
    assert hass.loop.time() - began < 2
    assert sim.device.bound_limit == 4_000


async def test_newer_limits_for_a_suspended_one_stay_within_its_debt(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    reset = await suspend_limit(hass, sim)
    sim.inject("ack-without-effect")
    turns = loaded.runtime_data.coordinator.client.transport.turns
    calls, least = [], turns.level
    for number in range(300):
        calls.append(asyncio.create_task(act(hass, "set_export_limit", limit=number % 9)))
        await asyncio.sleep(1)
        least = min(least, turns.level)
    assert -21 < least < -16
    assert not sim.overload.exhausted
    await outcomes(reset, *calls)


@pytest.mark.promise("R-11")
async def test_toggles_of_a_suspended_limit_stay_within_its_debt(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    """They read the device first; what owes does not repeat that."""
    reset = await suspend_limit(hass, sim)
    turns = loaded.runtime_data.coordinator.client.transport.turns
    calls, least = [reset], turns.level
    for number in range(120):
        sim.clear_faults()
        sim.inject("ack-without-effect")
        if number % 3:
            sim.inject("wrong-checksum", commands=(READ_LIMIT,))
        calls.append(asyncio.create_task(act(hass, "export_toggle")))
        await asyncio.sleep(1)
        least = min(least, turns.level)
    assert -20 <= least < -16
    sim.clear_faults()
    await outcomes(*calls)


@pytest.mark.promise("R-11")
async def test_renewal_that_has_to_be_written_waits_for_its_requests(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    temporary = {"limit": 3, "duration": "01:00", "then": 8}
    await act(hass, "set_export_limit", **temporary)
    await asyncio.sleep(100)
    leave(loaded, 3)
    sim.inject("wrong-checksum", commands=(READ_LIMIT,))
    limit = asyncio.create_task(act(hass, "set_export_limit", limit=5))
    await asyncio.sleep(1)
    # Nothing would have to be sent for this, if the limit before did not fail.
    renewal = asyncio.create_task(act(hass, "set_export_limit", **temporary))
    turns = loaded.runtime_data.coordinator.client.transport.turns
    least = turns.level
    while not renewal.done():
        await asyncio.sleep(0.5)
        least = min(least, turns.level)
    assert -10 <= least < -7
    assert [type(outcome) for outcome in await outcomes(limit, renewal)] == [HomeAssistantError] * 2


async def test_60_reads_at_once_are_one_request(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await asyncio.sleep(6)
    sim.requests.clear()
    answers = await asyncio.gather(*(act(hass, "get_export_limit") for _ in range(60)))
    assert [request.frame.command for request in sim.requests if request.frame] == [0x43]
    assert {answer["export_limit"] for answer in answers} == {10.0}


@pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")
async def test_diagnostics_and_system_information_show_budget(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    assert await async_setup_component(hass, "system_health", {})
    leave(loaded, -1)
    await asyncio.sleep(REFILL + 2)
    diagnostics = await async_get_config_entry_diagnostics(hass, loaded)
    assert diagnostics["budget"] == {"requests_left": pytest.approx(0.5, abs=0.2), "empty_s": 6}
    information = await get_system_health_info(hass, DOMAIN)
    assert (information["requests_left"], information["budget_empty"]) == (0, "6 s")


@pytest.mark.parametrize(("interval", "lifetime"), [(30, 180), (120, 360)])
async def test_telemetry_that_only_waits_gets_too_old(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sim: Simulator,
    caplog: pytest.LogCaptureFixture,
    interval: int,
    lifetime: int,
) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_SCAN_INTERVAL: interval})
    assert await hass.config_entries.async_setup(entry.entry_id)
    leave(entry, -200)
    await asyncio.sleep(lifetime - 2)
    assert get_state(hass, POWER).state != "unavailable"
    await asyncio.sleep(4)
    assert get_state(hass, POWER).state == "unavailable"
    assert "no poll has come to its end" in caplog.text
    await asyncio.sleep(201 * REFILL)
    assert get_state(hass, POWER).state != "unavailable"


async def test_two_entries_of_one_device_share_its_polls(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    other = entry_at("localhost", sim.port, "Other")
    other.add_to_hass(hass)
    await asyncio.sleep(10)
    assert await hass.config_entries.async_setup(other.entry_id)
    sim.requests.clear()
    await asyncio.sleep(600)
    polls = [request for request in sim.requests if request.frame and request.frame.command == 0x0B]
    assert len(polls) == pytest.approx(20, abs=2)
    assert get_state(hass, "sensor.other_meter_power").state == get_state(hass, POWER).state
