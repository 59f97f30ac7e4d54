"""Which requests the device sustains, and which exhaust it."""

from typing import Final

from simulator import OverloadModel, Simulator
from simulator.overload import Health

from . import wire
from .wire import ask

HOUR: Final = 3600.0


def test_four_requests_back_to_back_are_sustained() -> None:
    model = OverloadModel()
    for setting in range(100):
        for request in range(4):
            assert model.count_request(setting * 5 + request * 0.005, 1) is Health.OK


def test_limit_change_every_5_s_is_sustained_for_hours() -> None:
    model = OverloadModel()
    moments = sorted(
        [second + 0.6 * part for second in range(0, int(6 * HOUR), 5) for part in range(4)]
        + [second + 2.9 for second in range(0, int(6 * HOUR), 60)],
    )
    assert all(model.count_request(moment, 1) is Health.OK for moment in moments)
    assert model.level < 10


def test_longest_command_between_polls_is_sustained() -> None:
    model = OverloadModel()
    for second in range(0, 100, 5):
        model.count_request(float(second), 1)
    assert all(model.count_request(100 + 0.5 * request, 1) is Health.OK for request in range(12))


def test_two_simultaneous_clients_are_sustained() -> None:
    model = OverloadModel()
    assert all(model.count_request(float(second), 2) is Health.OK for second in range(1000))


def test_ten_polls_per_second_exhaust_device() -> None:
    model = OverloadModel()
    health = [model.count_request(request / 10, 1) for request in range(100)]
    assert health[:20] == [Health.OK] * 20
    assert health.count(Health.NONSENSE) == 3
    assert health[-1] is Health.SILENT


def test_burst_without_pauses_exhausts_device_sooner() -> None:
    model = OverloadModel()
    health = [model.count_request(request / 1000, 1) for request in range(20)]
    assert health[:10] == [Health.OK] * 10
    assert health[-1] is Health.SILENT


def test_many_connections_exhaust_device_sooner() -> None:
    model = OverloadModel()
    health = [model.count_request(request * 0.5, 8) for request in range(10)]
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
