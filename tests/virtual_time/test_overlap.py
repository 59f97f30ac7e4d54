"""Two things at once: what is told OK holds, and the newest wish wins, whatever overlaps."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import Store
from homeassistant.setup import async_setup_component
from homeassistant.util.file import WriteError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator
from tests.entries import entry_of
from tests.test_options_flow import changing

from .timewarp import TimeWarp

type Storage = dict[str, Any]

DELAYS: Final = (0, 0.02, 0.05, 0.2, 0.5, 0.8, 1.3, 1.8)
"""How long (s) the second of two commands comes after the first."""


@pytest.fixture
async def sim(warp: TimeWarp) -> AsyncIterator[Simulator]:
    """Run a device with the patience of a real one."""
    async with Simulator() as simulator:
        yield simulator


def act(hass: HomeAssistant, action: str, **data: object) -> asyncio.Task[Any]:
    """Call an action as an automation would, and do not wait for it."""
    return asyncio.create_task(
        hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)
    )


def control(hass: HomeAssistant, domain: str, service: str, entity: str, **data: object) -> asyncio.Task[Any]:
    """Use a control as a dashboard would, and do not wait for it."""
    target = {"entity_id": f"{domain}.sec1000_{entity}", **data}
    return asyncio.create_task(hass.services.async_call(domain, service, target, blocking=True))


async def outcomes(*calls: asyncio.Task[Any]) -> list[object]:
    """Return what came of each call: the feedback of an action, None of a control, or the error."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    return [result["feedback"] if isinstance(result, dict) else result for result in results]


async def load(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


def is_off(hass: HomeAssistant, entity: str) -> bool:
    state = hass.states.get(f"binary_sensor.sec1000_{entity}")
    return state is not None and state.state == "off"


def issue(hass: HomeAssistant, entry: MockConfigEntry, name: str = "limit_is_off") -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, f"{name}_{entry.entry_id}")


@pytest.mark.promise("R-07", "R-08")
@pytest.mark.parametrize("delay", DELAYS)
class TestChangeOfOptions:
    async def test_enable_after_lower_maximum_stays_below_it(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, delay: float
    ) -> None:
        first = act(hass, "set_max_export_limit", limit=3)
        await asyncio.sleep(delay)
        second = act(hass, "export_enable")
        assert await outcomes(first, second) == [1, 1]
        assert sim.device.bound_limit == 3_000
        assert loaded.options["max_export_limit"] == 3
        assert is_off(hass, "limit_differs")

    @pytest.mark.usefixtures("loaded")
    async def test_limit_above_lowered_maximum_is_corrected(
        self, hass: HomeAssistant, sim: Simulator, delay: float
    ) -> None:
        first = act(hass, "set_max_export_limit", limit=4)
        await asyncio.sleep(delay)
        second = act(hass, "set_export_limit", limit=9)
        assert await outcomes(first, second) == [1, 129]
        assert sim.device.bound_limit == 4_000

    async def test_mode_change_in_options_survives_a_limit(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, delay: float
    ) -> None:
        walk = await changing(hass, loaded)
        await walk.submit()
        submitted = asyncio.create_task(walk.submit(export_limit_control_mode="rcr", scan_three_phases=False))
        await asyncio.sleep(delay)
        limit = act(hass, "set_export_limit", limit=2)
        await outcomes(submitted, limit)
        assert walk.outcome == "saved"
        assert (sim.device.mode, sim.device.limit) == (ControlMode.RCR, 2_000)
        assert sim.device.sum_of_phases is False
        assert loaded.options["export_limit_control_mode"] == "rcr"
        assert is_off(hass, "limit_differs")

    async def test_measurement_change_survives_a_reset(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, delay: float
    ) -> None:
        walk = await changing(hass, loaded)
        await walk.submit()
        submitted = asyncio.create_task(walk.submit(scan_three_phases=False))
        await asyncio.sleep(delay)
        reset = act(hass, "reset_export_watchdog")
        await outcomes(submitted, reset)
        assert sim.device.sum_of_phases is False
        assert sim.device.bound_limit == 10_000

    @pytest.mark.promise("R-13")
    async def test_chosen_mode_of_deactivated_device_survives_a_limit(
        self, hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, delay: float
    ) -> None:
        sim.device.mode = ControlMode.DEACTIVATED
        hass.config_entries.async_update_entry(
            entry, options={**entry.options, "export_limit_control_mode": "deactivated"}
        )
        await load(hass, entry)
        mode = control(hass, "select", "select_option", "control_mode", option="value")
        await asyncio.sleep(delay)
        limit = act(hass, "set_export_limit", limit=2)
        results = await outcomes(mode, limit)
        assert not any(isinstance(result, BaseException) for result in results)
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 2_000)


@pytest.mark.promise("R-07")
@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize(
    ("domain", "service", "entity", "data"),
    [
        ("number", "set_value", "maximum_export_limit", {"value": 9}),
        ("select", "select_option", "control_mode", {"option": "value"}),
    ],
)
async def test_disable_after_change_of_options_wins(
    hass: HomeAssistant,
    sim: Simulator,
    loaded: MockConfigEntry,
    delay: float,
    domain: str,
    service: str,
    entity: str,
    data: Mapping[str, object],
) -> None:
    first = control(hass, domain, service, entity, **data)
    await asyncio.sleep(delay)
    second = act(hass, "export_disable")
    _, answer = await outcomes(first, second)
    assert answer == 1
    assert sim.device.bound_limit == 0
    assert hass.states.get("switch.sec1000_export_to_grid").state == "off"  # type: ignore[union-attr]


@pytest.mark.promise("R-07")
async def test_disable_after_a_dragged_maximum_wins(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    sim.requests.clear()
    dragged = []
    for step in range(60):
        dragged.append(control(hass, "number", "set_value", "maximum_export_limit", value=10 - step / 20))
        await asyncio.sleep(0.05)
    disable = act(hass, "export_disable")
    *ended, answer = await outcomes(*dragged, disable)
    # A value that a newer one of the same number superseded is no failure.
    assert ended == [None] * 60
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert answer == 1
    assert sim.device.bound_limit == 0
    assert loaded.options["max_export_limit"] == 10 - 59 / 20
    assert len(sim.requests) <= 30


@pytest.mark.promise("R-13")
async def test_pending_restore_is_not_taken_for_deactivated(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(
        entry, options={**entry.options, "export_limit_control_mode": "deactivated"}
    )
    await load(hass, entry)
    reset = act(hass, "reset_export_watchdog")
    await sim.wait_for_requests(len(sim.requests) + 4)
    await sim.wait_until_idle()
    sim.inject("silence")
    await outcomes(reset)
    sim.clear_faults()
    await outcomes(act(hass, "set_export_limit", limit=3))
    await asyncio.sleep(120)
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 3_000)
    assert issue(hass, entry) is None


class TestEnd:
    @pytest.mark.promise("R-25")
    @pytest.mark.parametrize("end", ["disable", "unload", "stop"])
    async def test_unrestored_limit_is_reported(
        self,
        hass: HomeAssistant,
        sim: Simulator,
        loaded: MockConfigEntry,
        hass_storage: Storage,
        caplog: pytest.LogCaptureFixture,
        end: str,
    ) -> None:
        reset = act(hass, "reset_export_watchdog")
        await sim.wait_for_requests(len(sim.requests) + 4)
        await sim.wait_until_idle()
        sim.inject("silence")
        if end == "disable":
            await hass.config_entries.async_set_disabled_by(loaded.entry_id, ConfigEntryDisabler.USER)
        elif end == "unload":
            await hass.config_entries.async_unload(loaded.entry_id)
        else:
            await hass.async_stop()
        await outcomes(reset)
        found = issue(hass, loaded)
        assert found
        assert found.is_persistent
        assert any(
            record.levelname == "ERROR" and "not restored" in record.message for record in caplog.records
        )
        assert hass_storage[f"{DOMAIN}.{loaded.entry_id}.note"]["data"]["limit"] == 10_000
        if end == "stop":
            stored = hass_storage["repairs.issue_registry"]["data"]["issues"]
            assert any(entry["issue_id"] == found.issue_id and entry["is_persistent"] for entry in stored)

    @pytest.mark.promise("R-18")
    async def test_late_off_after_reload_is_restored(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
    ) -> None:
        sim.inject("late-effect", commands=(0x40,), count=1)
        reset = act(hass, "reset_export_watchdog")
        await sim.wait_for_requests(len(sim.requests) + 4)
        await sim.wait_until_idle()
        await hass.config_entries.async_reload(loaded.entry_id)
        await outcomes(reset)
        await asyncio.sleep(30)
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 10_000)
        assert issue(hass, loaded) is None

    @pytest.mark.promise("R-26")
    @pytest.mark.parametrize(
        ("domain", "service", "entity"),
        [
            ("switch", "turn_off", "export_to_grid"),
            ("button", "press", "set_date_and_time"),
            ("button", "press", "reset_export_watchdog"),
        ],
    )
    async def test_nothing_begins_once_an_unload_has(
        self,
        hass: HomeAssistant,
        sim: Simulator,
        loaded: MockConfigEntry,
        domain: str,
        service: str,
        entity: str,
    ) -> None:
        sim.inject("silence", count=1)
        clock = act(hass, "set_datetime")
        await sim.wait_for_requests(len(sim.requests) + 1)
        unload = asyncio.create_task(hass.config_entries.async_unload(loaded.entry_id))
        await asyncio.sleep(0.2)
        late = control(hass, domain, service, entity)
        await outcomes(late)
        assert not unload.done()
        assert isinstance(late.exception(), HomeAssistantError)
        _, clock_set = await outcomes(unload, clock)
        assert clock_set == 1
        assert loaded.state is ConfigEntryState.NOT_LOADED
        assert sim.device.bound_limit == 10_000

    @pytest.mark.promise("R-10")
    async def test_running_command_ends_well_beside_an_unload(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
    ) -> None:
        sim.inject("silence", count=2, commands=(0x43,))
        command = act(hass, "set_export_limit", limit=4)
        await asyncio.sleep(0.2)
        await hass.config_entries.async_unload(loaded.entry_id)
        [answer] = await outcomes(command)
        assert answer == 1
        assert sim.device.bound_limit == 4_000

    @pytest.mark.promise("R-26")
    @pytest.mark.usefixtures("loaded")
    async def test_caller_cancelled_with_its_action_stays_cancelled(
        self, hass: HomeAssistant, sim: Simulator
    ) -> None:
        sim.inject("silence", count=1)
        caller = act(hass, "export_disable")
        await sim.wait_for_requests(len(sim.requests) + 1)
        for task in asyncio.all_tasks():
            if task is caller or task.get_name().startswith("SEC1000 export_disable"):
                task.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()

    @pytest.mark.usefixtures("loaded")
    async def test_reset_is_refused_once_a_stop_has_begun(self, hass: HomeAssistant, sim: Simulator) -> None:
        stop = asyncio.create_task(hass.async_stop())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        [refused] = await outcomes(act(hass, "reset_export_watchdog"))
        assert isinstance(refused, HomeAssistantError)
        assert "stopping" in str(refused)
        await stop
        assert sim.device.bound_limit == 10_000

    @pytest.mark.promise("R-26")
    @pytest.mark.usefixtures("loaded")
    async def test_shutdown_automation_sets_a_limit(self, hass: HomeAssistant, sim: Simulator) -> None:
        automation = {
            "alias": "Safe limit",
            "triggers": [{"trigger": "homeassistant", "event": "shutdown"}],
            "actions": [
                {"action": "goodwe_sec1000.set_export_limit", "data": {"limit": 1}},
                {"action": "goodwe_sec1000.set_export_limit", "data": {"limit": 2}},
            ],
        }
        assert await async_setup_component(hass, "automation", {"automation": [automation]})
        await hass.async_block_till_done()
        await hass.async_stop()
        assert hass.state is CoreState.stopped
        assert sim.device.bound_limit == 2_000


@pytest.mark.promise("R-23")
@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("", {"version": 99, "data": {"limit": 1}}),
        ("", {"version": 1, "data": {"limits": "x"}}),
        ("", {"version": 1, "data": [1]}),
        (".energy", {"version": 99, "data": {}}),
        (".energy", {"version": 1, "data": {"energy_exported": "x"}}),
        (".energy", {"version": 1, "data": 7}),
        (".moved_in", {"version": 99, "data": {}}),
        (".moved_in", {"version": 1, "data": ["x"]}),
    ],
)
async def test_damaged_file_does_not_keep_the_limit_off(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    hass_storage: Storage,
    file: str,
    content: dict[str, Any],
) -> None:
    sim.device.mode = ControlMode.DEACTIVATED
    store_note(hass_storage, entry, sim)
    key = f"{DOMAIN}.{entry.entry_id}{file}"
    hass_storage[key] = {"minor_version": 1, "key": key, **content}
    await load(hass, entry)
    await asyncio.sleep(10)
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_000)


def store_note(hass_storage: Storage, entry: MockConfigEntry, sim: Simulator, **changed: object) -> None:
    key = f"{DOMAIN}.{entry.entry_id}.note"
    data = {
        "mode": "value",
        "capacity": 30_000,
        "limit": 4_000,
        "sum_of_phases": True,
        "host": sim.host,
        "port": sim.port,
        "at": "2026-06-20T22:00:00+00:00",
        **changed,
    }
    hass_storage[key] = {"version": 1, "minor_version": 1, "key": key, "data": data}


@pytest.mark.promise("R-23")
class TestUnreadablePendingRestore:
    @pytest.fixture(autouse=True)
    def damaged(self, hass_storage: Storage, entry: MockConfigEntry) -> str:
        key = f"{DOMAIN}.{entry.entry_id}.note"
        hass_storage[key] = {"version": 99, "minor_version": 1, "key": key, "data": {"mode": "x"}}
        return key

    async def test_without_baseline_is_reported_until_a_limit_is_set(
        self, hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, hass_storage: Storage, damaged: str
    ) -> None:
        sim.device.mode = ControlMode.DEACTIVATED
        await load(hass, entry)
        found = issue(hass, entry, "pending_unreadable")
        assert found
        assert found.is_persistent
        assert damaged in hass_storage
        await hass.config_entries.async_reload(entry.entry_id)
        assert issue(hass, entry, "pending_unreadable")
        await outcomes(act(hass, "set_export_limit", limit=5))
        assert sim.device.bound_limit == 5_000
        assert issue(hass, entry, "pending_unreadable") is None

    async def test_of_removed_entry_keeps_issue_and_file(
        self, hass: HomeAssistant, entry: MockConfigEntry, hass_storage: Storage, damaged: str
    ) -> None:
        await load(hass, entry)
        await hass.config_entries.async_remove(entry.entry_id)
        assert issue(hass, entry, "pending_unreadable")
        assert damaged in hass_storage


@pytest.mark.promise("R-24")
class TestAnotherAddress:
    @pytest.fixture
    async def other(self, sim: Simulator) -> AsyncIterator[Simulator]:
        """Run a second device on the host of the first, which holds something else."""
        async with Simulator(host=sim.host, limit=7_000) as simulator:
            yield simulator

    async def test_pending_restore_of_another_host_goes_there(
        self,
        hass: HomeAssistant,
        sim: Simulator,
        other: Simulator,
        hass_storage: Storage,
    ) -> None:
        entry = entry_of(other)
        entry.add_to_hass(hass)
        sim.device.mode = ControlMode.DEACTIVATED
        store_note(hass_storage, entry, sim)
        await load(hass, entry)
        await asyncio.sleep(10)
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_000)
        assert other.device.bound_limit == 7_000
        assert issue(hass, entry) is None
        assert f"{DOMAIN}.{entry.entry_id}.note" not in hass_storage

    async def test_restore_moves_with_the_same_device(
        self,
        hass: HomeAssistant,
        sim: Simulator,
        other: Simulator,
        entry: MockConfigEntry,
        hass_storage: Storage,
    ) -> None:
        other.device.mode = ControlMode.DEACTIVATED
        sim.inject("silence")
        store_note(hass_storage, entry, sim)
        await load(hass, entry)
        flow = await self.reconfigured(hass, entry, other)
        assert flow["step_id"] == "pending_restore"
        await self.choose(hass, flow, "same_device")
        await asyncio.sleep(30)
        assert (other.device.mode, other.device.bound_limit) == (ControlMode.VALUE, 4_000)
        assert issue(hass, entry) is None
        assert entry.data["port"] == other.port

    async def test_another_device_is_never_written_from_it(
        self,
        hass: HomeAssistant,
        sim: Simulator,
        other: Simulator,
        entry: MockConfigEntry,
        hass_storage: Storage,
    ) -> None:
        sim.device.mode = ControlMode.DEACTIVATED
        sim.inject("silence")
        store_note(hass_storage, entry, sim)
        await load(hass, entry)
        flow = await self.reconfigured(hass, entry, other)
        await self.choose(hass, flow, "another_device")
        await asyncio.sleep(60)
        assert other.device.bound_limit == 7_000
        assert issue(hass, entry)
        [refused] = await outcomes(act(hass, "reset_export_watchdog"))
        assert isinstance(refused, HomeAssistantError)
        [answer] = await outcomes(act(hass, "set_export_limit", limit=6))
        assert answer == 1
        assert other.device.bound_limit == 6_000
        sim.clear_faults()
        await asyncio.sleep(90)
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_000)
        assert issue(hass, entry) is None

    async def test_unloaded_entry_is_asked_about_too(
        self,
        hass: HomeAssistant,
        sim: Simulator,
        other: Simulator,
        entry: MockConfigEntry,
        hass_storage: Storage,
    ) -> None:
        other.device.mode = ControlMode.DEACTIVATED
        sim.inject("silence")
        store_note(hass_storage, entry, sim)
        await load(hass, entry)
        assert await hass.config_entries.async_unload(entry.entry_id)
        flow = await self.reconfigured(hass, entry, other)
        assert flow["step_id"] == "pending_restore"
        await self.choose(hass, flow, "same_device")
        await asyncio.sleep(30)
        assert (other.device.mode, other.device.bound_limit) == (ControlMode.VALUE, 4_000)
        assert entry.data["port"] == other.port

    async def test_restore_that_cannot_be_moved_keeps_the_address(
        self,
        hass: HomeAssistant,
        sim: Simulator,
        other: Simulator,
        entry: MockConfigEntry,
        hass_storage: Storage,
    ) -> None:
        sim.device.mode = ControlMode.DEACTIVATED
        sim.inject("silence")
        store_note(hass_storage, entry, sim)
        await load(hass, entry)
        flow = await self.reconfigured(hass, entry, other)
        with patch.object(Store, "_async_write_data", side_effect=WriteError("No space left on device")):
            ended = await hass.config_entries.flow.async_configure(
                flow["flow_id"], {"next_step_id": "same_device"}
            )
        assert (ended["type"], ended["reason"]) == ("abort", "not_stored")
        told = ended["description_placeholders"]
        assert told
        assert "could not be written to disk" in told["reason"]
        assert entry.data["port"] == sim.port
        sim.clear_faults()
        await asyncio.sleep(90)
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_000)

    async def test_restored_meanwhile_the_address_is_saved_without_a_choice(
        self,
        hass: HomeAssistant,
        sim: Simulator,
        other: Simulator,
        entry: MockConfigEntry,
        hass_storage: Storage,
    ) -> None:
        sim.device.mode = ControlMode.DEACTIVATED
        sim.inject("silence")
        store_note(hass_storage, entry, sim)
        await load(hass, entry)
        flow = await self.reconfigured(hass, entry, other)
        sim.clear_faults()
        await asyncio.sleep(90)
        assert issue(hass, entry) is None
        # As the frontend does where the dialog is opened again.
        ended = await hass.config_entries.flow.async_configure(flow["flow_id"])
        assert ended["reason"] == "reconfigure_successful"
        assert entry.data["port"] == other.port

    async def reconfigured(self, hass: HomeAssistant, entry: MockConfigEntry, other: Simulator) -> Any:
        flow = await hass.config_entries.flow.async_init(
            DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
        )
        return await hass.config_entries.flow.async_configure(
            flow["flow_id"], {"host": other.host, "port": other.port}
        )

    async def choose(self, hass: HomeAssistant, flow: Any, option: str) -> None:
        ended = await hass.config_entries.flow.async_configure(flow["flow_id"], {"next_step_id": option})
        assert ended["reason"] == "reconfigure_successful"
        await hass.async_block_till_done()


@pytest.mark.usefixtures("loaded")
class TestToggle:
    @pytest.fixture
    async def busy(self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry) -> AsyncIterator[None]:
        """Have commands wait behind a clock that is not acknowledged."""
        assert loaded.state is ConfigEntryState.LOADED
        sim.inject("silence", count=1)
        clock = act(hass, "set_datetime")
        await sim.wait_for_requests(len(sim.requests) + 1)
        yield
        await clock

    @pytest.mark.usefixtures("busy")
    async def test_two_toggles_at_once_cancel_out(self, hass: HomeAssistant, sim: Simulator) -> None:
        first, second = await outcomes(act(hass, "export_toggle"), act(hass, "export_toggle"))
        assert isinstance(first, HomeAssistantError)
        assert second == 1
        assert sim.device.bound_limit == 10_000

    @pytest.mark.usefixtures("busy")
    async def test_toggle_after_waiting_enable_disables(self, hass: HomeAssistant, sim: Simulator) -> None:
        sim.device.limit = 0
        first, second = await outcomes(act(hass, "export_enable"), act(hass, "export_toggle"))
        assert isinstance(first, HomeAssistantError)
        assert second == 1
        assert sim.device.bound_limit == 0

    @pytest.mark.usefixtures("busy")
    async def test_limit_supersedes_waiting_toggle(self, hass: HomeAssistant, sim: Simulator) -> None:
        first, second = await outcomes(act(hass, "export_toggle"), act(hass, "set_export_limit", limit=3))
        assert isinstance(first, HomeAssistantError)
        assert second == 1
        assert sim.device.bound_limit == 3_000

    async def test_toggle_goes_by_what_the_device_holds_now(
        self, hass: HomeAssistant, sim: Simulator
    ) -> None:
        sim.device.limit = 0
        assert await outcomes(act(hass, "export_toggle")) == [1]
        assert sim.device.bound_limit == 10_000
        states = {
            action: hass.states.get(f"sensor.sec1000_export_{action}_feedback").state  # type: ignore[union-attr]
            for action in ("disable", "enable")
        }
        assert states == {"disable": "0", "enable": "1"}

    async def test_toggle_of_a_limit_within_tolerance_enables(
        self, hass: HomeAssistant, sim: Simulator
    ) -> None:
        sim.device.limit = 40
        assert await outcomes(act(hass, "export_toggle")) == [1]
        assert sim.device.bound_limit == 10_000
