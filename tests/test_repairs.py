"""Repair flows: each fixes its issue, and shows the reason where that failed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
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
from demo.ports import LOOPBACK
from simulator import Simulator

from .calls import until
from .entries import entry_at, entry_of
from .pending_restore import PENDING, store_pending
from .repair_flow import Repair
from .states import get_state

READ: Final = 0x43
WRITE: Final = 0x42
TELEMETRY: Final = 0x0B
SHOULD_HOLD: Final = "control mode *Value: Central Europe*, export limit 4.32 kW, total capacity 30.00 kW"

pytestmark = [
    pytest.mark.usefixtures("warp"),
    pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning"),
]

type Client = TestClient[Any, Any]
type End = Callable[[HomeAssistant, MockConfigEntry], Awaitable[object]]

ENDS: Final[Mapping[str, End]] = {
    "disable": lambda hass, entry: hass.config_entries.async_set_disabled_by(
        entry.entry_id, ConfigEntryDisabler.USER
    ),
    "unload": lambda hass, entry: hass.config_entries.async_unload(entry.entry_id),
    "remove": lambda hass, entry: hass.config_entries.async_remove(entry.entry_id),
}


@dataclass(slots=True)
class Scene:
    """A device, its entry, and an administrator who opens the repair flow of its issue."""

    hass: HomeAssistant
    client: Client
    sim: Simulator
    entry: MockConfigEntry
    storage: dict[str, Any]
    name: str = ""
    """Of the issue, without the entry's id."""
    target: int = 0
    """W; the limit that a repair puts in force, in value mode."""

    @property
    def issue(self) -> ir.IssueEntry | None:
        """The issue, None where there is none."""
        return ir.async_get(self.hass).async_get_issue(DOMAIN, f"{self.name}_{self.entry.entry_id}")

    @property
    def commands(self) -> list[int]:
        """The commands of all requests."""
        return [request.frame.command for request in self.sim.requests if request.frame]

    @property
    def in_force(self) -> tuple[ControlMode, int | None]:
        """Control mode of the device, and to how much (W) it is held."""
        return self.sim.device.mode, self.sim.device.bound_limit

    async def set_up(self) -> None:
        """Set the entry up."""
        assert await self.hass.config_entries.async_setup(self.entry.entry_id)

    async def call(self, action: str, **data: float) -> None:
        """Call an action of the integration."""
        await self.hass.services.async_call(DOMAIN, action, data, blocking=True)

    async def open(self, choice: str | None = None) -> Repair:
        """Open the repair flow; where it starts with a menu, go on to the choice."""
        repair = await Repair(self.hass, self.client, f"{self.name}_{self.entry.entry_id}").start()
        return await repair.choose(choice) if choice and repair.is_menu else repair


type Staging = Callable[[Scene], Awaitable[None]]


async def limit_is_off(scene: Scene) -> None:
    """Set up a silent device whose limit was off when Home Assistant was killed."""
    scene.name, scene.target = "limit_is_off", 4_320
    scene.sim.device.mode = ControlMode.DEACTIVATED
    scene.sim.inject("silence")
    store_pending(scene.storage, scene.entry, scene.sim)
    with patch("custom_components.goodwe_sec1000.control.restore.PAUSES_S", ()):
        await scene.set_up()
        await scene.sim.wait_for_requests(1)
        await until(lambda: scene.issue)
        # The first try has ended by then; the next one is a minute away.
        await scene.sim.wait_until_idle()
        await asyncio.sleep(0)


async def device_silent(scene: Scene) -> None:
    """Let every answer of a device that was set up be wrong until it is in back-off."""
    scene.name = "device_silent"
    await scene.set_up()
    scene.sim.inject("wrong-checksum")
    await asyncio.sleep(305)
    scene.sim.requests.clear()


async def settings_only_silent(scene: Scene) -> None:
    """The same with a firmware without telemetry; then the answers are right again."""
    scene.sim.inject("no-telemetry")
    await device_silent(scene)
    scene.sim.clear_faults("wrong-checksum")


async def device_silent_at_setup(scene: Scene) -> None:
    """Have Home Assistant retry the setup of a device that never answered."""
    scene.name = "device_silent"
    scene.sim.inject("wrong-checksum")
    assert not await scene.hass.config_entries.async_setup(scene.entry.entry_id)
    await asyncio.sleep(320)
    assert scene.entry.state is ConfigEntryState.SETUP_RETRY
    scene.sim.requests.clear()


async def limit_keeps_drifting(scene: Scene) -> None:
    """Have a device that should hold 3 kW hold 8 kW after three put-backs."""
    scene.name, scene.target = "limit_keeps_drifting", 3_000
    await scene.set_up()
    options = {**scene.entry.options, CONF_PUT_BACK: True}
    scene.hass.config_entries.async_update_entry(scene.entry, options=options)
    await scene.call("set_export_limit", limit=3)
    for _ in range(4):
        scene.sim.device.limit = 8_000
        await asyncio.sleep(61)
    assert scene.sim.device.limit == 8_000
    # What was just read would be returned.
    await asyncio.sleep(5)
    scene.sim.requests.clear()


async def limit_was_left_off(scene: Scene) -> None:
    """Remove an entry whose limit is off while the device is silent."""
    scene.name, scene.target = "limit_was_left_off", 4_320
    await scene.set_up()
    assert await scene.hass.config_entries.async_unload(scene.entry.entry_id)
    scene.sim.device.mode = ControlMode.DEACTIVATED
    scene.sim.inject("silence")
    store_pending(scene.storage, scene.entry, scene.sim)
    await scene.hass.config_entries.async_remove(scene.entry.entry_id)
    assert scene.issue
    assert scene.issue.is_persistent
    scene.sim.requests.clear()


@pytest.fixture(autouse=True)
async def _repairs(hass: HomeAssistant) -> None:
    """Set Repairs up first."""
    assert await async_setup_component(hass, REPAIRS, {})


@pytest.fixture
async def client(hass_client: Callable[[], Awaitable[Client]]) -> Client:
    """Return the client of an administrator."""
    return await hass_client()


@pytest.fixture
async def scene(
    request: pytest.FixtureRequest,
    hass: HomeAssistant,
    client: Client,
    sim: Simulator,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> Scene:
    """Set the scene that is the parameter."""
    scene = Scene(hass, client, sim, entry, hass_storage)
    staging: Staging = request.param
    await staging(scene)
    assert scene.issue
    return scene


def scenes(*stagings: Staging) -> pytest.MarkDecorator:
    """Run a test in each of these scenes."""
    return pytest.mark.parametrize("scene", stagings, indirect=True, ids=lambda staging: staging.__name__)


async def submit_twice(repair: Repair) -> None:
    """Submit a second time before the first response; the one that ends first ends the flow."""
    submits = await asyncio.gather(repair.submit(), repair.submit(), return_exceptions=True)
    assert repair.success_text
    assert any(submit is repair for submit in submits)


@pytest.mark.parametrize(
    ("scene", "fault", "reason"),
    [
        (limit_is_off, "silence", "the device did not respond completely in time"),
        (limit_is_off, "refused", "could not connect to the device"),
        (limit_is_off, "wrong-checksum", "the response has an invalid checksum"),
        (limit_is_off, "ack-without-effect", "the control mode “Deactivated” instead"),
        (limit_keeps_drifting, "refused", "could not connect to the device"),
        (limit_was_left_off, "silence", "the device did not respond completely in time"),
        (limit_was_left_off, "silence", LOOPBACK),
    ],
    indirect=["scene"],
)
async def test_failed_write_shows_reason_and_can_be_retried(scene: Scene, fault: str, reason: str) -> None:
    repair = await scene.open("put_back")
    scene.sim.clear_faults()
    scene.sim.inject(fault)
    await repair.submit()
    assert repair.step == "put_back"
    assert repair.error
    assert reason in repair.error
    assert scene.issue
    scene.sim.clear_faults()
    await scene.sim.wait_until_listening()
    await repair.submit()
    assert repair.success_text
    assert scene.in_force == (ControlMode.VALUE, scene.target)
    assert not scene.issue


@scenes(limit_is_off, limit_keeps_drifting, limit_was_left_off)
async def test_two_submits_write_once(scene: Scene) -> None:
    repair = await scene.open("put_back")
    scene.sim.clear_faults()
    scene.sim.requests.clear()
    await submit_twice(repair)
    assert scene.commands.count(WRITE) == 1
    assert scene.in_force == (ControlMode.VALUE, scene.target)
    assert not scene.issue
    await repair.submit_finished_flow()


@pytest.mark.parametrize(
    ("scene", "end", "reason"),
    [
        (device_silent, "disable", "entry_not_loaded"),
        (device_silent, "unload", "solved"),
        (device_silent, "remove", "entry_removed"),
        (limit_keeps_drifting, "disable", "entry_not_loaded"),
        (limit_keeps_drifting, "unload", "entry_not_loaded"),
        (limit_keeps_drifting, "remove", "entry_removed"),
    ],
    indirect=["scene"],
)
async def test_flow_of_ended_entry_aborts_without_request(scene: Scene, end: str, reason: str) -> None:
    repair = await scene.open("put_back")
    await ENDS[end](scene.hass, scene.entry)
    # A device that is not polled raises no such issue.
    assert not scene.issue
    scene.sim.requests.clear()
    await repair.submit()
    assert repair.abort_reason == reason
    assert scene.commands == []


@scenes(limit_is_off)
class TestLimitIsOff:
    """A suspended limit of an unreachable device."""

    async def test_suspended_limit_is_shown_with_target_and_restored(self, scene: Scene) -> None:
        repair = await scene.open()
        assert repair.step == "put_back"
        assert SHOULD_HOLD in repair.text
        assert "may not be limited" in repair.text
        scene.sim.clear_faults()
        await repair.submit()
        assert "export limit 4.32 kW" in repair.success_text
        assert scene.in_force == (ControlMode.VALUE, 4_320)
        assert not scene.issue
        assert get_state(scene.hass, "sensor.sec1000_export_limit").state == "4.32"
        assert get_state(scene.hass, "sensor.sec1000_meter_power").state != "unavailable"
        assert get_state(scene.hass, "binary_sensor.sec1000_limit_differs").state == "off"

    async def test_flow_of_restored_limit_aborts_as_solved(self, scene: Scene) -> None:
        repair = await scene.open()
        scene.sim.clear_faults()
        await scene.call("set_export_limit", limit=3)
        scene.sim.requests.clear()
        await repair.submit()
        assert repair.abort_reason == "solved"
        assert scene.commands == []
        assert scene.sim.device.bound_limit == 3_000

    async def test_newest_target_is_shown_and_restored(self, scene: Scene) -> None:
        repair = await scene.open()
        with pytest.raises(Exception, match="unknown whether"):
            await scene.call("export_disable")
        await repair.reopen()
        assert "export limit 0.00 kW" in repair.text
        scene.sim.clear_faults()
        await repair.submit()
        assert repair.success_text
        assert scene.in_force == (ControlMode.VALUE, 0)

    async def test_restore_finishes_after_dialog_is_closed(self, scene: Scene) -> None:
        repair = await scene.open()
        scene.sim.clear_faults()
        scene.sim.requests.clear()
        submit = asyncio.create_task(repair.submit())
        await scene.sim.wait_for_requests(1)
        submit.cancel()
        await repair.close()
        await until(lambda: not scene.issue)
        assert scene.sim.device.bound_limit == 4_320

    async def test_disabled_entry_is_restored_by_a_click(self, scene: Scene) -> None:
        await ENDS["disable"](scene.hass, scene.entry)
        repair = await scene.open("put_back")
        assert SHOULD_HOLD in repair.text
        await repair.submit()
        assert repair.error
        scene.sim.clear_faults()
        await repair.submit()
        assert "export limit 4.32 kW" in repair.success_text
        assert scene.sim.device.bound_limit == 4_320
        assert not scene.issue
        await scene.hass.config_entries.async_set_disabled_by(scene.entry.entry_id, None)
        assert not scene.issue

    async def test_limit_of_disabled_entry_can_be_confirmed(self, scene: Scene) -> None:
        await ENDS["disable"](scene.hass, scene.entry)
        repair = await scene.open("confirm")
        scene.sim.requests.clear()
        await repair.submit()
        assert "Nothing was sent" in repair.success_text
        assert scene.commands == []
        assert not scene.issue

    async def test_flow_of_removed_entry_aborts(self, scene: Scene) -> None:
        repair = await scene.open()
        await ENDS["remove"](scene.hass, scene.entry)
        await repair.submit()
        assert repair.abort_reason == "entry_removed"
        scene.name = "limit_was_left_off"
        assert scene.issue

    async def test_unexpected_error_shows_step_again(
        self, scene: Scene, caplog: pytest.LogCaptureFixture
    ) -> None:
        repair = await scene.open()
        with patch.object(Sec1000Client, "restore", side_effect=ZeroDivisionError("our own")):
            await repair.submit()
        assert repair.step == "put_back"
        assert repair.error
        assert "report this" in repair.error
        assert "our own" in caplog.text


@scenes(device_silent)
class TestDeviceSilent:
    """A device in back-off."""

    async def test_check_sends_one_request_in_back_off(self, scene: Scene) -> None:
        repair = await scene.open()
        assert repair.step == "ask"
        assert "30 seconds" in repair.text
        await repair.submit()
        assert repair.error
        assert "the response has an invalid checksum" in repair.error
        assert scene.commands == [READ]
        assert scene.issue
        assert get_state(scene.hass, "sensor.sec1000_meter_power").state == "unavailable"

    async def test_device_that_answers_is_polled_as_usual(self, scene: Scene) -> None:
        repair = await scene.open()
        await repair.submit()
        assert repair.error
        scene.sim.clear_faults()
        await repair.submit()
        assert "is responding again" in repair.success_text
        assert not scene.issue
        assert get_state(scene.hass, "sensor.sec1000_meter_power").state != "unavailable"
        assert get_state(scene.hass, "sensor.sec1000_export_limit").state == "10.0"
        scene.sim.requests.clear()
        await asyncio.sleep(31)
        assert scene.commands == [TELEMETRY]

    async def test_manual_retries_are_rate_limited(self, scene: Scene, quick: Timing) -> None:
        repair = await scene.open()
        began = scene.hass.loop.time()
        for _ in range(3):
            await repair.submit()
            assert repair.error
        assert scene.commands == [READ] * 3
        # Virtual clocks count in microseconds.
        assert round(scene.hass.loop.time() - began, 3) >= 2 * quick.manual_retry_interval

    async def test_flow_of_recovered_device_aborts_as_solved(self, scene: Scene) -> None:
        repair = await scene.open()
        scene.sim.clear_faults()
        await asyncio.sleep(301)
        scene.sim.requests.clear()
        await repair.submit()
        assert repair.abort_reason == "solved"
        assert scene.commands == []


@scenes(settings_only_silent)
async def test_firmware_without_telemetry_is_found_again(scene: Scene) -> None:
    repair = await scene.open()
    await repair.submit()
    assert repair.success_text
    assert scene.commands == [READ, TELEMETRY]
    assert get_state(scene.hass, "sensor.sec1000_export_limit").state == "10.0"


@scenes(device_silent_at_setup)
class TestDeviceSilentAtSetup:
    """A device that has not answered since the start."""

    async def test_check_sets_entry_up_if_device_answers(self, scene: Scene) -> None:
        repair = await scene.open()
        await repair.submit()
        assert repair.error
        assert "the response has an invalid checksum" in repair.error
        assert scene.commands == [READ]
        assert scene.entry.state.recoverable
        scene.sim.clear_faults()
        await repair.submit()
        assert repair.success_text
        assert scene.entry.state is ConfigEntryState.LOADED
        assert not scene.issue
        assert get_state(scene.hass, "sensor.sec1000_meter_power").state != "unavailable"

    async def test_issue_of_disabled_entry_is_cleared(self, scene: Scene) -> None:
        await ENDS["disable"](scene.hass, scene.entry)
        repair = await scene.open()
        assert repair.abort_reason == "entry_not_loaded"
        assert scene.commands == []
        assert not scene.issue

    async def test_entry_set_up_meanwhile_is_not_set_up_twice(self, scene: Scene) -> None:
        repair = await scene.open()
        scene.sim.clear_faults()
        submit = asyncio.create_task(repair.submit())
        await scene.sim.wait_for_requests(1)
        assert await scene.hass.config_entries.async_reload(scene.entry.entry_id)
        await submit
        assert repair.success_text
        # What was read a moment ago is not read again.
        assert scene.commands == [READ, TELEMETRY]

    async def test_failure_during_setup_shows_reason(self, scene: Scene) -> None:
        repair = await scene.open()
        scene.sim.clear_faults()

        async with scene.entry.setup_lock:
            submit = asyncio.create_task(repair.submit())
            await asyncio.sleep(6)
            scene.sim.inject("close-before-answer")
        await submit
        assert repair.error
        assert "The telemetry could not be read: " in repair.error
        assert scene.entry.state is ConfigEntryState.SETUP_RETRY


@scenes(limit_keeps_drifting)
class TestLimitKeepsDrifting:
    """A device that another program writes to."""

    async def test_drifted_limit_is_corrected_once_more(self, scene: Scene) -> None:
        repair = await scene.open()
        assert repair.options == ["put_back", "keep"]
        assert "Value: Central Europe" in repair.text
        assert "export limit 8.00 kW" in repair.text
        await repair.choose("put_back")
        assert repair.step == "put_back"
        await repair.submit()
        assert "export limit 3.00 kW" in repair.success_text
        assert scene.sim.device.bound_limit == 3_000
        assert get_state(scene.hass, "sensor.sec1000_set_export_limit_feedback").state == "1"
        assert not scene.issue

    async def test_device_setting_is_kept_as_target(self, scene: Scene) -> None:
        repair = await scene.open("keep")
        assert repair.step == "keep"
        await repair.submit()
        assert "export limit 8.00 kW" in repair.success_text
        assert get_state(scene.hass, "binary_sensor.sec1000_limit_differs").state == "off"
        await asyncio.sleep(61)
        assert scene.sim.device.bound_limit == 8_000
        assert not scene.issue

    async def test_kept_setting_includes_mode_and_capacity(self, scene: Scene) -> None:
        repair = await scene.open("keep")
        scene.sim.device.mode = ControlMode.RCR
        scene.sim.device.capacity = 20_000
        await repair.submit()
        assert repair.success_text
        assert scene.entry.options["export_limit_control_mode"] == "rcr"
        assert scene.entry.options["total_capacity"] == 20.0
        assert (scene.sim.device.mode, scene.sim.device.limit, scene.sim.device.capacity) == (
            ControlMode.RCR,
            8_000,
            20_000,
        )

    @pytest.mark.promise("R-13")
    @pytest.mark.parametrize("what", ["deactivated", "above the maximum"])
    async def test_keep_is_not_offered_for_unacceptable_setting(self, scene: Scene, what: str) -> None:
        if what == "deactivated":
            scene.sim.device.mode = ControlMode.DEACTIVATED
        else:
            scene.sim.device.limit = 20_000
        await scene.entry.runtime_data.coordinator.read_settings()
        repair = await scene.open()
        assert repair.step == "put_back"
        await repair.submit()
        assert repair.success_text
        assert scene.in_force == (ControlMode.VALUE, 3_000)

    async def test_keep_is_refused_for_setting_changed_meanwhile(self, scene: Scene) -> None:
        repair = await scene.open("keep")
        scene.sim.device.mode = ControlMode.DEACTIVATED
        await repair.submit()
        assert repair.step == "keep"
        assert repair.error
        assert "cannot become the target" in repair.error
        assert "Deactivated" in repair.text
        assert scene.entry.options["export_limit_control_mode"] == "value"
        assert scene.issue

    async def test_flow_of_corrected_drift_aborts_as_solved(self, scene: Scene) -> None:
        repair = await scene.open("put_back")
        await scene.call("set_export_limit", limit=5)
        scene.sim.requests.clear()
        await repair.submit()
        assert repair.abort_reason == "solved"
        assert scene.commands == []
        assert scene.sim.device.bound_limit == 5_000
        assert not scene.issue


@pytest.mark.promise("R-21")
@scenes(limit_was_left_off)
class TestLimitWasLeftOff:
    """A removed entry whose limit is off."""

    async def test_limit_of_removed_entry_is_restored(self, scene: Scene) -> None:
        repair = await scene.open()
        assert repair.options == ["put_back", "confirm"]
        assert SHOULD_HOLD in repair.text
        assert scene.sim.host in repair.text
        await repair.choose("put_back")
        assert repair.step == "put_back"
        assert scene.commands == []
        scene.sim.clear_faults()
        await repair.submit()
        assert "export limit 4.32 kW" in repair.success_text
        assert scene.in_force == (ControlMode.VALUE, 4_320)
        assert scene.sim.device.sum_of_phases is False
        assert not scene.issue

    async def test_target_of_removed_entry_survives_restart(
        self, scene: Scene, hass_storage: dict[str, Any]
    ) -> None:
        await flush_store(ir.async_get(scene.hass)._store)
        (stored,) = hass_storage[ir.STORAGE_KEY]["data"]["issues"]
        assert stored["issue_id"] == f"limit_was_left_off_{scene.entry.entry_id}"
        assert stored["data"] == {**PENDING, "host": scene.sim.host, "port": scene.sim.port}

    async def test_device_that_matches_target_is_not_written(self, scene: Scene) -> None:
        scene.sim.clear_faults()
        scene.sim.device.mode, scene.sim.device.limit = ControlMode.VALUE, 4_320
        repair = await scene.open("put_back")
        await repair.submit()
        assert repair.success_text
        assert scene.commands == [READ, READ]

    async def test_other_limit_is_overwritten_only_after_confirmation(self, scene: Scene) -> None:
        scene.sim.clear_faults()
        scene.sim.device.mode = ControlMode.RCR
        repair = await scene.open("put_back")
        await repair.submit()
        assert repair.step == "overwrite"
        assert repair.result["errors"] is None
        assert "RCR" in repair.text
        assert scene.commands == [READ, READ]
        await repair.reopen()
        assert repair.step == "overwrite"
        assert scene.issue
        scene.sim.inject("refused")
        await repair.submit()
        assert repair.error
        assert "could not connect to the device" in repair.error
        scene.sim.clear_faults()
        await scene.sim.wait_until_listening()
        await repair.submit()
        assert repair.success_text
        assert scene.in_force == (ControlMode.VALUE, 4_320)
        assert not scene.issue

    async def test_issue_is_cleared_where_user_has_set_limit(self, scene: Scene) -> None:
        repair = await scene.open("confirm")
        assert repair.step == "confirm"
        assert SHOULD_HOLD in repair.text
        await repair.submit()
        assert "Nothing was sent" in repair.success_text
        assert scene.commands == []
        assert not scene.issue

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    async def test_device_with_new_entry_is_not_written(self, scene: Scene, host: str) -> None:
        repair = await scene.open("put_back")
        scene.sim.clear_faults()
        elsewhere = entry_of(scene.sim, "Shed")
        elsewhere.add_to_hass(scene.hass)
        scene.hass.config_entries.async_update_entry(
            elsewhere, data={**elsewhere.data, "port": scene.sim.port + 1}
        )
        again = entry_at(host, scene.sim.port, "Barn")
        again.add_to_hass(scene.hass)
        assert await scene.hass.config_entries.async_setup(again.entry_id)
        scene.sim.requests.clear()
        await repair.submit()
        assert repair.abort_reason == "set_up_again"
        assert repair.result["description_placeholders"]["entry"] == "Barn"
        assert scene.commands == []
        assert scene.issue

    async def test_two_flows_at_once_write_once(self, scene: Scene) -> None:
        repairs = [await scene.open() for _ in range(2)]
        for repair in repairs:
            await repair.choose("put_back")
        scene.sim.clear_faults()
        await asyncio.gather(*(repair.submit() for repair in repairs))
        assert [repair.result["type"] for repair in repairs] == ["create_entry", "create_entry"]
        assert scene.commands.count(WRITE) == 1
        assert not scene.issue

    async def test_flow_aborts_where_another_flow_solved_it(self, scene: Scene) -> None:
        first, second = [await scene.open() for _ in range(2)]
        await second.choose("put_back")
        await first.choose("confirm")
        await first.submit()
        assert first.success_text
        await second.submit()
        assert second.abort_reason == "solved"
        assert scene.commands == []


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
