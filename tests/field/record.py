"""Records the reports that the faults of the simulator make: pytest tests/field/record.py.

What Home Assistant showed of the faulty device becomes what is expected of its replay. Reports that are there
stay as they are: delete those that are to be recorded anew, as after a change of when and how often is asked.
"""

import json
from typing import Final

from homeassistant.core import HomeAssistant
import pytest

from custom_components.goodwe_sec1000.diagnostics import async_get_config_entry_diagnostics
from simulator import FAULTS, Simulator
from tests.entries import entry_of
from tests.virtual_time.timewarp import TimeWarp

from .home import live
from .report import REPORTS, Call, Report

_CALLS: Final = (Call(45, "set_export_limit", {"limit": 3.0}), Call(150, "set_datetime", {}))
_FAULTY_FROM_S: Final = 40.0
_SECONDS: Final = 235.0


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_is_recorded(warp: TimeWarp, hass: HomeAssistant, fault: str) -> None:
    path = REPORTS / f"fault_{fault.replace('-', '_')}.json"
    if path.exists():
        pytest.skip("it is recorded already")
    async with Simulator(overload=False) as sim:
        entry = entry_of(sim)
        shown = await live(hass, entry, _CALLS, _SECONDS, {_FAULTY_FROM_S: lambda: sim.inject(fault)})
        diagnostics = await async_get_config_entry_diagnostics(hass, entry)
        await hass.config_entries.async_unload(entry.entry_id)
    exchanges = ",\n".join(json.dumps(exchange) for exchange in diagnostics.pop("exchanges"))
    text = json.dumps({"data": {"entry": diagnostics["entry"], "exchanges": []}}, indent=2)
    path.write_text(text.replace('"exchanges": []', f'"exchanges": [\n{exchanges}\n]') + "\n", "utf-8")
    shown.write(Report.from_file(path).expected_path)
