"""The event entity tells what happened to the limit, by a command or without one, and who asked for it."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import Simulator
from simulator.protocol import CAPTURED, READ_LIMIT, VALUE, WRITE_LIMIT

from ..calls import act, control, outcomes
from ..states import get_state

EVENT = "event.sec1000_export_limit"


@pytest.fixture
def events(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Return what is told from now on."""
    told: list[dict[str, Any]] = []

    @callback
    def keep(event: Any) -> None:
        state = event.data["new_state"]
        if event.data["entity_id"] == EVENT and state and state.attributes.get("event_type"):
            told.append(dict(state.attributes))

    hass.bus.async_listen("state_changed", keep)
    return told


def types(events: list[dict[str, Any]]) -> list[str]:
    """Return what happened, in order."""
    return [event["event_type"] for event in events]


async def call(hass: HomeAssistant, action: str, context: Context | None = None, **data: Any) -> None:
    """Call an action, and let it fail."""
    with suppress(HomeAssistantError):
        await hass.services.async_call(DOMAIN, action, data, blocking=True, context=context)


@pytest.mark.usefixtures("loaded")
async def test_command_is_told_with_its_limits_and_requests(
    hass: HomeAssistant, events: list[dict[str, Any]]
) -> None:
    await call(hass, "set_export_limit", limit=5)
    assert types(events) == ["set"]
    told = events[0]
    assert (told["limit_before"], told["limit"], told["control_mode"]) == (10.0, 5.0, "value")
    assert (told["requests"], told["asked_by"], told["seconds"]) == (3, None, None)


@pytest.mark.usefixtures("warp", "loaded")
@pytest.mark.parametrize(
    ("fault", "expected"),
    [("ack-without-effect", "not_applied"), ("silence", "unknown"), (None, "not_applied")],
)
async def test_command_that_fails_is_told(
    hass: HomeAssistant, sim: Simulator, events: list[dict[str, Any]], fault: str | None, expected: str
) -> None:
    if fault:
        sim.inject(fault, commands=(WRITE_LIMIT, VALUE, READ_LIMIT))
    await call(hass, "set_export_limit", limit=5 if fault else "much")
    assert types(events) == [expected]


@pytest.mark.usefixtures("loaded")
async def test_superseded_command_is_no_event(hass: HomeAssistant, events: list[dict[str, Any]]) -> None:
    calls = [act(hass, "set_export_limit", limit=limit) for limit in (5, 6, 7)]
    results = await outcomes(*calls)
    assert types(events) == ["set"] * results.count(1)
    assert events[-1]["limit"] == 7.0


@pytest.mark.usefixtures("loaded")
async def test_temporary_limit_is_told_to_its_end(hass: HomeAssistant, events: list[dict[str, Any]]) -> None:
    await call(hass, "set_export_limit", limit=5, duration=60)
    await call(hass, "set_export_limit", limit=5, duration=600)
    await control(hass, "button", "press", "end_temporary_limit")
    assert types(events) == ["set", "extended", "ended"]
    assert [event["requests"] for event in events] == [3, 0, 3]


@pytest.mark.usefixtures("loaded")
async def test_reset_is_told_as_suspended_and_restored(
    hass: HomeAssistant, events: list[dict[str, Any]], hass_admin_user: MockUser
) -> None:
    await call(hass, "reset_export_watchdog", Context(user_id=hass_admin_user.id))
    assert types(events) == ["suspended", "restored"]
    suspended, restored = events
    assert (suspended["limit_before"], suspended["limit"], suspended["control_mode"]) == (10.0, None, None)
    assert (restored["limit"], restored["control_mode"]) == (10.0, "value")
    assert suspended["asked_by"] == restored["asked_by"] == hass_admin_user.name


@pytest.mark.usefixtures("loaded")
async def test_limit_before_is_the_one_a_command_finds_at_its_turn(
    hass: HomeAssistant, sim: Simulator, events: list[dict[str, Any]]
) -> None:
    first = act(hass, "set_export_limit", limit=5)
    await sim.wait_for_requests(len(sim.requests) + 1)
    second = act(hass, "set_export_limit", limit=7)
    assert await outcomes(first, second) == [1, 1]
    assert [(event["limit_before"], event["limit"]) for event in events] == [(10.0, 5.0), (5.0, 7.0)]


@pytest.mark.usefixtures("loaded")
async def test_automation_script_and_user_are_named(
    hass: HomeAssistant, events: list[dict[str, Any]], hass_admin_user: MockUser
) -> None:
    limit = {"action": f"{DOMAIN}.set_export_limit", "data": {"limit": 5}}
    press = {"action": "button.press", "target": {"entity_id": "button.sec1000_disable_export"}}
    automation = {"alias": "Price", "triggers": {"trigger": "event", "event_type": "go"}, "actions": limit}
    assert await async_setup_component(hass, "automation", {"automation": automation})
    assert await async_setup_component(hass, "script", {"script": {"night": {"sequence": press}}})
    hass.bus.async_fire("go")
    await hass.async_block_till_done()
    await hass.services.async_call("script", "night", blocking=True)
    await call(hass, "export_enable", Context(user_id=hass_admin_user.id))
    asked = [event["asked_by"] for event in events if event["event_type"] == "set"]
    assert asked == ["automation.price", "script.night", hass_admin_user.name]


@pytest.mark.usefixtures("loaded")
async def test_event_without_a_caller_is_not_that_of_the_last(
    hass: HomeAssistant, sim: Simulator, events: list[dict[str, Any]], hass_admin_user: MockUser
) -> None:
    await call(hass, "set_export_limit", Context(user_id=hass_admin_user.id), limit=5)
    assert get_state(hass, EVENT).context.user_id == hass_admin_user.id
    sim.device.limit = 12_000
    await call(hass, "get_export_limit")
    assert types(events) == ["set", "differs"]
    assert get_state(hass, EVENT).context.user_id is None


@pytest.mark.usefixtures("warp")
async def test_drift_is_told_once_and_corrected(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, events: list[dict[str, Any]]
) -> None:
    sim.device.limit = sim.device.bound_limit = 12_000
    await asyncio.sleep(200)
    assert types(events) == ["differs"]
    assert (events[0]["limit_before"], events[0]["limit"]) == (10.0, 12.0)
    hass.config_entries.async_update_entry(loaded, options={**loaded.options, "put_back": True})
    await asyncio.sleep(70)
    assert types(events)[:2] == ["differs", "corrected"]
    assert events[1]["asked_by"] is None


@pytest.mark.usefixtures("warp", "loaded")
async def test_meter_tells_whether_a_limit_is_kept(
    hass: HomeAssistant, sim: Simulator, events: list[dict[str, Any]]
) -> None:
    sim.hold(replace(CAPTURED, meter_power=8_000))
    await asyncio.sleep(40)
    await call(hass, "set_export_limit", limit=5)
    await asyncio.sleep(45)
    sim.hold(replace(CAPTURED, meter_power=4_990))
    await asyncio.sleep(60)
    assert types(events) == ["set", "obeyed"]
    assert 30 <= events[-1]["seconds"] <= 80
    await call(hass, "set_export_limit", limit=3)
    await asyncio.sleep(200)
    assert types(events) == ["set", "obeyed", "set", "exceeded"]
    assert get_state(hass, "binary_sensor.sec1000_limit_exceeded").state == "on"
