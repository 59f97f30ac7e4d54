"""Each action changes the device as the wire says, and tells how it ended."""

import asyncio
from collections.abc import Callable
from datetime import datetime
import time
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000 import services
from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator

from ..calls import act as begin, keep_busy, outcomes
from ..entries import entry_of
from ..states import get_state

LIMIT_ACTIONS = ("export_disable", "export_enable", "set_export_limit")
FEEDBACK_SENSORS = {
    "export_disable": "export_disable_feedback",
    "export_enable": "export_enable_feedback",
    "set_export_limit": "set_export_limit_feedback",
    "get_export_limit": "get_export_limit_feedback",
    "set_datetime": "set_date_and_time_feedback",
    "reset_export_watchdog": "reset_export_watchdog_feedback",
}


async def act(hass: HomeAssistant, action: str, **data: Any) -> dict[str, Any]:
    """Call an action as a script would, and return its response."""
    response = await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)
    assert response is not None
    return response


def feedback(hass: HomeAssistant, action: str) -> int:
    return int(get_state(hass, f"sensor.sec1000_{FEEDBACK_SENSORS[action]}").state)


@pytest.fixture
def at_limit(hass: HomeAssistant) -> Callable[[str], None]:
    """Return a check of what is shown after an action."""

    def check(limit: str) -> None:
        assert get_state(hass, "sensor.sec1000_export_limit").state == limit

    return check


async def test_disable_sends_minimum(hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator) -> None:
    response = await act(hass, "export_disable")
    assert sim.device.bound_limit == 0
    assert response == {
        "feedback": 1,
        "flags": ["ok"],
        "message": "The device confirmed the setting. Export is off: the limit is 0.00 kW.",
        "export_limit": 0.0,
        "control_mode": "value",
        "ends": None,
        "then": None,
    }
    assert get_state(hass, "binary_sensor.sec1000_export_state").state == "off"
    assert get_state(hass, "sensor.sec1000_export_limit").state == "0.0"
    assert feedback(hass, "export_disable") == 1


async def test_enable_sends_maximum(hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator) -> None:
    sim.device.limit = 0
    assert (await act(hass, "export_enable"))["export_limit"] == 10.0
    assert sim.device.bound_limit == 10_000
    assert get_state(hass, "binary_sensor.sec1000_export_state").state == "on"


async def test_measurement_is_written_with_every_limit(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await act(hass, "set_export_limit", limit=5)
    assert sim.device.sum_of_phases
    hass.config_entries.async_update_entry(loaded, options={**loaded.options, "scan_three_phases": False})
    await act(hass, "set_export_limit", limit=5)
    assert not sim.device.sum_of_phases


@pytest.mark.promise("R-08")
@pytest.mark.parametrize(
    ("given", "watts", "result"),
    [
        (7, 7_000, 1),
        (7.5, 7_500, 1),
        ("7.5", 7_500, 1),
        (" 1.15 ", 1_150, 1),
        (1.15, 1_150, 1),
        ("1e0", 1_000, 1),
        (0, 0, 1),
        (12, 10_000, 129),
        ("999999999", 10_000, 129),
        (-0.01, 0, 129),
        (10.004, 10_000, 129),
    ],
)
async def test_limit_is_brought_into_range(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    caplog: pytest.LogCaptureFixture,
    given: float | str,
    watts: int,
    result: int,
) -> None:
    response = await act(hass, "set_export_limit", limit=given)
    assert sim.device.bound_limit == watts
    assert response["feedback"] == feedback(hass, "set_export_limit") == result
    warned = any("outside the range 0.00 to 10.00 kW" in record.message for record in caplog.records)
    assert warned is (result == 129)
    if result == 129:
        assert response["flags"] == ["ok", "invalid_input"]
        assert "was adjusted to" in response["message"]


@pytest.mark.promise("R-12")
@pytest.mark.parametrize(
    "given",
    [
        True,
        False,
        "x",
        "",
        "7,5",
        "7 kW",
        "1_0",
        "nan",
        "inf",
        float("nan"),
        float("inf"),
        None,
        [7],
        {"kW": 7},
    ],
)
async def test_limit_that_is_no_number_is_refused(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, given: object
) -> None:
    sim.requests.clear()
    with pytest.raises(ServiceValidationError, match="Enter a number in kW"):
        await act(hass, "set_export_limit", limit=given)
    assert feedback(hass, "set_export_limit") == 128
    assert sim.requests == []


async def test_endless_digits_as_limit_are_refused_at_once(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    began = time.perf_counter()
    with pytest.raises(ServiceValidationError):
        await act(hass, "set_export_limit", limit="1" * 50_000 + "x")
    assert time.perf_counter() - began < 1


async def test_missing_limit_is_refused(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    with pytest.raises(ServiceValidationError):
        await act(hass, "set_export_limit")
    assert feedback(hass, "set_export_limit") == 128


async def test_slow_template_as_limit_is_refused(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "TEMPLATE_TIMEOUT_S", 0.05)
    sent = len(sim.requests)
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}5"
    with pytest.raises(ServiceValidationError):
        await act(hass, "set_export_limit", limit=endless)
    assert feedback(hass, "set_export_limit") == 128
    assert len(sim.requests) == sent


@pytest.mark.parametrize("action", ["set_export_limit", "set_max_export_limit"])
async def test_template_keeps_its_place_while_it_is_rendered(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, action: str
) -> None:
    slow = "{% for a in range(400) %}{% for b in range(400) %}{% endfor %}{% endfor %}2"
    older = begin(hass, action, limit=slow)
    await asyncio.sleep(0)
    newer = begin(hass, action, limit=5)
    [superseded, done] = await outcomes(older, newer)
    assert isinstance(superseded, HomeAssistantError)
    assert superseded.translation_key == "superseded"
    assert done == 1
    assert sim.device.bound_limit == 5_000


async def test_template_that_is_no_number_takes_no_place(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    clock = await keep_busy(hass, sim)
    older = begin(hass, "set_export_limit", limit=4)
    newer = begin(hass, "set_export_limit", limit="{{ 'x' }}")
    [_, done, refused] = await outcomes(clock, older, newer)
    assert done == 1
    assert isinstance(refused, ServiceValidationError)
    assert sim.device.bound_limit == 4_000


async def test_limit_is_read_on_request(hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator) -> None:
    sim.device.limit = 2_340
    sim.requests.clear()
    response = await act(hass, "get_export_limit")
    assert (response["export_limit"], response["control_mode"]) == (2.34, "value")
    assert get_state(hass, "sensor.sec1000_export_limit").state == "2.34"
    assert len(sim.requests) == 1


async def test_clock_is_set_in_time_zone_of_home_assistant(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await hass.config.async_set_time_zone("Europe/Bratislava")
    freezer.move_to("2026-07-01 22:30:05+00:00")
    response = await act(hass, "set_datetime")
    assert sim.device.clock_set_to == datetime(2026, 7, 2, 0, 30, 5)  # noqa: DTZ001 - the device's local time
    assert "2026-07-02 00:30:05" in response["message"]
    assert feedback(hass, "set_datetime") == 1


async def test_reset_suspends_and_restores_limit(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.device.limit = 4_320
    sim.requests.clear()
    response = await act(hass, "reset_export_watchdog")
    off = [request.raw.hex() for request in sim.requests if request.raw[5:6] == b"\x02"]
    assert len(off) == 3
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)
    assert (response["feedback"], response["export_limit"]) == (1, 4.32)


@pytest.mark.promise("R-12")
async def test_reset_is_refused_while_deactivated(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.device.mode = ControlMode.DEACTIVATED
    with pytest.raises(ServiceValidationError, match="nothing to reset"):
        await act(hass, "reset_export_watchdog")
    assert feedback(hass, "reset_export_watchdog") == 128
    assert sim.device.mode is ControlMode.DEACTIVATED


@pytest.mark.promise("R-04")
@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize(
    ("fault", "bit"),
    [
        ("silence", 8),
        ("refused", 64),
        ("reset", 64),
        ("close-before-answer", 64),
        ("close-inside-answer", 64),
        ("wrong-checksum", 32),
        ("six-byte-answer", 16),
        ("nak", 16),
        ("wrong-command", 16),
        ("wrong-address", 16),
        ("oversized-length", 16),
        ("garbage", 16),
        ("unknown-mode", 2),
    ],
)
async def test_each_feedback_bit_follows_its_fault(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, fault: str, bit: int
) -> None:
    # What the start has read would be returned.
    await asyncio.sleep(5)
    sim.inject(fault, commands=(0x43,) if fault == "unknown-mode" else None)
    for action in ("get_export_limit", "export_disable", "reset_export_watchdog"):
        with pytest.raises(HomeAssistantError):
            await act(hass, action)
        assert feedback(hass, action) == bit


@pytest.mark.promise("R-03")
async def test_read_back_that_disagrees_is_general_error(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.device.limit = 4_000
    sim.inject("ack-without-effect")
    with pytest.raises(HomeAssistantError, match=r"limit 4\.00 kW.* instead of .*limit 3\.00 kW"):
        await act(hass, "set_export_limit", limit=3)
    assert feedback(hass, "set_export_limit") == 2
    assert get_state(hass, "sensor.sec1000_export_limit").state == "4.0"


@pytest.mark.promise("R-01")
async def test_unknown_outcome_shows_no_old_setting(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("wrong-checksum")
    with pytest.raises(HomeAssistantError, match="unknown whether"):
        await act(hass, "set_export_limit", limit=3)
    assert sim.device.bound_limit == 3_000
    assert get_state(hass, "sensor.sec1000_export_limit").state == "unavailable"
    assert get_state(hass, "binary_sensor.sec1000_export_state").state == "unavailable"


async def test_refused_clock_is_general_error(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("nak")
    with pytest.raises(HomeAssistantError):
        await act(hass, "set_datetime")
    assert feedback(hass, "set_datetime") == 2


async def test_unexpected_error_is_reported_and_logged(
    hass: HomeAssistant, loaded: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        patch(
            "custom_components.goodwe_sec1000.sec1000.client.SettingWrite", side_effect=RuntimeError("bug")
        ),
        pytest.raises(HomeAssistantError, match="report this"),
    ):
        await act(hass, "export_enable")
    assert feedback(hass, "export_enable") == 4
    assert any(record.exc_info for record in caplog.records)


async def test_poll_with_unexpected_error_is_logged_and_retried(
    hass: HomeAssistant, loaded: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    coordinator = loaded.runtime_data.coordinator
    with patch.object(coordinator.client, "read_telemetry", side_effect=RuntimeError("bug")):
        await coordinator.async_refresh()
    assert get_state(hass, "sensor.sec1000_get_telemetry_data_feedback").state == "4"
    assert get_state(hass, "sensor.sec1000_meter_power").state == "unavailable"
    assert any(record.exc_info for record in caplog.records)
    await coordinator.async_refresh()
    assert get_state(hass, "sensor.sec1000_get_telemetry_data_feedback").state == "1"
    assert get_state(hass, "sensor.sec1000_meter_power").state != "unavailable"


async def test_feedback_shows_progress_and_recovered_errors(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    never_ran = get_state(hass, "sensor.sec1000_export_enable_feedback")
    assert (never_ran.state, never_ran.attributes["message"]) == ("0", None)
    sim.inject("wrong-checksum", count=1, commands=(0x42,))
    sim.requests.clear()
    call = asyncio.create_task(act(hass, "export_enable"))
    await sim.wait_for_requests(1)
    waiting = get_state(hass, "sensor.sec1000_export_enable_feedback")
    assert (waiting.state, waiting.attributes["flags"]) == ("0", ["waiting"])
    assert waiting.attributes["message"] == "In progress."
    await call
    ended = get_state(hass, "sensor.sec1000_export_enable_feedback")
    assert ended.state == "1"
    assert ended.attributes["attempts"] == 3
    assert [text for text in ended.attributes["overcome"] if "checksum" in text]


@pytest.mark.promise("R-10")
async def test_cancelled_caller_does_not_cancel_command(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    sim.requests.clear()
    call = asyncio.create_task(act(hass, "set_export_limit", limit=6))
    await sim.wait_for_requests(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await hass.async_block_till_done()
    assert sim.device.bound_limit == 6_000
    assert feedback(hass, "set_export_limit") == 1
    assert "shield" not in caplog.text


@pytest.mark.usefixtures("warp")
async def test_feedback_is_that_of_newest_call(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("silence", count=1)
    poll = asyncio.create_task(loaded.runtime_data.coordinator.async_refresh())
    sim.requests.clear()
    await sim.wait_for_requests(1)
    older = asyncio.create_task(act(hass, "set_export_limit", limit=1))
    await asyncio.sleep(0)
    newer = asyncio.create_task(act(hass, "set_export_limit", limit=2))
    with pytest.raises(HomeAssistantError, match="newer"):
        await older
    assert feedback(hass, "set_export_limit") == 0
    await newer
    await poll
    assert feedback(hass, "set_export_limit") == 1
    assert sim.device.bound_limit == 2_000


@pytest.mark.parametrize("mode", [ControlMode.RCR, ControlMode.DRED])
async def test_message_says_that_receiver_decides(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, mode: ControlMode
) -> None:
    hass.config_entries.async_update_entry(
        loaded, options={**loaded.options, "export_limit_control_mode": mode.key}
    )
    response = await act(hass, "export_disable")
    assert sim.device.mode is mode
    assert sim.device.limit == 0
    assert response["feedback"] == 1
    assert "receiver decides" in response["message"]
    assert get_state(hass, "binary_sensor.sec1000_export_state").state == "on"


@pytest.mark.promise("R-12")
async def test_disable_is_refused_while_deactivated(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    hass.config_entries.async_update_entry(
        loaded, options={**loaded.options, "export_limit_control_mode": "deactivated"}
    )
    sim.requests.clear()
    with pytest.raises(ServiceValidationError, match="First select value, RCR or DRED"):
        await act(hass, "export_disable")
    assert feedback(hass, "export_disable") == 128
    assert sim.requests == []


@pytest.mark.promise("R-13")
@pytest.mark.parametrize("action", ["set_export_limit", "export_enable"])
async def test_limit_switches_no_mode_off(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, action: str
) -> None:
    """The options say deactivated, the device limits all the same: that must not end by setting a limit."""
    hass.config_entries.async_update_entry(
        loaded, options={**loaded.options, "export_limit_control_mode": "deactivated"}
    )
    await act(hass, action, **({"limit": 3} if action == "set_export_limit" else {}))
    assert sim.device.mode is ControlMode.VALUE
    assert sim.device.bound_limit == (3_000 if action == "set_export_limit" else 10_000)
    sim.device.mode = ControlMode.DEACTIVATED
    response = await act(hass, action, **({"limit": 3} if action == "set_export_limit" else {}))
    assert sim.device.mode is ControlMode.DEACTIVATED
    assert "nothing limits the export" in response["message"]


@pytest.mark.usefixtures("warp")
async def test_failed_corrected_limit_reports_both(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("silence")
    with pytest.raises(HomeAssistantError):
        await act(hass, "set_export_limit", limit=12)
    shown = get_state(hass, "sensor.sec1000_set_export_limit_feedback")
    assert shown.state == "136"
    assert "was adjusted to 10.00 kW. It is unknown whether" in shown.attributes["message"]


async def test_actions_without_device_say_what_is_missing(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    assert set(hass.services.async_services()[DOMAIN]) >= set(FEEDBACK_SENSORS)
    with pytest.raises(ServiceValidationError, match="is set up"):
        await act(hass, "export_disable")


async def test_action_with_two_devices_asks_which(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    async with Simulator() as second:
        other = entry_of(second, "Barn")
        other.add_to_hass(hass)
        assert await hass.config_entries.async_setup(other.entry_id)
        with pytest.raises(ServiceValidationError, match=f"Barn: {other.entry_id}"):
            await act(hass, "export_disable")
        await act(hass, "export_disable", config_entry_id=other.entry_id)
        assert (second.device.bound_limit, sim.device.bound_limit) == (0, 10_000)
        assert await hass.config_entries.async_unload(other.entry_id)
        with pytest.raises(ServiceValidationError, match="Barn is not loaded"):
            await act(hass, "export_disable", config_entry_id=other.entry_id)
        with pytest.raises(ServiceValidationError, match="no such"):
            await act(hass, "export_disable", config_entry_id="no such")


@pytest.mark.parametrize(
    "config",
    [
        {"service": "goodwe_sec1000.set_export_limit", "data": {"limit": 7}},
        {"action": "goodwe_sec1000.set_export_limit", "data": {"limit": "{{ 14 / 2 }}"}},
    ],
)
async def test_scripts_call_actions_in_both_spellings(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, config: dict[str, Any]
) -> None:
    assert await async_setup_component(hass, "script", {"script": {"seven": {"sequence": [config]}}})
    await hass.services.async_call("script", "seven", blocking=True)
    assert sim.device.bound_limit == 7_000
