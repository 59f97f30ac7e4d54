"""After a power cut the energy goes on from what was recorded last, which is newer than the file."""

from typing import Any

from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import async_wait_recording_done

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.tracking import recorded_energy

from ..calls import Storage, load
from ..states import get_state

ON_DISK = {
    "energy_exported": 12.0,
    "energy_imported": 3.0,
    "energy_produced": 20.0,
    "energy_consumed": 11.0,
}
KINDS = ("exported", "imported", "produced", "consumed")


def store(hass_storage: Storage, entry: MockConfigEntry, totals: dict[str, float] = ON_DISK) -> None:
    key = f"{DOMAIN}.{entry.entry_id}.energy"
    hass_storage[key] = {"version": 1, "minor_version": 1, "key": key, "data": totals}


def stored(hass_storage: Storage, entry: MockConfigEntry) -> Any:
    return hass_storage[f"{DOMAIN}.{entry.entry_id}.energy"]["data"]


async def record(hass: HomeAssistant, unit: str = "kWh", **states: str) -> None:
    """Have the recorder know these states, and Home Assistant forget them."""
    for kind, state in states.items():
        entity_id = f"sensor.sec1000_energy_{kind}"
        hass.states.async_set(entity_id, state, {"unit_of_measurement": unit})
        await async_wait_recording_done(hass)
        hass.states.async_remove(entity_id)
    await async_wait_recording_done(hass)


def shown(hass: HomeAssistant) -> dict[str, float]:
    return {kind: float(get_state(hass, f"sensor.sec1000_energy_{kind}").state) for kind in KINDS}


async def test_recorded_totals_go_on_after_power_cut(
    recorder_mock: Recorder, hass: HomeAssistant, entry: MockConfigEntry, hass_storage: Storage
) -> None:
    store(hass_storage, entry)
    await record(hass, exported="12.4", imported="3.0", produced="20.7", consumed="10.98")
    await load(hass, entry)
    newest = {"exported": 12.4, "imported": 3.0, "produced": 20.7, "consumed": 10.98}
    assert shown(hass) == newest
    assert stored(hass_storage, entry) == {f"energy_{kind}": total for kind, total in newest.items()}


async def test_rising_total_on_disk_stays_where_it_is_greater(
    recorder_mock: Recorder, hass: HomeAssistant, entry: MockConfigEntry, hass_storage: Storage
) -> None:
    store(hass_storage, entry)
    await record(hass, exported="11.9", imported="2.9", produced="19.9")
    await load(hass, entry)
    assert shown(hass) == {kind: ON_DISK[f"energy_{kind}"] for kind in KINDS}


@pytest.mark.parametrize("last", ["unavailable", "unknown", "nan"])
async def test_last_number_counts_behind_other_states(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_storage: Storage,
    last: str,
) -> None:
    store(hass_storage, entry)
    await record(hass, exported="12.4")
    await record(hass, exported=last)
    await load(hass, entry)
    assert shown(hass)["exported"] == 12.4


async def test_recorded_unit_is_converted(
    recorder_mock: Recorder, hass: HomeAssistant, entry: MockConfigEntry, hass_storage: Storage
) -> None:
    store(hass_storage, entry)
    await record(hass, "Wh", exported="12400")
    await load(hass, entry)
    assert shown(hass)["exported"] == 12.4


async def test_total_of_another_device_is_not_taken(
    recorder_mock: Recorder, hass: HomeAssistant, entry: MockConfigEntry, hass_storage: Storage
) -> None:
    """Its sensor had this id before."""
    store(hass_storage, entry)
    await record(hass, exported="5120.5", consumed="0.1")
    await load(hass, entry)
    assert shown(hass)["exported"] == 12.0


async def test_new_entry_begins_at_zero(
    recorder_mock: Recorder, hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    await record(hass, exported="5.5")
    await load(hass, entry)
    assert shown(hass)["exported"] == 0.0


async def test_entity_id_that_was_changed_is_looked_up(
    recorder_mock: Recorder, hass: HomeAssistant, entry: MockConfigEntry, hass_storage: Storage
) -> None:
    store(hass_storage, entry)
    await load(hass, entry)
    er.async_get(hass).async_update_entity(
        "sensor.sec1000_energy_exported", new_entity_id="sensor.to_the_grid"
    )
    await hass.async_block_till_done()
    assert await hass.config_entries.async_unload(entry.entry_id)
    store(hass_storage, entry)
    hass.states.async_set("sensor.to_the_grid", "12.3", {"unit_of_measurement": "kWh"})
    await async_wait_recording_done(hass)
    await load(hass, entry)
    assert float(get_state(hass, "sensor.to_the_grid").state) == 12.3


async def test_unreadable_database_leaves_totals_on_disk(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> list[object]:
        raise OSError("disk I/O error")

    monkeypatch.setattr(recorded_energy, "_last_states", broken)
    store(hass_storage, entry)
    await load(hass, entry)
    assert shown(hass) == {kind: ON_DISK[f"energy_{kind}"] for kind in KINDS}
    assert "disk I/O error" in caplog.text
