"""A reset or mode change that anything interrupts never leaves the limit off unreported.

Every case is measured and judged; docs/fault-table.md shows them. After an intended change of behaviour,
scripts/fault-table updates that page.
"""

from typing import Any

import pytest

from .early_ends import ALL_CASES, Case, Command, End, Measured, judge, measure
from .early_ends_page import early_ends_part
from .fault_table_page import check_page
from .timewarp import TimeWarp

type Storage = dict[str, Any]

SOME_CASES = [
    Case(Command.RESET, End.UNLOAD, 4, is_silent=True),
    Case(Command.RESET, End.CRASH, 4, is_silent=False),
    Case(Command.MODE, End.STOP, 3, is_silent=False),
]
"""Those that are measured where the slow tests are left out."""


@pytest.fixture(scope="module")
def table() -> list[Measured]:
    """Cases measured so far."""
    return []


@pytest.mark.parametrize("case", SOME_CASES, ids=str)
async def test_selected_early_ends_pass(warp: TimeWarp, hass_storage: Storage, case: Case) -> None:
    assert judge(await measure(warp, hass_storage, case)) == []


@pytest.mark.promise("R-18", "R-19", "R-20", "R-21", "R-25")
@pytest.mark.slow
@pytest.mark.parametrize("end", End)
@pytest.mark.parametrize("command", Command)
async def test_every_early_end_passes(
    warp: TimeWarp, hass_storage: Storage, command: Command, end: End, table: list[Measured]
) -> None:
    measured = [
        await measure(warp, hass_storage, case)
        for case in ALL_CASES
        if (case.command, case.end) == (command, end)
    ]
    table += measured
    wrong = {str(each.case): judge(each) for each in measured if judge(each)}
    assert wrong == {}


@pytest.mark.slow
def test_page_shows_measured_early_ends(table: list[Measured], request: pytest.FixtureRequest) -> None:
    case_tests = [
        item
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == test_every_early_end_passes.__name__
    ]
    if len(case_tests) < len(Command) * len(End):
        pytest.skip("only a part of the table was selected")
    assert [each.case for each in table] == ALL_CASES, "a test failed, or another worker measured a part"
    check_page("early ends", early_ends_part(table))
