"""The name of a device: the one that its user gave it after setup, wherever it is named."""

import asyncio

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr, issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.device import device_name
from custom_components.goodwe_sec1000.issues import Issue
from simulator import Simulator

from .calls import act, outcomes, suspend_limit
from .entries import entry_of
from .flow_steps import start_setup


def rename(hass: HomeAssistant, entry: MockConfigEntry, name: str) -> None:
    """Rename the device as Home Assistant's last step of setup does."""
    registry = dr.async_get(hass)
    [device] = dr.async_entries_for_config_entry(registry, entry.entry_id)
    registry.async_update_device(device.id, name_by_user=name)


async def test_name_before_first_setup_is_the_entered_one(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    assert device_name(hass, entry) == "SEC1000"


async def test_renamed_device_keeps_entity_ids(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    rename(hass, loaded, "Garage")
    assert await hass.config_entries.async_reload(loaded.entry_id)
    assert device_name(hass, loaded) == "Garage"
    assert hass.states.get("sensor.sec1000_meter_power")


async def test_choice_of_device_lists_present_names(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    async with Simulator() as other:
        second = entry_of(other, "SEC1000 2")
        second.add_to_hass(hass)
        assert await hass.config_entries.async_setup(second.entry_id)
        rename(hass, loaded, "Garage")
        rename(hass, second, "Barn")
        listed = f"Garage: {loaded.entry_id}, Barn: {second.entry_id}"
        with pytest.raises(ServiceValidationError, match=listed):
            await act(hass, "export_disable")
        await act(hass, "export_disable", device="barn")
        assert other.device.limit == 0
        await act(hass, "export_enable", device="SEC1000 2")
        assert other.device.limit == 10_000


@pytest.mark.usefixtures("warp")
async def test_issue_and_error_have_present_name(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, issue_registry: ir.IssueRegistry
) -> None:
    rename(hass, loaded, "Garage")
    export = loaded.runtime_data.export
    reset = await suspend_limit(hass, sim)
    sim.inject("refused")
    await outcomes(reset)
    await asyncio.sleep(5)
    issue = issue_registry.async_get_issue(DOMAIN, Issue.LIMIT_IS_OFF.issue_id(loaded.entry_id))
    assert issue
    assert issue.translation_placeholders
    assert issue.translation_placeholders["name"] == "Garage"
    await export.async_close()
    with pytest.raises(HomeAssistantError, match="Garage is being unloaded"):
        await export.disable()


@pytest.mark.parametrize("name", ["SEC1000", "sec1000 ", "Garage", "gárage"])
async def test_setup_refuses_name_of_another_device(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, name: str
) -> None:
    rename(hass, loaded, "Garage")
    sim.requests.clear()
    async with Simulator() as other:
        walk = await start_setup(hass)
        assert walk.defaults["name"] == "SEC1000 2"
        await walk.submit(name=name, host=other.host, port=other.port)
        assert walk.errors == {"name": "name_taken"}
        assert not other.requests
        await walk.submit(name="SEC1000 2")
        assert walk.step == "export_limits"
