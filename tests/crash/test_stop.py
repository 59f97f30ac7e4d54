"""A stop of Home Assistant by SIGTERM waits until the limit is restored."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
import signal
from time import monotonic
from typing import Final

import pytest

from custom_components.goodwe_sec1000.sec1000.model import ControlMode

from .commands import CHANGE, OLD, RESET, RESTORING, Command
from .home import SHUTDOWN, START, Automation
from .stage import SETUP, Stage

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("homes"), pytest.mark.timeout(180)]

STOP_S: Final = 15.0
"""From the signal to the end of the process if the device responds."""
STOP_UNRESPONSIVE_S: Final = 30.0
"""The same if the device does not respond."""


@dataclass(frozen=True, slots=True)
class Stop:
    """When Home Assistant receives the signal."""

    name: str
    command: Command
    answered: int
    """Requests of the command that are answered before."""
    delay: float = 0.0
    """Further seconds until the signal."""


STOPS: Final = (
    Stop("as the reset takes the modes off", RESET, 2),
    Stop("just after the limit is suspended", RESET, 4),
    Stop("1 s into the 5 s", RESET, 4, delay=1),
    Stop("as the reset restores the limit", RESET, 5),
    Stop("before the change switches the old mode off", CHANGE, 1),
    Stop("after the change switched the old mode off", CHANGE, 3),
    Stop("before the change is read back", CHANGE, 4),
)


@pytest.mark.promise("R-20")
async def test_stop_waits_until_limit_is_restored(tmp_path: Path, subtests: pytest.Subtests) -> None:
    ends = await asyncio.gather(
        *(_stop_during_command(tmp_path / str(number), stop) for number, stop in enumerate(STOPS)),
        return_exceptions=True,
    )
    for stop, end in zip(STOPS, ends, strict=True):
        with subtests.test(stop.name):
            if end:
                raise end


async def _stop_during_command(folder: Path, stop: Stop) -> None:
    command = stop.command
    async with asyncio.timeout(90), Stage.set_up(folder, mode=command.held, limit=OLD) as stage:
        stage.home.automate(command.at(START))
        async with stage.home.running():
            await stage.answered(len(SETUP) + stop.answered)
            await asyncio.sleep(stop.delay)
            assert await _stop(stage) < STOP_S
        device = stage.sim.device
        sent = stage.request_names
        assert sent[: len(SETUP + command.sent)] == SETUP + command.sent
        # Where a reset was cut short, it is read twice that the limit did not go off late; the first of
        # these reads may be begun anew by the stop.
        assert sent[len(SETUP + command.sent) :] in {(), *(("read",) * number for number in (2, 3))}
        assert (device.mode, device.bound_limit) == command.target
        assert not stage.home.pending.exists()
        assert stage.home.errors == []
        await _next_start_writes_nothing(stage)


@pytest.mark.promise("R-20")
async def test_silent_device_does_not_block_stop(tmp_path: Path) -> None:
    async with asyncio.timeout(90), Stage.set_up(tmp_path / "home", mode=RESET.held, limit=OLD) as stage:
        stage.home.automate(RESET.at(START))
        async with stage.home.running():
            await stage.answered(len(SETUP) + 4)
            stage.sim.inject("silence")
            assert await _stop(stage) < STOP_UNRESPONSIVE_S
        assert stage.is_unlimited
        assert stage.home.pending.exists()
        stage.sim.clear_faults()
        stage.home.automate()
        stage.begin()
        async with stage.home.running():
            await stage.telemetry_requested()
        assert stage.request_names == (*RESTORING, "telemetry")
        assert (stage.sim.device.mode, stage.sim.device.bound_limit) == RESET.target


@pytest.mark.promise("R-20")
async def test_stop_during_restore_at_start_waits(tmp_path: Path) -> None:
    async with asyncio.timeout(90), Stage.set_up(tmp_path / "home", mode=RESET.held, limit=OLD) as stage:
        stage.home.automate(RESET.at(START))
        async with stage.home.running():
            await stage.answered(len(SETUP) + 4)
            stage.home.signal(signal.SIGKILL)
            await stage.home.ended()
        stage.home.automate()
        stage.begin()
        # The third attempt is 3 s later: the start is over by then, and SIGTERM requests a stop.
        stage.sim.inject("close-before-answer", count=2)
        async with stage.home.running():
            await stage.answered(4)
            await _stop(stage)
        # The stop may come when all is written.
        assert stage.request_names[2:5] == RESTORING[:3]
        assert (stage.sim.device.mode, stage.sim.device.bound_limit) == RESET.target
        assert not stage.home.pending.exists()
        await _next_start_writes_nothing(stage)


@pytest.mark.promise("R-26")
async def test_reset_triggered_by_stop_is_refused(tmp_path: Path) -> None:
    async with asyncio.timeout(90), Stage.set_up(tmp_path / "home", mode=RESET.held, limit=OLD) as stage:
        stage.home.automate(Automation(START, [("get_export_limit", {})]), RESET.at(SHUTDOWN))
        async with stage.home.running():
            await stage.answered(len(SETUP) + 1)
            assert await _stop(stage) < STOP_UNRESPONSIVE_S
        assert stage.request_names == (*SETUP, "read")
        assert (stage.sim.device.mode, stage.sim.device.bound_limit) == RESET.target
        assert not stage.home.pending.exists()
        stage.home.automate()
        await _next_start_writes_nothing(stage)


async def _stop(stage: Stage) -> float:
    """Stop Home Assistant and return the seconds that it took."""
    began = monotonic()
    stage.home.signal(signal.SIGTERM)
    assert await stage.home.ended() == 0
    await stage.sim.wait_until_idle()
    return monotonic() - began


async def _next_start_writes_nothing(stage: Stage) -> None:
    stage.home.automate()
    stage.begin()
    async with stage.home.running():
        await stage.telemetry_requested()
        await stage.answered(len(stage.requests))
    assert stage.request_names == SETUP
    assert stage.sim.device.mode is ControlMode.VALUE
