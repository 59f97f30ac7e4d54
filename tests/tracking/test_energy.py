"""Energy for the Energy dashboard without a helper: accurate, split by direction, never lost."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final

from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNAVAILABLE
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er, restore_state
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Telemetry
from custom_components.goodwe_sec1000.tracking.energy import Energy, EnergyMeter
from simulator import CAPTURED, House, Simulator
from simulator.device import Restriction
from simulator.house import ExportConstraint

from ..calls import load
from ..entries import entry_at
from ..states import energy_total, get_state

type PassTime = Callable[[float], Awaitable[None]]

EXPORTED: Final = "sensor.sec1000_energy_exported"


def measured(meter: int, inverters: int) -> Telemetry:
    return replace(CAPTURED, meter_power=meter, inverter_power=inverters)


def flow(*samples: tuple[float, int, int], interval: float = 30) -> Energy:
    """Return the energy after these samples of time (s), meter and inverter power (W)."""
    meter = EnergyMeter()
    energy = Energy()
    for at, grid, inverters in samples:
        energy = meter.add(measured(grid, inverters), at, interval)
    return energy


def test_hour_of_steady_power_is_that_many_watt_hours() -> None:
    samples = [(at, 3_000, 5_000) for at in range(0, 3601, 30)]
    assert flow(*samples) == Energy(exported=3_000, imported=0, produced=5_000, consumed=2_000)


@pytest.mark.parametrize(
    ("first", "last", "exported", "imported"),
    [
        (3_600, 3_600, 3_600, 0),
        (0, 7_200, 3_600, 0),
        (-3_600, -3_600, 0, 3_600),
        (7_200, -7_200, 1_800, 1_800),
        (-7_200, 7_200, 1_800, 1_800),
        (3_000, -9_000, 375, 3_375),
        (0, 0, 0, 0),
        (0, -7_200, 0, 3_600),
    ],
)
def test_import_and_export_split_where_power_crosses_zero(
    first: int, last: int, exported: int, imported: int
) -> None:
    energy = flow((0, first, 0), (3_600, last, 0), interval=3_600)
    assert (energy.exported, energy.imported) == (exported, imported)


@pytest.mark.parametrize(("interval", "longest"), [(5, 60), (16, 60), (30, 105), (300, 1_050)])
def test_gap_is_bridged_up_to_a_minute_or_two_failed_polls(interval: int, longest: int) -> None:
    samples = ((0, 9_000, 9_000), (longest, 9_000, 9_000))
    assert flow(*samples, interval=interval).exported == round(2.5 * longest)
    late = ((0, 9_000, 9_000), (longest + 1, 9_000, 9_000))
    assert flow(*late, interval=interval) == Energy()


def test_lost_answer_each_minute_loses_nothing_at_five_seconds() -> None:
    """It costs 16 s: the deadline, the pause, and the next interval."""
    samples = [(at, 3_000, 5_000) for at in range(0, 3_601, 5) if not 20 < at % 60 < 40]
    assert flow(*samples, interval=5) == Energy(exported=3_000, produced=5_000, consumed=2_000)


def test_unknown_power_adds_nothing_to_its_totals() -> None:
    meter = EnergyMeter()
    for at in range(0, 3_601, 30):
        measurement = replace(measured(3_000, 5_000), inverter_power=None)
        energy = meter.add(measurement, at, 30)
    assert energy == Energy(exported=3_000)


async def test_energy_totals_continue_after_reload(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.hold(measured(12_000, 20_000))
    for _ in range(3):
        await pass_time(61)
    before = {
        kind: float(get_state(hass, f"sensor.sec1000_energy_{kind}").state)
        for kind in ("exported", "imported", "produced", "consumed")
    }
    assert before["exported"] == pytest.approx(0.5, abs=0.1)
    assert await hass.config_entries.async_reload(loaded.entry_id)
    await hass.async_block_till_done()
    for kind, energy in before.items():
        assert float(get_state(hass, f"sensor.sec1000_energy_{kind}").state) == energy
    sim.hold(measured(12_000, 20_000))
    await pass_time(30)
    await pass_time(30)
    assert float(get_state(hass, "sensor.sec1000_energy_exported").state) > before["exported"]


async def test_changed_entity_id_adds_no_energy(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.hold(measured(12_000, 20_000))
    for _ in range(2):
        await pass_time(61)
    usual, other = "sensor.sec1000_energy_produced", "sensor.other"
    before = float(get_state(hass, usual).state)
    assert before > 0
    for old, new in ((usual, other), (other, usual)):
        er.async_get(hass).async_update_entity(old, new_entity_id=new)
        await hass.async_block_till_done()
        assert float(get_state(hass, new).state) == before


async def test_energy_sensors_suit_energy_dashboard(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    for kind in ("exported", "imported", "produced", "consumed"):
        attributes = get_state(hass, f"sensor.sec1000_energy_{kind}").attributes
        assert attributes["device_class"] == "energy"
        assert attributes["state_class"] == ("total" if kind == "consumed" else "total_increasing")
        assert attributes["unit_of_measurement"] == "kWh"


@pytest.mark.slow
def test_energy_of_a_day_is_accurate_to_half_a_percent() -> None:
    """Polled every 30 s, with clouds, a heater, and inverters whose power the device reports 30 s late."""
    house = House(start=0, seed=4)
    constraint = ExportConstraint(Restriction(12_000, sum_of_phases=True), ControlMode.VALUE)
    meter = EnergyMeter()
    energy = Energy()
    exact = dict.fromkeys(("exported", "imported", "produced", "consumed"), 0.0)
    for second in range(86_400):
        house.advance(second, constraint)
        exact["exported"] += max(house.meter_power, 0) / 3_600
        exact["imported"] += max(-house.meter_power, 0) / 3_600
        exact["produced"] += house.inverter_power / 3_600
        exact["consumed"] += house.load_power / 3_600
        if second % 30 == 0:
            energy = meter.add(house.telemetry(), second, 30)
    for kind, watt_hours in exact.items():
        assert getattr(energy, kind) == pytest.approx(watt_hours, rel=0.005), kind


def test_shorter_interval_loses_no_energy() -> None:
    meter = EnergyMeter()
    meter.add(measured(6_000, 6_000), 0, 60)
    assert meter.add(measured(6_000, 6_000), 60, 10) == Energy(exported=100, produced=100)


def stored_energy(hass_storage: dict[str, Any], entry: MockConfigEntry) -> dict[str, float]:
    stored: dict[str, float] = hass_storage[f"{DOMAIN}.{entry.entry_id}.energy"]["data"]
    return stored


async def test_energy_is_saved_within_five_minutes(
    pass_time: PassTime,
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    loaded: MockConfigEntry,
    sim: Simulator,
) -> None:
    sim.hold(measured(12_000, 20_000))
    saved = 0.0
    for _ in range(2):
        for _ in range(2):
            await pass_time(61)
        await pass_time(301)
        before, saved = saved, stored_energy(hass_storage, loaded)["energy_exported"]
        assert saved == float(get_state(hass, "sensor.sec1000_energy_exported").state) > before


def written(hass: HomeAssistant) -> list[State]:
    """Return a list to which each new state of an energy sensor is added, as to the recorder."""
    states: list[State] = []

    @callback
    def add(event: Event[EventStateChangedData]) -> None:
        if event.data["entity_id"] == EXPORTED and (state := event.data["new_state"]):
            states.append(state)

    hass.bus.async_listen(EVENT_STATE_CHANGED, add)
    return states


@pytest.mark.usefixtures("warp")
async def test_energy_is_written_once_a_minute(hass: HomeAssistant, sim: Simulator) -> None:
    sim.hold(measured(12_000, 20_000))
    entry = entry_at(sim.host, sim.port, scan_interval=5)
    entry.add_to_hass(hass)
    await load(hass, entry)
    states = written(hass)
    await asyncio.sleep(600)
    times = [state.last_changed for state in states]
    assert len(times) == 10
    assert all(later - earlier >= timedelta(seconds=60) for earlier, later in pairwise(times))
    sim.inject("silence")
    total = energy_total(entry, "exported")
    await asyncio.sleep(60)
    assert float(get_state(hass, EXPORTED).state) == energy_total(entry, "exported") >= total


@pytest.mark.usefixtures("warp")
async def test_energy_is_written_when_entry_is_unloaded(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.hold(measured(12_000, 20_000))
    await asyncio.sleep(120)
    assert float(get_state(hass, EXPORTED).state) < (total := energy_total(loaded, "exported"))
    states = written(hass)
    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert [state.state for state in states] == [str(total), STATE_UNAVAILABLE]


@pytest.mark.usefixtures("warp")
async def test_energy_is_written_when_home_assistant_stops(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.hold(measured(12_000, 20_000))
    await asyncio.sleep(120)
    assert float(get_state(hass, EXPORTED).state) < (total := energy_total(loaded, "exported"))
    await hass.async_stop()
    assert float(get_state(hass, EXPORTED).state) == total


@pytest.mark.parametrize(("on_disk", "expected"), [(12.5, 12.5), (9.0, 12.0)])
async def test_energy_is_greater_of_file_and_restored_state(
    hass: HomeAssistant, hass_storage: dict[str, Any], entry: MockConfigEntry, on_disk: float, expected: float
) -> None:
    """The file of 0.1.0 may be a day old where Home Assistant was killed."""
    entity_id = "sensor.sec1000_energy_exported"
    hass_storage[f"{DOMAIN}.{entry.entry_id}.energy"] = {
        "version": 1,
        "minor_version": 1,
        "key": f"{DOMAIN}.{entry.entry_id}.energy",
        "data": {"energy_exported": on_disk, "energy_imported": 3.21},
    }
    state = State(entity_id, "12.0")
    restored = {
        "state": state.as_dict(),
        "extra_data": {"native_value": 12.0, "native_unit_of_measurement": "kWh"},
        "last_seen": state.last_updated,
    }
    hass_storage[restore_state.STORAGE_KEY] = {"version": 1, "minor_version": 1, "data": [restored]}
    await restore_state.async_get(hass).async_load()
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert float(get_state(hass, entity_id).state) == expected
    assert float(get_state(hass, "sensor.sec1000_energy_imported").state) == 3.21
    assert stored_energy(hass_storage, entry)["energy_exported"] == expected


async def test_energy_is_available_without_telemetry(
    hass: HomeAssistant, hass_storage: dict[str, Any], entry: MockConfigEntry, sim: Simulator
) -> None:
    hass_storage[f"{DOMAIN}.{entry.entry_id}.energy"] = {
        "version": 1,
        "key": f"{DOMAIN}.{entry.entry_id}.energy",
        "data": {"energy_exported": 12.345},
    }
    sim.inject("no-telemetry")
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert float(get_state(hass, "sensor.sec1000_energy_exported").state) == 12.345


async def test_removed_entry_leaves_no_energy_file(
    pass_time: PassTime,
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    loaded: MockConfigEntry,
    sim: Simulator,
) -> None:
    sim.hold(measured(12_000, 20_000))
    for _ in range(2):
        await pass_time(30)
    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert f"{DOMAIN}.{loaded.entry_id}.energy" in hass_storage
    await hass.config_entries.async_remove(loaded.entry_id)
    assert not [key for key in hass_storage if loaded.entry_id in key]
