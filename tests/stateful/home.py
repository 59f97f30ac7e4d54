"""One configuration folder, and the Home Assistants that run from it one after the other."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
import json
import logging
from pathlib import Path
import shutil
import sys
from typing import Any, Final
from unittest.mock import patch
from weakref import WeakKeyDictionary

from homeassistant import bootstrap
from homeassistant.components.repairs import RepairsFlowManager, issue_handler
from homeassistant.components.repairs.const import DOMAIN as REPAIRS
from homeassistant.config_entries import ConfigEntries
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    category_registry as cr,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    frame,
    issue_registry as ir,
    label_registry as lr,
    restore_state as rs,
)
from homeassistant.helpers.storage import Store
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component
from homeassistant.util.file import WriteError
from pytest_homeassistant_custom_component.common import INSTANCES, async_test_home_assistant

from custom_components.goodwe_sec1000.const import DOMAIN

from .loop import Program, SeededLoop, running_program

INTEGRATION: Final = Path(__file__).parents[2] / "custom_components" / DOMAIN
REGISTRIES: Final = (ar, cr, dr, er, fr, ir, lr, rs)


class Said(logging.Handler):
    """Keeps what the programs that live said as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[logging.LogRecord] = []
        self.loop: SeededLoop | None = None

    def emit(self, record: logging.LogRecord) -> None:
        program = running_program()
        if program is None or not program.is_buried:
            self.errors.append(record)


class Home:
    """A folder, and the Home Assistant that runs from it now."""

    def __init__(self, folder: Path) -> None:
        self._root = folder
        self._lives = 0
        self._program: Program
        self._manager: AbstractAsyncContextManager[HomeAssistant]
        self._dead: list[tuple[Program, HomeAssistant, list[asyncio.Task[Any]]]] = []
        self.folder = folder / "0"
        self.hass: HomeAssistant
        self.is_running = False
        self.disk_is_full = False
        self.ports: set[int] = set()
        """Where devices are, and were."""
        self._install()

    @property
    def storage(self) -> Path:
        """Where Home Assistant keeps what outlives it."""
        return self.folder / ".storage"

    @property
    def loop(self) -> SeededLoop:
        """The loop in which all of them run."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SeededLoop)
        return loop

    def _install(self) -> None:
        integrations = self.folder / "custom_components"
        integrations.mkdir(parents=True)
        (integrations / DOMAIN).symlink_to(INTEGRATION)
        self.storage.mkdir()

    def task[T](self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Begin this at once on behalf of the Home Assistant that runs now, and let it die with it."""
        return asyncio.Task(
            work, loop=self.loop, name=name, context=self._program.context.copy(), eager_start=True
        )

    async def start(self) -> None:
        """Start from the files in the folder."""
        self._lives += 1
        self._forget()
        self._program = Program(f"Home Assistant {self._lives}")
        await self.task(self._start(), "start")

    def _forget(self) -> None:
        """Forget what the integration's modules keep for this loop: a new process knows nothing of it."""
        for name, module in list(sys.modules.items()):
            if name.startswith(f"custom_components.{DOMAIN}"):
                for value in vars(module).values():
                    if isinstance(value, WeakKeyDictionary):
                        value.pop(self.loop, None)

    async def _start(self) -> None:
        self._manager = async_test_home_assistant(load_registries=False, config_dir=str(self.folder))
        hass = self.hass = await self._manager.__aenter__()
        frame.async_setup(hass)
        hass.data.pop(DATA_CUSTOM_COMPONENTS)
        dr.async_setup(hass)
        for registry in REGISTRIES:
            await registry.async_load(hass)
        hass.data[bootstrap.DATA_REGISTRIES_LOADED] = None
        hass.data[REPAIRS] = {}
        issue_handler.async_setup(hass)
        hass.config.components.add(REPAIRS)
        # Another one: the harness's listens to the stop already, and would do so twice.
        hass.config_entries = ConfigEntries(hass, {"_": "not empty"})
        await hass.config_entries.async_initialize()
        self.is_running = True
        # As bootstrap does it: not where every entry is disabled.
        if DOMAIN in hass.config_entries.async_domains():
            assert await async_setup_component(hass, DOMAIN, {})

    @contextmanager
    def disk(self) -> Iterator[None]:
        """Let the integration's files be written only where there is room on the disk."""
        write = Store._async_write_data

        async def write_where_there_is_room(store: Store[Any], data: Any) -> None:
            if self.disk_is_full and store.key.startswith(DOMAIN):
                raise WriteError("No space left on device")
            await write(store, data)

        with patch.object(Store, "_async_write_data", write_where_there_is_room):
            yield

    @property
    def repairs(self) -> RepairsFlowManager:
        """What runs the repair flows."""
        manager: RepairsFlowManager = self.hass.data[REPAIRS]["flow_manager"]
        return manager

    async def stop(self) -> None:
        """Stop in order, as Home Assistant does on SIGTERM."""
        await self.task(self.hass.async_stop(force=True), "stop")
        await self._die()

    async def crash(self) -> None:
        """Take the power away: the files are what they are now, and nothing goes on."""
        await self._die()
        old = self.storage
        self.folder = self._root / str(self._lives)
        self._install()
        for file in old.iterdir():
            # What was being written when the power went has another name.
            if file.is_file() and not file.name.startswith("tmp"):
                shutil.copy(file, self.storage)

    async def _die(self) -> None:
        self._program.is_dead = True
        self.loop.disconnect(self._program, self.ports)
        # The tasks as well: what waits for nothing any more would be collected, and go on to its `finally`.
        self._dead.append((self._program, self.hass, self.tasks()))
        self.is_running = False
        await self._manager.__aexit__(None, None, None)

    async def bury(self) -> None:
        """End what is left of the dead; nothing may be listening any more."""
        for program, hass, _tasks in self._dead:
            program.is_buried = True
            await self.loop.bury(program)
            with suppress(ValueError):
                INSTANCES.remove(hass)
        self._dead.clear()

    def stored(self, key: str) -> Any:
        """Return what is on disk under a key; None where there is nothing."""
        path = self.storage / key
        return json.loads(path.read_text("utf-8"))["data"] if path.exists() else None

    def files(self) -> list[str]:
        """Return the names of the integration's own files."""
        return sorted(path.name for path in self.storage.iterdir() if path.name.startswith(DOMAIN))

    def timers(self) -> list[asyncio.TimerHandle]:
        """Return what the Home Assistant that runs has still to do."""
        return self.loop.timers_of(self._program)

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Return the tasks of the Home Assistant that runs."""
        return self.loop.tasks_of(self._program)
