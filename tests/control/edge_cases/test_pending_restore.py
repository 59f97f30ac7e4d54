"""A pending restore is kept until its device is read to limit the export, and goes to that device only."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from unittest.mock import patch

from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.setup import async_setup_component
from homeassistant.util.file import WriteError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, ExportTarget
from custom_components.goodwe_sec1000.tracking.pending import PendingRestoreStore
from simulator import Simulator
from simulator.protocol import RCR, READ_LIMIT, VALUE
from tests.calls import Storage, act, control, issue, load, outcomes, suspend_limit, until
from tests.entries import entry_of
from tests.pending_restore import store_pending
from tests.repair_flow import Repair
from tests.states import get_state

SETTINGS: Final = (
    "sensor.sec1000_export_limit",
    "number.sec1000_export_limit",
    "select.sec1000_control_mode",
)
DIFFERS: Final = "binary_sensor.sec1000_limit_differs"


@pytest.mark.promise("R-13")
async def test_pending_restore_is_not_taken_for_deactivated(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(
        entry, options={**entry.options, "export_limit_control_mode": "deactivated"}
    )
    await load(hass, entry)
    reset = await suspend_limit(hass, sim)
    sim.inject("silence")
    await outcomes(reset)
    sim.clear_faults()
    await outcomes(act(hass, "set_export_limit", limit=3))
    await asyncio.sleep(120)
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 3_000)
    assert issue(hass, entry) is None


@pytest.mark.promise("R-18")
async def test_limit_suspended_while_all_is_read_again_is_restored(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    """After a restore all is read; what is suspended by then needs a restore of its own."""
    reset = await suspend_limit(hass, sim)
    sim.inject("silence")
    await outcomes(reset)
    coordinator = loaded.runtime_data.coordinator
    read = asyncio.Event()

    async def refresh() -> None:
        await read.wait()

    with patch.object(coordinator, "async_refresh", refresh):
        sim.clear_faults()
        await until(lambda: issue(hass, loaded) is None, within=120)
        reset = await suspend_limit(hass, sim)
        sim.inject("silence")
        await outcomes(reset)
        read.set()
        sim.clear_faults()
        await asyncio.sleep(120)
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 10_000)
    assert issue(hass, loaded) is None


@pytest.mark.promise("R-22")
async def test_limit_is_set_in_the_mode_that_is_pending(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(
        entry, options={**entry.options, "export_limit_control_mode": "deactivated"}
    )
    await load(hass, entry)
    sim.inject("silence", commands=(RCR,))
    change = control(hass, "select", "select_option", "control_mode", option="rcr")
    await until(lambda: sim.device.mode is ControlMode.DEACTIVATED)
    sim.inject("silence")
    await outcomes(change)
    sim.clear_faults()
    assert await outcomes(act(hass, "set_export_limit", limit=3)) == [1]
    assert (sim.device.mode, sim.device.limit) == (ControlMode.RCR, 3_000)


@pytest.mark.promise("R-18")
@pytest.mark.parametrize("is_removed", [False, True], ids=["set up", "removed"])
async def test_pending_limit_below_zero_is_restored(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, hass_storage: Storage, is_removed: bool
) -> None:
    sim.device.mode = ControlMode.DEACTIVATED
    store_pending(hass_storage, entry, sim, limit=-1_000)
    await (hass.config_entries.async_remove(entry.entry_id) if is_removed else load(hass, entry))
    await asyncio.sleep(10)
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, -1_000)


@pytest.mark.promise("R-19")
async def test_reset_saves_nothing_that_a_start_cannot_read(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    """A capacity below zero is impossible; a saved one made the pending restore unreadable."""
    sim.device.mode, sim.device.capacity = ControlMode.RCR, -5_000
    reset = await suspend_limit(hass, sim)
    store = PendingRestoreStore(hass, loaded.entry_id)
    await store.load()
    assert store.current
    assert (store.current.target.mode, store.current.target.capacity) == (ControlMode.RCR, 30_000)
    await outcomes(reset)


@pytest.mark.promise("R-19")
async def test_restore_elsewhere_waits_for_no_other_device(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, other: Simulator, hass_storage: Storage
) -> None:
    sim.inject("silence")
    other.device.mode = ControlMode.DEACTIVATED
    store_pending(hass_storage, entry, other)
    await load(hass, entry)
    await until(lambda: other.device.bound_limit == 4_320, within=3)
    sim.clear_faults()
    await asyncio.sleep(40)
    assert get_state(hass, SETTINGS[0]).state == "10.0"


@pytest.mark.promise("R-12")
async def test_reset_sends_nothing_while_another_device_is_restored(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, other: Simulator, hass_storage: Storage
) -> None:
    other.device.mode = ControlMode.DEACTIVATED
    other.inject("silence")
    store_pending(hass_storage, entry, other)
    await load(hass, entry)
    await asyncio.sleep(20)
    sent = len(sim.requests)
    [error] = await outcomes(act(hass, "reset_export_watchdog"))
    assert isinstance(error, HomeAssistantError)
    assert error.translation_key == "pending_elsewhere"
    assert len(sim.requests) == sent
    assert issue(hass, entry, "pending_unreadable") is None


@pytest.mark.promise("R-18", "R-25")
async def test_one_stale_answer_does_not_end_a_pending_restore(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    reset = await suspend_limit(hass, sim)
    sim.inject("silence")
    await outcomes(reset)
    sim.clear_faults()
    sim.inject("stale-value", commands=(READ_LIMIT,), count=1)
    await asyncio.sleep(600)
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 10_000)
    assert issue(hass, loaded) is None


@pytest.mark.promise("R-13")
@pytest.mark.parametrize(
    ("action", "data"),
    [("set_export_limit", {"limit": 3}), ("set_max_export_limit", {"limit": 3}), ("export_enable", {})],
)
async def test_one_stale_answer_does_not_deactivate(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, action: str, data: Mapping[str, object]
) -> None:
    sim.device.mode = ControlMode.DEACTIVATED
    hass.config_entries.async_update_entry(
        entry, options={**entry.options, "export_limit_control_mode": "deactivated"}
    )
    await load(hass, entry)
    # Another program arms the mode, and the next answer is older than that.
    sim.device.mode = ControlMode.VALUE
    sim.inject("stale-value", commands=(READ_LIMIT,), count=1)
    await outcomes(act(hass, action, **data))
    assert sim.device.mode is ControlMode.VALUE


@pytest.mark.promise("R-17", "R-18")
@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize("first_fault", ["refused", None])
async def test_cancelled_mode_change_keeps_its_pending_restore(
    sim: Simulator, first_fault: str | None
) -> None:
    client = Sec1000Client(sim.host, sim.port)
    await client.read_export_settings()
    await asyncio.sleep(1)
    if first_fault:
        sim.inject(first_fault, count=1)
    sim.inject("effect-then-silence")
    wanted = ExportTarget(ControlMode.RCR, 30_000, 10_000, sum_of_phases=True)
    change = asyncio.create_task(client.apply(wanted))
    while sim.device.mode is not ControlMode.DEACTIVATED:
        await sim.wait_for_requests(len(sim.requests) + 1)
    assert not change.done()
    change.cancel()
    await asyncio.wait([change])
    assert client.pending.target == wanted


@pytest.mark.promise("R-21", "R-25")
async def test_late_off_at_a_removal_is_not_lost(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, hass_storage: Storage
) -> None:
    store_pending(hass_storage, entry, sim)
    hass.loop.call_later(1.2, setattr, sim.device, "mode", ControlMode.DEACTIVATED)
    await hass.config_entries.async_remove(entry.entry_id)
    await asyncio.sleep(100)
    assert sim.device.mode is ControlMode.VALUE or issue(hass, entry, "limit_was_left_off")


@pytest.mark.promise("R-25")
@pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")
async def test_stale_dialog_forgets_no_newer_pending_restore(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    sim: Simulator,
    entry: MockConfigEntry,
    hass_storage: Storage,
) -> None:
    assert await async_setup_component(hass, REPAIRS, {})
    client = await hass_client()
    sim.device.mode = ControlMode.DEACTIVATED
    sim.inject("silence")
    store_pending(hass_storage, entry, sim)
    await load(hass, entry)
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    dialog = await Repair(hass, client, f"limit_is_off_{entry.entry_id}").start()
    await dialog.choose("confirm")
    # What the dialog is about is restored, and then a reset suspends the limit again.
    sim.clear_faults()
    await hass.config_entries.async_set_disabled_by(entry.entry_id, None)
    await asyncio.sleep(30)
    assert issue(hass, entry) is None
    reset = await suspend_limit(hass, sim)
    sim.inject("silence")
    await asyncio.sleep(1)
    await dialog.submit()
    assert dialog.abort_reason == "solved"
    await outcomes(reset)
    sim.clear_faults()
    await asyncio.sleep(300)
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)
    assert issue(hass, entry) is None


@pytest.fixture
async def cut_off(hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator) -> object:
    """Let an outage cut a watchdog reset off, and return its error."""
    reset = await suspend_limit(hass, sim)
    sim.inject("refused")
    [error] = await outcomes(reset)
    return error


@pytest.mark.promise("R-18")
async def test_suspended_limit_is_unknown_until_restored(
    hass: HomeAssistant, sim: Simulator, cut_off: object
) -> None:
    for silence in (0, 600):
        await asyncio.sleep(silence)
        assert [get_state(hass, entity).state for entity in SETTINGS] == ["unknown"] * len(SETTINGS)
        differs = get_state(hass, DIFFERS)
        assert (differs.state, differs.attributes["restore_pending"]) == ("on", True)
        assert differs.attributes["message"].startswith("The limit is suspended and being restored: ")
        assert get_state(hass, "binary_sensor.sec1000_export_state").state == "on"
        assert get_state(hass, "switch.sec1000_export_to_grid").state == "on"
    sim.clear_faults()
    changes = async_capture_events(hass, "state_changed")
    await asyncio.sleep(90)
    # Nothing that was read before is shown in between.
    shown = [event.data["new_state"].state for event in changes if event.data["entity_id"] in SETTINGS]
    assert sorted(shown) == ["10.0", "10.0", "value"]
    differs = get_state(hass, DIFFERS)
    assert (differs.state, differs.attributes["restore_pending"]) == ("off", False)
    assert differs.attributes["message"] is None


async def test_suspended_limit_is_unknown_after_a_reload(
    hass: HomeAssistant, loaded: MockConfigEntry, cut_off: object
) -> None:
    assert await hass.config_entries.async_reload(loaded.entry_id)
    await hass.async_block_till_done()
    assert [get_state(hass, entity).state for entity in SETTINGS] == ["unknown"] * len(SETTINGS)
    assert get_state(hass, DIFFERS).state == "on"


async def test_reset_that_goes_well_leaves_settings_shown(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    changes = async_capture_events(hass, "state_changed")
    assert await outcomes(await suspend_limit(hass, sim)) == [1]
    await asyncio.sleep(30)
    changed = {event.data["entity_id"] for event in changes}
    assert not changed.intersection({*SETTINGS, DIFFERS})


async def test_limit_set_while_suspended_is_shown(
    hass: HomeAssistant, sim: Simulator, cut_off: object
) -> None:
    sim.clear_faults()
    assert await outcomes(act(hass, "set_export_limit", limit=3)) == [1]
    assert [get_state(hass, entity).state for entity in SETTINGS] == ["3.0", "3.0", "value"]
    assert get_state(hass, DIFFERS).state == "off"


@pytest.mark.promise("R-24")
class TestAnotherAddress:
    async def test_pending_restore_goes_there_while_own_device_is_silent(
        self, hass: HomeAssistant, sim: Simulator, other: Simulator, hass_storage: Storage
    ) -> None:
        entry = entry_of(other)
        entry.add_to_hass(hass)
        other.inject("silence")
        sim.device.mode = ControlMode.DEACTIVATED
        store_pending(hass_storage, entry, sim)
        await hass.config_entries.async_setup(entry.entry_id)
        await asyncio.sleep(600)
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)
        assert issue(hass, entry) is None

    @pytest.mark.promise("R-18")
    async def test_late_off_there_is_restored(
        self, hass: HomeAssistant, sim: Simulator, other: Simulator, hass_storage: Storage
    ) -> None:
        entry = entry_of(other)
        entry.add_to_hass(hass)
        store_pending(hass_storage, entry, sim)
        hass.loop.call_later(1.8, setattr, sim.device, "mode", ControlMode.DEACTIVATED)
        await load(hass, entry)
        await asyncio.sleep(100)
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)
        assert issue(hass, entry) is None

    @pytest.mark.promise("R-18")
    async def test_late_arming_there_is_restored(
        self, hass: HomeAssistant, sim: Simulator, other: Simulator, hass_storage: Storage
    ) -> None:
        entry = entry_of(other)
        entry.add_to_hass(hass)
        sim.device.mode = ControlMode.DEACTIVATED
        sim.inject("late-effect", commands=(VALUE,))
        store_pending(hass_storage, entry, sim)
        await load(hass, entry)
        await asyncio.sleep(100)
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)
        assert issue(hass, entry) is None

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
        store_pending(hass_storage, entry, sim)
        await load(hass, entry)
        await asyncio.sleep(10)
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)
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
        store_pending(hass_storage, entry, sim)
        await load(hass, entry)
        flow = await self.reconfigured(hass, entry, other)
        assert flow["step_id"] == "pending_restore"
        await self.choose(hass, flow, "same_device")
        await asyncio.sleep(30)
        assert (other.device.mode, other.device.bound_limit) == (ControlMode.VALUE, 4_320)
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
        store_pending(hass_storage, entry, sim)
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
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)
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
        store_pending(hass_storage, entry, sim)
        await load(hass, entry)
        assert await hass.config_entries.async_unload(entry.entry_id)
        flow = await self.reconfigured(hass, entry, other)
        assert flow["step_id"] == "pending_restore"
        await self.choose(hass, flow, "same_device")
        await asyncio.sleep(30)
        assert (other.device.mode, other.device.bound_limit) == (ControlMode.VALUE, 4_320)
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
        store_pending(hass_storage, entry, sim)
        await load(hass, entry)
        flow = await self.reconfigured(hass, entry, other)
        with patch.object(Store, "_async_write_data", side_effect=WriteError("No space left on device")):
            ended = await hass.config_entries.flow.async_configure(
                flow["flow_id"], {"next_step_id": "same_device"}
            )
        assert (ended["type"], ended["reason"]) == ("abort", "not_stored")
        told = ended["description_placeholders"]
        assert told
        assert "could not be saved to disk" in told["reason"]
        assert entry.data["port"] == sim.port
        sim.clear_faults()
        await asyncio.sleep(90)
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)

    async def test_address_is_saved_at_once_where_limit_is_restored(
        self,
        hass: HomeAssistant,
        sim: Simulator,
        other: Simulator,
        entry: MockConfigEntry,
        hass_storage: Storage,
    ) -> None:
        sim.device.mode = ControlMode.DEACTIVATED
        sim.inject("silence")
        store_pending(hass_storage, entry, sim)
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
