"""A pending restore is kept until its device is read to limit the export, and goes to that device only."""

import asyncio
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_RECONFIGURE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.util.file import WriteError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator
from tests.calls import Storage, act, issue, load, outcomes
from tests.entries import entry_of
from tests.pending_restore import store_pending


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


@pytest.mark.promise("R-24")
class TestAnotherAddress:
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
        assert "could not be written to disk" in told["reason"]
        assert entry.data["port"] == sim.port
        sim.clear_faults()
        await asyncio.sleep(90)
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 4_320)

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
