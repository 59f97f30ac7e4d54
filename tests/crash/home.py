"""A Home Assistant in its own process, with a configuration folder that survives a kill."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
import os
from pathlib import Path
import signal
from typing import Any, Final

from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import Simulator

from . import launch

ENTRY_ID: Final = "crash"
OPTIONS: Final[Mapping[str, Any]] = {
    # Only the first poll falls into a test, and the measurement is the one that is not the default.
    "scan_interval": 300,
    "min_export_limit": 0.0,
    "max_export_limit": 10.0,
    "total_capacity": 30.0,
    "export_limit_control_mode": "value",
    "scan_three_phases": False,
    "put_back": False,
    "allow_deactivating": False,
}
CHECKOUT: Final = Path(__file__).parent.parent.parent
_POLL_S: Final = 0.005

START: Final = {"trigger": "homeassistant", "event": "start"}
SHUTDOWN: Final = {"trigger": "homeassistant", "event": "shutdown"}

_context = get_context("forkserver")
_context.set_forkserver_preload([launch.__name__])


async def warm_up() -> None:
    """Start the fork server and wait until it has imported Home Assistant."""
    first = _context.Process(target=launch.nothing, daemon=True)
    await asyncio.to_thread(first.start)
    first.join()


@dataclass(frozen=True, slots=True)
class Automation:
    """An automation that calls actions, each with its data, at one trigger."""

    trigger: Mapping[str, str]
    actions: Sequence[tuple[str, Mapping[str, object]]]

    def configuration(self) -> dict[str, Any]:
        """Return its configuration.yaml entry."""
        return {
            "alias": self.actions[-1][0],
            "triggers": [self.trigger],
            "actions": [{"action": f"{DOMAIN}.{action}", "data": data} for action, data in self.actions],
        }


class Home:
    """A configuration folder with an entry for a simulated device, and the process that uses it."""

    def __init__(self, folder: Path, sim: Simulator, options: Mapping[str, object] | None = None) -> None:
        """Create the folder, without automations and without starting Home Assistant.

        `options`: of the entry, in place of those of OPTIONS.
        """
        self._folder = folder
        self._process: ForkServerProcess | None = None
        self.run: Callable[[str], None] = launch.run
        """Entry point of the process; its argument is the folder."""
        self.integrations: dict[str, Any] = {}
        """Further configuration.yaml keys, written by `automate`."""
        self.storage = folder / ".storage"
        self.pending = self.storage / f"{DOMAIN}.{ENTRY_ID}.note"
        self.storage.mkdir(parents=True)
        (folder / "custom_components").mkdir()
        # Without it, the checkout's own folder of that name would be found first.
        (folder / "custom_components" / "__init__.py").touch()
        self.install(CHECKOUT / "custom_components" / DOMAIN)
        self.store("core.config_entries", {"entries": [_entry(sim, options or {})]}, minor_version=5)
        self.automate()

    def install(self, integration: Path) -> None:
        """Install the integration from this folder, in place of another one."""
        place = self._folder / "custom_components" / DOMAIN
        place.unlink(missing_ok=True)
        place.symlink_to(integration)

    def stored(self, key: str) -> Any:
        """Return the stored data of a key, or None."""
        path = self.storage / key
        return json.loads(path.read_text())["data"] if path.exists() else None

    def store(self, key: str, data: object, *, minor_version: int = 1) -> None:
        """Write the data of a key, as an earlier run of Home Assistant would have."""
        content = {"version": 1, "minor_version": minor_version, "key": key, "data": data}
        (self.storage / key).write_text(json.dumps(content))

    def automate(self, *automations: Automation) -> None:
        """Replace the automations, from the next start on."""
        configuration = {
            "homeassistant": {
                "name": "Crash",
                "latitude": 50.08,
                "longitude": 14.42,
                "elevation": 250,
                "unit_system": "metric",
                "currency": "EUR",
                "country": "CZ",
                "time_zone": "Europe/Prague",
            },
            **self.integrations,
            "automation": [automation.configuration() for automation in automations],
        }
        # JSON is YAML.
        (self._folder / "configuration.yaml").write_text(json.dumps(configuration))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run Home Assistant in the block; kill it at the end unless it has ended."""
        process = self._process = _context.Process(target=self.run, args=(str(self._folder),), daemon=True)
        process.start()
        try:
            yield
        finally:
            if process.is_alive():
                process.kill()
            process.join()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process
        assert self._process.pid
        os.kill(self._process.pid, number)

    async def ended(self) -> int:
        """Wait for the end of the process; return its exit status, or minus the signal that killed it."""
        assert self._process
        # Not in a thread: starting a process also polls the others, and only one caller gets the status.
        while True:
            if (status := self._process.exitcode) is not None:
                return status
            await asyncio.sleep(_POLL_S)

    async def pending_saved(self) -> None:
        """Wait until a pending restore is stored."""
        await self._pending_exists(wanted=True)

    async def pending_cleared(self) -> None:
        """Wait until no pending restore is stored."""
        await self._pending_exists(wanted=False)

    async def _pending_exists(self, *, wanted: bool) -> None:
        while True:
            if self.pending.exists() is wanted:
                return
            await asyncio.sleep(_POLL_S)

    @property
    def errors(self) -> list[str]:
        """Errors logged in all runs, except those of automations."""
        log = (self._folder / "log").read_text()
        return [
            line
            for line in log.splitlines()
            if "Traceback" in line or (" ERROR " in line and "components.automation" not in line)
        ]


def _entry(sim: Simulator, options: Mapping[str, object]) -> dict[str, Any]:
    return {
        "created_at": "2026-01-01T00:00:00+00:00",
        "modified_at": "2026-01-01T00:00:00+00:00",
        "data": {"name": "SEC1000", "host": sim.host, "port": sim.port},
        "disabled_by": None,
        "discovery_keys": {},
        "domain": DOMAIN,
        "entry_id": ENTRY_ID,
        "minor_version": 1,
        "options": {**OPTIONS, **options},
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "source": "user",
        "subentries": [],
        "title": "SEC1000",
        "unique_id": None,
        "version": 2,
    }
