"""The demo: its command line, processes, dashboard and past, and once as a whole."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import re
import signal
import socket
import sys
import time
from typing import Any

from homeassistant.util.yaml import load_yaml_dict
import pytest

from demo import run
from demo.child import Child, ChildExitedError
from demo.dashboard import dashboard
from demo.errors import RefusedError
from demo.folder import Folder
from demo.home_assistant_api import HomeAssistantApi
from demo.options import CHECKOUT, DEFAULT_DEVICE_PORT, parse
from demo.past import TIME_ZONE, past_statistics
from demo.ports import LOOPBACK, port_problem

from .ports import reserved_port, withheld_port

EXIT_TIMEOUT = 30


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port that is in use."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free(taken: int) -> Iterator[int]:
    """Return a free port."""
    with reserved_port() as port:
        assert port != taken
        yield port


@pytest.fixture
def changing_device_port() -> Iterator[None]:
    """Keep the default port of a device in use, so that the simulator has another one at every start."""
    with withheld_port(DEFAULT_DEVICE_PORT):
        yield


class TestCommandLine:
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--port", "0"], "it has to be 1 to 65535"),
            (["--port", "65536"], "it has to be 1 to 65535"),
            (["--port", "http"], "'http' is not a port"),
            (["--device-port", "1234"], "needs --host"),
            (["--host", "192.168.1.200", "--device-port", "-1"], "it has to be 1 to 65535"),
            (["--host", ""], "is not an address"),
            (["--host", "http://192.168.1.200/"], "is not an address"),
            (["--fres"], "unrecognized arguments"),
            (["now"], "unrecognized arguments"),
            (["--speed", "fast"], "'fast' is not a speed"),
            (["--start-time", "24:00"], "'24:00' is not a time"),
            (["--past", "31"], "it has to be 0 to 30"),
            (["--past", "1.5"], "is not a number of days"),
            (["--past", "2", "--speed", "144"], "follows the clock"),
            (["--host", "192.168.1.200", "--speed", "2"], "has a day of its own"),
        ],
    )
    def test_invalid_option_is_refused_with_a_sentence(
        self, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as exited:
            parse(arguments)
        assert exited.value.code == 2
        assert sentence in capsys.readouterr().err

    def test_help_names_every_option(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as exited:
            parse(["--help"])
        assert exited.value.code == 0
        text = capsys.readouterr().out
        for option in (
            "--host",
            "--device-port",
            "--port",
            "--fresh",
            "--folder",
            "--speed",
            "--start-time",
            "--past",
        ):
            assert option in text

    def test_each_device_has_its_own_folder(self, tmp_path: Path) -> None:
        folders = {
            Folder(tmp_path, None).path.name,
            Folder(tmp_path, "192.168.1.200-1234").path.name,
            Folder(tmp_path, "192.168.1.201-1234").path.name,
        }
        assert folders == {"simulator", "device-192.168.1.200-1234", "device-192.168.1.201-1234"}


class TestPreparation:
    def test_taken_port_prevents_the_start(
        self,
        taken: int,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["demo", "--port", str(taken), "--folder", str(tmp_path)])
        assert run.main() == 2
        message = capsys.readouterr().err
        assert f"Port {taken}" in message
        assert "--port" in message
        assert not (tmp_path / "simulator" / "config").exists()

    def test_second_demo_in_the_same_folder_is_refused(self, tmp_path: Path) -> None:
        with (
            Folder(tmp_path, None).locked(),
            pytest.raises(RefusedError, match="already running"),
            Folder(tmp_path, None).locked(),
        ):
            pass

    def test_demos_of_device_and_simulator_run_at_once(self, tmp_path: Path) -> None:
        with Folder(tmp_path, None).locked(), Folder(tmp_path, "192.168.1.200-1234").locked():
            pass

    def test_port_has_a_problem_only_while_in_use(self, taken: int, free: int) -> None:
        assert port_problem(free) is None
        assert port_problem(taken)

    def test_existing_files_are_kept_unless_fresh(self, tmp_path: Path) -> None:
        folder = Folder(tmp_path, None)
        folder.prepare(8123, fresh=False)
        automations = folder.config / "automations.yaml"
        onboarding = folder.config / ".storage" / "onboarding"
        automations.write_text("[]")
        onboarding.write_text("{}")
        folder.prepare(8124, fresh=False)
        assert automations.read_text() == "[]"
        assert onboarding.read_text() == "{}"
        (address,) = [*folder.config.glob(".storage/http"), *folder.config.glob("packages/http.yaml")]
        assert '"server_port": 8124' in address.read_text()
        folder.prepare(8124, fresh=True)
        assert automations.read_text() == ""
        assert (folder.config / "custom_components" / "goodwe_sec1000" / "manifest.json").exists()


class TestChild:
    @staticmethod
    def child(tmp_path: Path, program: str, restarts_on: int | None = None) -> Child:
        return Child(
            "The child",
            [sys.executable, "-u", "-c", program],
            log=tmp_path / "child.log",
            folder=tmp_path,
            restarts_on=restarts_on,
        )

    async def test_unexpected_exit_reports_status_and_end_of_log(self, tmp_path: Path) -> None:
        program = "print('out of fuel'); raise SystemExit(3)"
        async with self.child(tmp_path, program) as child:
            with pytest.raises(
                ChildExitedError, match=r"The child exited unexpectedly \(exit status 3\)"
            ) as raised:
                await child.watch()
        assert "out of fuel" in str(raised.value)

    async def test_killed_child_is_reported_with_the_signal(self, tmp_path: Path) -> None:
        async with self.child(tmp_path, "import time; print('up'); time.sleep(60)") as child:
            await child.wait_for_line("up")
            child.kill()
            with pytest.raises(ChildExitedError, match="signal SIGKILL"):
                await child.watch()

    async def test_child_with_restart_status_is_restarted(self, tmp_path: Path) -> None:
        program = (
            "import pathlib, sys; mark = pathlib.Path('started'); first = not mark.exists(); mark.touch();"
            "sys.exit(100 if first else 4)"
        )
        async with self.child(tmp_path, program, restarts_on=100) as child:
            with pytest.raises(ChildExitedError, match="exit status 4"):
                await child.watch()

    async def test_grandchild_ends_with_the_child(self, tmp_path: Path) -> None:
        program = (
            "import subprocess, sys, time;"
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
            "print('grandchild', child.pid); time.sleep(60)"
        )
        async with self.child(tmp_path, program) as child:
            grandchild = int((await child.wait_for_line(r"^grandchild (\d+)$"))[1])
        assert await _is_gone(grandchild)


class TestDashboard:
    DOCUMENTED = load_yaml_dict(CHECKOUT / "docs" / "dashboards" / "goodwe_sec1000.yaml")

    def test_new_demo_has_short_graphs_and_no_statistics(self) -> None:
        parts = list(_parts(dashboard(simulated=True, has_past=False)))
        assert {part["hours_to_show"] for part in parts if "hours_to_show" in part} == {0.25}
        assert not [part for part in parts if part.get("type") == "statistics-graph"]
        assert not [part for part in parts if "Per day" in str(part.get("heading"))]
        assert not [part for part in parts if "24 hours" in str(part.get("heading"))]

    def test_demo_with_past_shows_documented_dashboard_and_house(self) -> None:
        shown = dashboard(simulated=True, has_past=True)
        [commands] = [
            section["cards"]
            for section in shown["views"][0]["sections"]
            if section["cards"][0]["heading"] == "More commands"
        ]
        house = commands.index(
            next(card for card in commands if card.get("heading") == "The simulated house")
        )
        assert len(commands[house:]) > 3
        del commands[house:]
        assert shown == self.DOCUMENTED

    def test_real_device_shows_documented_dashboard_without_house(self, tmp_path: Path) -> None:
        folder = Folder(tmp_path, "192.168.1.200-1234")
        folder.prepare(8123, fresh=False)
        assert json.loads((folder.config / "dashboard.yaml").read_text()) == self.DOCUMENTED
        packages = {file.name for file in (folder.config / "packages").iterdir()}
        assert packages - {"http.yaml"} == set()


class TestPast:
    NOW = datetime(2026, 7, 2, 13, 20, tzinfo=UTC)

    @pytest.fixture(scope="class")
    def statistics(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of one day by sensor."""
        return {
            statistics.metadata["statistic_id"]: statistics.rows
            for statistics in past_statistics(1, self.NOW)
        }

    def test_each_full_hour_has_a_row_but_not_the_current_one(
        self, statistics: dict[str, list[dict[str, Any]]]
    ) -> None:
        for rows in statistics.values():
            hours = [datetime.fromisoformat(row["start"]) for row in rows][-24:]
            assert hours == [
                datetime(2026, 7, 2, 12, tzinfo=UTC) - timedelta(hours=n) for n in range(23, -1, -1)
            ]

    def test_energy_sums_end_at_0_and_add_up(self, statistics: dict[str, list[dict[str, Any]]]) -> None:
        flows = {
            kind: statistics[f"sensor.sec1000_energy_{kind}"]
            for kind in ("produced", "exported", "imported", "consumed")
        }
        assert {rows[-1]["sum"] for rows in flows.values()} == {0.0}
        day = {kind: -rows[0]["sum"] for kind, rows in flows.items()}
        assert day["produced"] > 50
        assert day["produced"] - day["exported"] + day["imported"] == pytest.approx(day["consumed"], abs=0.5)
        for rows in flows.values():
            assert [row["sum"] for row in rows] == sorted(row["sum"] for row in rows)

    def test_sun_follows_the_time_zone_of_the_demo(self, statistics: dict[str, list[dict[str, Any]]]) -> None:
        configured = (CHECKOUT / "demo" / "configuration.yaml").read_text()
        assert f"time_zone: !env_var DEMO_TIME_ZONE {TIME_ZONE}\n" in configured
        rows = statistics["sensor.sec1000_inverter_power"]
        watts = {datetime.fromisoformat(row["start"]).astimezone(TIME_ZONE).hour: row["mean"] for row in rows}
        assert watts[2] == 0
        assert watts[13] > 5_000

    def test_export_stays_within_its_limit(self, statistics: dict[str, list[dict[str, Any]]]) -> None:
        rows = statistics["sensor.sec1000_meter_power"]
        assert 9_000 < max(row["mean"] for row in rows) <= 10_010
        inverted = statistics["sensor.sec1000_meter_power_inverted"]
        assert [row["mean"] for row in inverted] == [-row["mean"] for row in rows]

    def test_demo_with_history_is_refused_a_past(self, tmp_path: Path) -> None:
        folder = Folder(tmp_path, None)
        folder.prepare(8123, fresh=False)
        with pytest.raises(RefusedError, match="--fresh"):
            folder.prepare(8123, fresh=False, past=True)
        folder.prepare(8123, fresh=True, past=True)
        # The next start, without the option, keeps it.
        folder.prepare(8123, fresh=False)
        assert folder.has_past


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_demo_runs_sets_up_and_restarts(tmp_path: Path, free: int, changing_device_port: None) -> None:
    beginning = datetime.now(UTC)
    async with _demo(tmp_path, free) as (first, api, control):
        entry = (await api.entries("goodwe_sec1000"))[0]["entry_id"]
        await _numeric(api, "sensor.sec1000_meter_power")
        assert (await _true_state(control))["bound_limit"] == 10_000
        assert not any((await api.command("energy/validate"))["energy_sources"])
        await _numeric(api, "sensor.sec1000_meter_power_inverted")
        await api.post("/api/services/switch/turn_on", {"entity_id": "switch.second_heater"})
        house = (await _true_state(control))["house"]
        assert house["heater"]
        assert house["throttling"]
        assert house["battery_power"] > 5_000
        await _numeric(api, "sensor.power_of_the_panels")
        await _numeric(api, "sensor.sec1000_quarter_hour_export")
        await api.post("/api/services/button/press", {"entity_id": "button.sec1000_reset_export_watchdog"})
        assert not (await _true_state(control))["house"]["throttling"]
        assert re.fullmatch(r"12:4\d", (await api.get("/api/states/sensor.simulated_time"))["state"])
        await api.post("/api/services/goodwe_sec1000/export_disable", {})
        assert (await _true_state(control))["bound_limit"] == 0
        assert (await api.get("/api/states/binary_sensor.sec1000_export_state"))["state"] == "off"
        assert (await api.get("/api/states/sensor.sec1000_export_disable_feedback"))["state"] == "1"
        first.send_signal(signal.SIGINT)
        assert await first.wait() == 0
    assert port_problem(free) is None
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(LOOPBACK, control)

    between = datetime.now(UTC)
    # The simulator has another port, and the entry has to follow.
    async with _demo(tmp_path, free) as (second, api, control):
        assert [item["entry_id"] for item in await api.entries("goodwe_sec1000")] == [entry]
        await _numeric(api, "sensor.sec1000_meter_power")
        history = await api.get(
            f"/api/history/period/{beginning:%Y-%m-%dT%H:%M:%SZ}?filter_entity_id=sensor.sec1000_meter_power"
        )
        assert datetime.fromisoformat(history[0][0]["last_changed"]) < between
        seen = {state["entity_id"] for state in await api.get("/api/states")}
        second.send_signal(signal.SIGTERM)
        assert await second.wait() == 0
    log = (tmp_path / "simulator" / "config" / "home-assistant.log").read_text()
    assert "Traceback" not in log
    assert " ERROR " not in log
    for entity in re.findall(r"\bentity: (\S+)", (CHECKOUT / "demo" / "simulated_house.yaml").read_text()):
        assert entity in seen


@asynccontextmanager
async def _demo(
    folder: Path, port: int
) -> AsyncIterator[tuple[asyncio.subprocess.Process, HomeAssistantApi, int]]:
    """Run the demo; yields its process, its Home Assistant and the simulator's control port."""
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "demo.run", "--folder", str(folder), "--port", str(port)),
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert demo.stdout is not None
    try:
        output = ""
        async with asyncio.timeout(240):
            while "Ctrl-C ends it" not in output:
                line = await demo.stdout.readline()
                assert line, output
                output += line.decode()
        assert "The demo is ready." in output
        assert f"http://{LOOPBACK}:{port}" in output
        control = re.search(r"control port (\d+)", output)
        assert control
        async with HomeAssistantApi(f"http://{LOOPBACK}:{port}") as api:
            assert not await api.log_in()
            yield demo, api, int(control[1])
    finally:
        with suppress(ProcessLookupError):
            demo.terminate()
        async with asyncio.timeout(EXIT_TIMEOUT * 3):
            await demo.communicate()


async def _numeric(api: HomeAssistantApi, entity_id: str) -> float:
    async with asyncio.timeout(30):
        while True:
            state = (await api.get(f"/api/states/{entity_id}"))["state"]
            with suppress(ValueError):
                return float(state)
            await asyncio.sleep(0.25)


async def _true_state(control: int) -> dict[str, Any]:
    reader, writer = await asyncio.open_connection(LOOPBACK, control)
    writer.write(b'{"do": "state"}\n')
    state: dict[str, Any] = json.loads(await reader.readline())
    writer.close()
    await writer.wait_closed()
    assert state["ok"]
    return state


async def _is_gone(pid: int) -> bool:
    """Return whether a process exits soon; it may still have to be reaped by its parent."""
    deadline = time.monotonic() + EXIT_TIMEOUT
    while time.monotonic() < deadline:
        if _process_state(pid) in {None, "Z"}:
            return True
        await asyncio.sleep(0.05)
    return False


def _process_state(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None


def _parts(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for item in node:
            yield from _parts(item)
    elif isinstance(node, dict):
        yield node
        for item in node.values():
            yield from _parts(item)
