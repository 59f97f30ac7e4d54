"""The probe: its command line, how it treats a device, and that it needs nothing but Python."""

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
import io
from itertools import pairwise
import json
from pathlib import Path
import shutil
import socket
import sys
from typing import Final

import pytest

from custom_components.goodwe_sec1000.sec1000 import probe, timing
from custom_components.goodwe_sec1000.sec1000.endpoint import Endpoint
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from simulator import Simulator
from tests.ports import reserved_port
from tests.virtual_time.timewarp import TimeWarp

CHECKOUT: Final = Path(__file__).parents[2]
INTEGRATION: Final = CHECKOUT / "custom_components" / "goodwe_sec1000"
READS: Final = {0x43, 0x0B}
WITHOUT_PAUSES: Final = """
import asyncio, sys
from sec1000 import probe, timing
probe.PAUSE_S, timing.STANDARD = 0, timing.Timing(pacing=0)
sys.exit(probe.main())
"""

type Run = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def run(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], quick: Timing
) -> Run:
    """Return a function that runs the command line without its pauses: the exit status, and the output."""
    monkeypatch.setattr(probe, "PAUSE_S", 0.01)

    async def run_probe(*arguments: str, host: str = sim.host, port: int = sim.port) -> tuple[int, str]:
        status = await asyncio.to_thread(probe.main, [host, "--port", str(port), *arguments])
        return status, "".join(capsys.readouterr())

    return run_probe


async def output(*command: str, folder: Path = INTEGRATION) -> tuple[int | None, str]:
    """Run a command in a folder; return its exit status and all that it prints."""
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE, stderr=PIPE)
    out, error = await process.communicate()
    return process.returncode, (out + error).decode()


async def test_probe_needs_no_home_assistant(sim: Simulator) -> None:
    bare = (sys.executable, "-S")
    assert "No module named 'homeassistant'" in (await output(*bare, "-c", "import homeassistant"))[1]
    status, text = await output(*bare, "-m", "sec1000.probe", "--help")
    assert (status, "192.168.1.200" in text) == (0, True)
    status, text = await output(*bare, "-c", WITHOUT_PAUSES, sim.host, "--port", str(sim.port), "--yes")
    assert (status, "Everything is as in docs/protocol.md." in text, len(sim.requests)) == (0, True, 12)


async def test_file_beside_package_hides_none_of_python(tmp_path: Path) -> None:
    shutil.copytree(INTEGRATION / "sec1000", tmp_path / "sec1000")
    for module in ("select", "selectors", "socket"):
        (tmp_path / f"{module}.py").write_text("raise ImportError('not of Python')\n")
    status, text = await output(sys.executable, "-S", "-m", "sec1000.probe", "--help", folder=tmp_path)
    assert (status, "not of Python" in text) == (0, False)


@pytest.mark.slow
async def test_script_tells_of_a_closed_port(tmp_path: Path) -> None:
    with reserved_port() as port:
        command = (str(CHECKOUT / "scripts" / "probe"), "127.0.0.1", "--port", str(port), "--yes")
        status, text = await output(*command, "--json", "report.json", folder=tmp_path)
    assert (status, "The connection is refused" in text) == (4, True)
    assert json.loads((tmp_path / "report.json").read_text())["report"]["verdict"] == "no_answer"


async def test_healthy_device_is_told_in_words(run: Run, sim: Simulator) -> None:
    status, text = await run("--yes")
    assert status == 0
    assert "No other program may poll it meanwhile" in text.splitlines()[1]
    assert "Settings (0x43): 3 of 3 requests successful" in text
    assert "Control mode value, export limit 10.00 kW, total capacity 30.00 kW" in text
    assert "Telemetry (0x0B): 9 of 9 requests successful" in text
    assert "Everything is as in docs/protocol.md." in text
    assert {request.frame.command for request in sim.requests if request.frame} == READS


async def test_file_has_report_and_frames_and_no_address(run: Run, sim: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    await run("--yes", "--json", str(file))
    content = json.loads(file.read_text())
    assert content["report"]["verdict"] == "as_documented"
    assert [bytes.fromhex(exchange["request"]) for exchange in content["exchanges"]] == [
        request.raw for request in sim.requests
    ]
    assert {exchange["asked_by"] for exchange in content["exchanges"]} == {"probe"}
    assert sim.host not in file.read_text()
    assert str(sim.port) not in file.read_text()


async def test_device_is_asked_twelve_times_5_s_apart(warp: TimeWarp, sim: Simulator) -> None:
    endpoint = Endpoint(sim.host, sim.port)
    endpoint.transport.timing = timing.Timing()
    exchanges = [exchange async for exchange in probe.ask(endpoint, probe.PAUSE_S)]
    times = [request.time for request in sim.requests]
    assert len(exchanges) == len(times) == 12
    assert all(5 <= after - before < 6 for before, after in pairwise(times))


async def test_device_that_answers_nothing_is_asked_three_times(run: Run, sim: Simulator) -> None:
    sim.inject("close-before-answer")
    assert (await run("--yes"))[0] == 4
    assert len(sim.requests) == 3


async def test_request_that_is_refused_is_asked_three_times(run: Run, sim: Simulator) -> None:
    sim.inject("no-telemetry")
    status, text = await run("--yes")
    assert (status, "this firmware seems to have no telemetry" in text) == (1, True)
    assert [request.frame.command for request in sim.requests if request.frame].count(0x0B) == 3


async def test_probe_waits_for_enter(run: Run, sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    status, text = await run()
    assert (status, "use --yes" in text, sim.requests) == (2, True, [])
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    assert (await run())[0] == 0


@asynccontextmanager
async def port_that(behaves: Callable[[asyncio.StreamWriter], None]) -> AsyncIterator[int]:
    """Listen on a port, and treat each request so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        behaves(writer)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def answer_as_web_server(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    writer.close()


def close(writer: asyncio.StreamWriter) -> None:
    writer.close()


def say_nothing(writer: asyncio.StreamWriter) -> None:
    pass


def answer_as_ssh(writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_10.0\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("behaves", "status", "sentence"),
    [
        (answer_as_web_server, 3, "A web server responds here"),
        (answer_as_ssh, 3, "not like a SEC1000/S: it sends 53 53 48"),
        (close, 4, "accepted and closed again without a response"),
        pytest.param(say_nothing, 4, "The port is open, but does not respond", marks=pytest.mark.slow),
    ],
)
async def test_other_port_gets_its_sentence(
    run: Run, behaves: Callable[[asyncio.StreamWriter], None], status: int, sentence: str
) -> None:
    async with port_that(behaves) as port:
        ended, text = await run("--yes", port=port)
    assert (ended, sentence in text) == (status, True), text


@pytest.mark.slow
async def test_host_that_is_not_there_gets_its_sentence(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        # With its queue full, nothing answers a connection any more.
        with socket.create_connection(("127.0.0.1", port)):
            status, text = await run("--yes", port=port)
    assert (status, "The connection timed out" in text) == (4, True), text


async def test_unknown_name_gets_its_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    status, text = await run("--yes", host="sec1000.invalid")
    assert (status, "The host name could not be resolved" in text) == (4, True), text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--port", "0"), "'0' is not a port"),
        (("--json", "/missing/report.json"), "cannot be written: No such file or directory"),
        (("--yess",), "unrecognized arguments"),
    ],
)
def test_invalid_argument_exits_with_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(SystemExit) as exited:
        probe.main(["192.168.1.200", *arguments])
    assert exited.value.code == 2
    assert sentence in capsys.readouterr().err
