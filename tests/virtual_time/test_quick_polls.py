"""After the limit has changed, the meter is read sooner than at the refresh interval."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator import Simulator
from simulator.protocol import CAPTURED, TELEMETRY
from tests.benchmarks.meter import SEEN_WITHIN_S
from tests.calls import act, control, outcomes
from tests.states import get_state

ABOVE, WITHIN = (replace(CAPTURED, meter_power=power) for power in (8_000, 4_900))


def polls(sim: Simulator) -> int:
    """Return how often the telemetry was read."""
    return sum(request.frame is not None and request.frame.command == TELEMETRY for request in sim.requests)


@pytest.fixture
async def exporting(hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry) -> None:
    """Let the house export 8 kW, and be polled every ten minutes."""
    sim.hold(ABOVE)
    await asyncio.sleep(40)
    hass.config_entries.async_update_entry(loaded, options={**loaded.options, "scan_interval": 600})
    loaded.runtime_data.coordinator.apply_scan_interval()
    await asyncio.sleep(20)
    assert get_state(hass, "sensor.sec1000_meter_power").state == "8000"


@pytest.mark.usefixtures("exporting")
@pytest.mark.parametrize(("reacts_after", "seen_within"), SEEN_WITHIN_S.items())
async def test_meter_proves_a_limit_soon_after_inverters_react(
    hass: HomeAssistant,
    sim: Simulator,
    record_property: Callable[[str, object], None],
    reacts_after: int,
    seen_within: int,
) -> None:
    loop = asyncio.get_running_loop()
    seen_at: list[float] = []
    async_track_state_change_event(
        hass, "sensor.sec1000_meter_power", callback(lambda _event: seen_at.append(loop.time()))
    )
    called = loop.time()
    assert await outcomes(act(hass, "set_export_limit", limit=5)) == [1]
    await asyncio.sleep(called + reacts_after - loop.time())
    sim.hold(WITHIN)
    await asyncio.sleep(called + reacts_after + seen_within - loop.time())
    state = get_state(hass, "event.sec1000_export_limit")
    assert state.attributes["event_type"] == "obeyed"
    record_property("reacts_after", reacts_after)
    record_property("seen_after", seen_at[-1] - called)
    assert get_state(hass, "sensor.sec1000_meter_power").state == "4900"
    before = polls(sim)
    await asyncio.sleep(120)
    assert polls(sim) == before


@pytest.mark.usefixtures("exporting")
async def test_small_change_is_not_looked_at_sooner(hass: HomeAssistant, sim: Simulator) -> None:
    await outcomes(act(hass, "set_export_limit", limit=8.6))
    before = polls(sim)
    await asyncio.sleep(120)
    assert polls(sim) == before


@pytest.mark.usefixtures("exporting")
async def test_quick_polls_leave_half_of_the_budget(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    turns = loaded.runtime_data.coordinator.client.transport.turns
    lowest = turns.level
    for limit in (9, 6, 9, 6, 9, 6):
        await outcomes(control(hass, "number", "set_value", "export_limit", value=limit))
        before = polls(sim)
        for _ in range(5):
            await asyncio.sleep(1)
            if polls(sim) > before:
                lowest, before = min(lowest, turns.level), polls(sim)
    assert lowest > 5
    await asyncio.sleep(120)
    assert polls(sim) > before


@pytest.mark.usefixtures("exporting")
async def test_disabled_polling_stays_disabled(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(loaded, pref_disable_polling=True)
    await hass.config_entries.async_reload(loaded.entry_id)
    before = polls(sim)
    await outcomes(act(hass, "set_export_limit", limit=5))
    await asyncio.sleep(120)
    assert polls(sim) == before


async def test_interval_goes_on_after_the_quick_polls(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    sim.hold(ABOVE)
    await asyncio.sleep(40)
    await outcomes(act(hass, "set_export_limit", limit=5))
    await asyncio.sleep(100)
    before = polls(sim)
    await asyncio.sleep(300)
    assert polls(sim) - before == pytest.approx(10, abs=1)
