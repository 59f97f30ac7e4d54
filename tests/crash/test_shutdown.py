"""The limit is restored after every interruption of a command, and Repairs has an issue until then.

Home Assistant runs in the process of the test and in virtual time, with the standard timing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import Store
from homeassistant.util.file import WriteError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator
from tests.states import get_state
from tests.virtual_time.timewarp import TimeWarp

from .commands import CHANGE, OLD, RESET, WISHED, Command
from .stage import request_name

pytestmark = pytest.mark.slow

EXPORT_STATE: Final = "binary_sensor.sec1000_export_state"
LIMIT_DIFFERS: Final = "binary_sensor.sec1000_limit_differs"
POWER: Final = "sensor.sec1000_meter_power"
SHUTDOWN_S: Final = 15.0
"""Longest delay of a shutdown by a suspended limit."""
OUTAGE_S: Final = 60.0
RESTORED_S: Final = 45.0
"""From the end of an outage to the restored limit: a running attempt, the longest pause, the writes."""

type Storage = dict[str, Any]
type End = Callable[[HomeAssistant, MockConfigEntry], Awaitable[object]]

ENDS: Final[Mapping[str, End]] = {
    "unload": lambda hass, entry: hass.config_entries.async_unload(entry.entry_id),
    "reload": lambda hass, entry: hass.config_entries.async_reload(entry.entry_id),
    "disable": lambda hass, entry: hass.config_entries.async_set_disabled_by(
        entry.entry_id, ConfigEntryDisabler.USER
    ),
    "remove": lambda hass, entry: hass.config_entries.async_remove(entry.entry_id),
    "stop": lambda hass, _entry: hass.async_stop(),
}


@pytest.fixture
async def hass(warp: TimeWarp, hass: HomeAssistant) -> HomeAssistant:
    """Start and stop Home Assistant in virtual time."""
    return hass


@pytest.fixture
async def sim(warp: TimeWarp) -> AsyncIterator[Simulator]:
    """Run a device that can be overloaded as a real one."""
    async with Simulator(limit=OLD) as simulator:
        yield simulator


@pytest.fixture
def pending_key(entry: MockConfigEntry) -> str:
    """Return the storage key of the pending restore."""
    return f"{DOMAIN}.{entry.entry_id}.note"


@pytest.fixture
def pending(entry: MockConfigEntry, sim: Simulator) -> dict[str, Any]:
    """Return the pending restore of a Home Assistant that was killed during a reset."""
    return {
        "mode": "value",
        "capacity": 30_000,
        "limit": OLD,
        "sum_of_phases": True,
        "host": sim.host,
        "port": sim.port,
        "at": "2026-06-20T22:00:00+00:00",
    }


def act(hass: HomeAssistant, action: str, **data: object) -> asyncio.Task[Any]:
    """Call an action without waiting for it."""
    return asyncio.create_task(
        hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)
    )


async def begin(hass: HomeAssistant, sim: Simulator, command: Command, answered: int) -> asyncio.Task[Any]:
    """Start a command and wait until so many of its requests are answered."""
    sim.requests.clear()
    call = act(hass, command.action, **command.data)
    await sim.wait_for_requests(answered)
    await sim.wait_until_idle()
    return call


async def ended(call: asyncio.Task[Any]) -> None:
    """Wait for the end of the call, whatever its result."""
    await asyncio.wait({call})
    call.exception()


async def load(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Set the entry up."""
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED


def requests(sim: Simulator) -> list[str]:
    """Return the names of all requests."""
    return [request_name(request) for request in sim.requests]


def written(sim: Simulator) -> list[str]:
    """Return the names of all writes."""
    return [name for name in requests(sim) if name not in {"read", "telemetry"}]


def issue(hass: HomeAssistant, name: str, entry: MockConfigEntry) -> ir.IssueEntry | None:
    """Return an issue of the entry, or None."""
    return ir.async_get(hass).async_get_issue(DOMAIN, f"{name}_{entry.entry_id}")


async def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for a condition, at most so many virtual seconds."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(1)


class TestShutdownDuringCommand:
    @pytest.mark.parametrize("answered", [1, 2, 4, 5, 6])
    @pytest.mark.parametrize("end", ENDS)
    async def test_shutdown_waits_for_reset(
        self,
        warp: TimeWarp,
        hass: HomeAssistant,
        loaded: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
        end: str,
        answered: int,
    ) -> None:
        call = await begin(hass, sim, RESET, answered)
        await asyncio.sleep(0.1)
        before = warp.passed
        await ENDS[end](hass, loaded)
        assert warp.passed - before < SHUTDOWN_S
        assert (sim.device.mode, sim.device.bound_limit) == RESET.target
        assert pending_key not in hass_storage
        assert tuple(requests(sim)[: len(RESET.sent)]) == RESET.sent
        assert written(sim).count("value off") == 1
        assert issue(hass, "limit_is_off", loaded) is None
        assert issue(hass, "limit_was_left_off", loaded) is None
        await ended(call)
        if end == "reload":
            assert get_state(hass, POWER).state != "unavailable"
            assert get_state(hass, "sensor.sec1000_export_limit").state == str(OLD / 1000)

    @pytest.mark.parametrize("answered", [1, 2, 3, 4])
    @pytest.mark.parametrize("end", ENDS)
    async def test_shutdown_waits_for_mode_change(
        self,
        warp: TimeWarp,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
        end: str,
        answered: int,
    ) -> None:
        sim.device.mode = CHANGE.held
        await load(hass, entry)
        call = await begin(hass, sim, CHANGE, answered)
        before = warp.passed
        await ENDS[end](hass, entry)
        assert warp.passed - before < SHUTDOWN_S
        assert (sim.device.mode, sim.device.bound_limit) == CHANGE.target
        assert pending_key not in hass_storage
        assert tuple(requests(sim)[: len(CHANGE.sent)]) == CHANGE.sent
        assert issue(hass, "limit_is_off", entry) is None
        await ended(call)

    async def test_shortened_reset_is_not_reported_as_5_s(
        self, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
    ) -> None:
        call = await begin(hass, sim, RESET, 4)
        await hass.config_entries.async_reload(loaded.entry_id)
        try:
            response = await call
        except HomeAssistantError:
            return
        assert "5 s" not in response["message"]


async def test_failed_reset_shows_device_mode_and_is_retried(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    call = await begin(hass, sim, RESET, 4)
    sim.inject("ack-without-effect")
    with pytest.raises(HomeAssistantError) as raised:
        await call
    assert raised.value.translation_key == "not_applied"
    assert get_state(hass, "select.sec1000_control_mode").state == "deactivated"
    assert get_state(hass, "sensor.sec1000_reset_export_watchdog_feedback").state == "2"
    assert issue(hass, "limit_is_off", loaded)
    sim.clear_faults()
    await until(lambda: sim.device.mode is ControlMode.VALUE, RESTORED_S)
    await asyncio.sleep(1)
    assert get_state(hass, "select.sec1000_control_mode").state == "value"
    assert sim.device.bound_limit == OLD


class TestShutdownWithSilentDevice:
    @pytest.mark.parametrize("end", ["unload", "reload", "disable"])
    async def test_pending_is_kept_for_next_setup(
        self,
        hass: HomeAssistant,
        loaded: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
        end: str,
    ) -> None:
        call = await begin(hass, sim, RESET, 4)
        sim.inject("silence")
        await ENDS[end](hass, loaded)
        assert pending_key in hass_storage
        await ended(call)
        if end == "disable":
            await hass.config_entries.async_set_disabled_by(loaded.entry_id, None)
        elif end == "unload":
            await load(hass, loaded)
        assert loaded.state is ConfigEntryState.LOADED
        assert get_state(hass, EXPORT_STATE).state == "on"
        assert issue(hass, "limit_is_off", loaded)
        sim.clear_faults()
        await until(lambda: pending_key not in hass_storage, RESTORED_S)
        assert (sim.device.mode, sim.device.bound_limit) == RESET.target
        assert issue(hass, "limit_is_off", loaded) is None

    async def test_unload_is_bounded_in_time(
        self, warp: TimeWarp, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
    ) -> None:
        call = await begin(hass, sim, RESET, 4)
        sim.inject("silence")
        before = warp.passed
        await hass.config_entries.async_unload(loaded.entry_id)
        took = warp.passed - before
        await ended(call)
        await _come_back(sim)
        assert took <= SHUTDOWN_S + 1

    @pytest.mark.parametrize("end", ["unload", "disable", "remove"])
    async def test_nothing_is_sent_after_entry_is_gone(
        self, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, end: str
    ) -> None:
        call = await begin(hass, sim, RESET, 4)
        sim.inject("silence")
        await ENDS[end](hass, loaded)
        await ended(call)
        await asyncio.sleep(1)
        await sim.wait_until_idle()
        sim.requests.clear()
        await asyncio.sleep(120)
        asked, reported = requests(sim), issue(hass, "limit_is_off", loaded)
        await _come_back(sim)
        assert asked == []
        assert reported is None

    @pytest.mark.parametrize("end", ["unload", "disable", "remove"])
    async def test_shutdown_during_restore_ends_restore(
        self,
        warp: TimeWarp,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
        pending: dict[str, Any],
        end: str,
    ) -> None:
        hass_storage[pending_key] = {"version": 1, "data": pending}
        sim.device.mode = ControlMode.DEACTIVATED
        sim.inject("silence")
        await load(hass, entry)
        await asyncio.sleep(100)
        before = warp.passed
        await ENDS[end](hass, entry)
        assert warp.passed - before <= (2 * SHUTDOWN_S if end == "remove" else SHUTDOWN_S)
        sim.requests.clear()
        await asyncio.sleep(120)
        assert requests(sim) == []
        assert (pending_key in hass_storage) is (end != "remove")
        assert (issue(hass, "limit_was_left_off", entry) is not None) is (end == "remove")

    async def test_removal_leaves_persistent_issue(
        self,
        hass: HomeAssistant,
        loaded: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
    ) -> None:
        call = await begin(hass, sim, RESET, 4)
        sim.inject("silence")
        await hass.config_entries.async_remove(loaded.entry_id)
        left = issue(hass, "limit_was_left_off", loaded)
        assert left
        assert left.is_persistent
        assert left.severity is ir.IssueSeverity.CRITICAL
        assert left.translation_placeholders == {
            "name": "SEC1000",
            "host": sim.host,
            "mode": "Value: Central Europe",
            "limit": "4.32",
            "capacity": "30.00",
        }
        assert issue(hass, "limit_is_off", loaded) is None
        assert [key for key in hass_storage if loaded.entry_id in key] == []
        await ended(call)

    async def test_removal_retries_restore(
        self,
        hass: HomeAssistant,
        loaded: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
    ) -> None:
        call = await begin(hass, sim, RESET, 4)
        sim.inject("silence")
        assert await hass.config_entries.async_unload(loaded.entry_id)
        await ended(call)
        assert pending_key in hass_storage
        sim.clear_faults()
        await hass.config_entries.async_remove(loaded.entry_id)
        assert (sim.device.mode, sim.device.bound_limit) == RESET.target
        assert issue(hass, "limit_was_left_off", loaded) is None
        assert pending_key not in hass_storage


class TestWhileSuspended:
    async def test_suspended_limit_blocks_other_requests_and_baseline(
        self, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
    ) -> None:
        coordinator = loaded.runtime_data.coordinator
        options = dict(loaded.options)
        call = await begin(hass, sim, RESET, 4)
        polls = [
            asyncio.create_task(coordinator.async_refresh()),
            asyncio.create_task(coordinator.read_settings()),
            act(hass, "get_export_limit"),
            act(hass, "set_datetime"),
        ]
        await asyncio.gather(call, *polls)
        assert tuple(requests(sim)[: len(RESET.sent)]) == RESET.sent
        off, write = sim.requests[3], sim.requests[4]
        assert write.time - off.time == pytest.approx(5, abs=0.05)
        assert (sim.device.mode, sim.device.bound_limit) == RESET.target
        assert loaded.options == options
        assert coordinator.data.proven_limit == OLD

    async def test_running_poll_finishes_before_reset(
        self, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
    ) -> None:
        sim.inject("silence", count=1)
        sim.requests.clear()
        poll = asyncio.create_task(loaded.runtime_data.coordinator.async_refresh())
        await sim.wait_for_requests(1)
        await act(hass, "reset_export_watchdog")
        await poll
        assert tuple(requests(sim)[1 : 1 + len(RESET.sent)]) == RESET.sent

    @pytest.mark.parametrize("answered", [1, 2, 3, 4, 5, 6])
    @pytest.mark.usefixtures("loaded")
    async def test_newer_limit_cuts_reset_short(
        self,
        hass: HomeAssistant,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
        answered: int,
    ) -> None:
        reset = await begin(hass, sim, RESET, answered)
        await asyncio.sleep(0.1)
        response = await act(hass, "export_disable")
        assert response["feedback"] == 1
        assert sim.device.bound_limit == 0
        if answered <= 4:
            with pytest.raises(HomeAssistantError, match="newer command"):
                await reset
            off, write = sim.requests[3], sim.requests[4]
            assert write.time - off.time < 1
        await ended(reset)
        await hass.async_block_till_done()
        assert sim.device.bound_limit == 0
        assert pending_key not in hass_storage
        assert get_state(hass, EXPORT_STATE).state == "off"
        assert get_state(hass, LIMIT_DIFFERS).state == "off"

    @pytest.mark.parametrize("answered", [5, 6])
    @pytest.mark.usefixtures("loaded")
    async def test_limit_after_reset_does_not_fail_reset(
        self, hass: HomeAssistant, sim: Simulator, answered: int
    ) -> None:
        reset = await begin(hass, sim, RESET, answered)
        await asyncio.sleep(0.1)
        await act(hass, "export_disable")
        await asyncio.wait({reset})
        assert reset.exception() is None
        assert reset.result()["feedback"] == 1

    @pytest.mark.usefixtures("loaded")
    async def test_last_of_several_limits_wins_over_reset(self, hass: HomeAssistant, sim: Simulator) -> None:
        reset = await begin(hass, sim, RESET, 4)
        older, newer = act(hass, "export_disable"), act(hass, "set_export_limit", limit=2)
        await asyncio.gather(reset, older, newer, return_exceptions=True)
        assert newer.exception() is None
        assert sim.device.bound_limit == 2_000
        assert isinstance(reset.exception(), HomeAssistantError)

    @pytest.mark.usefixtures("loaded")
    async def test_second_reset_is_refused(self, hass: HomeAssistant, sim: Simulator) -> None:
        call = await begin(hass, sim, RESET, 4)
        with pytest.raises(ServiceValidationError, match="a watchdog reset is running"):
            await act(hass, "reset_export_watchdog")
        assert (await call)["feedback"] == 1
        assert tuple(requests(sim)) == RESET.sent
        assert (sim.device.mode, sim.device.bound_limit) == RESET.target

    async def test_reconfigure_is_refused_while_suspended(
        self, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
    ) -> None:
        call = await begin(hass, sim, RESET, 4)
        flow = await hass.config_entries.flow.async_init(
            DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": loaded.entry_id}
        )
        assert flow["reason"] == "limit_is_off"
        await call
        flow = await hass.config_entries.flow.async_init(
            DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": loaded.entry_id}
        )
        assert flow["step_id"] == "reconfigure"

    @pytest.mark.usefixtures("loaded")
    async def test_suspended_limit_shows_export_on(self, hass: HomeAssistant, sim: Simulator) -> None:
        await act(hass, "export_disable")
        assert get_state(hass, EXPORT_STATE).state == "off"
        call = await begin(hass, sim, RESET, 4)
        assert get_state(hass, EXPORT_STATE).state == "on"
        await call
        assert get_state(hass, EXPORT_STATE).state == "off"


class TestOutage:
    @pytest.mark.parametrize("lost", range(1, 1 + len(RESET.sent)))
    async def test_reset_recovers_from_60_s_outage(
        self,
        hass: HomeAssistant,
        loaded: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
        lost: int,
    ) -> None:
        await _outage(hass, loaded, sim, RESET, lost)
        await until(lambda: pending_key not in hass_storage, RESTORED_S)
        assert (sim.device.mode, sim.device.bound_limit) == RESET.target
        await until(lambda: get_state(hass, POWER).state != "unavailable", 60)
        assert issue(hass, "limit_is_off", loaded) is None
        assert get_state(hass, LIMIT_DIFFERS).state == "off"

    @pytest.mark.parametrize("lost", range(1, 1 + len(CHANGE.sent)))
    async def test_mode_change_survives_60_s_outage(
        self,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
        lost: int,
    ) -> None:
        sim.device.mode = CHANGE.held
        await load(hass, entry)
        await _outage(hass, entry, sim, CHANGE, lost)
        await until(lambda: pending_key not in hass_storage, RESTORED_S)
        assert (sim.device.mode, sim.device.bound_limit) in {CHANGE.target, (CHANGE.held, None)}
        await until(lambda: get_state(hass, POWER).state != "unavailable", 60)
        assert issue(hass, "limit_is_off", entry) is None

    async def test_long_outage_raises_issue_until_restored(
        self,
        hass: HomeAssistant,
        loaded: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
    ) -> None:
        call = await begin(hass, sim, RESET, 4)
        sim.inject("silence")
        with pytest.raises(HomeAssistantError):
            await call
        await asyncio.sleep(600)
        reported = issue(hass, "limit_is_off", loaded)
        assert reported
        assert reported.severity is ir.IssueSeverity.CRITICAL
        assert get_state(hass, EXPORT_STATE).state == "on"
        assert get_state(hass, "sensor.sec1000_export_limit").state == "unavailable"
        with pytest.raises(ServiceValidationError, match="off already"):
            await act(hass, "reset_export_watchdog")
        sim.clear_faults()
        await until(lambda: pending_key not in hass_storage, RESTORED_S)
        assert (sim.device.mode, sim.device.bound_limit) == RESET.target
        assert issue(hass, "limit_is_off", loaded) is None

    async def test_limit_sent_during_outage_is_restored(
        self,
        hass: HomeAssistant,
        loaded: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
    ) -> None:
        await _fail_disable_while_suspended(hass, loaded, sim)
        await until(lambda: pending_key not in hass_storage, RESTORED_S)
        assert sim.device.bound_limit == 0
        assert get_state(hass, EXPORT_STATE).state == "off"
        assert issue(hass, "limit_is_off", loaded) is None

    async def test_issue_names_newest_limit(
        self, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
    ) -> None:
        reset = await begin(hass, sim, RESET, 4)
        sim.inject("silence")
        await ended(reset)
        with pytest.raises(HomeAssistantError):
            await act(hass, "export_disable")
        await asyncio.sleep(60)
        reported = issue(hass, "limit_is_off", loaded)
        assert reported
        assert reported.translation_placeholders
        assert reported.translation_placeholders["limit"] == "0.00"
        sim.clear_faults()

    async def test_limit_sent_during_outage_is_no_difference(
        self,
        hass: HomeAssistant,
        loaded: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
    ) -> None:
        await _fail_disable_while_suspended(hass, loaded, sim)
        await until(lambda: pending_key not in hass_storage, RESTORED_S)
        assert sim.device.bound_limit == 0
        assert get_state(hass, LIMIT_DIFFERS).state == "off"

    @pytest.mark.parametrize("later", [4, 28, 48])
    async def test_reload_during_outage_keeps_newest_limit(
        self,
        hass: HomeAssistant,
        loaded: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
        later: int,
    ) -> None:
        reset = await begin(hass, sim, RESET, 4)
        sim.inject("silence")
        await hass.config_entries.async_reload(loaded.entry_id)
        await ended(reset)
        await ended(act(hass, "export_disable"))
        await asyncio.sleep(later)
        sim.clear_faults()
        await until(lambda: pending_key not in hass_storage, RESTORED_S)
        await asyncio.sleep(RESTORED_S)
        assert sim.device.bound_limit == 0


class TestPendingNotSaved:
    @pytest.mark.parametrize("command", [RESET, CHANGE], ids=lambda command: command.action)
    async def test_unsaved_pending_prevents_suspension(
        self,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        sim: Simulator,
        pending_key: str,
        command: Command,
    ) -> None:
        sim.device.mode = command.held
        await load(hass, entry)
        write = Store._async_write_data

        async def fill_up(store: Store[Any], data: dict[str, Any]) -> None:
            if store.key == pending_key:
                raise WriteError("No space left on device")
            await write(store, data)

        sim.requests.clear()
        with patch.object(Store, "_async_write_data", fill_up):
            with pytest.raises(HomeAssistantError):
                await act(hass, command.action, **command.data)
            await hass.async_block_till_done()
        assert not [name for name in written(sim) if name.endswith("off")]
        assert sim.device.mode is command.held


class TestPendingAtSetup:
    async def test_pending_is_restored_after_entry_is_loaded(
        self,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
        pending: dict[str, Any],
    ) -> None:
        hass_storage[pending_key] = {"version": 1, "data": pending}
        sim.device.mode = ControlMode.DEACTIVATED
        sim.inject("silence")
        await load(hass, entry)
        for _ in range(3):
            assert get_state(hass, POWER).state == "unavailable"
            assert get_state(hass, EXPORT_STATE).state == "on"
            assert issue(hass, "limit_is_off", entry)
            await asyncio.sleep(70)
        sim.clear_faults()
        await until(lambda: pending_key not in hass_storage, RESTORED_S)
        assert (sim.device.mode, sim.device.bound_limit) == RESET.target
        assert issue(hass, "limit_is_off", entry) is None
        await until(lambda: get_state(hass, POWER).state != "unavailable", 60)

    async def test_pending_of_unreachable_device_is_restored_on_return(
        self,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
        pending: dict[str, Any],
    ) -> None:
        hass_storage[pending_key] = {"version": 1, "data": pending}
        sim.device.mode = ControlMode.DEACTIVATED
        await sim.stop()
        await load(hass, entry)
        await asyncio.sleep(300)
        assert issue(hass, "limit_is_off", entry)
        await sim.start()
        await until(lambda: pending_key not in hass_storage, RESTORED_S)
        assert (sim.device.mode, sim.device.bound_limit) == RESET.target

    @pytest.mark.parametrize("mode", [ControlMode.VALUE, ControlMode.RCR, ControlMode.DRED])
    async def test_pending_is_cleared_if_a_mode_limits_already(
        self,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
        pending: dict[str, Any],
        mode: ControlMode,
    ) -> None:
        hass_storage[pending_key] = {"version": 1, "data": pending}
        sim.device.limit = WISHED
        sim.device.mode = mode
        await load(hass, entry)
        await until(lambda: pending_key not in hass_storage, RESTORED_S)
        await asyncio.sleep(RESTORED_S)
        assert written(sim) == []
        assert (sim.device.mode, sim.device.limit) == (mode, WISHED)
        assert issue(hass, "limit_is_off", entry) is None

    @pytest.mark.parametrize(
        "damage",
        [
            "a key is missing",
            "an unknown mode",
            "a list",
            "a limit in words",
            "a newer version",
        ],
    )
    async def test_corrupt_pending_restores_last_verified_limit(
        self,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
        pending: dict[str, Any],
        damage: str,
    ) -> None:
        damaged: object = {
            "a key is missing": {key: value for key, value in pending.items() if key != "limit"},
            "an unknown mode": {**pending, "mode": "cloud"},
            "a limit in words": {**pending, "limit": "a lot"},
            "a list": [pending],
            "a newer version": pending,
        }[damage]
        hass_storage[f"{DOMAIN}.{entry.entry_id}"] = {"version": 1, "data": {"limit": OLD}}
        hass_storage[pending_key] = {"version": 2 if damage == "a newer version" else 1, "data": damaged}
        sim.device.mode = ControlMode.DEACTIVATED
        await load(hass, entry)
        assert get_state(hass, EXPORT_STATE).state == "on"
        assert issue(hass, "limit_is_off", entry)
        await until(lambda: pending_key not in hass_storage, RESTORED_S)
        assert (sim.device.mode, sim.device.bound_limit) == RESET.target
        assert issue(hass, "limit_is_off", entry) is None

    async def test_corrupt_pending_without_baseline_is_ignored(
        self,
        hass: HomeAssistant,
        entry: MockConfigEntry,
        sim: Simulator,
        hass_storage: Storage,
        pending_key: str,
    ) -> None:
        hass_storage[pending_key] = {"version": 1, "data": ["a lot"]}
        sim.device.mode = ControlMode.RCR
        await load(hass, entry)
        assert pending_key not in hass_storage
        assert issue(hass, "limit_is_off", entry) is None
        assert get_state(hass, "select.sec1000_control_mode").state == "rcr"
        assert {request_name(request) for request in sim.requests} == {"read", "telemetry"}


async def _outage(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, command: Command, lost: int
) -> None:
    """Send the command to a device that does not respond for OUTAGE_S from this request on."""
    sim.requests.clear()
    if lost == 1:
        sim.inject("silence")
    call = act(hass, command.action, **command.data)
    if lost > 1:
        await sim.wait_for_requests(lost - 1)
        await sim.wait_until_idle()
        sim.inject("silence")
    await sim.wait_for_requests(lost)
    over = asyncio.create_task(_end_outage(sim))
    await ended(call)
    await asyncio.sleep(0)
    if sim.device.mode is ControlMode.DEACTIVATED:
        assert issue(hass, "limit_is_off", entry)
        assert get_state(hass, EXPORT_STATE).state == "on"
    await over


async def _end_outage(sim: Simulator) -> None:
    await asyncio.sleep(OUTAGE_S)
    sim.clear_faults()


async def _come_back(sim: Simulator) -> None:
    """Let the device respond again, and wait for pending attempts to finish."""
    sim.clear_faults()
    await asyncio.sleep(RESTORED_S)


async def _fail_disable_while_suspended(hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator) -> None:
    """Disable export during an outage that began in a reset; the device responds again afterwards."""
    reset = await begin(hass, sim, RESET, 4)
    sim.inject("silence")
    await ended(reset)
    await asyncio.sleep(30)
    with pytest.raises(HomeAssistantError):
        await act(hass, "export_disable")
    assert issue(hass, "limit_is_off", entry)
    sim.clear_faults()
