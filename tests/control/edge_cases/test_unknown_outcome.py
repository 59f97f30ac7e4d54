"""A command whose outcome is unknown: what it wanted is neither taken for proven nor forgotten."""

import asyncio

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator
from simulator.protocol import RCR, READ_LIMIT, VALUE, WRITE_LIMIT
from tests.calls import act, control, is_off, issue, keep_busy, outcomes, requested
from tests.test_options_flow import changing


@pytest.mark.promise("R-09")
async def test_measurement_that_never_arrived_is_not_saved(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    walk = await changing(hass, loaded)
    await walk.submit()
    submitted = asyncio.create_task(walk.submit(scan_three_phases=False))
    # Nothing is answered after the first read.
    await sim.wait_for_requests(len(sim.requests) + 1)
    await sim.wait_until_idle()
    sim.inject("silence")
    await submitted
    assert walk.errors
    sim.clear_faults()
    await asyncio.sleep(120)
    assert sim.device.sum_of_phases
    assert loaded.options["scan_three_phases"] is True


@pytest.mark.promise("R-09")
@pytest.mark.parametrize("fault", ["reset", "garbage", "nak"])
async def test_measurement_is_saved_once_it_is_acknowledged(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, fault: str
) -> None:
    walk = await changing(hass, loaded)
    await walk.submit()
    sim.inject(fault, commands=(WRITE_LIMIT,))
    await walk.submit(scan_three_phases=False)
    assert walk.errors
    sim.clear_faults()
    await asyncio.sleep(120)
    assert loaded.options["scan_three_phases"] is True
    await walk.submit(scan_three_phases=False)
    assert walk.outcome == "saved"
    assert (loaded.options["scan_three_phases"], sim.device.sum_of_phases) == (False, False)


@pytest.mark.promise("R-15")
@pytest.mark.usefixtures("loaded")
async def test_wish_that_did_not_take_effect_is_shown(hass: HomeAssistant, sim: Simulator) -> None:
    sim.inject("silence", commands=(WRITE_LIMIT, VALUE, READ_LIMIT))
    [error] = await outcomes(act(hass, "export_disable"))
    assert isinstance(error, HomeAssistantError)
    sim.clear_faults()
    await asyncio.sleep(120)
    assert sim.device.bound_limit == 10_000
    assert not is_off(hass, "limit_differs")


@pytest.mark.promise("R-15")
async def test_late_wish_is_not_undone_by_drift_correction(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(loaded, options={**loaded.options, "put_back": True})
    await outcomes(act(hass, "set_export_limit", limit=3))
    await asyncio.sleep(30)
    sim.inject("silence")
    [error] = await outcomes(act(hass, "export_enable"))
    assert isinstance(error, HomeAssistantError)
    sim.clear_faults()
    await asyncio.sleep(70)
    assert not is_off(hass, "limit_differs")
    sim.device.limit = sim.device.bound_limit = 10_000
    await asyncio.sleep(90)
    assert sim.device.bound_limit == 10_000


async def test_next_mode_is_armed_only_after_the_old_one_is_off(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    walk = await changing(hass, loaded)
    await walk.submit()
    sim.inject("silence")
    await outcomes(act(hass, "export_enable"))
    sim.clear_faults()
    since = len(sim.requests)
    clock = await keep_busy(hass, sim)
    limit = act(hass, "set_export_limit", limit=3)
    mode = asyncio.create_task(walk.submit(export_limit_control_mode="rcr"))
    _, answer, _ = await outcomes(clock, limit, mode)
    assert answer == 1
    assert walk.outcome == "saved"
    switches = [request for request in requested(sim, since) if request[0] in {RCR, VALUE}]
    assert switches.index((VALUE, b"\x02")) < switches.index((RCR, b"\x01"))
    assert (sim.device.mode, sim.device.limit) == (ControlMode.RCR, 3_000)


@pytest.mark.promise("R-18", "R-25")
@pytest.mark.parametrize(
    "fault",
    ["late-effect", "ack-without-effect", "effect-then-silence", "silence", "nak", "effect-without-ack"],
)
@pytest.mark.parametrize("command", [VALUE, RCR], ids=hex)
async def test_faulty_mode_change_is_restored_or_reported(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, fault: str, command: int
) -> None:
    sim.inject(fault, commands=(command,), count=1)
    await outcomes(control(hass, "select", "select_option", "control_mode", option="rcr"))
    [error] = await outcomes(control(hass, "select", "select_option", "control_mode", option="value"))
    await asyncio.sleep(200)
    assert sim.device.mode is not ControlMode.DEACTIVATED or issue(hass, loaded)
    assert sim.device.mode is ControlMode.VALUE or error is not None
