"""A disk that is full, slow or read-only spoils no command and no restore, and no answer."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store
from homeassistant.util.file import WriteError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator
from simulator.protocol import READ_LIMIT
from tests.calls import Storage, act, outcomes, requested, suspend_limit, until
from tests.states import get_state


@contextmanager
def full_disk() -> Iterator[None]:
    """Let nothing be written to disk."""
    with patch.object(Store, "_async_write_data", side_effect=WriteError("No space left on device")):
        yield


@contextmanager
def baseline_saved_after(
    entry: MockConfigEntry, delay: Callable[[], Coroutine[Any, Any, None]]
) -> Iterator[None]:
    """Save the baseline only after this, or not at all where it raises."""
    save = Store.async_save

    async def save_late(store: Store[Any], data: Any) -> None:
        if store.key == f"{DOMAIN}.{entry.entry_id}":
            await delay()
        await save(store, data)

    with patch.object(Store, "async_save", save_late):
        yield


@pytest.mark.promise("R-22")
@pytest.mark.usefixtures("hass_storage", "loaded")
async def test_disable_is_sent_where_pending_cannot_be_saved(hass: HomeAssistant, sim: Simulator) -> None:
    reset = await suspend_limit(hass, sim)
    sim.inject("silence")
    await outcomes(reset)
    # By now a minute goes by from one try to restore it to the next, and one has just failed.
    await asyncio.sleep(200)
    tries = requested(sim).count((READ_LIMIT, b""))
    while requested(sim).count((READ_LIMIT, b"")) == tries:
        await sim.wait_for_requests(len(sim.requests) + 1)
    await asyncio.sleep(12)
    sim.clear_faults()
    assert sim.device.mode is ControlMode.DEACTIVATED
    with full_disk():
        assert await outcomes(act(hass, "export_disable")) == [1]
        await asyncio.sleep(90)
    assert sim.device.bound_limit == 0


@pytest.mark.promise("R-22")
@pytest.mark.usefixtures("hass_storage", "loaded")
async def test_newer_limit_is_restored_although_it_is_not_saved(hass: HomeAssistant, sim: Simulator) -> None:
    reset = await suspend_limit(hass, sim)
    sim.inject("silence")
    await outcomes(reset)
    with full_disk():
        await outcomes(act(hass, "set_export_limit", limit=2))
        sim.clear_faults()
        await asyncio.sleep(90)
    assert sim.device.bound_limit == 2_000


@pytest.mark.promise("R-15")
async def test_stale_baseline_does_not_undo_its_owner(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(loaded, options={**loaded.options, "put_back": True})
    await outcomes(act(hass, "export_disable"))
    with full_disk():
        assert await outcomes(act(hass, "export_enable")) == [1]
        await hass.config_entries.async_reload(loaded.entry_id)
        await asyncio.sleep(100)
    assert sim.device.bound_limit == 10_000


@pytest.mark.promise("R-15")
async def test_baseline_that_was_not_saved_is_saved_the_next_time(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, hass_storage: Storage
) -> None:
    hass.config_entries.async_update_entry(loaded, options={**loaded.options, "put_back": True})
    await outcomes(act(hass, "export_disable"))
    with full_disk():
        assert await outcomes(act(hass, "set_export_limit", limit=8)) == [1]
    assert await outcomes(act(hass, "set_export_limit", limit=8)) == [1]
    assert hass_storage[f"{DOMAIN}.{loaded.entry_id}"]["data"] == {"limit": 8_000}
    await hass.config_entries.async_reload(loaded.entry_id)
    await asyncio.sleep(100)
    assert sim.device.bound_limit == 8_000


@pytest.mark.promise("R-03")
@pytest.mark.usefixtures("hass_storage")
async def test_baseline_that_cannot_be_saved_spoils_no_command(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    async def fail() -> None:
        raise OSError(30, "Read-only file system")

    with baseline_saved_after(loaded, fail):
        assert await outcomes(act(hass, "export_disable")) == [1]
    assert sim.device.bound_limit == 0


@pytest.mark.promise("R-01", "R-03")
@pytest.mark.usefixtures("hass_storage")
async def test_restore_saved_late_is_not_shown_over_a_newer_limit(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    hass.config_entries.async_update_entry(loaded, options={**loaded.options, "put_back": True})
    reset = await suspend_limit(hass, sim)
    sim.inject("silence")
    await outcomes(reset, act(hass, "set_export_limit", limit=8))

    async def slowly() -> None:
        await asyncio.sleep(4)

    with baseline_saved_after(loaded, slowly):
        sim.clear_faults()
        await until(lambda: sim.device.bound_limit == 8_000)
        await asyncio.sleep(0.7)
        answer = await act(hass, "export_disable")
        assert answer["export_limit"] == 0
        assert "the limit is 0.00 kW" in answer["message"]
        for _ in range(100):
            await asyncio.sleep(0.1)
            assert get_state(hass, "sensor.sec1000_export_limit").state == "0.0"
            assert get_state(hass, "switch.sec1000_export_to_grid").state == "off"
    assert not any("correcting" in record.message for record in caplog.records)
