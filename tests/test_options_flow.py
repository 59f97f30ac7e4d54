"""The options flow: options are saved where the device has taken them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, State
from homeassistant.data_entry_flow import InvalidData
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.util.dt import utcnow
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator

from .calls import control, outcomes
from .flow_steps import UserFlow

GENERAL = ("scan_interval", "put_back", "allow_deactivating")
WRITES = {0x42, 0x40, 0x33, 0x28}


async def changing(hass: HomeAssistant, entry: MockConfigEntry, **general: Any) -> UserFlow:
    """Return an options flow whose first step is done."""
    walk = UserFlow(hass.config_entries.options, "options")
    await walk.start(entry.entry_id)
    assert walk.step == "init"
    await walk.submit(**general)
    assert walk.step == "export_limits"
    return walk


def written(sim: Simulator) -> list[int]:
    """Return the commands by which something was written, in order."""
    commands = (request.frame.command for request in sim.requests if request.frame)
    return [command for command in commands if command in WRITES]


def get_state(hass: HomeAssistant, entity_id: str) -> str:
    state = hass.states.get(entity_id)
    assert state
    return state.state


async def test_steps_are_prefilled_with_options(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    walk = UserFlow(hass.config_entries.options, "options")
    await walk.start(loaded.entry_id)
    filled = dict(walk.defaults)
    await walk.submit()
    filled |= walk.defaults
    assert "differs from" not in walk.text
    assert "You are responsible for these settings" in walk.text
    await walk.submit()
    filled |= walk.defaults
    assert "penalties from your grid operator" in walk.text
    assert filled == loaded.options


async def test_general_options_apply_without_reload_or_write(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    data, before = loaded.runtime_data, dict(loaded.options)
    walk = await changing(hass, loaded, scan_interval=5, put_back=True, allow_deactivating=True)
    await walk.submit()
    assert loaded.options == before
    await walk.submit()
    assert walk.outcome == "saved"
    await hass.async_block_till_done()
    assert loaded.options == before | {"scan_interval": 5, "put_back": True, "allow_deactivating": True}
    assert loaded.runtime_data is data
    assert data.coordinator.update_interval == timedelta(seconds=5)
    assert written(sim) == []
    asked = len(sim.requests)
    async_fire_time_changed(hass, utcnow() + timedelta(seconds=7))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(sim.requests) == asked + 1


async def test_options_missing_in_older_release_are_off(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    kept = {key: value for key, value in loaded.options.items() if key not in GENERAL}
    hass.config_entries.async_update_entry(loaded, options=kept)
    walk = UserFlow(hass.config_entries.options, "options")
    await walk.start(loaded.entry_id)
    assert walk.defaults == {"scan_interval": 30, "put_back": False, "allow_deactivating": False}


@pytest.mark.parametrize(
    ("held", "new", "limit"),
    [
        (0, (0.5, 8), 500),
        (100, (0.5, 8), 500),
        (1000, (0.5, 8), 500),
        (10_000, (0.5, 8), 8000),
        (12_000, (0.5, 20), 20_000),
        (5000, (0.5, 8), 5000),
        (5000, (6, 8), 6000),
        (5000, (0.5, 4.55), 4550),
    ],
)
async def test_limit_follows_minimum_and_maximum(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    *,
    held: int,
    new: tuple[float, float],
    limit: int,
) -> None:
    minimum, maximum = new
    hass.config_entries.async_update_entry(entry, options={**entry.options, "min_export_limit": 1.0})
    assert await hass.config_entries.async_setup(entry.entry_id)
    # Changed elsewhere after the last read: the device's current limit counts.
    sim.device.limit = held
    walk = await changing(hass, entry)
    await walk.submit(min_export_limit=minimum, max_export_limit=maximum)
    await walk.submit()
    assert walk.outcome == "saved"
    assert sim.device.bound_limit == limit
    assert entry.options["min_export_limit"] == minimum
    assert entry.options["max_export_limit"] == maximum
    await hass.async_block_till_done()
    assert float(get_state(hass, "sensor.sec1000_export_limit")) == limit / 1000


async def test_mode_capacity_and_measurement_are_applied(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    data = loaded.runtime_data
    walk = await changing(hass, loaded)
    await walk.submit(total_capacity=29.5)
    await walk.submit(export_limit_control_mode="rcr", scan_three_phases=False)
    assert walk.outcome == "saved"
    assert sim.device.mode is ControlMode.RCR
    assert sim.device.capacity == 29_500
    assert sim.device.limit == 10_000
    assert sim.device.sum_of_phases is False
    assert loaded.options["export_limit_control_mode"] == "rcr"
    assert loaded.options["total_capacity"] == 29.5
    assert loaded.options["scan_three_phases"] is False
    await hass.async_block_till_done()
    assert loaded.runtime_data is data
    assert get_state(hass, "sensor.sec1000_set_export_limit_feedback") == "1"


async def test_single_changed_setting_is_written(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    walk = await changing(hass, loaded)
    await walk.submit()
    await walk.submit(scan_three_phases=False)
    assert walk.outcome == "saved"
    assert written(sim) == [0x42, 0x40]
    assert sim.device.sum_of_phases is False


async def test_export_stays_disabled_while_minimum_changes(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    sim.device.limit = 0
    await loaded.runtime_data.coordinator.read_settings()
    states: list[State | None] = []
    async_track_state_change_event(
        hass, "binary_sensor.sec1000_export_state", lambda event: states.append(event.data["new_state"])
    )
    assert get_state(hass, "binary_sensor.sec1000_export_state") == "off"
    walk = await changing(hass, loaded)
    await walk.submit(min_export_limit=2)
    await walk.submit()
    assert walk.outcome == "saved"
    await hass.async_block_till_done()
    assert sim.device.bound_limit == 2000
    assert get_state(hass, "binary_sensor.sec1000_export_state") == "off"
    assert states == []


@pytest.mark.promise("R-08", "R-09")
async def test_old_options_apply_until_new_ones_are_verified(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    before = dict(loaded.options)
    walk = await changing(hass, loaded)
    await walk.submit(max_export_limit=7)
    asked = len(sim.requests)
    submitted = hass.async_create_task(walk.submit())
    await sim.wait_for_requests(asked + 2)
    assert written(sim) == [0x42]
    assert loaded.options == before
    await submitted
    assert loaded.options == before | {"max_export_limit": 7}


@pytest.mark.promise("R-10")
async def test_closed_dialog_loses_no_verified_option(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    walk = await changing(hass, loaded)
    await walk.submit(max_export_limit=7)
    asked = len(sim.requests)
    submitted = hass.async_create_task(walk.submit())
    await sim.wait_for_requests(asked + 2)
    submitted.cancel()
    await loaded.runtime_data.export.async_close()
    assert sim.device.bound_limit == 7000
    assert loaded.options["max_export_limit"] == 7


@pytest.mark.promise("R-09")
async def test_options_that_device_refuses_are_not_saved(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    before = dict(loaded.options)
    sim.inject("ack-without-effect")
    walk = await changing(hass, loaded, scan_interval=60)
    await walk.submit(min_export_limit=1, max_export_limit=7)
    await walk.submit(export_limit_control_mode="dred")
    assert walk.step == "control"
    assert walk.errors == {"base": "not_applied"}
    assert "the device reports an export limit of 10.00 kW" in walk.error_text
    assert walk.defaults["export_limit_control_mode"] == "dred"
    assert loaded.options == before | {"scan_interval": 60}
    assert loaded.runtime_data.coordinator.update_interval == timedelta(seconds=60)
    await hass.async_block_till_done()
    assert get_state(hass, "sensor.sec1000_set_export_limit_feedback") == "2"

    sim.clear_faults()
    await walk.submit()
    assert walk.outcome == "saved"
    assert sim.device.mode is ControlMode.DRED
    assert loaded.options["max_export_limit"] == 7


@pytest.mark.promise("R-09")
@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("silence", "did not respond completely in time"),
        ("refused", "could not connect to the device"),
        ("wrong-checksum", "has an invalid checksum"),
        ("http", "an unexpected response"),
        ("unknown-mode", "an invalid response"),
    ],
)
async def test_unreachable_device_keeps_old_options(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, fault: str, reason: str
) -> None:
    before = dict(loaded.options)
    walk = await changing(hass, loaded)
    await walk.submit(max_export_limit=7)
    sim.inject(fault)
    await walk.submit()
    assert walk.step == "control"
    assert walk.errors == {"base": "not_applied"}
    assert f"{reason}. Export is on, up to 10.00 kW. " in walk.error_text
    assert loaded.options == before
    assert written(sim) == []


async def test_options_show_device_settings_and_differences(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    sim.device.mode, sim.device.limit, sim.device.capacity = ControlMode.DRED, 15_000, 12_000
    await loaded.runtime_data.coordinator.read_settings()
    walk = await changing(hass, loaded)
    for _step in range(2):
        assert "control mode *DRED: Australia and New Zealand*, export limit 15.00 kW" in walk.text
        assert "control mode differs from the one set here (*Value: Central Europe*)" in walk.text
        assert "export limit is outside the range set here (0.00 to 10.00 kW)" in walk.text
        assert "total capacity differs from the value set here (30.00 kW)" in walk.text
        await walk.submit()
    assert walk.outcome == "saved"
    assert written(sim) == []


async def test_interval_is_saved_while_entry_is_not_loaded(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    before = dict(entry.options)
    walk = await changing(hass, entry, scan_interval=45)
    assert walk.text.startswith("The current device settings are unknown.")
    await walk.submit(max_export_limit=7)
    await walk.submit()
    assert walk.step == "control"
    assert walk.errors == {"base": "not_loaded"}
    assert entry.options == before | {"scan_interval": 45}
    assert sim.requests == []

    assert await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    await walk.submit()
    assert walk.outcome == "saved"
    assert sim.device.bound_limit == 7000
    assert entry.options["max_export_limit"] == 7
    await hass.async_block_till_done()


async def test_unchanged_export_options_are_saved_without_device(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    walk = await changing(hass, entry, allow_deactivating=True)
    await walk.submit()
    await walk.submit()
    assert walk.outcome == "saved"
    assert entry.options["allow_deactivating"] is True


@pytest.mark.promise("R-13")
async def test_deactivated_needs_confirmation_in_options(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    walk = await changing(hass, loaded)
    await walk.submit()
    await walk.submit(export_limit_control_mode="deactivated")
    assert walk.step == "confirm_deactivated"
    assert "goes to the grid" in walk.text
    assert written(sim) == []
    await walk.choose("control")
    assert walk.step == "control"
    await walk.submit()
    assert walk.step == "confirm_deactivated"

    sim.inject("ack-without-effect")
    await walk.choose("deactivate")
    assert walk.step == "control"
    assert walk.errors == {"base": "not_applied"}
    assert "the control mode “Value: Central Europe” instead" in walk.error_text
    assert loaded.options["export_limit_control_mode"] == "value"

    sim.clear_faults()
    await walk.submit()
    await walk.choose("deactivate")
    assert walk.outcome == "saved"
    assert sim.device.mode is ControlMode.DEACTIVATED
    assert sim.device.bound_limit is None
    assert loaded.options["export_limit_control_mode"] == "deactivated"


async def test_options_go_back_and_keep_what_was_entered(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    walk = await changing(hass, loaded, scan_interval=60)
    await walk.submit(max_export_limit=7)
    await walk.submit(go_back=True)
    assert walk.defaults["max_export_limit"] == 7
    await walk.submit(go_back=True)
    assert walk.defaults["scan_interval"] == 60
    assert written(sim) == []
    await walk.submit(scan_interval=45)
    await walk.submit()
    await walk.submit()
    assert walk.outcome == "saved"
    assert (loaded.options["scan_interval"], loaded.options["max_export_limit"]) == (45, 7)


async def test_invalid_option_is_refused_at_its_field(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    walk = UserFlow(hass.config_entries.options, "options")
    await walk.start(loaded.entry_id)
    await walk.submit(scan_interval=4)
    assert walk.step == "init"
    assert walk.errors == {"scan_interval": "invalid_interval"}
    assert walk.defaults["scan_interval"] == 4
    with pytest.raises(InvalidData):
        await walk.submit(allow_deactivating="no")
    await walk.submit(scan_interval=5)
    await walk.submit(min_export_limit=11)
    assert walk.step == "export_limits"
    assert walk.errors == {"min_export_limit": "minimum_above_maximum"}


async def test_deactivated_chosen_again_is_written(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    """Setup writes nothing, and setting a limit takes no mode off: this is the way to do it."""
    hass.config_entries.async_update_entry(
        loaded, options={**loaded.options, "export_limit_control_mode": "deactivated"}
    )
    walk = await changing(hass, loaded)
    await walk.submit()
    await walk.submit()
    await walk.choose("deactivate")
    assert walk.outcome == "saved"
    assert sim.device.mode is ControlMode.DEACTIVATED


@pytest.mark.promise("R-13")
async def test_deactivated_is_written_where_settings_are_unknown(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    hass.config_entries.async_update_entry(
        loaded, options={**loaded.options, "export_limit_control_mode": "deactivated"}
    )
    sim.inject("close-before-answer", count=3, commands=(0x43,))
    assert await hass.config_entries.async_reload(loaded.entry_id)
    walk = await changing(hass, loaded)
    await walk.submit()
    await walk.submit()
    await walk.choose("deactivate")
    assert walk.outcome == "saved"
    assert sim.device.mode is ControlMode.DEACTIVATED


@pytest.mark.promise("R-13")
async def test_deactivated_is_written_where_another_program_armed_a_mode(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    walk = await changing(hass, loaded)
    await walk.submit()
    await walk.submit(export_limit_control_mode="deactivated")
    await walk.choose("deactivate")
    sim.device.mode = ControlMode.RCR
    again = await changing(hass, loaded)
    await again.submit(max_export_limit=5)
    await again.submit()
    await again.choose("deactivate")
    assert again.outcome == "saved"
    assert sim.device.mode is ControlMode.DEACTIVATED


@pytest.mark.promise("R-07", "R-13")
async def test_deactivated_is_written_after_a_mode_that_waits(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    walk = await changing(hass, loaded)
    await walk.submit()
    await walk.submit(export_limit_control_mode="deactivated")
    await walk.choose("deactivate")
    assert sim.device.mode is ControlMode.DEACTIVATED
    again = await changing(hass, loaded)
    await again.submit()
    await again.submit()
    assert again.step == "confirm_deactivated"
    mode = control(hass, "select", "select_option", "control_mode", option="rcr")
    await asyncio.sleep(0)
    await again.choose("deactivate")
    assert again.outcome == "saved"
    await outcomes(mode)
    assert sim.device.mode is ControlMode.DEACTIVATED
    assert loaded.options["export_limit_control_mode"] == "deactivated"


async def test_new_interval_polls_nothing_without_entities(
    pass_time: Callable[[float], Awaitable[None]],
    hass: HomeAssistant,
    sim: Simulator,
    loaded: MockConfigEntry,
    entity_registry: er.EntityRegistry,
) -> None:
    for entity in er.async_entries_for_config_entry(entity_registry, loaded.entry_id):
        entity_registry.async_update_entity(entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    assert await hass.config_entries.async_reload(loaded.entry_id)
    walk = await changing(hass, loaded, scan_interval=5)
    await walk.submit()
    await walk.submit()
    assert walk.outcome == "saved"
    await hass.async_block_till_done(wait_background_tasks=True)
    sim.requests.clear()
    for _ in range(3):
        await pass_time(6)
    assert 0x0B not in [request.frame.command for request in sim.requests if request.frame]


async def test_unchanged_step_keeps_what_an_action_changed_meanwhile(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    walk = await changing(hass, loaded, scan_interval=60)
    assert walk.defaults["max_export_limit"] == 10
    await hass.services.async_call(DOMAIN, "set_max_export_limit", {"limit": 3}, blocking=True)
    await walk.submit()
    await walk.submit()
    assert walk.outcome == "saved"
    assert loaded.options["max_export_limit"] == 3
    assert loaded.options["scan_interval"] == 60
    assert sim.device.bound_limit == 3_000


async def test_step_changed_back_keeps_what_an_action_changed_meanwhile(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    walk = await changing(hass, loaded)
    await walk.submit(min_export_limit=-1, max_export_limit=-0.2)
    assert walk.step == "confirm_below_zero"
    await walk.choose("export_limits")
    await walk.submit(max_export_limit=10)
    assert walk.step == "control"
    await hass.services.async_call(DOMAIN, "set_max_export_limit", {"limit": 4}, blocking=True)
    await walk.submit()
    assert (loaded.options["min_export_limit"], loaded.options["max_export_limit"]) == (-1, 4)
    assert sim.device.bound_limit == 4_000


async def test_entered_value_counts_though_an_action_set_it_meanwhile(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    walk = await changing(hass, loaded)
    assert walk.defaults["max_export_limit"] == 10
    await hass.services.async_call(DOMAIN, "set_max_export_limit", {"limit": 8}, blocking=True)
    await walk.submit(max_export_limit=8)
    await hass.services.async_call(DOMAIN, "set_max_export_limit", {"limit": 4}, blocking=True)
    await walk.submit()
    assert walk.outcome == "saved"
    assert loaded.options["max_export_limit"] == 8
    assert sim.device.bound_limit == 8_000


async def test_each_step_is_filled_when_it_is_shown(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    walk = UserFlow(hass.config_entries.options, "options")
    await walk.start(loaded.entry_id)
    await hass.services.async_call(DOMAIN, "set_max_export_limit", {"limit": 3}, blocking=True)
    await walk.submit()
    assert walk.defaults["max_export_limit"] == 3
    assert "export limit 3.00 kW" in walk.text
    await hass.services.async_call(DOMAIN, "set_export_limit", {"limit": 2}, blocking=True)
    await walk.submit()
    assert "export limit 2.00 kW" in walk.text


async def test_minimum_above_maximum_lowered_meanwhile_is_refused(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    walk = await changing(hass, loaded)
    await hass.services.async_call(DOMAIN, "set_max_export_limit", {"limit": 3}, blocking=True)
    await walk.submit(min_export_limit=5)
    await walk.submit()
    assert walk.errors == {"base": "not_applied"}
    assert "5.00 kW is outside the range -100.00 to 3.00 kW" in walk.error_text
    assert loaded.options["min_export_limit"] == 0
