"""Each report, replayed in Home Assistant, shows what stands in the file beside it.

WRITE_EXPECTED=1 writes that file for a report that has none yet: read it before you commit it.
"""

from os import environ

from homeassistant.core import HomeAssistant
import pytest

from simulator import FAULTS, Simulator
from tests.virtual_time.timewarp import TimeWarp

from .home import entry_for, live
from .report import REPORTS, Expected, Report, names, without_outcome

MAX_EXHAUSTED = 0.1
"""The most requests past the end of a report, as part of all: beyond that it says too little."""


@pytest.mark.parametrize("name", names())
async def test_report_shows_what_is_expected(warp: TimeWarp, hass: HomeAssistant, name: str) -> None:
    report = Report.from_file(REPORTS / f"{name}.json")
    async with Simulator(replay=report.replay) as sim:
        entry = entry_for(sim, report.entry)
        shown = await live(hass, entry, without_outcome(report.calls), report.seconds)
        is_enough = report.replay.exhausted <= MAX_EXHAUSTED * len(sim.requests)
        assert is_enough, "more is asked than was recorded: delete and record it anew (record.py)"
        await hass.config_entries.async_unload(entry.entry_id)
    if "WRITE_EXPECTED" in environ and not report.expected_path.exists():
        shown.write(report.expected_path)
    assert shown == Expected.from_file(report.expected_path)


def test_every_fault_of_the_simulator_has_a_report() -> None:
    """`pytest tests/field/record.py` records those that are missing."""
    assert {name.removeprefix("fault_") for name in names() if name.startswith("fault_")} == {
        fault.replace("-", "_") for fault in FAULTS
    }
