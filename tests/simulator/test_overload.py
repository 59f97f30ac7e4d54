"""What the device bears for hours, and what is too much for it."""

from typing import Final

from simulator import Patience, Simulator
from simulator.overload import Mood

from . import wire
from .wire import ask

HOUR: Final = 3600.0


def test_four_requests_back_to_back_are_survived() -> None:
    patience = Patience()
    for setting in range(100):
        for request in range(4):
            assert patience.judge(setting * 5 + request * 0.005, 1) is Mood.WELL


def test_a_limit_change_and_a_poll_every_five_seconds_are_survived_for_hours() -> None:
    patience = Patience()
    moments = sorted(
        [second + 0.6 * part for second in range(0, int(6 * HOUR), 5) for part in range(4)]
        + [second + 2.9 for second in range(0, int(6 * HOUR), 60)],
    )
    assert all(patience.judge(moment, 1) is Mood.WELL for moment in moments)
    assert patience.level < 10


def test_the_longest_command_is_survived_in_between() -> None:
    patience = Patience()
    for second in range(0, 100, 5):
        patience.judge(float(second), 1)
    assert all(patience.judge(100 + 0.5 * request, 1) is Mood.WELL for request in range(12))


def test_two_clients_at_the_same_time_are_survived() -> None:
    patience = Patience()
    assert all(patience.judge(float(second), 2) is Mood.WELL for second in range(1000))


def test_polling_ten_times_a_second_is_too_much() -> None:
    patience = Patience()
    moods = [patience.judge(request / 10, 1) for request in range(100)]
    assert moods[:20] == [Mood.WELL] * 20
    assert moods.count(Mood.NONSENSE) == 3
    assert moods[-1] is Mood.SILENT


def test_a_burst_without_pauses_tires_it_sooner() -> None:
    patience = Patience()
    moods = [patience.judge(request / 1000, 1) for request in range(20)]
    assert moods[:10] == [Mood.WELL] * 10
    assert moods[-1] is Mood.SILENT


def test_a_crowd_tires_it_sooner() -> None:
    patience = Patience()
    moods = [patience.judge(request * 0.5, 8) for request in range(10)]
    assert moods[-1] is Mood.SILENT


def test_time_does_not_cure_it_and_a_restart_does() -> None:
    patience = Patience()
    patience.exhaust()
    assert [patience.judge(second * HOUR, 1) for second in range(5)] == [Mood.NONSENSE] * 3 + [
        Mood.SILENT
    ] * 2
    patience.restart()
    assert patience.judge(6 * HOUR, 1) is Mood.WELL


async def test_it_is_on_by_default(sim: Simulator) -> None:
    answers = []
    while not sim.patience.exhausted:
        answers.append(await ask(sim, wire.READ_LIMIT))
    assert len(answers) >= 6
    assert answers[-1][9] != 0x43
    sim.restart()
    assert (await ask(sim, wire.READ_LIMIT))[9] == 0x43


async def test_it_can_be_switched_off() -> None:
    async with Simulator(patience=False) as sim:
        for _ in range(100):
            assert (await ask(sim, wire.READ_LIMIT))[9] == 0x43


async def test_it_can_be_set() -> None:
    async with Simulator(patience=Patience(drain=0.001, burst=2)) as sim:
        answers = [await ask(sim, wire.READ_LIMIT) for _ in range(4)]
        assert [answer[9] == 0x43 for answer in answers] == [True, True, False, False]
