"""Energy and the recorder: what it knows after a power cut, and its statistics of a replaced device."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder import Recorder
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import async_wait_recording_done

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.tracking import recorded_energy
from simulator import CAPTURED, Simulator

from ..calls import Storage, load
from ..entries import entry_of
from ..known import known
from ..recorded import asked_by_repairs, compiled, in_recorder, validated
from ..states import get_state

pytestmark = pytest.mark.slow

type PassTime = Callable[[float], Awaitable[None]]

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


async def test_replaced_device_takes_nothing_back(
    recorder_mock: Recorder,
    pass_time: PassTime,
    hass: HomeAssistant,
    hass_storage: Storage,
    entry: MockConfigEntry,
    sim: Simulator,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The sensors of the new device have the entity ids of the old one's, to keep the past."""
    begin = datetime(2026, 11, 29, 0, 0, tzinfo=UTC)
    freezer.move_to(begin + timedelta(seconds=1))
    assert await async_setup_component(hass, "sensor", {})
    sim.hold(replace(CAPTURED, meter_power=12_000, inverter_power=20_000))
    store(hass_storage, entry, dict.fromkeys(ON_DISK, 500.0))
    replacement = entry_of(sim)
    for installed in (entry, replacement):
        if installed is replacement:
            assert await hass.config_entries.async_remove(entry.entry_id)
            replacement.add_to_hass(hass)
        await load(hass, installed)
        for _ in range(5):
            await pass_time(60)
        await compiled(hass, begin)
        begin += timedelta(minutes=5)
    assert shown(hass)["exported"] == pytest.approx(1.0, abs=0.2)
    rising = {"sensor.sec1000_energy_exported": 1.0, "sensor.sec1000_energy_produced": 1.67}
    rows = await in_recorder(
        hass,
        statistics_during_period,
        hass,
        begin - timedelta(hours=1),
        None,
        set(rising),
        "5minute",
        None,
        {"sum"},
    )
    for entity_id, flowed in rising.items():
        before, after = (known(row["sum"]) for row in rows[entity_id])
        assert after - before == pytest.approx(flowed, abs=0.35)
    assert await validated(hass) == {}
    assert await asked_by_repairs(hass) == []
