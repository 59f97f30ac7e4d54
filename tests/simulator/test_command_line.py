"""The command line of `python -m simulator`, and its control port."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from pathlib import Path
import signal
import socket
import sys

import pytest

from simulator.__main__ import main
from simulator.faults import FAULTS
from simulator.protocol import CAPTURED_BYTES

from . import wire

CHECKOUT = Path(__file__).parents[2]
REPORT = CHECKOUT / "tests" / "field" / "reports" / "capture_by_day.json"


async def start(*arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", *arguments, cwd=CHECKOUT, stdout=PIPE, stderr=PIPE
    )


async def port_of(process: Process, what: str) -> int:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        line = (await process.stdout.readline()).decode()
    assert line.startswith(f"{what} on 127.0.0.1:")
    return int(line.rsplit(":", 1)[1])


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[Process]:
    """Run a simulator, and check that it stops cleanly on Ctrl-C."""
    process = await start("--port", "0", *arguments)
    try:
        yield process
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            _, err = await process.communicate()
        assert process.returncode == 0
        assert b"Traceback" not in err
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def ask(port: int, request: bytes) -> bytes:
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()


async def test_simulator_announces_port_serves_and_logs() -> None:
    process = await start("--port", "0", "--captured", "-v")
    port = await port_of(process, "listening")
    assert await ask(port, wire.TELEMETRY) == CAPTURED_BYTES
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        _, err = await process.communicate()
    assert process.returncode == 0
    assert "< 00 05 01 01 0b 00 0d" in err.decode()
    assert CAPTURED_BYTES.hex(" ") in err.decode()


@pytest.mark.slow
async def test_arguments_set_settings_and_faults() -> None:
    async with running(
        *("--mode", "dred", "--limit", "1.15", "--capacity", "20"),
        *("--fault", "nak:count=1:command=0x43", "--fault", "wrong-checksum:chance=1:command=0x0b"),
    ) as process:
        port = await port_of(process, "listening")
        assert (await ask(port, wire.READ_LIMIT))[10:-2] == wire.NAK
        body = bytes.fromhex("0101 43 01 00004e20 000000c8 0000047e")
        assert (await ask(port, wire.READ_LIMIT))[7:-2] == body
        answer = await ask(port, wire.TELEMETRY)
        assert sum(answer[7:-2]) != int.from_bytes(answer[-2:])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "exhausted"), [((), True), (("--overload", "off"), False), (("--patience", "off"), False)]
)
async def test_flood_exhausts_device_unless_overload_is_off(option: tuple[str, ...], exhausted: bool) -> None:
    async with running("--captured", *option) as process:
        port = await port_of(process, "listening")
        answers = []
        for _ in range(60):
            try:
                async with asyncio.timeout(0.5):
                    answers.append(await ask(port, wire.TELEMETRY))
            except TimeoutError:
                break
        assert (len(answers) < 60 or set(answers) != {CAPTURED_BYTES}) is exhausted


@pytest.mark.slow
async def test_replay_answers_as_recorded_and_says_when_it_is_exhausted() -> None:
    async with running("--replay", str(REPORT), "--control-port", "0") as process:
        control = await port_of(process, "control")
        port = await port_of(process, "listening")
        reader, writer = await asyncio.open_connection("127.0.0.1", control)
        for exhausted in (0, 1):
            assert await ask(port, wire.TELEMETRY) == CAPTURED_BYTES
            writer.write(b'{"do": "state"}\n')
            assert json.loads(await reader.readline())["replay_exhausted"] == exhausted
        writer.close()


@pytest.mark.slow
async def test_battery_option_is_used() -> None:
    async with running("--control-port", "0", "--battery", "10", "--start-time", "22:00") as process:
        reader, writer = await asyncio.open_connection("127.0.0.1", await port_of(process, "control"))
        writer.write(b'{"do": "state"}\n')
        house = json.loads(await reader.readline())["house"]
        writer.close()
    assert house["battery_power"] == house["load_power"] > 0
    assert house["pv_power"] == 0


@pytest.mark.slow
async def test_simulator_stops_despite_a_hanging_connection() -> None:
    async with running("--fault", "silence") as process:
        port = await port_of(process, "listening")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(wire.TELEMETRY)
        await writer.drain()
    writer.close()


def test_help_and_fault_list_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["simulator", "--help"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert '{"do": "state"}' in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["simulator", "--list-faults"])
    assert main() == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(FAULTS)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--port", "70000"), "0 to 65535"),
        (("--mode", "off"), "value, dred, rcr and deactivated"),
        (("--limit", "nan"), "limit in kW"),
        (("--capacity", "-1"), "power in kW"),
        (("--inverters", "0"), "1 to 100"),
        (("--speed", "-1"), "not a speed"),
        (("--battery", "-1"), "power in kW"),
        (("--start-time", "24:00"), "00:00 to 23:59"),
        (("--fault", "wrong-cheksum"), "did you mean wrong-checksum"),
        (("--fault", "nak:often"), "count=, chance= and command="),
        (("--fault", "nak:chance=x"), "chance is nan"),
        (("--fault", "nak:command=0x99"), "0x05, 0x0b"),
        (("--fault", "disobedient:count=1"), "until it is cleared"),
        (("--replay", "missing.json"), "cannot be read"),
        (("--replay", str(REPORT), "--fault", "nak"), "leave out --fault"),
    ],
)
def test_invalid_argument_exits_with_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    from simulator.cli import parse  # noqa: PLC0415

    with pytest.raises(SystemExit) as end:
        parse(arguments)
    assert end.value.code == 2
    assert sentence in capsys.readouterr().err


async def test_taken_port_exits_with_status_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = await start("--port", str(server.getsockname()[1]))
        _, error = await process.communicate()
    assert process.returncode == 1
    assert b"cannot listen" in error
    assert b"Traceback" not in error


@pytest.mark.slow
async def test_control_port_injects_fault_into_running_simulator() -> None:
    async with running("--control-port", "0") as process:
        control = await port_of(process, "control")
        port = await port_of(process, "listening")
        reader, writer = await asyncio.open_connection("127.0.0.1", control)
        writer.write(b'{"do": "fault", "name": "nak", "count": 1}\n{"do": "state"}\n')
        assert json.loads(await reader.readline()) == {"ok": True}
        assert json.loads(await reader.readline())["faults"] == ["nak"]
        assert (await ask(port, wire.READ_LIMIT))[10:-2] == wire.NAK
        writer.close()
