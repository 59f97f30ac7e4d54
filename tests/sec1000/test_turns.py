"""One budget of requests for all that goes to a device, and who draws on it first."""

import asyncio
from datetime import datetime
from typing import Final

import pytest

from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.errors import Sec1000Error
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, ExportTarget
from custom_components.goodwe_sec1000.sec1000.setting_write import NotAppliedError
from custom_components.goodwe_sec1000.sec1000.stats import RequestStats
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from custom_components.goodwe_sec1000.sec1000.turns import Claim, Priority, Turns
from simulator import Simulator

READ, LIMIT, VALUE, CLOCK = 0x43, 0x42, 0x40, 0x05
BUDGET: Final = 12
REFILL: Final = 4.4
SEVEN: Final = ExportTarget(ControlMode.VALUE, 30_000, 7_000, sum_of_phases=True)
TEN: Final = ExportTarget(ControlMode.VALUE, 30_000, 10_000, sum_of_phases=True)

pytestmark = pytest.mark.usefixtures("warp")


@pytest.fixture
async def client(sim: Simulator) -> Sec1000Client:
    """A client of the device, with the standard timing."""
    client = Sec1000Client(sim.host, sim.port)
    client.transport.timing = Timing()
    return client


@pytest.fixture
async def turns() -> Turns:
    return Turns(Timing)


def now() -> float:
    return asyncio.get_running_loop().time()


def spend(turns: Turns, requests: int) -> None:
    for _ in range(requests):
        turns.spend()


def commands(sim: Simulator) -> list[int]:
    return [request.frame.command for request in sim.requests if request.frame]


class Queue:
    """Callers that wait for their turn, and the order in which it came."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.began = now()
        self.served: list[tuple[str, float]] = []
        """Who, and when (s from the begin)."""
        self._tasks: list[asyncio.Task[None]] = []

    async def add(
        self, who: str, priority: Priority, requests: int = 1, *, may_owe: bool | None = None
    ) -> None:
        """Let somebody wait for so many requests, and spend them."""
        claim = Claim(priority, requests, priority is Priority.RESTORE if may_owe is None else may_owe)
        self._tasks.append(asyncio.create_task(self._take(who, claim)))
        await asyncio.sleep(0)

    async def _take(self, who: str, claim: Claim) -> None:
        await self.turns.take(lambda: claim, lambda: None)
        self.served.append((who, round(now() - self.began, 1)))
        spend(self.turns, claim.requests)
        self.turns.release()

    async def done(self) -> list[tuple[str, float]]:
        await asyncio.gather(*self._tasks)
        return self.served


async def test_budget_allows_twelve_then_one_per_refill(turns: Turns) -> None:
    queue = Queue(turns)
    for number in range(BUDGET + 2):
        await queue.add(str(number), Priority.READ)
    served = await queue.done()
    assert [at for _, at in served] == [0.0] * BUDGET + [REFILL, 2 * REFILL]


async def test_budget_is_full_again_after_a_pause_and_no_more(turns: Turns) -> None:
    spend(turns, 20)
    assert turns.level == BUDGET - 20
    await asyncio.sleep(REFILL)
    assert turns.level == pytest.approx(BUDGET - 19)
    await asyncio.sleep(3_600)
    assert turns.level == BUDGET


async def test_time_without_a_request_left_is_counted(turns: Turns) -> None:
    spend(turns, BUDGET + 1)
    await asyncio.sleep(3_600)
    assert turns.empty_s == pytest.approx(2 * REFILL)


async def test_command_waits_for_its_whole_first_round(turns: Turns) -> None:
    spend(turns, BUDGET)
    queue = Queue(turns)
    await queue.add("change", Priority.COMMAND, 3)
    await queue.add("read", Priority.READ)
    assert await queue.done() == [("change", 13.2), ("read", 17.6)]


async def test_command_that_waits_for_long_may_lack_one_request(turns: Turns) -> None:
    """A poll may have taken it."""
    spend(turns, BUDGET)
    queue = Queue(turns)
    await queue.add("change", Priority.COMMAND, 5)
    assert await queue.done() == [("change", 17.6)]
    assert turns.level == pytest.approx(-1)


async def test_debt_delays_those_who_come_after(turns: Turns) -> None:
    spend(turns, BUDGET + 4)
    queue = Queue(turns)
    await queue.add("read", Priority.READ)
    assert await queue.done() == [("read", 5 * REFILL)]


async def test_restore_goes_into_debt_of_20_before_anything_else(turns: Turns) -> None:
    spend(turns, BUDGET)
    queue = Queue(turns)
    await queue.add("poll", Priority.POLL)
    await queue.add("command", Priority.COMMAND, 3)
    for _ in range(6):
        await queue.add("restore", Priority.RESTORE, 4)
    served = await queue.done()
    assert [who for who, _ in served[:6]] == ["restore"] * 6
    assert [at for who, at in served if who == "restore"] == [0.0] * 5 + [pytest.approx(17.6, abs=0.1)]


async def test_command_that_restores_owes_and_lets_polls_in(turns: Turns) -> None:
    spend(turns, BUDGET)
    queue = Queue(turns)
    await queue.add("poll", Priority.POLL)
    for _ in range(14):
        await queue.add("command", Priority.COMMAND, 3, may_owe=True)
    served = await queue.done()
    assert [at for who, at in served if who == "command"][:6] == [0.0] * 6
    # As the first after 60 s.
    assert 60 < next(at for who, at in served if who == "poll") < 80


async def test_commands_go_before_reads_and_polls(turns: Turns) -> None:
    spend(turns, BUDGET)
    queue = Queue(turns)
    await queue.add("poll", Priority.POLL)
    await queue.add("read", Priority.READ)
    await queue.add("command", Priority.COMMAND, 3)
    assert [who for who, _ in await queue.done()] == ["command", "poll", "read"]


async def test_every_second_turn_is_a_polls_beside_reads(turns: Turns) -> None:
    spend(turns, BUDGET)
    queue = Queue(turns)
    for _ in range(4):
        await queue.add("read", Priority.READ)
        await queue.add("poll", Priority.POLL)
    served = [who for who, _ in await queue.done()]
    assert served == ["poll", "read"] * 4


async def test_poll_goes_between_commands_after_60_s(turns: Turns) -> None:
    spend(turns, BUDGET)
    queue = Queue(turns)
    await queue.add("poll", Priority.POLL)
    for _ in range(8):
        await queue.add("command", Priority.COMMAND, 3)
    served = [who for who, _ in await queue.done()]
    assert served.index("poll") == 4


async def test_cancelled_caller_leaves_its_place_to_the_next(turns: Turns) -> None:
    spend(turns, BUDGET)
    first = asyncio.create_task(turns.take(lambda: Claim(Priority.COMMAND, 8), lambda: None))
    await asyncio.sleep(0)
    queue = Queue(turns)
    await queue.add("read", Priority.READ)
    first.cancel()
    assert await queue.done() == [("read", REFILL)]


async def test_caller_cancelled_at_its_turn_gives_it_back(turns: Turns) -> None:
    await turns.take(lambda: Claim(Priority.COMMAND, 1), lambda: None)
    waiting = asyncio.create_task(turns.take(lambda: Claim(Priority.COMMAND, 1), lambda: None))
    await asyncio.sleep(0)
    turns.release()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.wait_for(turns.take(lambda: Claim(Priority.POLL, 1), lambda: None), 1)


async def test_60_equal_reads_at_once_are_one_request(client: Sec1000Client, sim: Simulator) -> None:
    reads = await asyncio.gather(*(client.read_export_settings(urgent=True) for _ in range(60)))
    assert len(sim.requests) == 1
    assert {settings.limit for settings in reads} == {10_000}


async def test_60_equal_reads_at_once_fail_together(client: Sec1000Client, sim: Simulator) -> None:
    sim.inject("wrong-checksum")
    reads = await asyncio.gather(
        *(client.read_export_settings(urgent=True) for _ in range(60)), return_exceptions=True
    )
    assert len(sim.requests) == 3
    assert {type(error) for error in reads} == {type(reads[0])}
    assert isinstance(reads[0], Sec1000Error)


async def test_60_clocks_at_once_are_one_request(client: Sec1000Client, sim: Simulator) -> None:
    """Else a limit would wait for minutes behind them."""
    spend(client.transport.turns, BUDGET)
    began = now()
    clocks = [asyncio.create_task(client.set_clock(datetime.now)) for _ in range(60)]
    await asyncio.sleep(0)
    await client.apply(SEVEN)
    assert now() - began < 4 * REFILL + 2
    assert len(set(await asyncio.gather(*clocks))) == 1
    assert commands(sim) == [CLOCK, LIMIT, VALUE, READ]


async def test_clock_that_was_set_just_now_is_set_again(client: Sec1000Client, sim: Simulator) -> None:
    await client.set_clock(datetime.now)
    await client.set_clock(datetime.now)
    assert commands(sim) == [CLOCK, CLOCK]


async def test_loop_of_reads_goes_no_faster_than_requests(client: Sec1000Client, sim: Simulator) -> None:
    began, reads = now(), 0
    while now() < began + 59:
        await client.read_export_settings(urgent=True)
        reads += 1
    assert reads <= 120
    assert len(sim.requests) == 12


async def test_read_within_5s_returns_last_good_answer(client: Sec1000Client, sim: Simulator) -> None:
    await client.read_export_settings(urgent=True)
    sim.device.limit = 3_000
    await asyncio.sleep(4.4)
    assert (await client.read_export_settings(urgent=True)).limit == 10_000
    await asyncio.sleep(0.1)
    assert (await client.read_export_settings(urgent=True)).limit == 3_000
    assert len(sim.requests) == 2


async def test_read_after_write_is_sent(client: Sec1000Client, sim: Simulator) -> None:
    await client.read_export_settings(urgent=True)
    sim.inject("silence", commands=(READ,))
    with pytest.raises(Sec1000Error):
        await client.apply(SEVEN)
    sim.clear_faults()
    assert (await client.read_export_settings(urgent=True)).limit == 7_000


async def test_command_reads_whatever_was_read_just_now(client: Sec1000Client, sim: Simulator) -> None:
    await client.read_export_settings(urgent=True)
    sim.device.limit = 3_000
    before, _ = await client.reset_watchdog(lambda _held: TEN)
    assert before.limit == 3_000


async def test_poll_that_waits_is_served_by_read_back(client: Sec1000Client, sim: Simulator) -> None:
    change = asyncio.create_task(client.apply(SEVEN))
    await asyncio.sleep(0.1)
    poll = asyncio.create_task(client.read_export_settings())
    await change
    assert (await poll).limit == 7_000
    assert len(sim.requests) == 3


async def test_repeats_of_a_command_never_wait(client: Sec1000Client, sim: Simulator) -> None:
    spend(client.transport.turns, BUDGET - 3)
    sim.inject("ack-without-effect")
    stats = RequestStats()
    began = now()
    with pytest.raises(NotAppliedError):
        await client.apply(SEVEN, stats=stats)
    assert stats.requests == 12
    assert now() - began < 20
    assert client.transport.turns.level < -4


async def test_reset_cut_short_while_it_waits_delays_nobody(client: Sec1000Client, sim: Simulator) -> None:
    await client.read_export_settings()
    spend(client.transport.turns, BUDGET - 1)
    began = now()
    reset = asyncio.create_task(client.reset_watchdog(lambda _held: TEN))
    await asyncio.sleep(1)
    await client.apply(SEVEN)
    assert now() - began < 3 * REFILL + 2
    await asyncio.gather(reset, return_exceptions=True)
    assert sim.device.bound_limit == 7_000
