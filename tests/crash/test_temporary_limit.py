"""After kill -9 before, across or after the end of a temporary limit, the limit after it holds."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from tests.calls import until

from .home import ENTRY_ID, START, Automation, Home
from .stage import SETUP, How, Moment, Stage, run_all

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("homes"), pytest.mark.timeout(300)]

KEY: Final = f"{DOMAIN}.{ENTRY_ID}"
HELD, TEMPORARY, THEN = 9_000, 7_000, 2_000
LASTS_S: Final = 4.0
"""How long the temporary limit still lasts when Home Assistant is started: it has started by then."""
SENT: Final = ("write", "value on", "read")
"""Requests of a limit, and of an end."""
SET: Final = ("set_export_limit", {"limit": TEMPORARY / 1000, "then": THEN / 1000, "duration": 60})
SET_MOMENTS: Final = (
    Moment("as the write is lost", 1, How.LOST),
    Moment("as the write arrives", 1, How.DONE),
    Moment("as the on is lost", 2, How.LOST),
    Moment("on the read-back", 3, How.DONE),
)
END_MOMENTS: Final = (
    Moment("before the end", 0, How.ANSWERED),
    Moment("as the write is lost", 1, How.LOST),
    Moment("as the write arrives", 1, How.DONE),
    Moment("as the on is lost", 2, How.LOST),
    Moment("as the on arrives, unanswered", 2, How.DONE),
    Moment("between the write and its read-back", 2, How.ANSWERED),
    Moment("on the read-back", 3, How.DONE),
)


@pytest.mark.promise("R-32")
async def test_killed_end_is_carried_out_by_next_start(tmp_path: Path, subtests: pytest.Subtests) -> None:
    scenarios = {moment.name: partial(_end_killed, moment=moment) for moment in END_MOMENTS}
    await run_all(tmp_path, subtests, scenarios)


@pytest.mark.promise("R-32")
async def test_limit_killed_while_it_is_set_ends(tmp_path: Path, subtests: pytest.Subtests) -> None:
    scenarios = {moment.name: partial(_set_killed, moment=moment) for moment in SET_MOMENTS}
    await run_all(tmp_path, subtests, scenarios)


async def _end_killed(folder: Path, moment: Moment) -> None:
    """Kill Home Assistant at this moment of an end, and start it when that has passed."""
    async with Stage.set_up(folder, mode=ControlMode.VALUE, limit=TEMPORARY) as stage:
        ends = datetime.now(UTC) + timedelta(seconds=LASTS_S)
        _store(stage.home, TEMPORARY, ends)
        stage.begin()
        async with stage.home.running():
            await moment.kill(stage, len(SETUP))
        assert stage.request_names == (*SETUP, *SENT[: moment.sent])
        await asyncio.sleep((ends - datetime.now(UTC)).total_seconds())
        await _check_next_start(stage)


async def _set_killed(folder: Path, moment: Moment) -> None:
    """Kill Home Assistant while a temporary limit takes the place of another, and start it after the end."""
    async with Stage.set_up(folder, mode=ControlMode.VALUE, limit=HELD) as stage:
        _store(stage.home, HELD, datetime.now(UTC) + timedelta(minutes=5))
        stage.home.automate(Automation(START, [SET]))
        stage.begin()
        async with stage.home.running():
            await moment.kill(stage, len(SETUP))
        assert stage.request_names == (*SETUP, *SENT[: moment.sent])
        stage.home.automate()
        stored = stage.home.stored(KEY)
        assert stored["temporary"]["limit"] == TEMPORARY
        stored["temporary"]["ends"] = datetime.now(UTC).isoformat()
        stage.home.store(KEY, stored)
        await _check_next_start(stage)


def _store(home: Home, limit: int, ends: datetime) -> None:
    """Have a temporary limit (W) on disk as an earlier run of Home Assistant would."""
    temporary = {"limit": limit, "then": THEN, "before": HELD, "ends": ends.isoformat(), "duration": 600.0}
    home.store(KEY, {"limit": limit, "temporary": temporary})


async def _check_next_start(stage: Stage) -> None:
    device = stage.sim.device
    stage.begin()
    async with stage.home.running():
        await until(lambda: stage.home.stored(KEY) == {"limit": THEN}, within=30)
        await stage.sim.wait_until_idle()
        assert (device.mode, device.bound_limit) == (ControlMode.VALUE, THEN)
    assert stage.request_names[: len(SETUP) + len(SENT)] == (*SETUP, *SENT)
    assert stage.home.errors == []
