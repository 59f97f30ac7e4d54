"""Many callers, also canceled ones, lose no command."""

import asyncio
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import CONF_CONTROL_MODE, DOMAIN
from custom_components.goodwe_sec1000.sec1000 import timing
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator
from tests.states import get_state

READ, LIMIT, VALUE, DRED, RCR = 0x43, 0x42, 0x40, 0x33, 0x28
FEEDBACK: Final = "sensor.sec1000_set_export_limit_feedback"


def commands(sim: Simulator) -> list[int]:
    return [request.frame.command for request in sim.requests if request.frame]


async def set_limit(hass: HomeAssistant, limit: float) -> dict[str, Any]:
    response = await hass.services.async_call(
        DOMAIN, "set_export_limit", {"limit": limit}, blocking=True, return_response=True
    )
    assert response is not None
    return response


@pytest.mark.promise("R-07")
async def test_limit_each_second_answers_every_caller(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    limits = [(number % 97) / 10 for number in range(120)]
    calls = []
    for limit in limits:
        calls.append(hass.async_create_task(set_limit(hass, limit)))
        await asyncio.sleep(1)
    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert sim.device.bound_limit == round(limits[-1] * 1000)
    assert get_state(hass, "sensor.sec1000_export_limit").state == str(limits[-1])
    assert get_state(hass, FEEDBACK).state == "1"
    done = [answer for answer in answers if isinstance(answer, dict)]
    superseded = [answer for answer in answers if isinstance(answer, HomeAssistantError)]
    assert len(done) + len(superseded) == 120
    # A full budget, and one limit each 13 s.
    assert len(done) == pytest.approx(4 + 120 / (3 * timing.STANDARD.refill), abs=2)
    assert all("newer limit" in str(answer) for answer in superseded)
    for answer, limit in zip(answers, limits, strict=True):
        if isinstance(answer, dict):
            assert (answer["feedback"], answer["export_limit"]) == (1, limit)


def automation(mode: str, action: str, **data: Any) -> dict[str, Any]:
    """Return an automation that calls this action at every event `now`."""
    return {
        "id": "caller",
        "alias": "Caller",
        "mode": mode,
        "triggers": [{"trigger": "event", "event_type": "now"}],
        "actions": [{"action": f"{DOMAIN}.{action}", "data": data}],
    }


async def start(hass: HomeAssistant, config: dict[str, Any]) -> None:
    assert await async_setup_component(hass, "automation", {"automation": [config]})


async def turn_off(hass: HomeAssistant) -> None:
    """Turn the automation off, which cancels its running actions."""
    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": "automation.caller"}, blocking=True
    )


def with_mode(hass: HomeAssistant, entry: MockConfigEntry, mode: ControlMode) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_CONTROL_MODE: mode.key})


@pytest.mark.promise("R-10")
@pytest.mark.parametrize("so_far", [1, 2, 3])
async def test_set_limit_survives_automation_turned_off(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, so_far: int
) -> None:
    await start(hass, automation("single", "set_export_limit", limit=6))
    sim.requests.clear()
    hass.bus.async_fire("now")
    await sim.wait_for_requests(so_far)
    await turn_off(hass)
    await asyncio.sleep(20)
    assert commands(sim)[:3] == [LIMIT, VALUE, READ]
    assert sim.device.bound_limit == 6_000
    assert get_state(hass, FEEDBACK).state == "1"


@pytest.mark.promise("R-10")
@pytest.mark.parametrize("so_far", [1, 2, 3, 4, 5])
async def test_mode_change_survives_automation_turned_off(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, so_far: int
) -> None:
    sim.device.mode = ControlMode.RCR
    assert await hass.config_entries.async_setup(entry.entry_id)
    await start(hass, automation("single", "set_export_limit", limit=6))
    sim.requests.clear()
    hass.bus.async_fire("now")
    await sim.wait_for_requests(so_far)
    await turn_off(hass)
    await asyncio.sleep(20)
    assert commands(sim)[:5] == [LIMIT, DRED, RCR, VALUE, READ]
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 6_000)
    assert get_state(hass, FEEDBACK).state == "1"
    assert get_state(hass, "binary_sensor.sec1000_limit_differs").state == "off"


@pytest.mark.promise("R-10")
@pytest.mark.parametrize("so_far", [1, 2, 3, 4, 5, 6, 7])
async def test_reset_survives_automation_turned_off(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, so_far: int
) -> None:
    sim.device.limit = 4_320
    await start(hass, automation("single", "reset_export_watchdog"))
    sim.requests.clear()
    hass.bus.async_fire("now")
    await sim.wait_for_requests(so_far)
    await turn_off(hass)
    await asyncio.sleep(20)
    # The device was changed by another program, so it is read twice before.
    assert commands(sim)[:8] == [READ, READ, DRED, RCR, VALUE, LIMIT, VALUE, READ]
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)
    assert get_state(hass, "sensor.sec1000_reset_export_watchdog_feedback").state == "1"


@pytest.mark.promise("R-07")
@pytest.mark.parametrize("so_far", [1, 2, 3])
async def test_restarting_automation_ends_with_last_limit(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, so_far: int
) -> None:
    """Each run sets one kW more and cancels the run before it."""
    config = automation("restart", "set_export_limit", limit="{{ trigger.event.data.limit }}")
    await start(hass, config)
    sim.requests.clear()
    for number in range(1, 5):
        hass.bus.async_fire("now", {"limit": number})
        await sim.wait_for_requests(3 * (number - 1) + so_far)
    await asyncio.sleep(60)
    written = [request for request in sim.requests if request.frame and request.frame.command == LIMIT]
    assert len(written) == 4
    assert sim.device.bound_limit == 4_000
    assert get_state(hass, FEEDBACK).state == "1"
    assert not sim.overload.exhausted


async def test_restarting_automation_ends_with_last_mode(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    """The device ends in the mode chosen last, at whatever request the options change."""
    await start(hass, automation("restart", "set_export_limit", limit="{{ trigger.event.data.limit }}"))
    for number, mode in enumerate((ControlMode.RCR, ControlMode.VALUE, ControlMode.DRED, ControlMode.VALUE)):
        with_mode(hass, loaded, mode)
        sim.requests.clear()
        hass.bus.async_fire("now", {"limit": 1 + number})
        await sim.wait_for_requests(2 + number % 3)
    await asyncio.sleep(60)
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_000)
    assert get_state(hass, FEEDBACK).state == "1"
    assert get_state(hass, "select.sec1000_control_mode").state == "value"


@pytest.mark.parametrize("so_far", [1, 3, 4, 5, 6])
async def test_restarting_automation_resets_only_once(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, so_far: int
) -> None:
    """The first reset continues without its caller, and the second one is refused meanwhile."""
    sim.device.limit = 4_320
    await start(hass, automation("restart", "reset_export_watchdog"))
    sim.requests.clear()
    hass.bus.async_fire("now")
    await sim.wait_for_requests(so_far)
    hass.bus.async_fire("now")
    await asyncio.sleep(30)
    off = [request for request in sim.requests if request.raw.hex() == "0006010140020044"]
    assert len(off) == 1
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)
    assert get_state(hass, "sensor.sec1000_reset_export_watchdog_feedback").state == "1"
