"""Setup reads and never writes, waits for an unreachable device, and unload leaves nothing behind."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000 import coordinator
from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import CAPTURED, Simulator

from .entries import entry_of
from .states import get_state

READS = {0x0B, 0x43}


@pytest.mark.promise("R-14")
async def test_setup_reads_and_writes_nothing(loaded: MockConfigEntry, sim: Simulator) -> None:
    assert [request.frame.command for request in sim.requests if request.frame] == [0x43, 0x0B]


async def test_captured_frame_is_shown_in_states(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    sim.hold(CAPTURED)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    states = {
        key: get_state(hass, f"sensor.sec1000_{key}").state
        for key in (
            *("voltage_l1", "voltage_l2", "voltage_l3", "current_l1", "current_l2", "current_l3"),
            *("power_l1", "power_l2", "power_l3", "meter_power", "inverter_power", "load_power"),
        )
    }
    assert states == {
        "voltage_l1": "241.0",
        "voltage_l2": "240.4",
        "voltage_l3": "240.9",
        "current_l1": "4.8",
        "current_l2": "3.9",
        "current_l3": "5.08",
        "power_l1": "295",
        "power_l2": "-114",
        "power_l3": "-532",
        "meter_power": "-351",
        "inverter_power": "3386",
        "load_power": "3737",
    }


@pytest.mark.promise("R-27")
@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize(
    "fault", ["refused", "silence", "garbage", "http", "close-before-answer", "oversized-length"]
)
async def test_setup_is_retried_until_device_answers(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sim: Simulator,
    fault: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sim.inject(fault)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state.recoverable
    assert entry.reason
    assert "The telemetry could not be read" in entry.reason
    assert not [record for record in caplog.records if record.exc_info and record.levelname != "DEBUG"]
    sim.clear_faults()
    await asyncio.sleep(6)
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.promise("R-29")
@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize(("silent", "unavailable"), [(0x0B, "meter_power"), (0x43, "export_limit")])
async def test_setup_needs_telemetry_or_settings_only(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, silent: int, unavailable: str
) -> None:
    sim.inject("silence", commands=(silent,))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    for key in ("meter_power", "export_limit"):
        state = get_state(hass, f"sensor.sec1000_{key}")
        assert (state.state == "unavailable") is (key == unavailable)


@pytest.mark.promise("R-29")
async def test_firmware_without_telemetry_is_probed_hourly(
    pass_time: Callable[[float], Awaitable[None]],
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sim: Simulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sim.inject("no-telemetry")
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert get_state(hass, "sensor.sec1000_export_limit").state == "10.0"
    assert get_state(hass, "sensor.sec1000_meter_power").state == "unavailable"
    assert get_state(hass, "sensor.sec1000_get_telemetry_data_feedback").state == "64"
    for _ in range(2):
        await pass_time(31)
    asked = sum(request.frame.command == 0x0B for request in sim.requests if request.frame)
    for _ in range(5):
        await pass_time(31)
    assert sum(request.frame.command == 0x0B for request in sim.requests if request.frame) == asked
    await pass_time(3600)
    assert sum(request.frame.command == 0x0B for request in sim.requests if request.frame) > asked
    assert "Error fetching" not in caplog.text
    assert caplog.text.count("retrying every hour") == 1
    sim.clear_faults()
    await pass_time(3600)
    assert get_state(hass, "sensor.sec1000_meter_power").state != "unavailable"


@pytest.mark.promise("R-01")
async def test_outage_is_logged_once_and_device_recovers(
    pass_time: Callable[[float], Awaitable[None]],
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await sim.stop()
    for _ in range(6):
        await pass_time(61)
    for key in ("meter_power", "voltage_l1", "load_power", "export_limit"):
        assert get_state(hass, f"sensor.sec1000_{key}").state == "unavailable"
    assert get_state(hass, "binary_sensor.sec1000_export_state").state == "unavailable"
    assert get_state(hass, "binary_sensor.sec1000_module_started").state == "on"
    feedback = get_state(hass, "sensor.sec1000_get_telemetry_data_feedback")
    assert (feedback.state, feedback.attributes["flags"]) == ("64", ["socket_error"])
    ours = [
        record for record in caplog.records if "goodwe_sec1000" in record.name and record.levelname != "DEBUG"
    ]
    assert len(ours) == 1
    caplog.clear()
    await sim.start()
    await pass_time(61)
    for key in ("meter_power", "export_limit"):
        assert get_state(hass, f"sensor.sec1000_{key}").state != "unavailable"
    assert get_state(hass, "sensor.sec1000_get_telemetry_data_feedback").state == "1"
    assert sum("recovered" in record.message for record in caplog.records) == 1


@pytest.mark.promise("R-01")
@pytest.mark.usefixtures("warp")
async def test_export_limit_is_available_for_three_minutes(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
) -> None:
    sim.inject("silence", commands=(0x43,))
    for _ in range(2):
        await asyncio.sleep(61)
    assert get_state(hass, "sensor.sec1000_export_limit").state == "10.0"
    await asyncio.sleep(61)
    assert get_state(hass, "sensor.sec1000_export_limit").state == "unavailable"
    assert get_state(hass, "sensor.sec1000_meter_power").state != "unavailable"


@pytest.mark.promise("R-01")
async def test_export_limit_expires_without_another_read(
    pass_time: Callable[[float], Awaitable[None]],
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coordinator, "SETTINGS_INTERVAL", timedelta(hours=1))
    assert await hass.config_entries.async_reload(loaded.entry_id)
    await hass.async_block_till_done()
    await pass_time(179)
    assert get_state(hass, "sensor.sec1000_export_limit").state == "10.0"
    await pass_time(181)
    assert get_state(hass, "sensor.sec1000_export_limit").state == "unavailable"
    await hass.services.async_call(DOMAIN, "get_export_limit", {}, blocking=True)
    assert get_state(hass, "sensor.sec1000_export_limit").state == "10.0"


@pytest.mark.promise("R-15")
async def test_limit_changed_elsewhere_is_shown_within_a_minute(
    pass_time: Callable[[float], Awaitable[None]],
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
) -> None:
    sim.device.limit = 4_560
    await pass_time(61)
    assert get_state(hass, "sensor.sec1000_export_limit").state == "4.56"


async def test_poll_during_outage_is_one_try_at_each_interval(
    pass_time: Callable[[float], Awaitable[None]],
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
) -> None:
    sim.inject("close-before-answer", commands=(0x0B,))
    sim.inject("wrong-checksum", commands=(0x43,))
    sim.requests.clear()
    await pass_time(31)
    polled = [request.frame.command for request in sim.requests if request.frame]
    assert polled.count(0x0B) == 3
    sim.requests.clear()
    await pass_time(31)
    assert [request.frame.command for request in sim.requests if request.frame].count(0x0B) == 1


@pytest.mark.promise("R-28")
async def test_single_zero_in_full_production_is_not_shown(
    pass_time: Callable[[float], Awaitable[None]],
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
) -> None:
    sim.hold(CAPTURED)
    await pass_time(31)
    sim.inject("zero-inverters", count=1)
    await pass_time(31)
    assert not sim.faults
    assert get_state(hass, "sensor.sec1000_inverter_power").state == "3386"
    assert get_state(hass, "sensor.sec1000_load_power").state == "3737"


async def test_recovered_error_changes_no_state(
    pass_time: Callable[[float], Awaitable[None]],
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
) -> None:
    before = get_state(hass, "sensor.sec1000_get_telemetry_data_feedback")
    sim.inject("six-byte-answer", count=1)
    await pass_time(31)
    assert not sim.faults
    assert get_state(hass, "sensor.sec1000_get_telemetry_data_feedback") == before


async def test_several_devices_work_side_by_side(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    async with Simulator(limit=3_000) as second:
        other = entry_of(second, "Barn")
        other.add_to_hass(hass)
        assert await hass.config_entries.async_setup(other.entry_id)
        await hass.async_block_till_done()
        assert get_state(hass, "sensor.sec1000_export_limit").state == "10.0"
        assert get_state(hass, "sensor.barn_export_limit").state == "3.0"
        assert await hass.config_entries.async_unload(other.entry_id)


async def test_unload_waits_for_command_and_leaves_nothing(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    call = asyncio.create_task(
        hass.services.async_call(DOMAIN, "set_export_limit", {"limit": 2}, blocking=True)
    )
    sim.requests.clear()
    await sim.wait_for_requests(1)
    assert await hass.config_entries.async_unload(loaded.entry_id)
    await call
    assert sim.device.bound_limit == 2_000
    await sim.wait_until_idle()
    assert get_state(hass, "sensor.sec1000_meter_power").state == "unavailable"
