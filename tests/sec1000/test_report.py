"""The report on a device: what it says of every fault, and the same of a replay of the probe's file."""

from collections.abc import Callable
from dataclasses import replace
import json
from pathlib import Path
from typing import Final

import pytest

from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.endpoint import Endpoint
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, ExportTarget
from custom_components.goodwe_sec1000.sec1000.probe import PAUSE_S, ask, file_content
from custom_components.goodwe_sec1000.sec1000.report import Report, Verdict
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from custom_components.goodwe_sec1000.sec1000.transport import Exchange
from simulator import CAPTURED, FAULTS, Replay, Simulator
from tests.virtual_time.timewarp import TimeWarp

MEASURED: Final = (
    "Last measured: 241.0 / 240.4 / 240.9 V, 4.80 / 3.90 / 5.08 A, 295 / -114 / -532 W, "
    "meter -351 W, inverters 3386 W."
)
HEALTHY: Final = (
    "Settings (0x43): 3 of 3 requests successful, in 0.00 to 0.00 s.",
    "Control mode value, export limit 10.00 kW, total capacity 30.00 kW, CT ratio 200.",
    "Telemetry (0x0B): 9 of 9 requests successful, in 0.00 to 0.00 s.",
    MEASURED,
    "The inverter power did not change in 45 s (9 readings).",
)
UNUSUAL: Final[dict[str, tuple[str, ...]]] = {
    "close-inside-answer": (
        "Settings: the connection was closed before the response was complete (1 of 1).",
        "Telemetry: the connection was closed before the response was complete (2 of 2).",
    ),
    "wrong-checksum": (
        "Settings: the checksum was invalid (1 of 1).",
        "Telemetry: the checksum was invalid (2 of 2).",
    ),
    "wrong-command": (
        "Settings: the response is to command 0x03 (1 of 1).",
        "Telemetry: the response is to command 0x4B (2 of 2).",
    ),
    "wrong-address": ("The address is 01 02 instead of 01 01 (3 of 3).",),
    "nak": (
        "Settings: the length field is 6 instead of 18 (1 of 1).",
        "Telemetry: the length field is 6 instead of 49 (2 of 2).",
        "Settings: the response was NAK (1 of 1).",
        "Telemetry: the response was NAK (2 of 2).",
    ),
    "stale-answer": (
        "Settings: the length field is 49 instead of 18 (1 of 1).",
        "Settings: the response is to command 0x0B (1 of 1).",
        "Telemetry: the length field is 18 instead of 49 (2 of 2).",
        "Telemetry: the response is to command 0x43 (2 of 2).",
    ),
    "six-byte-answer": (
        "Settings: the length field is 6 instead of 18 (1 of 1).",
        "Telemetry: the length field is 6 instead of 49 (2 of 2).",
    ),
    "wrong-length": (
        "Settings: the length field is 17 instead of 18 (1 of 1).",
        "Telemetry: the length field is 48 instead of 49 (2 of 2).",
    ),
    "oversized-length": (
        "Settings: the length field is 65535 instead of 18 (1 of 1).",
        "Telemetry: the length field is 65535 instead of 49 (2 of 2).",
    ),
    "other-prefix": ("The prefix is 07 58 51 5a 57 instead of 04 52 45 56 4f (12 of 12).",),
    "no-telemetry": (
        "Telemetry: the connection was closed before the response was complete (3 of 3).",
        "Telemetry is refused while settings are served: this firmware seems to have no telemetry.",
    ),
    "unknown-mode": ("The control mode is 9; 0 to 3 are known.",),
}
"""What is told of each fault that every answer shows; those with random bytes have a test of their own."""
SOME_SUCCEED: Final = {"other-prefix", "no-telemetry", "unknown-mode"}
NONE_SUCCESSFUL: Final = (
    "No request was successful. After too many requests, a SEC1000/S sends invalid responses: "
    "power-cycle it and try again."
)
RANDOM: Final = {"garbage", "nonsense", "exhausted", "impossible-value"}
NOTHING: Final = {"silence", "refused", "close-before-answer", "reset"}
OTHER: Final = {"http", "garbage"}
INVISIBLE: Final = FAULTS.keys() - UNUSUAL.keys() - RANDOM - NOTHING - OTHER
"""Faults of writes and of inverters, and what no read shows."""


async def probed(sim: Simulator) -> list[Exchange]:
    """Return what the probe asks in virtual time."""
    endpoint = Endpoint(sim.host, sim.port)
    endpoint.transport.timing = Timing()
    return [exchange async for exchange in ask(endpoint, PAUSE_S)]


async def reported(sim: Simulator) -> Report:
    return Report.from_exchanges(await probed(sim))


@pytest.fixture
def sim(warp: TimeWarp, sim: Simulator) -> Simulator:
    """A healthy device that measures always the same."""
    sim.hold(CAPTURED)
    return sim


async def test_healthy_device_is_as_documented(sim: Simulator) -> None:
    assert await reported(sim) == Report(Verdict.AS_DOCUMENTED, HEALTHY, ())


@pytest.mark.parametrize("fault", sorted(INVISIBLE - {"byte-by-byte"}))
async def test_fault_that_reads_do_not_show_is_not_told(sim: Simulator, fault: str) -> None:
    sim.inject(fault)
    found = await reported(sim)
    assert (found.verdict, found.unusual) == (Verdict.AS_DOCUMENTED, ())


@pytest.mark.parametrize("fault", UNUSUAL)
async def test_fault_is_told(sim: Simulator, fault: str) -> None:
    sim.inject(fault)
    found = await reported(sim)
    expected = UNUSUAL[fault] if fault in SOME_SUCCEED else (*UNUSUAL[fault], NONE_SUCCESSFUL)
    assert (found.verdict, found.unusual) == (Verdict.UNUSUAL, expected)


@pytest.mark.parametrize("fault", sorted(NOTHING))
async def test_fault_that_lets_nothing_through_is_told(sim: Simulator, fault: str) -> None:
    sim.inject(fault)
    found = await reported(sim)
    assert (found.verdict, len(found.unusual)) == (Verdict.NO_ANSWER, 1)


@pytest.mark.parametrize("fault", sorted(OTHER))
async def test_fault_that_looks_like_another_device_is_told(sim: Simulator, fault: str) -> None:
    sim.inject(fault)
    assert (await reported(sim)).verdict is Verdict.OTHER_DEVICE


@pytest.mark.parametrize("fault", sorted(RANDOM - OTHER & FAULTS.keys()))
async def test_fault_with_random_bytes_is_told(sim: Simulator, fault: str) -> None:
    sim.inject(fault)
    found = await reported(sim)
    assert (found.verdict, bool(found.unusual)) == (Verdict.UNUSUAL, True)


@pytest.mark.parametrize("fault", FAULTS)
async def test_replay_of_probes_file_reads_the_same(sim: Simulator, tmp_path: Path, fault: str) -> None:
    sim.inject(fault)
    exchanges = await probed(sim)
    file = tmp_path / "report.json"
    file.write_text(file_content(exchanges, Report.from_exchanges(exchanges)))
    async with Simulator(replay=Replay.from_file(file)) as replaying:
        found = await reported(replaying)
        assert replaying.replay is not None
        assert replaying.replay.exhausted == 0
    assert found.as_dict() == json.loads(file.read_text())["report"]


@pytest.mark.parametrize(
    ("inject", "sentence"),
    [
        (lambda sim: sim.inject("six-byte-answer", count=1), "the length field is 6 instead of 49 (1 of 9)"),
        (lambda sim: sim.inject("silence", count=1), "no complete response came in time (1 of 9)"),
        (lambda sim: sim.inject("garbage", count=1), "the response was not a frame (1 of 9)"),
        (
            lambda sim: sim.inject("zero-inverters", count=1),
            "power was exported or the meter power hardly changed (1 of 9)",
        ),
    ],
)
async def test_single_fault_is_told_with_its_share(
    sim: Simulator, inject: Callable[[Simulator], None], sentence: str
) -> None:
    endpoint = Endpoint(sim.host, sim.port)
    endpoint.transport.timing = Timing()
    exchanges = []
    async for exchange in ask(endpoint, PAUSE_S):
        exchanges.append(exchange)
        if len(exchanges) == 2:
            inject(sim)
    found = Report.from_exchanges(exchanges)
    assert found.verdict is Verdict.UNUSUAL
    assert sentence in " ".join(found.unusual)


async def test_night_is_no_false_zero(sim: Simulator) -> None:
    sim.hold(replace(CAPTURED, meter_power=-17_241, inverter_power=0))
    assert (await reported(sim)).unusual == ()


async def test_inverter_power_that_is_refreshed_often_is_told(sim: Simulator) -> None:
    endpoint = Endpoint(sim.host, sim.port)
    endpoint.transport.timing = Timing()
    exchanges = []
    async for exchange in ask(endpoint, PAUSE_S):
        exchanges.append(exchange)
        sim.hold(replace(CAPTURED, inverter_power=3_000 + len(exchanges)))
    found = Report.from_exchanges(exchanges)
    assert found.facts[-1] == "The inverter power changed 8 times in 45 s (9 readings)."
    assert found.unusual == ("The inverter power is refreshed about every 6 s; 30 s is known.",)


async def test_impossible_values_are_told(sim: Simulator) -> None:
    sim.hold(replace(CAPTURED, meter_power=2**31 - 1))
    sim.device.capacity = 2_000_000
    found = await reported(sim)
    assert found.unusual == (
        "Impossible: capacity is 2000000 on the wire.",
        "Impossible: meter power is 2147483647 on the wire.",
    )


async def test_writes_are_counted_by_their_status(sim: Simulator, client: Sec1000Client) -> None:
    await client.apply(ExportTarget(ControlMode.VALUE, 30_000, 5_000, sum_of_phases=True))
    found = Report.from_exchanges(client.transport.exchanges)
    assert found.facts[-1] == "Writes: 2 of 2 requests successful, status 06: 2."


def test_nothing_asked_is_told() -> None:
    assert Report.from_exchanges([]).unusual == ("No request was sent yet.",)
