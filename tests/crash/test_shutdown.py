"""The limit is restored after every interruption of a command, and Repairs has an issue until then.

Home Assistant runs in the process of the test and in virtual time, with the standard timing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
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
COMMAND_S: Final = 45.0
"""Longest duration of a command that runs."""
OUTAGE_S: Final = 60.0
RESTORED_S: Final = 75.0
"""From the end of an outage to the restored limit: a running attempt, the longest pause, the writes."""

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


@dataclass(frozen=True, slots=True)
class Scene:
    """A device, its entry, and what Home Assistant has on disk."""

    warp: TimeWarp
    hass: HomeAssistant
    sim: Simulator
    entry: MockConfigEntry
    storage: dict[str, Any]

    @property
    def pending_key(self) -> str:
        """The storage key of the pending restore."""
        return f"{DOMAIN}.{self.entry.entry_id}.note"

    @property
    def is_pending(self) -> bool:
        """Whether a pending restore is on disk."""
        return self.pending_key in self.storage

    @property
    def pending(self) -> dict[str, Any]:
        """The pending restore of a Home Assistant that was killed during a reset."""
        return {
            "mode": "value",
            "capacity": 30_000,
            "limit": OLD,
            "sum_of_phases": True,
            "host": self.sim.host,
            "port": self.sim.port,
            "at": "2026-06-20T22:00:00+00:00",
        }

    @property
    def in_force(self) -> tuple[ControlMode, int | None]:
        """Control mode and limit (W) in force."""
        return self.sim.device.mode, self.sim.device.bound_limit

    @property
    def requests(self) -> list[str]:
        """The names of all requests."""
        return [request_name(request) for request in self.sim.requests]

    @property
    def written(self) -> list[str]:
        """The names of all writes."""
        return [name for name in self.requests if name not in {"read", "telemetry"}]

    def state(self, entity_id: str) -> str:
        """Return the state of an entity."""
        return get_state(self.hass, entity_id).state

    def issue(self, name: str = "limit_is_off") -> ir.IssueEntry | None:
        """Return an issue of the entry, or None."""
        return ir.async_get(self.hass).async_get_issue(DOMAIN, f"{name}_{self.entry.entry_id}")

    async def load(self) -> None:
        """Set the entry up."""
        await self.hass.config_entries.async_setup(self.entry.entry_id)
        await self.hass.async_block_till_done()
        assert self.entry.state is ConfigEntryState.LOADED

    def store(self, pending: object, *, version: int = 1) -> None:
        """Have this on disk as the pending restore."""
        self.storage[self.pending_key] = {"version": version, "data": pending}

    async def load_suspended(self) -> None:
        """Set the entry of a silent device up whose limit is off, with the pending restore on disk."""
        self.store(self.pending)
        self.sim.device.mode = ControlMode.DEACTIVATED
        self.sim.inject("silence")
        await self.load()

    async def end(self, how: str) -> float:
        """End the entry in one of the ENDS; return how long (s) that took."""
        before = self.warp.passed
        await ENDS[how](self.hass, self.entry)
        return self.warp.passed - before

    def call(self, action: str, **data: object) -> asyncio.Task[Any]:
        """Call an action without waiting for it."""
        return asyncio.create_task(
            self.hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)
        )

    async def begin(self, command: Command, answered: int, *, silent: bool = False) -> asyncio.Task[Any]:
        """Start a command; wait until so many of its requests are answered, then let the device be silent."""
        self.sim.requests.clear()
        call = self.call(command.action, **command.data)
        await self.sim.wait_for_requests(answered)
        await self.sim.wait_until_idle()
        if silent:
            self.sim.inject("silence")
        return call

    async def restored(self) -> None:
        """Wait until no restore is pending."""
        await until(lambda: not self.is_pending, RESTORED_S)

    async def come_back(self) -> None:
        """Let the device respond again, and wait for pending attempts to finish."""
        self.sim.clear_faults()
        await asyncio.sleep(RESTORED_S)

    def assert_restored(self, *targets: tuple[ControlMode, int | None]) -> None:
        """Assert that the limit is in force, and that nothing says it is not."""
        assert self.in_force in targets
        assert not self.is_pending
        assert self.issue("limit_is_off") is None
        assert self.issue("limit_was_left_off") is None


@pytest.fixture
def unloaded(
    warp: TimeWarp,
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> Scene:
    """Return a scene whose entry is not set up."""
    return Scene(warp, hass, sim, entry, hass_storage)


@pytest.fixture
def scene(unloaded: Scene, loaded: MockConfigEntry) -> Scene:
    """Return a scene whose entry is set up."""
    return unloaded


async def ended(call: asyncio.Task[Any]) -> None:
    """Wait for the end of the call, whatever its result."""
    await asyncio.wait({call})
    call.exception()


async def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for a condition, at most so many virtual seconds."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(1)


@pytest.mark.promise("R-20")
class TestShutdownDuringCommand:
    @pytest.mark.parametrize("answered", [1, 2, 4, 5, 6])
    @pytest.mark.parametrize("end", ENDS)
    async def test_shutdown_waits_for_reset(self, scene: Scene, end: str, answered: int) -> None:
        call = await scene.begin(RESET, answered)
        await asyncio.sleep(0.1)
        assert await scene.end(end) < SHUTDOWN_S
        scene.assert_restored(RESET.target)
        assert tuple(scene.requests[: len(RESET.sent)]) == RESET.sent
        assert scene.written.count("value off") == 1
        await ended(call)
        if end == "reload":
            assert scene.state(POWER) != "unavailable"
            assert scene.state("sensor.sec1000_export_limit") == str(OLD / 1000)

    @pytest.mark.parametrize("answered", [1, 2, 3, 4])
    @pytest.mark.parametrize("end", ENDS)
    async def test_shutdown_waits_for_mode_change(self, unloaded: Scene, end: str, answered: int) -> None:
        unloaded.sim.device.mode = CHANGE.held
        await unloaded.load()
        call = await unloaded.begin(CHANGE, answered)
        assert await unloaded.end(end) < SHUTDOWN_S
        unloaded.assert_restored(CHANGE.target)
        assert tuple(unloaded.requests[: len(CHANGE.sent)]) == CHANGE.sent
        await ended(call)

    async def test_shortened_reset_is_not_reported_as_5_s(self, scene: Scene) -> None:
        call = await scene.begin(RESET, 4)
        await scene.end("reload")
        try:
            response = await call
        except HomeAssistantError:
            return
        assert "5 s" not in response["message"]


@pytest.mark.promise("R-18")
async def test_failed_reset_shows_device_mode_and_is_retried(scene: Scene) -> None:
    call = await scene.begin(RESET, 4)
    scene.sim.inject("ack-without-effect")
    with pytest.raises(HomeAssistantError) as raised:
        await call
    assert raised.value.translation_key == "not_applied"
    assert scene.state("select.sec1000_control_mode") == "unknown"
    assert scene.state("sensor.sec1000_reset_export_watchdog_feedback") == "2"
    assert scene.issue()
    scene.sim.clear_faults()
    await until(lambda: scene.sim.device.mode is ControlMode.VALUE, RESTORED_S)
    await asyncio.sleep(1)
    assert scene.state("select.sec1000_control_mode") == "value"
    assert scene.sim.device.bound_limit == OLD


class TestShutdownWithSilentDevice:
    @pytest.mark.promise("R-20")
    @pytest.mark.parametrize("end", ["unload", "reload", "disable"])
    async def test_pending_is_kept_for_next_setup(self, scene: Scene, end: str) -> None:
        call = await scene.begin(RESET, 4, silent=True)
        await scene.end(end)
        assert scene.is_pending
        await ended(call)
        if end == "disable":
            await scene.hass.config_entries.async_set_disabled_by(scene.entry.entry_id, None)
        elif end == "unload":
            await scene.load()
        assert scene.entry.state is ConfigEntryState.LOADED
        assert scene.state(EXPORT_STATE) == "on"
        assert scene.issue()
        scene.sim.clear_faults()
        await scene.restored()
        scene.assert_restored(RESET.target)

    async def test_unload_is_bounded_in_time(self, scene: Scene) -> None:
        call = await scene.begin(RESET, 4, silent=True)
        took = await scene.end("unload")
        await ended(call)
        await scene.come_back()
        assert took <= COMMAND_S + SHUTDOWN_S + 1

    @pytest.mark.promise("R-26")
    @pytest.mark.parametrize("end", ["unload", "disable", "remove"])
    async def test_nothing_is_sent_after_entry_is_gone(self, scene: Scene, end: str) -> None:
        call = await scene.begin(RESET, 4, silent=True)
        await scene.end(end)
        await ended(call)
        await asyncio.sleep(1)
        await scene.sim.wait_until_idle()
        scene.sim.requests.clear()
        await asyncio.sleep(120)
        asked, reported = scene.requests, scene.issue()
        await scene.come_back()
        assert asked == []
        assert (reported is not None) is (end != "remove")

    @pytest.mark.promise("R-26")
    @pytest.mark.parametrize("end", ["unload", "disable", "remove"])
    async def test_shutdown_during_restore_ends_restore(self, unloaded: Scene, end: str) -> None:
        await unloaded.load_suspended()
        await asyncio.sleep(100)
        assert await unloaded.end(end) <= (2 * SHUTDOWN_S if end == "remove" else SHUTDOWN_S)
        unloaded.sim.requests.clear()
        await asyncio.sleep(120)
        assert unloaded.requests == []
        assert (unloaded.is_pending) is (end != "remove")
        assert (unloaded.issue("limit_was_left_off") is not None) is (end == "remove")

    @pytest.mark.promise("R-21")
    async def test_removal_leaves_persistent_issue(self, scene: Scene) -> None:
        call = await scene.begin(RESET, 4, silent=True)
        await scene.end("remove")
        left = scene.issue("limit_was_left_off")
        assert left
        assert left.is_persistent
        assert left.severity is ir.IssueSeverity.CRITICAL
        assert left.translation_placeholders == {
            "name": "SEC1000",
            "host": scene.sim.host,
            "mode": "Value: Central Europe",
            "limit": "4.32",
            "capacity": "30.00",
        }
        assert scene.issue() is None
        assert [key for key in scene.storage if scene.entry.entry_id in key] == []
        await ended(call)

    @pytest.mark.promise("R-21")
    async def test_removal_retries_restore(self, scene: Scene) -> None:
        call = await scene.begin(RESET, 4, silent=True)
        assert await scene.hass.config_entries.async_unload(scene.entry.entry_id)
        await ended(call)
        assert scene.is_pending
        scene.sim.clear_faults()
        await scene.end("remove")
        scene.assert_restored(RESET.target)


class TestWhileSuspended:
    async def test_suspended_limit_blocks_other_requests_and_baseline(self, scene: Scene) -> None:
        coordinator = scene.entry.runtime_data.coordinator
        options = dict(scene.entry.options)
        call = await scene.begin(RESET, 4)
        polls = [
            asyncio.create_task(coordinator.async_refresh()),
            asyncio.create_task(coordinator.read_settings()),
            scene.call("get_export_limit"),
            scene.call("set_datetime"),
        ]
        await asyncio.gather(call, *polls)
        assert tuple(scene.requests[: len(RESET.sent)]) == RESET.sent
        off, write = scene.sim.requests[3], scene.sim.requests[4]
        assert write.time - off.time == pytest.approx(5, abs=0.05)
        assert scene.in_force == RESET.target
        assert scene.entry.options == options
        assert coordinator.data.proven_limit == OLD

    async def test_running_poll_finishes_before_reset(self, scene: Scene) -> None:
        scene.sim.inject("silence", count=1)
        scene.sim.requests.clear()
        poll = asyncio.create_task(scene.entry.runtime_data.coordinator.async_refresh())
        await scene.sim.wait_for_requests(1)
        await scene.call("reset_export_watchdog")
        await poll
        assert tuple(scene.requests[1 : 1 + len(RESET.sent)]) == RESET.sent

    @pytest.mark.promise("R-22")
    @pytest.mark.parametrize("answered", [1, 2, 3, 4, 5, 6])
    async def test_newer_limit_cuts_reset_short(self, scene: Scene, answered: int) -> None:
        reset = await scene.begin(RESET, answered)
        await asyncio.sleep(0.1)
        response = await scene.call("export_disable")
        assert response["feedback"] == 1
        assert scene.sim.device.bound_limit == 0
        if answered <= 4:
            with pytest.raises(HomeAssistantError, match="newer command"):
                await reset
            off, write = scene.sim.requests[3], scene.sim.requests[4]
            assert write.time - off.time < 1
        await ended(reset)
        # An "off" that was sent just before may take effect late: until then the restore stays pending.
        await asyncio.sleep(6)
        assert scene.sim.device.bound_limit == 0
        assert not scene.is_pending
        assert scene.state(EXPORT_STATE) == "off"
        assert scene.state(LIMIT_DIFFERS) == "off"

    @pytest.mark.parametrize("answered", [5, 6])
    async def test_limit_after_reset_does_not_fail_reset(self, scene: Scene, answered: int) -> None:
        reset = await scene.begin(RESET, answered)
        await asyncio.sleep(0.1)
        await scene.call("export_disable")
        await asyncio.wait({reset})
        assert reset.exception() is None
        assert reset.result()["feedback"] == 1

    @pytest.mark.promise("R-22")
    async def test_last_of_several_limits_wins_over_reset(self, scene: Scene) -> None:
        reset = await scene.begin(RESET, 4)
        older, newer = scene.call("export_disable"), scene.call("set_export_limit", limit=2)
        await asyncio.gather(reset, older, newer, return_exceptions=True)
        assert newer.exception() is None
        assert scene.sim.device.bound_limit == 2_000
        assert isinstance(reset.exception(), HomeAssistantError)

    @pytest.mark.promise("R-12")
    async def test_second_reset_is_refused(self, scene: Scene) -> None:
        call = await scene.begin(RESET, 4)
        with pytest.raises(ServiceValidationError, match="a watchdog reset is running"):
            await scene.call("reset_export_watchdog")
        assert (await call)["feedback"] == 1
        assert tuple(scene.requests) == RESET.sent
        assert scene.in_force == RESET.target

    @pytest.mark.promise("R-25")
    async def test_suspended_limit_shows_export_on(self, scene: Scene) -> None:
        await scene.call("export_disable")
        assert scene.state(EXPORT_STATE) == "off"
        call = await scene.begin(RESET, 4)
        assert scene.state(EXPORT_STATE) == "on"
        await call
        assert scene.state(EXPORT_STATE) == "off"


class TestOutage:
    @pytest.mark.promise("R-18")
    @pytest.mark.parametrize("lost", range(1, 1 + len(RESET.sent)))
    async def test_reset_recovers_from_60_s_outage(self, scene: Scene, lost: int) -> None:
        await _outage(scene, RESET, lost)
        await scene.restored()
        scene.assert_restored(RESET.target)
        await until(lambda: scene.state(POWER) != "unavailable", 60)
        assert scene.state(LIMIT_DIFFERS) == "off"

    @pytest.mark.promise("R-18")
    @pytest.mark.parametrize("lost", range(1, 1 + len(CHANGE.sent)))
    async def test_mode_change_survives_60_s_outage(self, unloaded: Scene, lost: int) -> None:
        unloaded.sim.device.mode = CHANGE.held
        await unloaded.load()
        await _outage(unloaded, CHANGE, lost)
        await unloaded.restored()
        unloaded.assert_restored(CHANGE.target, (CHANGE.held, None))
        await until(lambda: unloaded.state(POWER) != "unavailable", 60)

    @pytest.mark.promise("R-12", "R-25")
    async def test_long_outage_raises_issue_until_restored(self, scene: Scene) -> None:
        call = await scene.begin(RESET, 4, silent=True)
        with pytest.raises(HomeAssistantError):
            await call
        await asyncio.sleep(600)
        reported = scene.issue()
        assert reported
        assert reported.severity is ir.IssueSeverity.CRITICAL
        assert scene.state(EXPORT_STATE) == "on"
        assert scene.state("sensor.sec1000_export_limit") == "unknown"
        with pytest.raises(ServiceValidationError, match="already suspended"):
            await scene.call("reset_export_watchdog")
        scene.sim.clear_faults()
        await scene.restored()
        scene.assert_restored(RESET.target)

    @pytest.mark.promise("R-22")
    async def test_limit_sent_during_outage_is_restored(self, scene: Scene) -> None:
        await _fail_disable_while_suspended(scene)
        await scene.restored()
        assert scene.sim.device.bound_limit == 0
        assert scene.state(EXPORT_STATE) == "off"
        assert scene.issue() is None

    @pytest.mark.promise("R-22")
    async def test_issue_names_newest_limit(self, scene: Scene) -> None:
        reset = await scene.begin(RESET, 4, silent=True)
        await ended(reset)
        with pytest.raises(HomeAssistantError):
            await scene.call("export_disable")
        await asyncio.sleep(60)
        reported = scene.issue()
        assert reported
        assert reported.translation_placeholders
        assert reported.translation_placeholders["limit"] == "0.00"
        scene.sim.clear_faults()

    async def test_limit_sent_during_outage_is_no_difference(self, scene: Scene) -> None:
        await _fail_disable_while_suspended(scene)
        await scene.restored()
        assert scene.sim.device.bound_limit == 0
        assert scene.state(LIMIT_DIFFERS) == "off"

    @pytest.mark.promise("R-22")
    @pytest.mark.parametrize("later", [4, 28, 48])
    async def test_reload_during_outage_keeps_newest_limit(self, scene: Scene, later: int) -> None:
        reset = await scene.begin(RESET, 4, silent=True)
        await scene.end("reload")
        await ended(reset)
        await ended(scene.call("export_disable"))
        await asyncio.sleep(later)
        scene.sim.clear_faults()
        await scene.restored()
        await asyncio.sleep(RESTORED_S)
        assert scene.sim.device.bound_limit == 0


@pytest.mark.promise("R-17")
class TestPendingNotSaved:
    @pytest.mark.parametrize("command", [RESET, CHANGE], ids=lambda command: command.action)
    async def test_unsaved_pending_prevents_suspension(self, unloaded: Scene, command: Command) -> None:
        unloaded.sim.device.mode = command.held
        await unloaded.load()
        write = Store._async_write_data

        async def fill_up(store: Store[Any], data: dict[str, Any]) -> None:
            if store.key == unloaded.pending_key:
                raise WriteError("No space left on device")
            await write(store, data)

        unloaded.sim.requests.clear()
        with patch.object(Store, "_async_write_data", fill_up):
            with pytest.raises(HomeAssistantError):
                await unloaded.call(command.action, **command.data)
            await unloaded.hass.async_block_till_done()
        assert not [name for name in unloaded.written if name.endswith("off")]
        assert unloaded.sim.device.mode is command.held


class TestPendingAtSetup:
    @pytest.mark.promise("R-25")
    async def test_pending_is_restored_after_entry_is_loaded(self, unloaded: Scene) -> None:
        await unloaded.load_suspended()
        for _ in range(3):
            assert unloaded.state(POWER) == "unavailable"
            assert unloaded.state(EXPORT_STATE) == "on"
            assert unloaded.issue()
            await asyncio.sleep(70)
        unloaded.sim.clear_faults()
        await unloaded.restored()
        unloaded.assert_restored(RESET.target)
        await until(lambda: unloaded.state(POWER) != "unavailable", 60)

    async def test_pending_of_unreachable_device_is_restored_on_return(self, unloaded: Scene) -> None:
        unloaded.store(unloaded.pending)
        unloaded.sim.device.mode = ControlMode.DEACTIVATED
        await unloaded.sim.stop()
        await unloaded.load()
        await asyncio.sleep(300)
        assert unloaded.issue()
        await unloaded.sim.start()
        await unloaded.restored()
        unloaded.assert_restored(RESET.target)

    @pytest.mark.parametrize("mode", [ControlMode.VALUE, ControlMode.RCR, ControlMode.DRED])
    async def test_pending_is_cleared_if_a_mode_limits_already(
        self, unloaded: Scene, mode: ControlMode
    ) -> None:
        unloaded.store(unloaded.pending)
        unloaded.sim.device.limit = WISHED
        unloaded.sim.device.mode = mode
        await unloaded.load()
        await unloaded.restored()
        await asyncio.sleep(RESTORED_S)
        assert unloaded.written == []
        assert (unloaded.sim.device.mode, unloaded.sim.device.limit) == (mode, WISHED)
        assert unloaded.issue() is None

    @pytest.mark.promise("R-23")
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
    async def test_corrupt_pending_restores_last_verified_limit(self, unloaded: Scene, damage: str) -> None:
        pending = unloaded.pending
        damaged: object = {
            "a key is missing": {key: value for key, value in pending.items() if key != "limit"},
            "an unknown mode": {**pending, "mode": "cloud"},
            "a limit in words": {**pending, "limit": "a lot"},
            "a list": [pending],
            "a newer version": pending,
        }[damage]
        unloaded.storage[f"{DOMAIN}.{unloaded.entry.entry_id}"] = {"version": 1, "data": {"limit": OLD}}
        unloaded.store(damaged, version=2 if damage == "a newer version" else 1)
        unloaded.sim.device.mode = ControlMode.DEACTIVATED
        await unloaded.load()
        assert unloaded.state(EXPORT_STATE) == "on"
        assert unloaded.issue()
        await unloaded.restored()
        unloaded.assert_restored(RESET.target)

    @pytest.mark.promise("R-23")
    async def test_corrupt_pending_without_baseline_is_reported(self, unloaded: Scene) -> None:
        unloaded.store(["a lot"])
        unloaded.sim.device.mode = ControlMode.RCR
        await unloaded.load()
        assert unloaded.is_pending
        assert unloaded.issue("pending_unreadable")
        assert unloaded.issue() is None
        assert unloaded.state("select.sec1000_control_mode") == "rcr"
        assert {request_name(request) for request in unloaded.sim.requests} == {"read", "telemetry"}


async def _outage(scene: Scene, command: Command, lost: int) -> None:
    """Send the command to a device that does not respond for OUTAGE_S from this request on."""
    scene.sim.requests.clear()
    if lost == 1:
        scene.sim.inject("silence")
    call = scene.call(command.action, **command.data)
    if lost > 1:
        await scene.sim.wait_for_requests(lost - 1)
        await scene.sim.wait_until_idle()
        scene.sim.inject("silence")
    await scene.sim.wait_for_requests(lost)
    over = asyncio.create_task(_end_outage(scene))
    await ended(call)
    await asyncio.sleep(0)
    if scene.sim.device.mode is ControlMode.DEACTIVATED:
        assert scene.issue()
        assert scene.state(EXPORT_STATE) == "on"
    await over


async def _end_outage(scene: Scene) -> None:
    await asyncio.sleep(OUTAGE_S)
    scene.sim.clear_faults()


async def _fail_disable_while_suspended(scene: Scene) -> None:
    """Disable export during an outage that began in a reset; the device responds again afterwards."""
    reset = await scene.begin(RESET, 4, silent=True)
    await ended(reset)
    await asyncio.sleep(30)
    with pytest.raises(HomeAssistantError):
        await scene.call("export_disable")
    assert scene.issue()
    scene.sim.clear_faults()
