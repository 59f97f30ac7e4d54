"""An unresponsive device is polled less often, and Repairs has an issue about it."""

import asyncio

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import Simulator
from simulator.protocol import TELEMETRY
from tests.states import get_state


@pytest.mark.promise("R-11", "R-27")
@pytest.mark.parametrize("fault", ["silence", "garbage", "wrong-checksum"])
async def test_unresponsive_device_is_polled_less_until_it_answers(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, fault: str
) -> None:
    issues = ir.async_get(hass)
    issue = (DOMAIN, f"device_silent_{loaded.entry_id}")
    sim.inject(fault)
    await asyncio.sleep(170)
    assert issues.async_get_issue(*issue) is None
    await asyncio.sleep(300)
    reported = issues.async_get_issue(*issue)
    assert reported is not None
    assert reported.translation_placeholders == {"name": "SEC1000", "interval": "30"}
    assert get_state(hass, "sensor.sec1000_export_limit").state == "unavailable"
    sim.requests.clear()
    await asyncio.sleep(3600)
    # At 30 s it would be 120 polls and 60 reads of the settings.
    assert 10 <= len(sim.requests) <= 26
    sim.clear_faults()
    await asyncio.sleep(320)
    assert issues.async_get_issue(*issue) is None
    assert get_state(hass, "sensor.sec1000_meter_power").state != "unavailable"
    await asyncio.sleep(61)
    assert get_state(hass, "sensor.sec1000_export_limit").state == "10.0"


@pytest.mark.promise("R-27")
async def test_unreachable_device_is_reported_and_found_at_interval(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    issues = ir.async_get(hass)
    issue = (DOMAIN, f"device_silent_{loaded.entry_id}")
    await sim.stop()
    await asyncio.sleep(260)
    assert issues.async_get_issue(*issue) is not None
    await sim.start()
    await asyncio.sleep(35)
    assert get_state(hass, "sensor.sec1000_meter_power").state != "unavailable"
    assert issues.async_get_issue(*issue) is None


@pytest.mark.promise("R-11")
@pytest.mark.usefixtures("loaded")
async def test_device_with_invalid_data_only_is_polled_less(sim: Simulator) -> None:
    sim.inject("garbage", commands=(TELEMETRY,))
    sim.inject("unknown-mode")
    await asyncio.sleep(1800)
    sim.requests.clear()
    await asyncio.sleep(1800)
    assert 5 <= len(sim.requests) <= 13


async def test_single_faults_do_not_start_back_off(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    for _ in range(20):
        sim.inject("six-byte-answer", count=1)
        await asyncio.sleep(30)
        assert get_state(hass, "sensor.sec1000_meter_power").state != "unavailable"
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"device_silent_{loaded.entry_id}") is None
