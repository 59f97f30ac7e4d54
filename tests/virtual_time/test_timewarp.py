"""Virtual time is the same for all clocks, keeps the order, and waits for sockets and threads."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
import time

import freezegun
from homeassistant.core import HomeAssistant
from homeassistant.helpers.event import async_call_later, async_track_time_interval
from homeassistant.util import dt as dt_util
import pytest

from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.errors import AnswerTimeoutError
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, ExportTarget
from simulator import Simulator

from .timewarp import TimeWarp

TICK_S = 5e-6
"""The clocks count in microseconds."""


@pytest.fixture
async def sim(warp: TimeWarp) -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator


def _real_clock() -> float:
    # An import of the name itself would be frozen too.
    return freezegun.api.real_monotonic()


async def test_timeout_passes_in_virtual_time_only(warp: TimeWarp, sim: Simulator) -> None:
    client = Sec1000Client(sim.host, sim.port)
    sim.inject("silence")
    real, virtual = _real_clock(), warp.passed
    with pytest.raises(AnswerTimeoutError):
        await client.read_telemetry(tries=1)
    assert warp.passed - virtual == pytest.approx(10, abs=TICK_S)
    assert _real_clock() - real < 1


async def test_answering_device_takes_no_virtual_time(warp: TimeWarp, sim: Simulator) -> None:
    client = Sec1000Client(sim.host, sim.port)
    await client.read_telemetry()
    assert warp.passed == 0
    await client.read_export_settings()
    assert warp.passed == pytest.approx(0.5, abs=TICK_S)


async def test_all_clocks_agree(warp: TimeWarp) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time(), time.monotonic(), time.time(), dt_util.utcnow()
    await asyncio.sleep(3600)
    assert loop.time() == time.monotonic()
    assert loop.time() - before[0] == pytest.approx(3600, abs=TICK_S)
    assert time.monotonic() - before[1] == pytest.approx(3600, abs=TICK_S)
    assert time.time() - before[2] == pytest.approx(3600, abs=TICK_S)
    assert (dt_util.utcnow() - before[3]).total_seconds() == pytest.approx(3600, abs=TICK_S)


async def test_timers_fire_in_order_and_on_time(warp: TimeWarp) -> None:
    fell_due: list[tuple[int, float]] = []

    async def fall_due_after(seconds: int) -> None:
        await asyncio.sleep(seconds)
        fell_due.append((seconds, warp.passed))

    delays = [7, 86_400, 1, 30, 3, 3600]
    await asyncio.gather(*(fall_due_after(seconds) for seconds in delays))
    assert [seconds for seconds, _ in fell_due] == sorted(delays)
    assert [at for _, at in fell_due] == pytest.approx(sorted(delays), abs=TICK_S)


async def test_home_assistant_timers_fire(hass: HomeAssistant, warp: TimeWarp) -> None:
    began = dt_util.utcnow()
    later: list[float] = []
    every_minute: list[float] = []
    async_call_later(hass, 90, lambda now: later.append((now - began).total_seconds()))
    stop = async_track_time_interval(
        hass, lambda now: every_minute.append((now - began).total_seconds()), timedelta(minutes=1)
    )
    await asyncio.sleep(3601)
    stop()
    assert later == pytest.approx([90], abs=0.1)
    assert len(every_minute) == 60


async def test_time_stands_still_while_executor_works(warp: TimeWarp) -> None:
    loop = asyncio.get_running_loop()
    alarm = loop.call_later(60, lambda: None)
    assert await loop.run_in_executor(None, _work, 0.3) == "done"
    assert await asyncio.to_thread(_work, 0.05) == "done"
    assert warp.passed == 0
    alarm.cancel()


def _work(seconds: float) -> str:
    time.sleep(seconds)
    return "done"


async def test_day_of_sleeping_takes_seconds(warp: TimeWarp) -> None:
    real = _real_clock()
    for _ in range(24 * 60):
        await asyncio.sleep(60)
    assert warp.passed == pytest.approx(86_400, abs=0.1)
    assert _real_clock() - real < 5


async def _run(seed: int) -> list[tuple[bytes, float]]:
    """Return the requests to a device with faults, and their times."""
    began = asyncio.get_running_loop().time()
    async with Simulator(seed=seed) as sim:
        for fault in ("silence", "wrong-checksum", "late-effect", "six-byte-answer", "reset"):
            sim.inject(fault, chance=0.1)
        client = Sec1000Client(sim.host, sim.port)
        for limit in range(0, 10_000, 500):
            target = ExportTarget(ControlMode.VALUE, 30_000, limit, sum_of_phases=True)
            await asyncio.gather(client.apply(target), client.read_telemetry(), return_exceptions=True)
        return [(request.raw, request.time - began) for request in sim.requests]


@pytest.mark.slow
async def test_same_seed_gives_same_requests(warp: TimeWarp) -> None:
    first, again, other = await _run(1), await _run(1), await _run(2)
    assert [raw for raw, _ in first] == [raw for raw, _ in again]
    assert [at for _, at in first] == pytest.approx([at for _, at in again], abs=1e-3)
    assert [raw for raw, _ in first] != [raw for raw, _ in other]


async def test_real_time_returns_afterwards() -> None:
    loop = asyncio.get_running_loop()
    with TimeWarp(loop):
        await asyncio.sleep(1000)
    assert abs(loop.time() - _real_clock()) < 1
    real = _real_clock()
    await asyncio.sleep(0.01)
    assert _real_clock() - real >= 0.01
