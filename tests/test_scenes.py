"""Scenes and scripts that use several controls of a device at once: the limit that was meant holds."""

import asyncio
from typing import Final

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator import Simulator

from .calls import control, outcomes
from .states import get_state

SWITCH: Final = "switch.sec1000_export_to_grid"
LIMIT: Final = "number.sec1000_export_limit"
MINIMUM: Final = "number.sec1000_minimum_export_limit"
MAXIMUM: Final = "number.sec1000_maximum_export_limit"
MODE: Final = "select.sec1000_control_mode"
NUMBERS_FIRST: Final = (LIMIT, MAXIMUM, MINIMUM, MODE, SWITCH)
"""The order in which Home Assistant's scene editor writes the entities of a device."""


async def set_limit(hass: HomeAssistant, value: float, context: Context | None = None) -> None:
    await hass.services.async_call(
        "number", "set_value", {"entity_id": LIMIT, "value": value}, blocking=True, context=context
    )


async def turn_on(hass: HomeAssistant, context: Context | None = None) -> None:
    await hass.services.async_call("switch", "turn_on", {"entity_id": SWITCH}, blocking=True, context=context)


async def turn_off(hass: HomeAssistant) -> None:
    await hass.services.async_call("switch", "turn_off", {"entity_id": SWITCH}, blocking=True)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("order", [NUMBERS_FIRST, NUMBERS_FIRST[::-1]], ids=["numbers first", "switch first"])
async def test_scene_of_whole_device_restores_its_limit(
    hass: HomeAssistant, sim: Simulator, order: tuple[str, ...]
) -> None:
    await async_setup_component(hass, "scene", {})
    await set_limit(hass, 2)
    states = {entity_id: get_state(hass, entity_id).state for entity_id in order}
    assert states[SWITCH] == "on"
    await turn_off(hass)
    await hass.services.async_call("scene", "apply", {"entities": states}, blocking=True)
    assert sim.device.bound_limit == 2_000
    assert {entity_id: get_state(hass, entity_id).state for entity_id in order} == states


@pytest.mark.usefixtures("loaded")
async def test_scene_of_disabled_export_disables_it(hass: HomeAssistant, sim: Simulator) -> None:
    await async_setup_component(hass, "scene", {})
    await turn_off(hass)
    states = {entity_id: get_state(hass, entity_id).state for entity_id in NUMBERS_FIRST}
    await turn_on(hass)
    await hass.services.async_call("scene", "apply", {"entities": states}, blocking=True)
    assert sim.device.bound_limit == 0


@pytest.mark.usefixtures("loaded", "warp")
@pytest.mark.parametrize(("pause", "expected"), [(0, 2_000), (3, 2_000), (10, 10_000)])
async def test_turning_on_in_a_script_leaves_a_limit_just_set(
    hass: HomeAssistant, sim: Simulator, pause: float, expected: int
) -> None:
    script = Context()
    await turn_off(hass)
    await set_limit(hass, 2, script)
    await asyncio.sleep(pause)
    await turn_on(hass, script)
    assert sim.device.bound_limit == expected


@pytest.mark.usefixtures("loaded", "warp")
async def test_turning_on_leaves_a_limit_that_took_long_to_set(hass: HomeAssistant, sim: Simulator) -> None:
    script = Context()
    await turn_off(hass)
    sim.inject("silence", count=3)
    began = hass.loop.time()
    await set_limit(hass, 2, script)
    assert hass.loop.time() - began > 5
    await turn_on(hass, script)
    assert sim.device.bound_limit == 2_000


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("service", ["turn_off", "toggle"])
async def test_turning_on_after_off_in_a_script_enables(
    hass: HomeAssistant, sim: Simulator, service: str
) -> None:
    script = Context()
    await set_limit(hass, 2, script)
    await hass.services.async_call("switch", service, {"entity_id": SWITCH}, blocking=True, context=script)
    assert sim.device.bound_limit == 0
    await turn_on(hass, script)
    assert sim.device.bound_limit == 10_000


@pytest.mark.parametrize(
    ("before", "limit"),
    [({"max_export_limit": 5.0}, 5), ({"min_export_limit": 2.0}, 2)],
    ids=["lower maximum", "higher minimum"],
)
async def test_limit_of_a_scene_follows_no_bound_of_it(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    before: dict[str, float],
    limit: float,
) -> None:
    await async_setup_component(hass, "scene", {})
    hass.config_entries.async_update_entry(loaded, options={**loaded.options, **before})
    await hass.services.async_call("goodwe_sec1000", "set_export_limit", {"limit": 4}, blocking=True)
    states = {LIMIT: str(limit), MAXIMUM: "10", MINIMUM: "0", SWITCH: "on"}
    await hass.services.async_call("scene", "apply", {"entities": states}, blocking=True)
    assert sim.device.bound_limit == limit * 1_000
    assert (loaded.options["min_export_limit"], loaded.options["max_export_limit"]) == (0, 10)


@pytest.mark.usefixtures("loaded")
async def test_number_that_is_none_is_refused(hass: HomeAssistant, sim: Simulator) -> None:
    with pytest.raises(ServiceValidationError, match="nan"):
        await set_limit(hass, float("nan"))
    assert get_state(hass, "sensor.sec1000_set_export_limit_feedback").state == "128"


@pytest.mark.usefixtures("loaded")
async def test_turning_on_beside_another_users_limit_enables(hass: HomeAssistant, sim: Simulator) -> None:
    await set_limit(hass, 2, Context())
    await turn_on(hass, Context())
    assert sim.device.bound_limit == 10_000


@pytest.mark.usefixtures("loaded")
async def test_turning_on_while_on_sets_the_maximum(hass: HomeAssistant, sim: Simulator) -> None:
    await set_limit(hass, 4)
    assert get_state(hass, SWITCH).state == "on"
    await turn_on(hass)
    assert sim.device.bound_limit == 10_000


@pytest.mark.usefixtures("loaded")
async def test_turning_on_beside_a_limit_of_zero_enables(hass: HomeAssistant, sim: Simulator) -> None:
    script = Context()
    await set_limit(hass, 0, script)
    await turn_on(hass, script)
    assert sim.device.bound_limit == 10_000


@pytest.mark.usefixtures("loaded")
async def test_turning_off_while_shown_off_is_carried_out(hass: HomeAssistant, sim: Simulator) -> None:
    await turn_off(hass)
    sim.device.limit = 9_000
    assert get_state(hass, SWITCH).state == "off"
    await turn_off(hass)
    assert sim.device.bound_limit == 0


@pytest.mark.usefixtures("loaded")
async def test_switch_toggled_twice_at_once_ends_as_before(hass: HomeAssistant, sim: Simulator) -> None:
    toggles = [control(hass, "switch", "toggle", "export_to_grid") for _ in range(2)]
    await outcomes(*toggles)
    assert sim.device.bound_limit == 10_000


@pytest.mark.usefixtures("loaded")
async def test_switch_toggles_by_what_the_device_holds(hass: HomeAssistant, sim: Simulator) -> None:
    sim.device.limit = 0
    assert get_state(hass, SWITCH).state == "on"
    await outcomes(control(hass, "switch", "toggle", "export_to_grid"))
    assert sim.device.bound_limit == 10_000


async def test_scene_gives_no_error_for_a_superseded_command(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    scene = Context()
    await turn_off(hass)
    clock = hass.async_create_task(
        hass.services.async_call("goodwe_sec1000", "set_datetime", {}, blocking=True)
    )
    await sim.wait_for_requests(len(sim.requests) + 1)
    on = hass.async_create_task(turn_on(hass, scene))
    await asyncio.sleep(0)
    limit = hass.async_create_task(set_limit(hass, 3, scene))
    assert await outcomes(clock, on, limit) == [None, None, None]
    assert sim.device.bound_limit == 3_000
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
