"""Which requests the device sustains, and which exhaust it."""

from typing import Final

from simulator import OverloadModel, Simulator
from simulator.overload import Health

from . import wire
from .wire import ask

HOUR: Final = 3600.0


def test_four_writes_back_to_back_are_sustained() -> None:
    model = OverloadModel()
    for command in range(1000):
        for request in range(4):
            assert model.count_request(command * 20 + request * 0.005, 1) is Health.OK


def test_seven_requests_in_30_s_are_sustained_for_hours() -> None:
    model = OverloadModel()
    moments = [30 / 7 * request for request in range(int(6 * HOUR * 7 / 30))]
    assert all(model.count_request(moment, 1) is Health.OK for moment in moments)
    assert model.level < 2


def test_poll_every_5_s_is_sustained_for_hours() -> None:
    model = OverloadModel()
    assert all(model.count_request(5.0 * poll, 1) is Health.OK for poll in range(int(6 * HOUR / 5)))


def test_poll_every_4_s_exhausts_device_within_the_hour() -> None:
    model = OverloadModel()
    health = [model.count_request(4.0 * poll, 1) for poll in range(int(HOUR / 4))]
    assert health[:300] == [Health.OK] * 300
    assert health[-1] is Health.SILENT


def test_limit_change_every_5_s_exhausts_device_within_minutes() -> None:
    model = OverloadModel()
    moments = [second + 0.5 * part for second in range(0, 300, 5) for part in range(3)]
    assert [model.count_request(moment, 1) for moment in moments][-1] is Health.SILENT


def test_two_longest_commands_and_a_minute_of_restore_are_sustained() -> None:
    model = OverloadModel()
    commands = [0.5 * request for request in range(24)]
    # Five tries of a read, two writes and a read-back.
    restore = [12 + pause + 0.5 * part for pause in (1, 5, 12, 29, 59) for part in range(4)]
    assert all(model.count_request(moment, 1) is Health.OK for moment in commands + restore)


def test_two_simultaneous_clients_are_sustained() -> None:
    model = OverloadModel()
    assert all(model.count_request(5.0 * poll, 2) is Health.OK for poll in range(1000))


def test_ten_polls_per_second_exhaust_device() -> None:
    model = OverloadModel()
    health = [model.count_request(request / 10, 1) for request in range(100)]
    assert health[:40] == [Health.OK] * 40
    assert health.count(Health.NONSENSE) == 3
    assert health[-1] is Health.SILENT


def test_burst_without_pauses_exhausts_device_sooner() -> None:
    model = OverloadModel()
    health = [model.count_request(request / 1000, 1) for request in range(20)]
    assert health[:14] == [Health.OK] * 14
    assert health[-1] is Health.SILENT


def test_many_connections_exhaust_device_sooner() -> None:
    model = OverloadModel()
    health = [model.count_request(request * 0.5, 8) for request in range(10)]
    assert health[:3] == [Health.OK] * 3
    assert health[-1] is Health.SILENT


def test_exhausted_device_recovers_only_by_restart() -> None:
    model = OverloadModel()
    model.exhaust()
    assert [model.count_request(second * HOUR, 1) for second in range(5)] == [Health.NONSENSE] * 3 + [
        Health.SILENT
    ] * 2
    model.restart()
    assert model.count_request(6 * HOUR, 1) is Health.OK


async def test_simulator_has_overload_by_default(sim: Simulator) -> None:
    answers = []
    while not sim.overload.exhausted:
        answers.append(await ask(sim, wire.READ_LIMIT))
    assert len(answers) >= 6
    assert answers[-1][9] != 0x43
    sim.restart()
    assert (await ask(sim, wire.READ_LIMIT))[9] == 0x43


async def test_overload_false_answers_any_number_of_requests() -> None:
    async with Simulator(overload=False) as sim:
        for _ in range(100):
            assert (await ask(sim, wire.READ_LIMIT))[9] == 0x43


async def test_patience_is_the_former_name_of_overload() -> None:
    sim = Simulator(patience=OverloadModel(burst=0))
    assert sim.patience is sim.overload
    assert sim.overload.count_request(0, 1) is Health.NONSENSE


async def test_simulator_uses_given_overload_model() -> None:
    async with Simulator(overload=OverloadModel(drain=0.001, burst=2)) as sim:
        answers = [await ask(sim, wire.READ_LIMIT) for _ in range(4)]
        assert [answer[9] == 0x43 for answer in answers] == [True, True, False, False]
