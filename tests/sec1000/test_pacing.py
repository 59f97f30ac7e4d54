"""Pacing, number of requests, and tolerance of the read-back."""

import asyncio
from itertools import pairwise

import pytest

from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.errors import Sec1000Error
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, ExportSettings, ExportTarget
from custom_components.goodwe_sec1000.sec1000.setting_write import NotAppliedError, agrees
from custom_components.goodwe_sec1000.sec1000.stats import RequestStats
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from simulator import Simulator
from tests.known import known

TARGET = ExportTarget(ControlMode.VALUE, 30_000, 7_000, sum_of_phases=True)


def test_standard_timing_is_unchanged() -> None:
    """Other tests shorten the timing or use virtual time, so that only this one detects a change."""
    assert Timing() == Timing(
        pacing=0.5,
        deadline=10,
        write_deadline=2,
        unlimited_deadline=4,
        malformed_answer_drain=0.2,
        retry_pauses=(1, 3),
        read_back_pause=2,
        command_deadline=45,
        budget=12,
        refill=4.4,
        restore_debt=20,
        poll_patience=60,
        command_patience=13.5,
        reread_interval=5,
        reset_read_deadline=25,
        watchdog_pause=5,
    )


@pytest.mark.promise("R-03")
@pytest.mark.parametrize(
    ("mode", "capacity", "limit", "same"),
    [
        (ControlMode.VALUE, 30_000, 7_000, True),
        (ControlMode.VALUE, 30_049, 6_951, True),
        (ControlMode.VALUE, 29_951, 7_049, True),
        (ControlMode.VALUE, 30_000, 7_050, False),
        (ControlMode.VALUE, 30_000, 6_950, False),
        (ControlMode.VALUE, 30_050, 7_000, False),
        (ControlMode.VALUE, 29_950, 7_000, False),
        (ControlMode.RCR, 30_000, 7_000, False),
        (ControlMode.DEACTIVATED, 30_000, 7_000, False),
    ],
)
def test_read_back_agrees_within_50_w_in_same_mode(
    mode: ControlMode, capacity: int, limit: int, same: bool
) -> None:
    assert agrees(ExportSettings(mode, capacity, 100, limit), TARGET) is same


@pytest.mark.promise("R-06")
@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize("fault", ["close-before-answer", "wrong-checksum", "reset"])
async def test_failed_request_is_followed_by_pause(client: Sec1000Client, sim: Simulator, fault: str) -> None:
    sim.inject(fault)
    for _ in range(4):
        with pytest.raises(Sec1000Error):
            await client.read_export_settings(tries=1)
    arrivals = [request.time for request in sim.requests]
    # Virtual clocks count in microseconds.
    pacing = client.transport.timing.pacing * 0.99
    assert all(later - earlier >= pacing for earlier, later in pairwise(arrivals))


@pytest.mark.promise("R-06")
@pytest.mark.usefixtures("warp")
async def test_cancelled_request_is_followed_by_pause(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("silence", count=1)
    task = asyncio.create_task(client.read_telemetry())
    await sim.wait_for_requests(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    cancelled = asyncio.get_running_loop().time()
    await client.read_telemetry()
    assert sim.requests[1].time - cancelled >= client.transport.timing.pacing * 0.9


@pytest.mark.promise("R-06")
@pytest.mark.usefixtures("warp")
async def test_writes_of_one_command_go_back_to_back(client: Sec1000Client, sim: Simulator) -> None:
    client.transport.timing = Timing()
    sim.device.mode = ControlMode.RCR
    await client.read_export_settings()
    await client.apply(TARGET)
    arrivals = [request.time for request in sim.requests]
    gaps = [later - earlier for earlier, later in pairwise(arrivals)]
    assert gaps == [
        pytest.approx(0.5, abs=0.05),
        *[pytest.approx(0, abs=0.02)] * 3,
        pytest.approx(0.5, abs=0.05),
    ]


@pytest.mark.usefixtures("warp")
async def test_burst_goes_on_2s_after_unanswered_write(client: Sec1000Client, sim: Simulator) -> None:
    client.transport.timing = Timing()
    sim.inject("silence", count=1, commands=(0x42,))
    await client.apply(TARGET)
    write, on, *_ = (request.time for request in sim.requests)
    assert on - write == pytest.approx(2, abs=0.05)


@pytest.mark.usefixtures("warp")
async def test_reset_takes_limit_off_for_five_seconds(client: Sec1000Client, sim: Simulator) -> None:
    client.transport.timing = Timing()
    await client.reset_watchdog(
        lambda held: ExportTarget(held.mode, known(held.capacity), known(held.limit), sum_of_phases=True)
    )
    _, _, _, off, write, on, _ = (request.time for request in sim.requests)
    assert 5 <= on - off < 5.1
    assert on - write < 0.1


@pytest.mark.promise("R-05")
async def test_failed_mode_change_costs_at_most_12_requests(client: Sec1000Client, sim: Simulator) -> None:
    sim.device.mode = ControlMode.RCR
    await client.read_export_settings()
    sim.inject("ack-without-effect")
    sim.requests.clear()
    stats = RequestStats()
    with pytest.raises(NotAppliedError):
        await client.apply(TARGET, stats=stats)
    assert stats.requests == len(sim.requests) <= 12
