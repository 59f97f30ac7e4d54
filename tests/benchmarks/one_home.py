"""One Home Assistant in a process of its own: what its first entry costs from setup to unload, as JSON."""

import asyncio
from dataclasses import asdict, dataclass
import gc
import json
import sys
from time import perf_counter, process_time
import tracemalloc

from homeassistant.core import HomeAssistant

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000 import timing
from custom_components.goodwe_sec1000.sec1000.timing import Timing

from .devices import devices
from .home import home, set_up
from .stalls import Stalls, watched_loop


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured of one Home Assistant."""

    loaded: float
    """s from the setup call of the first entry to the loaded entry, the imports included."""
    poll_bare: float
    """ms of CPU: a whole update without recorder."""
    poll_recorded: float
    """ms of CPU: the same with the recorder, its thread included."""
    stalls: dict[str, float]
    """ms: the longest callback of each phase."""
    culprits: dict[str, str]
    """Whose it was."""
    memory: float
    """KiB for each further entry, as Python counts them."""


async def measure(polls: int, entries: int) -> Costs:
    """Measure all of it; the order matters, since the first setup imports the integration."""
    with watched_loop() as stalls:
        phases: dict[str, Stalls] = {}
        async with devices() as running, home() as hass:
            await _ended(stalls)
            started = perf_counter()
            entry = await set_up(hass, running.ports[0])
            loaded = perf_counter() - started
            await hass.async_block_till_done()
            phases["setup"] = await _ended(stalls)
            poll_recorded = await _cpu_of_polls(hass, entry.entry_id, polls)
            phases["poll"] = await _ended(stalls)
            await hass.services.async_call(DOMAIN, "set_export_limit", {"limit": 7}, blocking=True)
            phases["command"] = await _ended(stalls)
            assert await hass.config_entries.async_unload(entry.entry_id)
            phases["unload"] = await _ended(stalls)
    async with devices() as running, home(recorder=False) as hass:
        entry = await set_up(hass, running.ports[0])
        poll_bare = await _cpu_of_polls(hass, entry.entry_id, polls)
    return Costs(
        loaded,
        poll_bare,
        poll_recorded,
        {phase: stall.longest for phase, stall in phases.items()},
        {phase: stall.by for phase, stall in phases.items()},
        await _memory_of_one(entries),
    )


async def _ended(stalls: Stalls) -> Stalls:
    """Return the stalls of a phase; the callback in which this runs has to end to be counted."""
    await asyncio.sleep(0)
    return stalls.take()


async def _cpu_of_polls(hass: HomeAssistant, entry_id: str, polls: int) -> float:
    """Return ms of CPU for each of so many polls in a row, without the pauses between them."""
    entry = hass.config_entries.async_get_known_entry(entry_id)
    coordinator = entry.runtime_data.coordinator
    coordinator.client.line.timing = Timing(pacing=0.0)
    await coordinator.async_refresh()
    started = process_time()
    for _ in range(polls):
        await coordinator.async_refresh()
        assert coordinator.last_update_success
    await hass.async_block_till_done()
    spent = process_time() - started
    coordinator.client.line.timing = timing.STANDARD
    return spent / polls * 1000


async def _memory_of_one(entries: int) -> float:
    """Return KiB that each further entry holds, from the slope over so many."""
    async with devices(entries + 1) as running, home(recorder=False) as hass:
        first, *others = running.ports
        await set_up(hass, first)
        await hass.async_block_till_done()
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for port in others:
            await set_up(hass, port)
        await hass.async_block_till_done()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return (after - before) / entries / 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(asyncio.run(measure(int(sys.argv[1]), int(sys.argv[2]))))))
