"""The cross-check of the limit by the meter."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import CAPTURED, Simulator

from ..states import get_state

type PassTime = Callable[[float], Awaitable[None]]

EXCEEDED = "binary_sensor.sec1000_limit_exceeded"


def export(sim: Simulator, watts: int) -> None:
    sim.hold(replace(CAPTURED, meter_power=watts, inverter_power=watts + 1_000))


@pytest.mark.promise("R-16")
async def test_limit_exceeded_is_on_after_a_minute(
    pass_time: PassTime,
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    export(sim, 10_601)
    await pass_time(31)
    await pass_time(31)
    assert get_state(hass, EXCEEDED).state == "off"
    caplog.clear()
    for _ in range(3):
        await pass_time(31)
        assert get_state(hass, EXCEEDED).state == "on"
    assert sum("flow to the grid" in record.message for record in caplog.records) == 1
    export(sim, 10_599)
    await pass_time(31)
    assert get_state(hass, EXCEEDED).state == "off"


@pytest.mark.parametrize(
    "case", ["within the margin", "each phase on its own", "a receiver decides", "nothing limits"]
)
async def test_limit_exceeded_is_off_where_meter_cannot_judge(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, case: str
) -> None:
    export(sim, 10_600 if case == "within the margin" else 20_000)
    if case == "each phase on its own":
        hass.config_entries.async_update_entry(loaded, options={**loaded.options, "scan_three_phases": False})
    elif case == "a receiver decides":
        sim.device.mode = ControlMode.RCR
        await loaded.runtime_data.coordinator.read_settings()
    elif case == "nothing limits":
        sim.device.mode = ControlMode.DEACTIVATED
        await loaded.runtime_data.coordinator.read_settings()
    for _ in range(5):
        await pass_time(31)
    assert get_state(hass, EXCEEDED).state == "off"


async def test_new_limit_restarts_grace_period(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    export(sim, 9_000)
    await pass_time(31)
    await pass_time(31)
    await hass.services.async_call(DOMAIN, "set_export_limit", {"limit": 5}, blocking=True)
    await pass_time(31)
    await pass_time(31)
    assert get_state(hass, EXCEEDED).state == "off"
    await pass_time(31)
    assert get_state(hass, EXCEEDED).state == "on"


@pytest.mark.usefixtures("warp")
async def test_failed_poll_restarts_grace_period(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    export(sim, 20_000)
    await asyncio.sleep(31)
    sim.inject("silence")
    await asyncio.sleep(35)
    sim.clear_faults()
    await asyncio.sleep(31)
    assert get_state(hass, "sensor.sec1000_meter_power").state == "20000"
    assert get_state(hass, EXCEEDED).state == "off"


async def test_firmware_without_telemetry_raises_no_silence_issue(
    pass_time: PassTime, hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("no-telemetry")
    assert await hass.config_entries.async_setup(entry.entry_id)
    for _ in range(8):
        await pass_time(61)
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"device_silent_{entry.entry_id}") is None
    assert get_state(hass, "sensor.sec1000_export_limit").state == "10.0"
