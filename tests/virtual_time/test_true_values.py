"""A week of a house with a battery, a month in a long run: the energy stays true whatever the device does."""

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from dataclasses import asdict
from datetime import datetime
from itertools import accumulate
from random import Random
from typing import Final

from homeassistant.const import EVENT_STATE_CHANGED, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000 import sensor
from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import House, Simulator
from tests.calls import Storage, load
from tests.entries import entry_of
from tests.states import get_state

from .test_soak import counted_log
from .timewarp import TimeWarp

DAY_S: Final = 86_400.0
DAYS: Final = 7
LONG_DAYS: Final = 30
BATTERY_W: Final = 3_000
"""It lasts for an hour at this power, so that there is import at night."""
IMPOSSIBLE: Final = 1 / 500
LOST: Final = 1 / 50
CLOSED_EVERY_S: Final = 4 * 3_600.0
"""On average, the firmware closes one to three requests for telemetry."""
POWER_CUTS: Final = 2
POWER_CUT_S: Final = 180.0
COMMIT_S: Final = 5.0
"""How often the recorder commits."""
ACCURACY: Final = 0.01
MAX_UNAVAILABLE: Final = 0.01
"""Share of the time without power sensors, power cuts included."""
MAX_POWER_W: Final = 40_000
"""More than inverters and loads of this house can have together."""

ENERGY: Final = {
    f"sensor.sec1000_energy_{kind}": kind for kind in ("exported", "imported", "produced", "consumed")
}
MAX_FALL_KWH: Final = {"exported": 0.0, "imported": 0.0, "produced": 0.0, "consumed": 0.05}
ALARMS: Final = tuple(f"binary_sensor.sec1000_limit_{problem}" for problem in ("exceeded", "differs"))
POWERS: Final = tuple(f"sensor.sec1000_{power}_power" for power in ("meter", "inverter", "load"))


class Witness:
    """Watches the states over restarts."""

    def __init__(self, hass: HomeAssistant, warp: TimeWarp) -> None:
        self.wrong: list[str] = []
        self.totals: dict[str, float] = {}
        """What was shown last, kWh by kind."""
        self.changed_at = 0.0
        """When a total was last shown, in s."""
        self.unavailable_s = 0.0
        self._unavailable_since: float | None = None
        self._warp = warp
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._record)

    @callback
    def _record(self, event: Event[EventStateChangedData]) -> None:
        entity_id, state, now = event.data["entity_id"], event.data["new_state"], self._warp.passed
        if entity_id == POWERS[0]:
            self._record_availability(state is not None and state.state != STATE_UNAVAILABLE)
        if state is None or state.state in {STATE_UNAVAILABLE, STATE_UNKNOWN}:
            return
        if kind := ENERGY.get(entity_id):
            total = float(state.state)
            if total < self.totals.get(kind, 0.0) - MAX_FALL_KWH[kind]:
                self.wrong.append(f"{now:.0f} s: {kind} fell from {self.totals[kind]} to {total}")
            self.totals[kind] = total
            self.changed_at = now
        elif entity_id in ALARMS and state.state == STATE_ON:
            self.wrong.append(f"{now:.0f} s: {entity_id} went on")
        elif entity_id in POWERS and abs(float(state.state)) > MAX_POWER_W:
            self.wrong.append(f"{now:.0f} s: {entity_id} showed {state.state}")

    def _record_availability(self, is_available: bool) -> None:
        now = self._warp.passed
        if not is_available and self._unavailable_since is None:
            self._unavailable_since = now
        elif is_available and self._unavailable_since is not None:
            self.unavailable_s += now - self._unavailable_since
            self._unavailable_since = None

    async def until_committed(self) -> None:
        """Return once the recorder has all that was shown."""
        # The next poll is further off than that.
        await asyncio.sleep(max(0.0, self.changed_at + 2 * COMMIT_S - self._warp.passed))

    async def recorded_total(
        self, _hass: HomeAssistant, entity_id: str, _since: datetime, _saved: int
    ) -> int | None:
        """Return what the recorder has; to write a month of states into a database would take too long."""
        total = self.totals.get(ENERGY[entity_id])
        return None if total is None else round(total * 1000)


@pytest.fixture(params=[1, 2, 3, 4, 5])
def seed(request: pytest.FixtureRequest, long_run: bool) -> int:
    """Return the seed of a run; all but the first are for long runs."""
    if request.param != 1 and not long_run:
        pytest.skip("one week is enough where the run is not long")
    return int(request.param)


@pytest.fixture
async def sim(warp: TimeWarp, seed: int) -> AsyncIterator[Simulator]:
    """Run a device in a house with clouds and a battery, from midnight on."""
    house = House(start=0, seed=seed, battery=BATTERY_W)
    async with Simulator(house=house, seed=seed, keep_requests=1) as simulator:
        yield simulator


async def leave_only_watched(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Disable the entities that the witness does not watch: their states would take half of the time."""
    registry = er.async_get(hass)
    for entity in er.async_entries_for_config_entry(registry, entry.entry_id):
        if entity.entity_id not in {*ENERGY, *ALARMS, *POWERS}:
            registry.async_update_entity(entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    assert await hass.config_entries.async_reload(entry.entry_id)


async def cut_power(hass: HomeAssistant, entry: MockConfigEntry, hass_storage: Storage) -> None:
    """Take Home Assistant's power for a while: it starts again from the files as they are now."""
    files = deepcopy(hass_storage)
    assert await hass.config_entries.async_unload(entry.entry_id)
    hass_storage.clear()
    hass_storage.update(files)
    await asyncio.sleep(POWER_CUT_S)
    await load(hass, entry)


def events(random: Random, seconds: float) -> list[tuple[float, str]]:
    """Return what happens when (s): power cuts, closed requests, and the end."""
    cuts = [random.uniform(0.1, 0.9) * seconds for _ in range(POWER_CUTS)]
    pauses = (random.expovariate(1 / CLOSED_EVERY_S) for _ in range(round(2 * seconds / CLOSED_EVERY_S)))
    closings = [at for at in accumulate(pauses) if at < seconds]
    return sorted([*((at, "cut") for at in cuts), *((at, "close") for at in closings), (seconds, "end")])


@pytest.mark.promise("R-02", "R-31")
@pytest.mark.slow
@pytest.mark.timeout(1_800)
async def test_energy_is_true_over_faults_and_power_cuts(
    hass: HomeAssistant,
    warp: TimeWarp,
    sim: Simulator,
    hass_storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    long_run: bool,
    seed: int,
) -> None:
    seconds = (LONG_DAYS if long_run else DAYS) * DAY_S
    random = Random(f"true values {seed}")  # noqa: S311 - the same ones every time
    witness = Witness(hass, warp)
    monkeypatch.setattr(sensor, "async_recorded_total", witness.recorded_total)
    entry = entry_of(sim)
    entry.add_to_hass(hass)
    with counted_log() as log:
        await load(hass, entry)
        await leave_only_watched(hass, entry)
        begin, before = warp.passed, asdict(sim.house.counters)
        sim.inject("impossible-value", chance=IMPOSSIBLE)
        sim.inject("silence", chance=LOST)
        for at, event in events(random, seconds):
            await asyncio.sleep(max(0.0, begin + at - warp.passed))
            if event == "cut":
                await witness.until_committed()
                await cut_power(hass, entry, hass_storage)
            elif event == "close":
                sim.inject("no-telemetry", count=random.randint(1, 3))
        sim.clear_faults()
        await asyncio.sleep(60)
        true = {kind: (total - before[kind]) / 1000 for kind, total in asdict(sim.house.counters).items()}

    shown = {kind: float(get_state(hass, entity_id).state) for entity_id, kind in ENERGY.items()}
    assert shown == pytest.approx(true, rel=ACCURACY)
    assert not witness.wrong, "\n".join(witness.wrong)
    assert witness.unavailable_s < MAX_UNAVAILABLE * seconds
    assert not log.exceptions, "\n".join(log.exceptions)
    assert not [issue for domain, issue in ir.async_get(hass).issues if domain == DOMAIN]
