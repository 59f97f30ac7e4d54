"""Each report, replayed in Home Assistant, shows what stands in the file beside it.

WRITE_EXPECTED=1 writes that file for a report that has none yet: read it before you commit it.
"""

import json
from os import environ
from pathlib import Path
from typing import Any, Final

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.diagnostics import async_get_config_entry_diagnostics
from simulator import FAULTS, House, Replay, Simulator
from tests.entries import entry_of
from tests.virtual_time.timewarp import TimeWarp

from .home import entry_for, live
from .report import REPORTS, Call, Expected, Report, names, without_outcome

FAULT: Final = "fault_"
"""What the names of the reports begin with of which there is one for each fault of the simulator."""
MAX_EXHAUSTED: Final = 0.1
"""The most requests past the end of a report, as part of all: beyond that it says too little."""
REPLAYED: Final = ("telemetry", "settings", "proven_limit", "pending_restore", "limit_exceeded")
"""What of a snapshot a replay shows; energy and feedback also come from before the first exchange."""


async def diagnostics_of(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, Any]:
    """Return the diagnostics as a user downloads them."""
    text = json.dumps({"data": await async_get_config_entry_diagnostics(hass, entry)})
    return dict(json.loads(text))


def replayed(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Return what of a snapshot a replay shows; reports of older releases have no load."""
    shown = {key: snapshot[key] for key in REPLAYED}
    if telemetry := shown["telemetry"]:
        shown["telemetry"] = {key: value for key, value in telemetry.items() if key != "load"}
    return shown


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name.startswith(FAULT) else []) for name in names()],
)
async def test_report_shows_what_is_expected(warp: TimeWarp, hass: HomeAssistant, name: str) -> None:
    report = Report.from_file(REPORTS / f"{name}.json")
    async with Simulator(replay=report.replay) as sim:
        entry = entry_for(sim, report.entry)
        shown = await live(hass, entry, without_outcome(report.calls), report.seconds)
        is_enough = report.replay.exhausted <= MAX_EXHAUSTED * len(sim.requests)
        assert is_enough, "more is asked than was recorded: delete and record it anew (record.py)"
        if report.snapshot:
            diagnostics = await diagnostics_of(hass, entry)
            assert replayed(diagnostics["data"]["snapshot"]) == replayed(dict(report.snapshot))
        await hass.config_entries.async_unload(entry.entry_id)
    if "WRITE_EXPECTED" in environ and not report.expected_path.exists():
        shown.write(report.expected_path)
    assert report.expected_path.exists(), "WRITE_EXPECTED=1 writes this file: read it before you commit it"
    assert shown == Expected.from_file(report.expected_path)


async def test_diagnostics_of_a_house_are_replayed_to_the_same_states(
    warp: TimeWarp, hass: HomeAssistant, tmp_path: Path
) -> None:
    """Of the house of the demo, while a limit is set, a poll is lost, and a value is impossible."""
    calls = (Call(40, "set_export_limit", {"limit": 4.2}), Call(130, "export_disable", {}))
    async with Simulator(house=House(start=11, battery=5_000)) as sim:
        recorded = entry_of(sim)
        timeline = {
            70.0: lambda: sim.inject("silence", count=1),
            100.0: lambda: sim.inject("impossible-value", count=1, commands=[0x0B]),
        }
        shown = await live(hass, recorded, calls, 200, timeline)
        diagnostics = await diagnostics_of(hass, recorded)
        await hass.config_entries.async_remove(recorded.entry_id)
    file = tmp_path / "diagnostics.json"
    file.write_text(json.dumps(diagnostics))
    async with Simulator(replay=Replay.from_file(file)) as sim:
        entry = entry_for(sim, diagnostics["data"]["entry"])
        assert await live(hass, entry, calls, 200) == shown
        again = await diagnostics_of(hass, entry)
        assert sim.replay is not None
        assert sim.replay.exhausted == 0
        await hass.config_entries.async_unload(entry.entry_id)
    assert replayed(again["data"]["snapshot"]) == replayed(diagnostics["data"]["snapshot"])


def test_every_fault_of_the_simulator_has_a_report() -> None:
    """`pytest tests/field/record.py` records those that are missing."""
    assert {name.removeprefix(FAULT) for name in names() if name.startswith(FAULT)} == {
        fault.replace("-", "_") for fault in FAULTS
    }
