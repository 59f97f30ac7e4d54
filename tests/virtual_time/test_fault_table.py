"""No fault makes the integration show a wrong value, hang, or leave the export unlimited.

Every cell of the fault table is measured and judged; docs/fault-table.md shows the table. After an intended
change of behaviour, scripts/fault-table updates that page.
"""

import asyncio

from homeassistant.core import HomeAssistant
import pytest

from simulator import FAULTS, Simulator
from tests.states import get_state

from .fault_table import (
    ARM,
    Cell,
    Measured,
    Operation,
    Scope,
    cells,
    judge,
    measure,
    set_up,
    undetectable_reason,
)
from .fault_table_page import check_page, faults_part
from .timewarp import TimeWarp

ALL_CELLS = [cell for operation in Operation for fault in FAULTS.values() for cell in cells(operation, fault)]
SOME_CELLS = [
    Cell(Operation.TELEMETRY, "wrong-checksum", Scope(None, once=False)),
    Cell(Operation.READ, "silence", Scope(None, once=False)),
    Cell(Operation.WRITE, "ack-without-effect", Scope(None, once=False)),
    Cell(Operation.MODE, "silence", Scope(ARM, once=False)),
    Cell(Operation.MODE, "reset", Scope(ARM, once=True)),
    Cell(Operation.CLOCK, "nak", Scope(None, once=False)),
]
"""Those that are measured where the slow tests are left out."""


@pytest.fixture(scope="module")
def table() -> list[Measured]:
    """Cells measured so far."""
    return []


@pytest.mark.parametrize("cell", SOME_CELLS, ids=str)
async def test_selected_cells_pass(hass: HomeAssistant, warp: TimeWarp, cell: Cell) -> None:
    assert judge(await measure(hass, warp, cell)) == []


@pytest.mark.promise("R-01", "R-02", "R-03", "R-05")
@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", Operation)
async def test_every_cell_passes(
    hass: HomeAssistant, warp: TimeWarp, operation: Operation, fault: str, table: list[Measured]
) -> None:
    measured = [await measure(hass, warp, cell) for cell in cells(operation, FAULTS[fault])]
    table += measured
    wrong = {str(each.cell): judge(each) for each in measured if judge(each)}
    assert wrong == {}


@pytest.mark.slow
def test_page_shows_measured_table(table: list[Measured], request: pytest.FixtureRequest) -> None:
    cell_tests = [
        item
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == test_every_cell_passes.__name__
    ]
    if len(cell_tests) < len(FAULTS) * len(Operation):
        pytest.skip("only a part of the table was selected")
    assert [each.cell for each in table] == ALL_CELLS, "a test failed, or another worker measured a part"
    check_page("faults", faults_part(table))


@pytest.mark.promise("R-16")
@pytest.mark.parametrize("fault", ["disobedient", "ack-without-effect"])
async def test_meter_reveals_limit_not_in_force(hass: HomeAssistant, warp: TimeWarp, fault: str) -> None:
    """The limit is acknowledged and read back, but not obeyed or not armed."""
    cell = Cell(Operation.WRITE, fault, Scope(ARM, once=False))
    assert fault == "disobedient" or undetectable_reason(cell)
    async with Simulator() as sim:
        await set_up(hass, sim)
        sim.inject(fault, commands=None if fault == "disobedient" else (ARM,))
        await hass.services.async_call("goodwe_sec1000", "set_export_limit", {"limit": 2}, blocking=True)
        assert get_state(hass, "sensor.sec1000_export_limit").state == "2.0"
        await asyncio.sleep(150)
        assert get_state(hass, "binary_sensor.sec1000_limit_exceeded").state == "on"
