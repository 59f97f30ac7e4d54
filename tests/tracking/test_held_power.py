"""Power that is held while the values do not belong together, and for how long."""

import asyncio
from dataclasses import replace

from homeassistant.core import HomeAssistant, State
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_track_state_change_event
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.sec1000.model import Telemetry
from simulator import CAPTURED, Simulator

from ..calls import act, load
from ..entries import entry_at
from ..states import energy_total, get_state

pytestmark = pytest.mark.usefixtures("warp")

PRODUCING = replace(CAPTURED, meter_power=15_000, inverter_power=20_000)
ZERO = replace(PRODUCING, inverter_power=0)


def shown(hass: HomeAssistant, power: str = "inverter_power") -> str:
    return get_state(hass, f"sensor.sec1000_{power}").state


async def polled(hass: HomeAssistant, sim: Simulator) -> None:
    """Wait until the next poll has ended."""
    await sim.wait_for_requests(len(sim.requests) + 1)
    while sim.requests[-1].raw[4] != 0x0B:
        await sim.wait_for_requests(len(sim.requests) + 1)
    await sim.wait_until_idle()
    await asyncio.sleep(0.1)


@pytest.mark.promise("R-28")
@pytest.mark.parametrize("interval", [5, 20, 30, 31, 45, 59])
async def test_lasting_zero_is_shown_after_a_minute(
    hass: HomeAssistant, sim: Simulator, interval: int
) -> None:
    sim.hold(PRODUCING)
    entry = entry_at(sim.host, sim.port, scan_interval=interval)
    entry.add_to_hass(hass)
    await load(hass, entry)
    await polled(hass, sim)
    assert shown(hass) == "20000"
    sim.hold(ZERO)
    await asyncio.sleep(59)
    assert shown(hass) == "20000"
    await asyncio.sleep(5)
    assert shown(hass) == "0"
    sim.hold(PRODUCING)
    await asyncio.sleep(interval + 2)
    assert shown(hass) == "20000"


@pytest.mark.promise("R-28")
@pytest.mark.parametrize("interval", [5, 30])
async def test_single_zero_is_never_shown(hass: HomeAssistant, sim: Simulator, interval: int) -> None:
    sim.hold(PRODUCING)
    entry = entry_at(sim.host, sim.port, scan_interval=interval)
    entry.add_to_hass(hass)
    await load(hass, entry)
    states = []
    hass.bus.async_listen(
        "state_changed",
        lambda event: (
            states.append(event.data["new_state"].state)
            if event.data["entity_id"] == "sensor.sec1000_inverter_power"
            else None
        ),
    )
    for _ in range(10):
        sim.inject("zero-inverters", count=1, commands=[0x0B])
        await asyncio.sleep(3 * interval)
    assert set(states) <= {"20000"}


async def test_hold_ends_with_the_entry(hass: HomeAssistant, sim: Simulator) -> None:
    sim.hold(PRODUCING)
    entry = entry_at(sim.host, sim.port, scan_interval=45)
    entry.add_to_hass(hass)
    await load(hass, entry)
    sim.hold(ZERO)
    await asyncio.sleep(47)
    assert await hass.config_entries.async_unload(entry.entry_id)
    await asyncio.sleep(60)
    assert shown(hass) == "unavailable"


def house(inverter_power: int, meter_power: int) -> Telemetry:
    return replace(CAPTURED, inverter_power=inverter_power, meter_power=meter_power)


async def poll_every(hass: HomeAssistant, sim: Simulator, interval: int) -> MockConfigEntry:
    entry = entry_at(sim.host, sim.port, scan_interval=interval)
    entry.add_to_hass(hass)
    await load(hass, entry)
    return entry


@pytest.mark.promise("R-28")
async def test_load_is_held_while_limit_changes(hass: HomeAssistant, sim: Simulator) -> None:
    sim.hold(house(14_000, 10_000))
    entry = await poll_every(hass, sim, 5)
    await polled(hass, sim)
    seen: list[State | None] = []
    async_track_state_change_event(
        hass, "sensor.sec1000_load_power", lambda event: seen.append(event.data["new_state"])
    )
    before = energy_total(entry, "consumed")
    for action, meter_power in (("export_disable", 0), ("export_enable", 10_000)):
        await act(hass, action)
        # The meter at once, the inverters later.
        sim.hold(house(4_000 if action == "export_enable" else 14_000, meter_power))
        await asyncio.sleep(20)
        assert shown(hass, "load_power") == "4000"
        sim.hold(house(meter_power + 4_000, meter_power))
        await asyncio.sleep(60)
    assert seen == []
    assert energy_total(entry, "consumed") - before == pytest.approx(4 * 160 / 3_600, rel=0.1)


async def test_load_below_zero_ends_as_unknown_between_polls(hass: HomeAssistant, sim: Simulator) -> None:
    sim.hold(house(4_000, 0))
    await poll_every(hass, sim, 45)
    await polled(hass, sim)
    sim.hold(house(4_000, 10_000))
    await polled(hass, sim)
    assert shown(hass, "load_power") == "4000"
    await asyncio.sleep(20)
    assert shown(hass, "load_power") == "unknown"
    assert shown(hass) == "4000"


async def test_load_is_held_after_an_unknown_outcome(hass: HomeAssistant, sim: Simulator) -> None:
    sim.hold(house(14_000, 10_000))
    await poll_every(hass, sim, 5)
    await polled(hass, sim)
    sim.inject("effect-then-silence")
    sim.inject("silence", commands=[0x43])
    with pytest.raises(HomeAssistantError) as failed:
        await act(hass, "export_disable")
    assert failed.value.translation_key == "outcome_unknown"
    sim.hold(house(14_000, 0))
    await polled(hass, sim)
    assert shown(hass, "load_power") == "4000"
    sim.clear_faults()
    sim.hold(house(4_000, 0))
    await polled(hass, sim)
    assert shown(hass, "load_power") == "4000"
