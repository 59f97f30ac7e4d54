"""After kill -9 at any point of a command, the next start restores the limit by itself."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from custom_components.goodwe_sec1000.sec1000.model import ControlMode

from .commands import CLOCK_AND_CHANGE, OLD, RESET, RESET_OF_RCR, RESTORING, Command
from .home import START
from .stage import SETUP, How, Moment, Stage, run_all

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("homes"), pytest.mark.timeout(300)]

RESTORED_WITHIN_S: Final = 3.0
"""From the first request of a start until the limit is in force."""


WHILE_SUSPENDED: Final = Moment("1 s into the 5 s", 4, How.ANSWERED, off=True, delay=1)
RESET_MOMENTS: Final = (
    Moment("before pending is saved, on the first read", 1, How.DONE),
    Moment("between pending and the first off", 1, How.PENDING_SAVED),
    Moment("as the second off is lost", 3, How.LOST),
    Moment("as the last off is lost", 4, How.LOST),
    Moment("as the last off arrives", 4, How.DONE, off=True),
    Moment("after the last off", 4, How.ANSWERED, off=True),
    WHILE_SUSPENDED,
    Moment("3 s into the 5 s", 4, How.ANSWERED, off=True, delay=3),
    Moment("as the restoring write is lost", 5, How.LOST, off=True),
    Moment("as the restoring write arrives", 5, How.DONE, off=True),
    Moment("as the restoring on is lost", 6, How.LOST, off=True),
    Moment("as the restoring on arrives, unanswered", 6, How.DONE),
    Moment("after the restoring on is answered", 6, How.ANSWERED),
    Moment("on the read-back", 7, How.DONE),
    Moment("after it all", 7, How.PENDING_CLEARED),
)
CHANGE_MOMENTS: Final = (
    Moment("before pending is saved, as the clock is set", 1, How.DONE),
    Moment("between pending and the write", 1, How.PENDING_SAVED),
    Moment("as the write arrives", 2, How.DONE),
    Moment("as the first off is lost", 3, How.LOST),
    Moment("as the second off is lost", 4, How.LOST),
    Moment("as the second off arrives", 4, How.DONE, off=True),
    Moment("as the on is lost", 5, How.LOST, off=True),
    Moment("as the on arrives, unanswered", 5, How.DONE),
    Moment("after the on is answered", 5, How.ANSWERED),
    Moment("on the read-back", 6, How.DONE),
    Moment("after it all", 6, How.PENDING_CLEARED),
)
RESTORING_MOMENTS: Final = (
    Moment("on the first read", 1, How.DONE, off=True),
    Moment("as the write is lost", 2, How.LOST, off=True),
    Moment("as the write arrives", 2, How.DONE, off=True),
    Moment("as the on is lost", 3, How.LOST, off=True),
    Moment("as the on arrives, unanswered", 3, How.DONE),
    Moment("on the read-back", 4, How.DONE),
)


@pytest.mark.promise("R-17", "R-19")
async def test_killed_reset_is_restored_by_next_start(tmp_path: Path, subtests: pytest.Subtests) -> None:
    await _run_all(tmp_path, subtests, RESET, [(moment,) for moment in RESET_MOMENTS])


@pytest.mark.promise("R-19")
async def test_killed_rcr_reset_restores_rcr(tmp_path: Path, subtests: pytest.Subtests) -> None:
    await _run_all(tmp_path, subtests, RESET_OF_RCR, [(replace(WHILE_SUSPENDED, sent=5),)])


@pytest.mark.promise("R-17", "R-19")
async def test_killed_mode_change_is_restored_by_next_start(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    await _run_all(tmp_path, subtests, CLOCK_AND_CHANGE, [(moment,) for moment in CHANGE_MOMENTS])


@pytest.mark.promise("R-19")
async def test_killed_restore_is_continued_by_next_start(tmp_path: Path, subtests: pytest.Subtests) -> None:
    await _run_all(tmp_path, subtests, RESET, [(WHILE_SUSPENDED, moment) for moment in RESTORING_MOMENTS])


async def _run_all(
    folder: Path, subtests: pytest.Subtests, command: Command, scenarios: list[tuple[Moment, ...]]
) -> None:
    await run_all(
        folder,
        subtests,
        {
            ", then ".join(moment.name for moment in moments): partial(
                _scenario, command=command, moments=moments
            )
            for moments in scenarios
        },
    )


async def _scenario(folder: Path, *, command: Command, moments: tuple[Moment, ...]) -> None:
    async with Stage.set_up(folder, mode=command.held, limit=OLD) as stage:
        stage.home.automate(command.at(START))
        expected, start = SETUP + command.sent, len(SETUP)
        for moment in moments:
            stage.begin()
            async with stage.home.running():
                await moment.kill(stage, start)
            assert stage.request_names == expected[: start + moment.sent]
            assert stage.is_unlimited is moment.off
            assert stage.home.pending.exists() or not moment.off
            stage.home.automate()
            expected, start = RESTORING, 0
        await _check_next_start(stage, command)


async def _check_next_start(stage: Stage, command: Command) -> None:
    was_off, had_pending = stage.is_unlimited, stage.home.pending.exists()
    device = stage.sim.device
    before = device.mode, device.limit, device.bound_limit
    stage.begin()
    async with stage.home.running():
        await stage.telemetry_requested()
        await stage.answered(len(stage.requests))
        assert not stage.home.pending.exists()
    assert stage.home.errors == []
    if not was_off:
        assert stage.written == []
        # That the limit is on is read twice before a pending restore ends.
        assert stage.request_names == (("read", "read", "telemetry") if had_pending else SETUP)
        assert (device.mode, device.limit, device.bound_limit) == before
        assert device.mode in {command.held, command.target[0]}
        return
    arming = f"{command.target[0].key} on"
    assert stage.request_names == ("read", "write", arming, "read", "telemetry")
    first, armed = stage.requests[0], stage.requests[2]
    assert armed.time - first.time < RESTORED_WITHIN_S
    assert (device.mode, device.limit) == command.target
    assert device.bound_limit == (device.limit if device.mode is ControlMode.VALUE else None)
    assert device.sum_of_phases is False
    assert device.capacity == 30_000
