"""The loop of the lives: a seed decides the order, nothing ready is forgotten, nothing of the dead runs."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, cast

import freezegun
from freezegun.api import FrozenDateTimeFactory
import pytest

from .loop import Program, SeededLoop, SeededWarp

START: Final = "2026-06-21 00:00:00"

pytestmark = pytest.mark.usefixtures("socket_enabled")


def run[T](seed: int, work: Callable[[SeededLoop], Coroutine[Any, Any, T]]) -> T:
    """Run this in a loop of this seed, in virtual time."""
    loop = SeededLoop(seed)
    try:
        with (
            freezegun.freeze_time(START) as frozen,
            SeededWarp(loop, START, frozen=cast(FrozenDateTimeFactory, frozen), grace_s=0),
        ):
            return loop.run_until_complete(work(loop))
    finally:
        loop.close()


async def order_of_tasks(_loop: SeededLoop) -> list[int]:
    """Return in which order 20 tasks came to their end that were ready at once, three times each."""
    ended: list[int] = []

    async def step(number: int) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        ended.append(number)

    await asyncio.gather(*(step(number) for number in range(20)))
    return ended


async def order_of_jobs(loop: SeededLoop) -> list[int]:
    """Return in which order the ends of 20 jobs for threads were known."""
    ended: list[int] = []

    async def job(number: int) -> None:
        ended.append(await loop.run_in_executor(None, lambda: number))

    await asyncio.gather(*(job(number) for number in range(20)))
    return ended


@pytest.mark.parametrize("orders", [order_of_tasks, order_of_jobs])
def test_same_seed_has_same_order(orders: Callable[[SeededLoop], Coroutine[Any, Any, list[int]]]) -> None:
    assert run(1, orders) == run(1, orders)


@pytest.mark.parametrize("orders", [order_of_tasks, order_of_jobs])
def test_other_seeds_have_other_orders(
    orders: Callable[[SeededLoop], Coroutine[Any, Any, list[int]]],
) -> None:
    assert len({tuple(run(seed, orders)) for seed in range(10)}) == 10


@pytest.mark.parametrize("orders", [order_of_tasks, order_of_jobs])
def test_each_that_is_ready_runs_once(
    orders: Callable[[SeededLoop], Coroutine[Any, Any, list[int]]],
) -> None:
    for seed in range(50):
        assert sorted(run(seed, orders)) == [*range(20)]


def test_callbacks_keep_their_order_among_tasks() -> None:
    async def callbacks(loop: SeededLoop) -> list[int]:
        called: list[int] = []
        for number in range(20):
            loop.call_soon(called.append, number)
            loop.create_task(asyncio.sleep(0))
        await asyncio.sleep(1)
        return called

    for seed in range(50):
        assert run(seed, callbacks) == [*range(20)]


def test_busy_task_does_not_keep_others_from_running() -> None:
    async def rest_among_the_busy(loop: SeededLoop) -> bool:
        async def spin() -> None:
            for _ in range(10_000):
                await asyncio.sleep(0)

        async def rest() -> None:
            for _ in range(100):
                await asyncio.sleep(0)

        spinning = [loop.create_task(spin()) for _ in range(5)]
        await rest()
        is_first = not any(task.done() for task in spinning)
        for task in spinning:
            task.cancel()
        return is_first

    assert all(run(seed, rest_among_the_busy) for seed in range(20))


def test_timers_go_off_in_the_order_of_their_time() -> None:
    async def timers(loop: SeededLoop) -> list[float]:
        fired: list[float] = []
        began = loop.time()
        for after in (3.0, 0.5, 2.0, 1.0):
            loop.call_later(after, lambda: fired.append(round(loop.time() - began, 3)))
        await asyncio.sleep(5)
        return fired

    for seed in range(10):
        assert run(seed, timers) == [0.5, 1.0, 2.0, 3.0]


def test_time_that_stands_still_is_an_error() -> None:
    async def wait_for_nothing(_loop: SeededLoop) -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="the time stands still"):
        run(1, wait_for_nothing)


def test_nothing_of_a_dead_program_runs() -> None:
    async def die(loop: SeededLoop) -> list[str]:
        done: list[str] = []
        program = Program("it")

        async def work() -> None:
            try:
                await asyncio.sleep(2)
                done.append("the task")
            finally:
                done.append("its end")

        task = asyncio.Task(work(), loop=loop, context=program.context.copy())
        program.context.run(loop.call_later, 2, done.append, "the timer")
        program.context.run(loop.call_later, 0.5, done.append, "before")
        loop.call_later(2, done.append, "somebody else's")
        await asyncio.sleep(1)
        program.is_dead = True
        await asyncio.sleep(5)
        assert loop.tasks_of(program) == [task]
        during_its_death = [*done]
        await loop.bury(program)
        with suppress(asyncio.CancelledError):
            await task
        assert loop.tasks_of(program) == []
        assert loop.timers_of(program) == []
        assert done == [*during_its_death, "its end"]
        return during_its_death

    for seed in range(10):
        assert run(seed, die) == ["before", "somebody else's"]
