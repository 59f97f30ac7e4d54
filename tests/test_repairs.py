"""Repair flows: each fixes its issue, and shows the reason where that failed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from unittest.mock import patch

from aiohttp.test_utils import TestClient
from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, flush_store

from custom_components.goodwe_sec1000.const import CONF_PUT_BACK, DOMAIN
from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from simulator import Simulator

from .entries import entry_of
from .pending_restore import PENDING, store_pending
from .repair_flow import Repair
from .states import get_state

READ: Final = 0x43
WRITE: Final = 0x42
TELEMETRY: Final = 0x0B
SHOULD_HOLD: Final = "control mode *Value: Central Europe*, export limit 4.32 kW, total capacity 30.00 kW"

pytestmark = pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")

type PassTime = Callable[[float], Awaitable[None]]
type Client = TestClient[Any, Any]


@pytest.fixture(autouse=True)
async def _repairs(hass: HomeAssistant) -> None:
    """Set Repairs up first."""
    assert await async_setup_component(hass, REPAIRS, {})


@pytest.fixture
async def client(hass_client: Callable[[], Awaitable[Client]]) -> Client:
    """Return the client of an administrator."""
    return await hass_client()


def issue_of(hass: HomeAssistant, name: str, entry: MockConfigEntry) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, f"{name}_{entry.entry_id}")


async def open_repair(hass: HomeAssistant, client: Client, name: str, entry: MockConfigEntry) -> Repair:
    """Open the repair flow of an issue."""
    return await Repair(hass, client, f"{name}_{entry.entry_id}").start()


def commands(sim: Simulator) -> list[int]:
    """Return the commands of all requests."""
    return [request.frame.command for request in sim.requests if request.frame]


async def submit_twice(repair: Repair) -> None:
    """Submit a second time before the first response; the one that ends first ends the flow."""
    submits = await asyncio.gather(repair.submit(), repair.submit(), return_exceptions=True)
    assert repair.success_text
    assert any(submit is repair for submit in submits)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("warp")
class TestLimitIsOff:
    """A suspended limit of an unreachable device."""

    @pytest.fixture
    async def off(
        self,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        sim: Simulator,
        hass_storage: dict[str, Any],
    ) -> MockConfigEntry:
        """Return the loaded entry of a silent device whose limit was off when Home Assistant was killed."""
        sim.device.mode = ControlMode.DEACTIVATED
        sim.inject("silence")
        store_pending(hass_storage, entry, sim)
        with patch("custom_components.goodwe_sec1000.control.restore.PAUSES", ()):
            assert await hass.config_entries.async_setup(entry.entry_id)
            await sim.wait_for_requests(1)
            await until(lambda: issue_of(hass, "limit_is_off", entry))
            # The first try has ended by then; the next one is half a minute away.
            await sim.wait_until_idle()
            await asyncio.sleep(0)
        return entry

    async def test_suspended_limit_is_shown_with_target_and_restored(
        self, hass: HomeAssistant, off: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_is_off", off)
        assert repair.step == "put_back"
        assert SHOULD_HOLD in repair.text
        assert "may not be limited" in repair.text
        sim.clear_faults()
        await repair.submit()
        assert "export limit 4.32 kW" in repair.success_text
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)
        assert issue_of(hass, "limit_is_off", off) is None
        assert get_state(hass, "sensor.sec1000_export_limit").state == "4.32"
        assert get_state(hass, "sensor.sec1000_meter_power").state != "unavailable"
        assert get_state(hass, "binary_sensor.sec1000_limit_differs").state == "off"

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            ("silence", "no whole answer came in time"),
            ("refused", "no connection could be made"),
            ("wrong-checksum", "the checksum of the answer is wrong"),
            ("ack-without-effect", "the control mode “Deactivated” instead"),
        ],
    )
    async def test_failed_restore_shows_reason_and_can_be_retried(
        self,
        hass: HomeAssistant,
        off: MockConfigEntry,
        sim: Simulator,
        client: Client,
        fault: str,
        expected: str,
    ) -> None:
        repair = await open_repair(hass, client, "limit_is_off", off)
        sim.clear_faults()
        sim.inject(fault)
        await repair.submit()
        assert repair.step == "put_back"
        assert repair.error
        assert expected in repair.error
        assert issue_of(hass, "limit_is_off", off)
        sim.clear_faults()
        await repair.submit()
        assert repair.success_text
        assert sim.device.bound_limit == 4_320
        assert issue_of(hass, "limit_is_off", off) is None

    async def test_flow_of_restored_limit_aborts_as_solved(
        self, hass: HomeAssistant, off: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_is_off", off)
        sim.clear_faults()
        await hass.services.async_call(DOMAIN, "set_export_limit", {"limit": 3}, blocking=True)
        sim.requests.clear()
        await repair.submit()
        assert repair.abort_reason == "solved"
        assert commands(sim) == []
        assert sim.device.bound_limit == 3_000

    async def test_newest_target_is_shown_and_restored(
        self, hass: HomeAssistant, off: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_is_off", off)
        with pytest.raises(Exception, match="not known"):
            await hass.services.async_call(DOMAIN, "export_disable", blocking=True)
        await repair.reopen()
        assert "export limit 0.00 kW" in repair.text
        sim.clear_faults()
        await repair.submit()
        assert repair.success_text
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 0)

    async def test_two_submits_restore_once(
        self, hass: HomeAssistant, off: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_is_off", off)
        sim.clear_faults()
        sim.requests.clear()
        await submit_twice(repair)
        assert commands(sim).count(WRITE) == 1
        assert issue_of(hass, "limit_is_off", off) is None
        await repair.submit_finished_flow()

    async def test_restore_finishes_after_dialog_is_closed(
        self, hass: HomeAssistant, off: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_is_off", off)
        sim.clear_faults()
        sim.requests.clear()
        submit = asyncio.create_task(repair.submit())
        await sim.wait_for_requests(1)
        submit.cancel()
        await repair.close()
        await until(lambda: issue_of(hass, "limit_is_off", off) is None)
        assert sim.device.bound_limit == 4_320

    @pytest.mark.parametrize("submitted", [False, True])
    async def test_disabled_entry_cannot_be_restored(
        self,
        hass: HomeAssistant,
        off: MockConfigEntry,
        sim: Simulator,
        client: Client,
        submitted: bool,
    ) -> None:
        repair = await open_repair(hass, client, "limit_is_off", off) if submitted else None
        await hass.config_entries.async_set_disabled_by(off.entry_id, ConfigEntryDisabler.USER)
        assert issue_of(hass, "limit_is_off", off)
        repair = await (repair.submit() if repair else open_repair(hass, client, "limit_is_off", off))
        assert repair.abort_reason == "entry_not_loaded"
        sim.clear_faults()
        await hass.config_entries.async_set_disabled_by(off.entry_id, None)
        await until(lambda: issue_of(hass, "limit_is_off", off) is None)
        assert sim.device.bound_limit == 4_320

    async def test_flow_of_removed_entry_aborts(
        self, hass: HomeAssistant, off: MockConfigEntry, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_is_off", off)
        await hass.config_entries.async_remove(off.entry_id)
        await repair.submit()
        assert repair.abort_reason == "entry_removed"
        assert issue_of(hass, "limit_was_left_off", off)

    async def test_unexpected_error_shows_step_again(
        self,
        hass: HomeAssistant,
        off: MockConfigEntry,
        client: Client,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        repair = await open_repair(hass, client, "limit_is_off", off)
        with patch.object(Sec1000Client, "restore", side_effect=ZeroDivisionError("our own")):
            await repair.submit()
        assert repair.step == "put_back"
        assert repair.error
        assert "report it" in repair.error
        assert "our own" in caplog.text


class TestDeviceSilent:
    """A device in back-off."""

    @pytest.fixture
    async def silent(
        self,
        pass_time: PassTime,
        hass: HomeAssistant,
        loaded: MockConfigEntry,
        sim: Simulator,
    ) -> MockConfigEntry:
        """Return the loaded entry of a device whose every answer is wrong, in back-off."""
        sim.inject("wrong-checksum")
        for _ in range(5):
            await pass_time(61)
        assert issue_of(hass, "device_silent", loaded)
        sim.requests.clear()
        return loaded

    async def test_check_sends_one_request_in_back_off(
        self, hass: HomeAssistant, silent: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "device_silent", silent)
        assert repair.step == "ask"
        assert "30 seconds" in repair.text
        await repair.submit()
        assert repair.error
        assert "the checksum of the answer is wrong" in repair.error
        assert commands(sim) == [READ]
        assert issue_of(hass, "device_silent", silent)
        assert get_state(hass, "sensor.sec1000_meter_power").state == "unavailable"

    async def test_device_that_answers_is_polled_as_usual(
        self,
        pass_time: PassTime,
        hass: HomeAssistant,
        silent: MockConfigEntry,
        sim: Simulator,
        client: Client,
    ) -> None:
        repair = await open_repair(hass, client, "device_silent", silent)
        await repair.submit()
        assert repair.error
        sim.clear_faults()
        await repair.submit()
        assert "answers again" in repair.success_text
        assert issue_of(hass, "device_silent", silent) is None
        assert get_state(hass, "sensor.sec1000_meter_power").state != "unavailable"
        assert get_state(hass, "sensor.sec1000_export_limit").state == "10.0"
        sim.requests.clear()
        await pass_time(31)
        assert commands(sim) == [TELEMETRY]

    async def test_firmware_without_telemetry_is_found_again(
        self,
        pass_time: PassTime,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        sim: Simulator,
        client: Client,
    ) -> None:
        sim.inject("no-telemetry")
        assert await hass.config_entries.async_setup(entry.entry_id)
        sim.inject("wrong-checksum")
        for _ in range(4):
            await pass_time(61)
        repair = await open_repair(hass, client, "device_silent", entry)
        sim.clear_faults("wrong-checksum")
        sim.requests.clear()
        await repair.submit()
        assert repair.success_text
        assert commands(sim) == [READ]
        assert get_state(hass, "sensor.sec1000_export_limit").state == "10.0"

    async def test_manual_retries_are_rate_limited(
        self,
        hass: HomeAssistant,
        silent: MockConfigEntry,
        sim: Simulator,
        client: Client,
        quick: Timing,
    ) -> None:
        repair = await open_repair(hass, client, "device_silent", silent)
        # All other clocks are frozen.
        began = hass.loop.time()
        for _ in range(3):
            await repair.submit()
            assert repair.error
        assert commands(sim) == [READ] * 3
        assert hass.loop.time() - began >= 2 * quick.manual_retry_interval

    async def test_flow_of_recovered_device_aborts_as_solved(
        self,
        pass_time: PassTime,
        hass: HomeAssistant,
        silent: MockConfigEntry,
        sim: Simulator,
        client: Client,
    ) -> None:
        repair = await open_repair(hass, client, "device_silent", silent)
        sim.clear_faults()
        await pass_time(301)
        sim.requests.clear()
        await repair.submit()
        assert repair.abort_reason == "solved"
        assert commands(sim) == []

    @pytest.mark.parametrize(
        ("end", "expected"), [("disable", "entry_not_loaded"), ("remove", "entry_removed")]
    )
    async def test_device_of_unloaded_entry_is_not_asked(
        self,
        hass: HomeAssistant,
        silent: MockConfigEntry,
        sim: Simulator,
        client: Client,
        end: str,
        expected: str,
    ) -> None:
        repair = await open_repair(hass, client, "device_silent", silent)
        if end == "remove":
            await hass.config_entries.async_remove(silent.entry_id)
        else:
            await hass.config_entries.async_set_disabled_by(silent.entry_id, ConfigEntryDisabler.USER)
        # A device that is not polled raises no such issue.
        assert issue_of(hass, "device_silent", silent) is None
        sim.requests.clear()
        await repair.submit()
        assert repair.abort_reason == expected
        assert commands(sim) == []


class TestDeviceSilentAtSetup:
    """A device that has not answered since the start."""

    @pytest.fixture
    async def waiting(
        self,
        pass_time: PassTime,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        sim: Simulator,
    ) -> MockConfigEntry:
        """Return the entry, in setup retry."""
        sim.inject("wrong-checksum")
        assert not await hass.config_entries.async_setup(entry.entry_id)
        for _ in range(4):
            await pass_time(70)
        assert entry.state is ConfigEntryState.SETUP_RETRY
        assert issue_of(hass, "device_silent", entry)
        sim.requests.clear()
        return entry

    async def test_check_sets_entry_up_if_device_answers(
        self, hass: HomeAssistant, waiting: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "device_silent", waiting)
        await repair.submit()
        assert repair.error
        assert "the checksum of the answer is wrong" in repair.error
        assert commands(sim) == [READ]
        assert waiting.state.recoverable
        sim.clear_faults()
        await repair.submit()
        assert repair.success_text
        assert waiting.state is ConfigEntryState.LOADED
        assert issue_of(hass, "device_silent", waiting) is None
        assert get_state(hass, "sensor.sec1000_meter_power").state != "unavailable"

    async def test_issue_of_disabled_entry_is_cleared(
        self, hass: HomeAssistant, waiting: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        await hass.config_entries.async_set_disabled_by(waiting.entry_id, ConfigEntryDisabler.USER)
        repair = await open_repair(hass, client, "device_silent", waiting)
        assert repair.abort_reason == "entry_not_loaded"
        assert commands(sim) == []
        assert issue_of(hass, "device_silent", waiting) is None

    async def test_entry_set_up_meanwhile_is_not_set_up_twice(
        self, hass: HomeAssistant, waiting: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "device_silent", waiting)
        sim.clear_faults()
        submit = asyncio.create_task(repair.submit())
        await sim.wait_for_requests(1)
        assert await hass.config_entries.async_reload(waiting.entry_id)
        await submit
        assert repair.success_text
        assert commands(sim) == [READ, READ, TELEMETRY]

    async def test_failure_during_setup_shows_reason(
        self, hass: HomeAssistant, waiting: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "device_silent", waiting)
        sim.clear_faults()

        answer = asyncio.create_task(sim.wait_for_requests(1))
        submit = asyncio.create_task(repair.submit())
        await answer
        await sim.wait_until_idle()
        sim.inject("close-before-answer")
        await submit
        assert repair.error
        assert "No telemetry: " in repair.error
        assert waiting.state is ConfigEntryState.SETUP_RETRY


class TestLimitKeepsDrifting:
    """A device that another program writes to."""

    @pytest.fixture
    async def drifting(
        self,
        pass_time: PassTime,
        hass: HomeAssistant,
        loaded: MockConfigEntry,
        sim: Simulator,
    ) -> MockConfigEntry:
        """Return the entry of a device with a target of 3 kW that is at 8 kW after three corrections."""
        hass.config_entries.async_update_entry(loaded, options={**loaded.options, CONF_PUT_BACK: True})
        await hass.services.async_call(DOMAIN, "set_export_limit", {"limit": 3}, blocking=True)
        for _ in range(4):
            sim.device.limit = 8_000
            await pass_time(61)
        assert issue_of(hass, "limit_keeps_drifting", loaded)
        assert sim.device.limit == 8_000
        sim.requests.clear()
        return loaded

    async def test_drifted_limit_is_corrected_once_more(
        self, hass: HomeAssistant, drifting: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_keeps_drifting", drifting)
        assert repair.options == ["put_back", "keep"]
        assert "Value: Central Europe" in repair.text
        assert "export limit 8.00 kW" in repair.text
        await repair.choose("put_back")
        assert repair.step == "put_back"
        await repair.submit()
        assert "export limit 3.00 kW" in repair.success_text
        assert sim.device.bound_limit == 3_000
        assert get_state(hass, "sensor.sec1000_set_export_limit_feedback").state == "1"
        assert issue_of(hass, "limit_keeps_drifting", drifting) is None

    async def test_device_setting_is_kept_as_target(
        self,
        pass_time: PassTime,
        hass: HomeAssistant,
        drifting: MockConfigEntry,
        sim: Simulator,
        client: Client,
    ) -> None:
        repair = await open_repair(hass, client, "limit_keeps_drifting", drifting)
        await repair.choose("keep")
        assert repair.step == "keep"
        await repair.submit()
        assert "export limit 8.00 kW" in repair.success_text
        assert get_state(hass, "binary_sensor.sec1000_limit_differs").state == "off"
        await pass_time(61)
        assert sim.device.bound_limit == 8_000
        assert issue_of(hass, "limit_keeps_drifting", drifting) is None

    async def test_kept_setting_includes_mode_and_capacity(
        self, hass: HomeAssistant, drifting: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_keeps_drifting", drifting)
        await repair.choose("keep")
        sim.device.mode = ControlMode.RCR
        sim.device.capacity = 20_000
        await repair.submit()
        assert repair.success_text
        assert drifting.options["export_limit_control_mode"] == "rcr"
        assert drifting.options["total_capacity"] == 20.0
        assert (sim.device.mode, sim.device.limit, sim.device.capacity) == (ControlMode.RCR, 8_000, 20_000)

    @pytest.mark.parametrize("what", ["deactivated", "above the maximum"])
    async def test_keep_is_not_offered_for_unacceptable_setting(
        self,
        hass: HomeAssistant,
        drifting: MockConfigEntry,
        sim: Simulator,
        client: Client,
        what: str,
    ) -> None:
        if what == "deactivated":
            sim.device.mode = ControlMode.DEACTIVATED
        else:
            sim.device.limit = 20_000
        await drifting.runtime_data.coordinator.read_settings()
        repair = await open_repair(hass, client, "limit_keeps_drifting", drifting)
        assert repair.step == "put_back"
        await repair.submit()
        assert repair.success_text
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 3_000)

    async def test_keep_is_refused_for_setting_changed_meanwhile(
        self, hass: HomeAssistant, drifting: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_keeps_drifting", drifting)
        await repair.choose("keep")
        sim.device.mode = ControlMode.DEACTIVATED
        await repair.submit()
        assert repair.step == "keep"
        assert repair.error
        assert "cannot be kept" in repair.error
        assert "feedback 128" in repair.error
        assert "Deactivated" in repair.text
        assert drifting.options["export_limit_control_mode"] == "value"
        assert issue_of(hass, "limit_keeps_drifting", drifting)

    async def test_failed_write_shows_reason_and_can_be_retried(
        self, hass: HomeAssistant, drifting: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_keeps_drifting", drifting)
        await repair.choose("put_back")
        sim.inject("refused")
        await repair.submit()
        assert repair.step == "put_back"
        assert repair.error
        assert "no connection could be made" in repair.error
        assert issue_of(hass, "limit_keeps_drifting", drifting)
        sim.clear_faults()
        await sim.wait_until_listening()
        await repair.submit()
        assert repair.success_text
        assert sim.device.bound_limit == 3_000

    async def test_flow_of_corrected_drift_aborts_as_solved(
        self, hass: HomeAssistant, drifting: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_keeps_drifting", drifting)
        await repair.choose("put_back")
        await hass.services.async_call(DOMAIN, "set_export_limit", {"limit": 5}, blocking=True)
        sim.requests.clear()
        await repair.submit()
        assert repair.abort_reason == "solved"
        assert commands(sim) == []
        assert sim.device.bound_limit == 5_000
        assert issue_of(hass, "limit_keeps_drifting", drifting) is None

    async def test_two_submits_write_once(
        self, hass: HomeAssistant, drifting: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_keeps_drifting", drifting)
        await repair.choose("put_back")
        await submit_twice(repair)
        assert commands(sim).count(WRITE) == 1

    @pytest.mark.parametrize(
        ("end", "expected"),
        [("disable", "entry_not_loaded"), ("unload", "entry_not_loaded"), ("remove", "entry_removed")],
    )
    async def test_device_of_unloaded_entry_is_not_written(
        self,
        hass: HomeAssistant,
        drifting: MockConfigEntry,
        sim: Simulator,
        client: Client,
        end: str,
        expected: str,
    ) -> None:
        repair = await open_repair(hass, client, "limit_keeps_drifting", drifting)
        await repair.choose("put_back")
        if end == "remove":
            await hass.config_entries.async_remove(drifting.entry_id)
        elif end == "unload":
            await hass.config_entries.async_unload(drifting.entry_id)
        else:
            await hass.config_entries.async_set_disabled_by(drifting.entry_id, ConfigEntryDisabler.USER)
        assert issue_of(hass, "limit_keeps_drifting", drifting) is None
        await repair.submit()
        assert repair.abort_reason == expected
        assert sim.device.limit == 8_000


@pytest.mark.usefixtures("warp")
class TestLimitWasLeftOff:
    """A removed entry whose limit is off."""

    @pytest.fixture
    async def left(
        self,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        sim: Simulator,
        hass_storage: dict[str, Any],
    ) -> MockConfigEntry:
        """Return the entry, removed while the device was silent."""
        assert await hass.config_entries.async_setup(entry.entry_id)
        assert await hass.config_entries.async_unload(entry.entry_id)
        sim.device.mode = ControlMode.DEACTIVATED
        sim.inject("silence")
        store_pending(hass_storage, entry, sim)
        await hass.config_entries.async_remove(entry.entry_id)
        issue = issue_of(hass, "limit_was_left_off", entry)
        assert issue
        assert issue.is_persistent
        sim.requests.clear()
        return entry

    async def test_limit_of_removed_entry_is_restored(
        self, hass: HomeAssistant, left: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_was_left_off", left)
        assert repair.options == ["put_back", "confirm"]
        assert SHOULD_HOLD in repair.text
        assert sim.host in repair.text
        await repair.choose("put_back")
        assert repair.step == "put_back"
        assert commands(sim) == []
        sim.clear_faults()
        await repair.submit()
        assert "export limit 4.32 kW" in repair.success_text
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)
        assert sim.device.sum_of_phases is False
        assert issue_of(hass, "limit_was_left_off", left) is None

    async def test_failed_write_shows_reason_and_can_be_retried(
        self, hass: HomeAssistant, left: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_was_left_off", left)
        await repair.choose("put_back")
        await repair.submit()
        assert repair.step == "put_back"
        assert repair.error
        assert "no whole answer came in time" in repair.error
        assert sim.host in repair.error
        assert issue_of(hass, "limit_was_left_off", left)
        sim.clear_faults()
        await repair.submit()
        assert repair.success_text
        assert sim.device.bound_limit == 4_320

    async def test_target_of_removed_entry_survives_restart(
        self,
        hass: HomeAssistant,
        left: MockConfigEntry,
        sim: Simulator,
        hass_storage: dict[str, Any],
    ) -> None:
        await flush_store(ir.async_get(hass)._store)
        (stored,) = hass_storage[ir.STORAGE_KEY]["data"]["issues"]
        assert stored["issue_id"] == f"limit_was_left_off_{left.entry_id}"
        assert stored["data"] == {**PENDING, "host": sim.host, "port": sim.port}

    async def test_device_that_matches_target_is_not_written(
        self, hass: HomeAssistant, left: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        sim.clear_faults()
        sim.device.mode, sim.device.limit = ControlMode.VALUE, 4_320
        repair = await open_repair(hass, client, "limit_was_left_off", left)
        await repair.choose("put_back")
        await repair.submit()
        assert repair.success_text
        assert commands(sim) == [READ]

    async def test_other_limit_is_overwritten_only_after_confirmation(
        self, hass: HomeAssistant, left: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        sim.clear_faults()
        sim.device.mode = ControlMode.RCR
        repair = await open_repair(hass, client, "limit_was_left_off", left)
        await repair.choose("put_back")
        await repair.submit()
        assert repair.step == "overwrite"
        assert repair.result["errors"] is None
        assert "RCR" in repair.text
        assert commands(sim) == [READ]
        await repair.reopen()
        assert repair.step == "overwrite"
        assert issue_of(hass, "limit_was_left_off", left)
        sim.inject("refused")
        await repair.submit()
        assert repair.error
        assert "no connection could be made" in repair.error
        sim.clear_faults()
        await sim.wait_until_listening()
        await repair.submit()
        assert repair.success_text
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)
        assert issue_of(hass, "limit_was_left_off", left) is None

    async def test_issue_is_cleared_where_user_has_set_limit(
        self, hass: HomeAssistant, left: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_was_left_off", left)
        await repair.choose("confirm")
        assert repair.step == "confirm"
        assert SHOULD_HOLD in repair.text
        await repair.submit()
        assert "Nothing was sent" in repair.success_text
        assert commands(sim) == []
        assert issue_of(hass, "limit_was_left_off", left) is None

    async def test_device_with_new_entry_is_not_written(
        self, hass: HomeAssistant, left: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_was_left_off", left)
        await repair.choose("put_back")
        sim.clear_faults()
        elsewhere = entry_of(sim, "Shed")
        elsewhere.add_to_hass(hass)
        hass.config_entries.async_update_entry(elsewhere, data={**elsewhere.data, "port": sim.port + 1})
        again = entry_of(sim, "Barn")
        again.add_to_hass(hass)
        assert await hass.config_entries.async_setup(again.entry_id)
        sim.requests.clear()
        await repair.submit()
        assert repair.abort_reason == "set_up_again"
        assert repair.result["description_placeholders"]["entry"] == "Barn"
        assert commands(sim) == []
        assert issue_of(hass, "limit_was_left_off", left)

    async def test_two_submits_write_once(
        self, hass: HomeAssistant, left: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repair = await open_repair(hass, client, "limit_was_left_off", left)
        await repair.choose("put_back")
        sim.clear_faults()
        await submit_twice(repair)
        assert commands(sim).count(WRITE) == 1
        assert sim.device.bound_limit == 4_320

    async def test_two_flows_at_once_write_once(
        self, hass: HomeAssistant, left: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        repairs = [await open_repair(hass, client, "limit_was_left_off", left) for _ in range(2)]
        for repair in repairs:
            await repair.choose("put_back")
        sim.clear_faults()
        await asyncio.gather(*(repair.submit() for repair in repairs))
        assert [repair.result["type"] for repair in repairs] == ["create_entry", "create_entry"]
        assert commands(sim).count(WRITE) == 1
        assert issue_of(hass, "limit_was_left_off", left) is None

    async def test_flow_aborts_where_another_flow_solved_it(
        self, hass: HomeAssistant, left: MockConfigEntry, sim: Simulator, client: Client
    ) -> None:
        first, second = [await open_repair(hass, client, "limit_was_left_off", left) for _ in range(2)]
        await second.choose("put_back")
        await first.choose("confirm")
        await first.submit()
        assert first.success_text
        await second.submit()
        assert second.abort_reason == "solved"
        assert commands(sim) == []


async def test_without_integration_issue_can_only_be_confirmed(
    hass: HomeAssistant, client: Client, sim: Simulator
) -> None:
    """After a restart without any entry, Home Assistant does not load the integration."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        "limit_was_left_off_1",
        data={**PENDING, "host": sim.host, "port": sim.port},
        is_fixable=True,
        is_persistent=True,
        severity=ir.IssueSeverity.CRITICAL,
        translation_key="limit_was_left_off",
        translation_placeholders={
            "name": "SEC1000",
            "host": sim.host,
            "mode": "Value: Central Europe",
            "limit": "4.32",
            "capacity": "30.00",
        },
    )
    repair = await Repair(hass, client, "limit_was_left_off_1").start()
    assert repair.step == "confirm"
    assert "Nothing is sent to the device" in repair.text
    assert "add the device again" in repair.text


async def test_issue_without_flow_is_only_confirmed(
    hass: HomeAssistant, loaded: MockConfigEntry, client: Client
) -> None:
    ir.async_create_issue(
        hass,
        DOMAIN,
        "of_a_newer_version",
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key="of_a_newer_version",
    )
    answer = await client.post(
        "/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": "of_a_newer_version"}
    )
    assert (await answer.json())["step_id"] == "confirm"
