"""Commands beside the end of an entry or of Home Assistant: each is carried out, or refused and told so."""

import asyncio

from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator
from simulator.protocol import RCR
from tests.calls import Storage, act, control, issue, keep_busy, outcomes, suspend_limit, until


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
        reset = await suspend_limit(hass, sim)
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

    @pytest.mark.promise("R-26")
    async def test_entry_set_up_during_a_stop_takes_nothing(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
    ) -> None:
        hass.set_state(CoreState.stopping)
        await hass.config_entries.async_reload(loaded.entry_id)
        sim.requests.clear()
        [refused] = await outcomes(act(hass, "reset_export_watchdog"))
        assert isinstance(refused, HomeAssistantError)
        assert refused.translation_key == "closed"
        assert not sim.requests

    @pytest.mark.promise("R-25")
    async def test_issue_is_there_while_a_disable_restores(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
    ) -> None:
        """After a power failure just then, nothing would set up the entry and tell."""
        reset = await suspend_limit(hass, sim)
        disable = hass.async_create_task(
            hass.config_entries.async_set_disabled_by(loaded.entry_id, ConfigEntryDisabler.USER)
        )
        await asyncio.sleep(0.1)
        assert issue(hass, loaded)
        await disable
        await outcomes(reset)
        assert sim.device.bound_limit == 10_000
        assert issue(hass, loaded) is None

    @pytest.mark.promise("R-25")
    async def test_mode_change_that_a_disable_waits_for_has_its_issue(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
    ) -> None:
        clock = await keep_busy(hass, sim)
        change = control(hass, "select", "select_option", "control_mode", option="rcr")
        await asyncio.sleep(0.1)
        disable = hass.async_create_task(
            hass.config_entries.async_set_disabled_by(loaded.entry_id, ConfigEntryDisabler.USER)
        )
        await asyncio.sleep(0.1)
        assert issue(hass, loaded) is None
        sim.inject("silence", count=1, commands=(RCR,))
        await until(lambda: sim.device.mode is ControlMode.DEACTIVATED, within=30)
        assert issue(hass, loaded)
        await disable
        await outcomes(clock, change)
        assert sim.device.mode is ControlMode.RCR
        assert issue(hass, loaded) is None

    @pytest.mark.promise("R-18")
    async def test_late_off_after_reload_is_restored(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
    ) -> None:
        sim.inject("late-effect", commands=(0x40,), count=1)
        reset = await suspend_limit(hass, sim)
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
        clock = await keep_busy(hass, sim)
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

    @pytest.mark.promise("R-26")
    @pytest.mark.usefixtures("loaded")
    @pytest.mark.parametrize("is_stopping", [False, True])
    async def test_safe_limit_is_set_beside_a_mode_change_that_waits(
        self, hass: HomeAssistant, sim: Simulator, *, is_stopping: bool
    ) -> None:
        clock = await keep_busy(hass, sim)
        mode = control(hass, "select", "select_option", "control_mode", option="rcr")
        await asyncio.sleep(0.1)
        stop = asyncio.create_task(hass.async_stop()) if is_stopping else None
        await asyncio.sleep(0.01)
        limit = act(hass, "set_export_limit", limit=2)
        await asyncio.sleep(0.1)
        await (stop or hass.async_stop())
        _, refused, answer = await outcomes(clock, mode, limit)
        assert isinstance(refused, HomeAssistantError)
        assert answer == 1
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 2_000)

    @pytest.mark.promise("R-26")
    async def test_waiting_commands_are_answered_at_an_unload(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
    ) -> None:
        sim.inject("silence")
        running = act(hass, "set_max_export_limit", limit=3)
        await asyncio.sleep(0.1)
        waiting = [
            control(hass, "select", "select_option", "control_mode", option="rcr"),
            act(hass, "set_datetime"),
        ]
        await asyncio.sleep(0.1)
        await hass.config_entries.async_unload(loaded.entry_id)
        for error in await outcomes(running, *waiting):
            assert isinstance(error, HomeAssistantError)
            assert error.translation_key != "ended_with_the_integration"

    @pytest.mark.promise("R-10")
    @pytest.mark.parametrize("delay", [0, 0.2, 0.5])
    async def test_commands_of_cancelled_callers_are_carried_out(
        self,
        hass: HomeAssistant,
        sim: Simulator,
        loaded: MockConfigEntry,
        caplog: pytest.LogCaptureFixture,
        delay: float,
    ) -> None:
        calls = [act(hass, "set_max_export_limit", limit=3), act(hass, "export_enable")]
        # They take their places first.
        await asyncio.sleep(delay)
        for call in calls:
            call.cancel()
        await asyncio.sleep(60)
        assert sim.device.bound_limit == 3_000
        assert loaded.options["max_export_limit"] == 3
        assert not [record for record in caplog.records if record.levelname == "ERROR"]
