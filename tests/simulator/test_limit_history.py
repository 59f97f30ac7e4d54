"""What the device reports about its armings and the time without a limit."""

from collections.abc import AsyncIterator

import pytest

from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator

from . import wire
from .wire import ask, status


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def sim(clock: Clock) -> AsyncIterator[Simulator]:
    async with Simulator(clock=clock) as simulator:
        yield simulator


async def test_limit_is_armed_by_the_mode_not_by_its_write(sim: Simulator, clock: Clock) -> None:
    clock.now = 101
    await status(sim, wire.WRITE_5_KW)
    assert sim.device.history.armed_at(5_000, since=100) is None
    clock.now = 102
    await status(sim, wire.VALUE_ON)
    assert sim.device.history.armed_at(5_000, since=100) == 102
    assert sim.device.history.armed_at(5_000, since=103) is None
    assert [arming.limit for arming in sim.device.history.armings] == [10_000, 5_000]


async def test_time_between_off_and_on_is_without_a_limit(sim: Simulator, clock: Clock) -> None:
    for clock.now, request in ((101, wire.VALUE_OFF), (103, wire.VALUE_OFF), (106, wire.VALUE_ON)):
        await ask(sim, request)
    (gap,) = sim.device.history.unlimited
    assert (gap.start, gap.end) == (101, 106)
    assert sim.device.history.unlimited_seconds(since=100, until=110) == 5
    assert sim.device.history.unlimited_seconds(since=102, until=104) == 2
    assert sim.device.history.unlimited_seconds(since=106, until=110) == 0


async def test_limit_that_is_off_counts_until_now(sim: Simulator, clock: Clock) -> None:
    clock.now = 101
    await ask(sim, wire.VALUE_OFF)
    assert sim.device.history.is_unlimited
    assert sim.device.history.unlimited_seconds(since=0, until=131) == 30


async def test_late_effect_is_recorded_when_it_came(sim: Simulator, clock: Clock) -> None:
    sim.inject("late-effect", count=1)
    await ask(sim, wire.VALUE_OFF)
    clock.now = 200
    assert [gap.start for gap in sim.device.history.unlimited] == [102]


async def test_write_without_effect_is_not_recorded(sim: Simulator, clock: Clock) -> None:
    sim.inject("ack-without-effect", count=2)
    await ask(sim, wire.VALUE_OFF)
    await ask(sim, wire.VALUE_ON)
    assert sim.device.history.unlimited == ()
    assert len(sim.device.history.armings) == 1


@pytest.mark.parametrize(
    ("mode", "armed", "unlimited"),
    [
        (ControlMode.VALUE, [10_000], False),
        (ControlMode.RCR, [None], False),
        (ControlMode.DRED, [None], False),
        (ControlMode.DEACTIVATED, [], True),
    ],
)
async def test_history_begins_with_the_mode_at_start(
    clock: Clock, mode: ControlMode, armed: list[int | None], unlimited: bool
) -> None:
    async with Simulator(mode=mode, clock=clock) as sim:
        assert [arming.limit for arming in sim.device.history.armings] == armed
        assert sim.device.history.is_unlimited is unlimited
