"""A write succeeds only if the read-back agrees; otherwise the error states what is known."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.errors import (
    AnswerTimeoutError,
    ChecksumError,
    ConnectionClosedError,
    ConnectionFailedError,
    NotLimitedError,
    OutcomeUnknownError,
    Sec1000Error,
    SupersededError,
)
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, ExportSettings, ExportTarget
from custom_components.goodwe_sec1000.sec1000.setting_write import NotAppliedError
from custom_components.goodwe_sec1000.sec1000.stats import RequestStats
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from simulator import Simulator
from tests.known import known

READ, LIMIT, VALUE, DRED, RCR = 0x43, 0x42, 0x40, 0x33, 0x28
SEVEN = ExportTarget(ControlMode.VALUE, 30_000, 7_000, sum_of_phases=True)

pytestmark = pytest.mark.usefixtures("warp")


def commands(sim: Simulator) -> list[int]:
    return [request.frame.command for request in sim.requests if request.frame]


def as_read(held: ExportSettings) -> ExportTarget:
    """Return what a reset is to restore where nothing was proven before."""
    return ExportTarget(held.mode, known(held.capacity), known(held.limit), sum_of_phases=True)


async def test_limit_in_same_mode_costs_three_requests(client: Sec1000Client, sim: Simulator) -> None:
    await client.read_export_settings()
    sim.requests.clear()
    stats = RequestStats()
    settings = await client.apply(SEVEN, stats=stats)
    assert commands(sim) == [LIMIT, VALUE, READ]
    assert stats.requests == 3
    assert settings.limit == sim.device.bound_limit == 7_000
    assert sim.device.sum_of_phases


async def test_limit_with_mode_change_costs_five_requests(client: Sec1000Client, sim: Simulator) -> None:
    sim.device.mode = ControlMode.RCR
    await client.read_export_settings()
    sim.requests.clear()
    await client.apply(SEVEN)
    assert commands(sim) == [LIMIT, DRED, RCR, VALUE, READ]
    assert sim.device.mode is ControlMode.VALUE
    assert sim.device.bound_limit == 7_000


async def test_unnoticed_mode_change_is_corrected(client: Sec1000Client, sim: Simulator) -> None:
    await client.read_export_settings()
    sim.device.mode = ControlMode.DRED
    stats = RequestStats()
    await client.apply(SEVEN, stats=stats)
    assert sim.device.mode is ControlMode.VALUE
    assert sim.device.bound_limit == 7_000
    assert stats.requests <= 12


async def test_unchanged_target_is_written_again(client: Sec1000Client, sim: Simulator) -> None:
    """An earlier read-back is not relied on: another program may have changed the setting."""
    await client.apply(SEVEN)
    sim.device.limit = 12_345
    await client.apply(SEVEN)
    assert sim.device.bound_limit == 7_000


async def test_every_mode_can_be_set_and_left(client: Sec1000Client, sim: Simulator) -> None:
    for mode in (ControlMode.RCR, ControlMode.DRED, ControlMode.DEACTIVATED, ControlMode.VALUE):
        settings = await client.apply(ExportTarget(mode, 20_000, 5_000, sum_of_phases=False))
        assert settings.mode is sim.device.mode is mode
        assert (sim.device.capacity, sim.device.limit) == (20_000, 5_000)
        assert not sim.device.sum_of_phases


@pytest.mark.parametrize(
    "fault", ["effect-without-ack", "wrong-checksum", "close-inside-answer", "wrong-command"]
)
async def test_lost_answer_to_write_is_no_failure(client: Sec1000Client, sim: Simulator, fault: str) -> None:
    sim.inject(fault, commands=(LIMIT,))
    stats = RequestStats()
    assert (await client.apply(SEVEN, stats=stats)).limit == 7_000
    assert sim.device.bound_limit == 7_000
    assert stats.requests <= 12


async def test_unacknowledged_arming_is_repeated(client: Sec1000Client, sim: Simulator) -> None:
    """The mode was on before, so no read-back shows whether the new limit was armed."""
    await client.read_export_settings()
    sim.inject("close-before-answer", count=1, commands=(VALUE,))
    sim.requests.clear()
    await client.apply(SEVEN)
    assert sim.device.bound_limit == 7_000
    assert commands(sim) == [LIMIT, VALUE, READ, LIMIT, VALUE, READ]


async def test_arming_never_acknowledged_is_reported(client: Sec1000Client, sim: Simulator) -> None:
    """The read-back agrees, but only the meter shows whether the new limit is in force."""
    await client.read_export_settings()
    sim.inject("close-before-answer", commands=(VALUE,))
    stats = RequestStats()
    assert (await client.apply(SEVEN, stats=stats)).limit == 7_000
    assert stats.arming_unacknowledged


async def test_lost_answer_does_not_prolong_suspension(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("effect-then-silence", count=1, commands=(VALUE,))
    with pytest.raises(AnswerTimeoutError):
        await client.reset_watchdog(as_read)
    off, on = (request.time for request in sim.requests if request.frame and request.frame.command == VALUE)
    timing = client.transport.timing
    assert on - off < max(timing.watchdog_pause, timing.write_deadline) + timing.deadline
    assert sim.device.bound_limit == 10_000


@pytest.mark.promise("R-04")
async def test_ack_without_effect_raises_not_applied(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("ack-without-effect")
    stats = RequestStats()
    with pytest.raises(NotAppliedError, match=r"limit 10.00 kW.* instead of .*limit 7.00 kW") as caught:
        await client.apply(SEVEN, stats=stats)
    assert caught.value.held.limit == sim.device.limit == 10_000
    assert stats.requests <= 12


async def test_late_write_is_awaited_and_armed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that is stored after its arming takes effect only when it is armed again."""
    monkeypatch.setattr("simulator.simulator.LATE_EFFECT_S", 3.5)
    sim = Simulator(clock=lambda: len(sim.requests))
    async with sim:
        sim.inject("late-effect", count=1, commands=(LIMIT,))
        await Sec1000Client(sim.host, sim.port).apply(SEVEN)
        assert commands(sim) == [LIMIT, VALUE, READ, READ, LIMIT, VALUE, READ]
        assert sim.device.bound_limit == 7_000


async def test_write_without_effect_is_repeated(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("ack-without-effect", count=1, commands=(LIMIT,))
    await client.apply(SEVEN)
    assert commands(sim) == [LIMIT, VALUE, READ, READ, LIMIT, VALUE, READ]
    assert sim.device.bound_limit == 7_000


async def test_limit_that_may_be_late_is_armed_again(client: Sec1000Client, sim: Simulator) -> None:
    """A write without an answer may take effect after its arming, and the read-back agree nevertheless."""
    sim.inject("effect-then-silence", count=1, commands=(LIMIT,))
    await client.apply(SEVEN)
    assert commands(sim) == [LIMIT, VALUE, READ, LIMIT, VALUE, READ]


async def test_rounded_limit_agrees(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("rounded")
    target = ExportTarget(ControlMode.VALUE, 30_000, 7_004, sum_of_phases=True)
    assert (await client.apply(target)).limit == 7_000


@pytest.mark.promise("R-04")
@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("silence", AnswerTimeoutError),
        ("close-before-answer", ConnectionClosedError),
        ("wrong-checksum", ChecksumError),
    ],
)
async def test_failed_read_back_raises_outcome_unknown(
    client: Sec1000Client, sim: Simulator, fault: str, cause: type[Sec1000Error]
) -> None:
    sim.inject(fault)
    stats = RequestStats()
    with pytest.raises(OutcomeUnknownError) as caught:
        await client.apply(SEVEN, stats=stats)
    assert isinstance(caught.value.__cause__, cause)
    assert stats.requests <= 12


@pytest.mark.promise("R-04")
async def test_refused_connection_is_not_outcome_unknown(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("refused")
    with pytest.raises(ConnectionFailedError):
        await client.apply(SEVEN)
    assert client.pending.target is None


@pytest.mark.promise("R-06")
async def test_commands_precede_waiting_polls_uninterrupted(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("silence", count=1)
    polls = [asyncio.create_task(client.read_telemetry(tries=1))]
    await sim.wait_for_requests(1)
    await asyncio.sleep(0.1)
    polls.append(asyncio.create_task(client.read_telemetry(tries=1)))
    first = asyncio.create_task(client.apply(SEVEN))
    reset = asyncio.create_task(client.reset_watchdog(as_read))
    await asyncio.gather(*polls, first, reset, return_exceptions=True)
    assert commands(sim) == [
        *(0x0B,),
        *(LIMIT, VALUE, READ),
        *(READ, DRED, RCR, VALUE, LIMIT, VALUE, READ),
        *(0x0B,),
    ]


async def test_cancelled_waiting_limit_frees_its_place(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("silence", count=1)
    poll = asyncio.create_task(client.read_telemetry(tries=1))
    await sim.wait_for_requests(1)
    waiting = asyncio.create_task(client.apply(SEVEN))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(poll, waiting, return_exceptions=True)
    assert (await client.apply(SEVEN)).limit == 7_000


@pytest.mark.promise("R-06")
async def test_two_clients_of_one_device_share_transport(client: Sec1000Client, sim: Simulator) -> None:
    other = Sec1000Client("127.0.0.1".upper(), sim.port)
    assert other.transport is client.transport
    await asyncio.gather(client.read_telemetry(), other.apply(SEVEN))
    arrivals = [request.time for request in sim.requests]
    pauses = [later - earlier for earlier, later in pairwise(arrivals)]
    pacing = client.transport.timing.pacing * 0.99
    assert [pause >= pacing for pause in pauses] == [True, False, True]


async def test_watchdog_reset_restores_previous_setting(client: Sec1000Client, sim: Simulator) -> None:
    sim.device.limit = 4_321
    _, settings = await client.reset_watchdog(as_read)
    assert commands(sim) == [READ, DRED, RCR, VALUE, LIMIT, VALUE, READ]
    assert (settings.mode, settings.limit) == (ControlMode.VALUE, 4_321)
    assert sim.device.bound_limit == 4_321
    off, on = sim.requests[3].time, sim.requests[5].time
    assert on - off >= client.transport.timing.watchdog_pause * 0.99


async def test_limit_before_suspension_supersedes_reset(client: Sec1000Client, sim: Simulator) -> None:
    reset = asyncio.create_task(client.reset_watchdog(as_read))
    await sim.wait_for_requests(1)
    await client.apply(SEVEN)
    with pytest.raises(SupersededError):
        await reset
    assert commands(sim) == [READ, LIMIT, VALUE, READ]
    assert sim.device.bound_limit == 7_000


@pytest.mark.promise("R-22")
@pytest.mark.usefixtures("warp")
async def test_limit_does_not_wait_for_what_a_reset_reads(client: Sec1000Client, sim: Simulator) -> None:
    client.transport.timing = Timing()
    sim.inject("silence", count=1)
    reset = asyncio.create_task(client.reset_watchdog(as_read))
    await sim.wait_for_requests(1)
    began = asyncio.get_running_loop().time()
    await client.apply(SEVEN)
    assert asyncio.get_running_loop().time() - began < 2
    with pytest.raises(SupersededError):
        await reset
    assert commands(sim) == [READ, LIMIT, VALUE, READ]


async def test_reset_in_deactivated_mode_is_refused(client: Sec1000Client, sim: Simulator) -> None:
    sim.device.mode = ControlMode.DEACTIVATED
    with pytest.raises(NotLimitedError):
        await client.reset_watchdog(as_read)
    assert commands(sim) == [READ]


async def test_reset_without_first_read_writes_nothing(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("wrong-checksum")
    with pytest.raises(ChecksumError):
        await client.reset_watchdog(as_read)
    assert set(commands(sim)) == {READ}


def less_than_read(held: ExportSettings) -> ExportTarget:
    """Return another target than the device holds, which is read again then."""
    return replace(as_read(held), limit=7_000)


@pytest.mark.promise("R-05")
@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize("lost_reads", range(2))
@pytest.mark.parametrize("lost_offs", range(4))
async def test_reset_of_lossy_device_ends_within_45_s(
    client: Sec1000Client, sim: Simulator, lost_reads: int, lost_offs: int
) -> None:
    """The limit and every read-back is lost as well."""
    client.transport.timing = Timing()
    lost = {READ: lost_reads, LIMIT: 1}
    for command, count in lost.items():
        if count:
            sim.inject("silence", count=count, commands=(command,))
    if lost_offs:
        sim.inject("silence", count=lost_offs, commands=(VALUE, DRED, RCR))
    began = asyncio.get_running_loop().time()
    reset = asyncio.create_task(client.reset_watchdog(less_than_read))
    await sim.wait_for_requests(lost_reads + 1)
    await sim.wait_until_idle()
    if lost_reads:
        sim.inject("silence", count=lost_reads, commands=(READ,))
    await sim.wait_for_requests(2 * lost_reads + 3)
    sim.inject("silence", commands=(READ,))
    with pytest.raises(OutcomeUnknownError):
        await reset
    assert asyncio.get_running_loop().time() - began <= 45
    assert sim.device.bound_limit is not None


@pytest.mark.promise("R-05")
@pytest.mark.usefixtures("warp")
async def test_reset_suspends_nothing_where_reading_takes_long(client: Sec1000Client, sim: Simulator) -> None:
    client.transport.timing = Timing()
    sim.inject("silence", count=2, commands=(READ,))
    reset = asyncio.create_task(client.reset_watchdog(less_than_read))
    await sim.wait_for_requests(3)
    await sim.wait_until_idle()
    sim.inject("silence", count=2, commands=(READ,))
    with pytest.raises(AnswerTimeoutError):
        await reset
    assert set(commands(sim)) == {READ}


async def test_reset_with_lost_offs_restores_limit_and_fails(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("close-before-answer", count=3, commands=(VALUE, DRED, RCR))
    with pytest.raises(Sec1000Error):
        await client.reset_watchdog(as_read)
    assert sim.device.bound_limit == 10_000


async def test_mode_switched_off_just_before_is_read_back_later(
    client: Sec1000Client, sim: Simulator
) -> None:
    """Its "off" may take effect after its "on"."""
    client.transport.timing = Timing()
    sim.inject("late-effect", count=1, commands=(VALUE,))
    await client.read_export_settings()
    await client.apply(replace(SEVEN, mode=ControlMode.RCR))
    assert (await client.apply(SEVEN)).mode is ControlMode.VALUE
    assert sim.device.bound_limit == 7_000
