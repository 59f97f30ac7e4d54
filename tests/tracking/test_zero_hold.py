"""A zero that is held back is shown after a minute, also between two polls."""

import asyncio
from dataclasses import replace

from homeassistant.core import HomeAssistant
import pytest

from simulator import CAPTURED, Simulator

from ..calls import load
from ..entries import entry_at
from ..states import get_state

pytestmark = pytest.mark.usefixtures("warp")

PRODUCING = replace(CAPTURED, meter_power=15_000, inverter_power=20_000)
ZERO = replace(PRODUCING, inverter_power=0)


def shown(hass: HomeAssistant) -> str:
    return get_state(hass, "sensor.sec1000_inverter_power").state


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
