"""Records the reports that the faults of the simulator make: pytest tests/field/record.py.

What Home Assistant showed of the faulty device becomes what is expected of its replay. Reports that are there
stay as they are: delete those that are to be recorded anew.
"""

import asyncio
from collections import deque
from contextlib import suppress
from datetime import datetime
import json
from typing import Final

from homeassistant.core import HomeAssistant
import pytest

from custom_components.goodwe_sec1000.diagnostics import async_get_config_entry_diagnostics
from custom_components.goodwe_sec1000.sec1000.asker import asked_by
from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.endpoint import endpoint_for
from custom_components.goodwe_sec1000.sec1000.errors import Sec1000Error
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, ExportTarget
from simulator import FAULTS, Simulator
from tests.entries import entry_of
from tests.virtual_time.timewarp import TimeWarp

from .home import live
from .report import REPORTS, Call, Report

_CALLS: Final = (Call(45, "set_export_limit", {"limit": 3.0}), Call(150, "set_datetime", {}))
_FAULTY_FROM_S: Final = 40.0
_SECONDS: Final = 235.0
_SPARE_ROUNDS: Final = 2
_PAUSE_S: Final = 60.0


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_is_recorded(warp: TimeWarp, hass: HomeAssistant, fault: str) -> None:
    path = REPORTS / f"fault_{fault.replace('-', '_')}.json"
    if path.exists():
        pytest.skip("it is recorded already")
    async with Simulator() as sim:
        line = endpoint_for(sim.host, sim.port).transport
        line.exchanges = deque()
        entry = entry_of(sim)
        shown = await live(hass, entry, _CALLS, _SECONDS, {_FAULTY_FROM_S: lambda: sim.inject(fault)})
        recorded = (await async_get_config_entry_diagnostics(hass, entry))["entry"]
        await hass.config_entries.async_unload(entry.entry_id)
        with asked_by("spare"):
            await _ask_more(Sec1000Client(sim.host, sim.port))
    exchanges = ",\n".join(json.dumps(exchange.as_dict()) for exchange in line.exchanges)
    text = json.dumps({"data": {"entry": recorded, "exchanges": []}}, indent=2)
    path.write_text(text.replace('"exchanges": []', f'"exchanges": [\n{exchanges}\n]') + "\n", "utf-8")
    shown.write(Report.from_file(path).expected_path)


async def _ask_more(client: Sec1000Client) -> None:
    """Record answers to spare, so that a report outlasts changes of how often the device is asked."""
    target = ExportTarget(ControlMode.VALUE, 30_000, 3_000, sum_of_phases=True)
    for _ in range(_SPARE_ROUNDS):
        for ask in (
            lambda: client.read_telemetry(tries=3),
            lambda: client.read_export_settings(tries=3),
            lambda: client.apply(target),
            lambda: client.set_clock(lambda: datetime(2026, 6, 21)),  # noqa: DTZ001 - the device has no time zone
        ):
            await asyncio.sleep(_PAUSE_S)
            with suppress(Sec1000Error):
                await ask()
