"""Measure one Home Assistant in its own process, from setup to unload of an entry; print JSON."""

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
    """Measurements of one Home Assistant."""

    loaded: float
    """Seconds from the setup call of the first entry to the loaded entry, imports included."""
    poll_bare: float
    """CPU of a complete update without the recorder, in ms."""
    poll_recorded: float
    """The same with the recorder and its thread."""
    stalls: dict[str, float]
    """Longest callback of each phase, in ms."""
    culprits: dict[str, str]
    """Owner of that callback, by phase."""
    memory: float
    """KiB for each further entry, by tracemalloc."""


async def measure(polls: int, entries: int) -> Costs:
    """Run all measurements; the first setup comes first, since it imports the integration."""
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
    """Return the stalls of a phase, after the end of the current callback."""
    await asyncio.sleep(0)
    return stalls.take()


async def _cpu_of_polls(hass: HomeAssistant, entry_id: str, polls: int) -> float:
    """Return the CPU (ms) per poll, of so many polls without pauses."""
    entry = hass.config_entries.async_get_known_entry(entry_id)
    coordinator = entry.runtime_data.coordinator
    coordinator.client.transport.timing = Timing(pacing=0.0, refill=0.0, reread_interval=0.0)
    await coordinator.async_refresh()
    started = process_time()
    for _ in range(polls):
        await coordinator.async_refresh()
        assert coordinator.last_update_success
    await hass.async_block_till_done()
    spent = process_time() - started
    coordinator.client.transport.timing = timing.STANDARD
    return spent / polls * 1000


async def _memory_of_one(entries: int) -> float:
    """Return the memory (KiB) per further entry, from the slope over so many."""
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
