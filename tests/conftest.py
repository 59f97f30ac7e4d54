"""A Home Assistant that knows the integration, a device on a socket, and no long pauses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
import gc
import logging
from typing import Final
from unittest.mock import patch

import freezegun
from freezegun.api import FrozenDateTimeFactory
import freezegun.config
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from xdist.remote import Producer

from custom_components.goodwe_sec1000.sec1000 import timing
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from simulator import Simulator

from .entries import entry_of
from .fast_timing import FAST_TIMING
from .virtual_time.timewarp import START, TimeWarp
from .workers import UnitScheduling, longest_first

WITHOUT_CLOCK: Final = [
    *(
        "_openssl",
        "acme",
        "aiogithubapi",
        "bleak",
        "boto3",
        "botocore",
        "cryptography",
        "dbus_fast",
        "habluetooth",
    ),
    *("hass_nabucasa", "httpcore", "httpx", "mashumaro", "PIL", "playwright", "pygments", "requests", "rich"),
    *("sqlalchemy", "urllib3", "zeroconf"),
]
"""Packages that keep the real time while a test's is frozen."""


def pytest_configure(config: pytest.Config) -> None:
    """Log of Home Assistant warnings, and debug asyncio in long runs only: both take time."""
    if config.getoption("long"):
        config.option.asyncio_debug = True
    # Each freeze looks through all modules for clocks; no test waits for these, which have many names.
    freezegun.config.configure(extend_ignore_list=WITHOUT_CLOCK)
    for name in ("", "sqlalchemy.engine"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("custom_components").setLevel(logging.INFO)


def pytest_report_header() -> str:
    """Say on which Home Assistant the tests run."""
    return f"Home Assistant {__version__}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer more tests, and fewer."""
    parser.addoption("--long", action="store_true", help="with tests marked long; others at length")
    parser.addoption("--quick", action="store_true", help="without tests marked slow")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes longer than is asked for, and put first what takes longest."""
    marks = {"long": not config.getoption("long"), "slow": config.getoption("quick")}
    for mark in (mark for mark, is_left_out in marks.items() if is_left_out):
        left_out = [item for item in items if item.get_closest_marker(mark)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker(mark)]
    longest_first(items, float(config.getini("timeout")))


def pytest_collection_finish() -> None:
    """Collect garbage less often, and never what was imported: Home Assistant is large."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="session")
def long_run(pytestconfig: pytest.Config) -> bool:
    """Tell whether a test is to be as thorough as it can be, however long that takes."""
    return bool(pytestconfig.getoption("long"))


@pytest.fixture
def entity_registry_enabled_by_default() -> Iterator[None]:
    """Enable all entities, like the fixture of this name in Home Assistant's repository."""
    with patch.object(Entity, "entity_registry_enabled_default", True):
        yield


@pytest.fixture
def enable_event_loop_debug() -> None:
    """Enable it in long runs only (pytest_configure): it keeps a stack for each callback."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> UnitScheduling | None:
    """Keep together with `--dist loadfile` what is to stay with one worker."""
    return UnitScheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Timing:
    """Shorten every pause of the lines that are made from now on, but in virtual time, which takes none."""
    if "warp" in request.fixturenames:
        return timing.STANDARD
    monkeypatch.setattr(timing, "STANDARD", FAST_TIMING)
    return FAST_TIMING


@pytest.fixture
async def warp(request: pytest.FixtureRequest) -> AsyncIterator[TimeWarp]:
    """Let the event loop move the time; it begins at the parameter, in UTC, or at midsummer."""
    loop = asyncio.get_running_loop()
    # Debug mode keeps a stack for every timer, which takes longer than all the rest.
    loop.set_debug(False)
    with TimeWarp(loop, getattr(request, "param", START)) as warp:
        yield warp


@pytest.fixture(autouse=True)
def _warp_first(request: pytest.FixtureRequest) -> None:
    """Enter virtual time before any timer is set, whatever else a test uses."""
    if "warp" in request.fixturenames:
        request.getfixturevalue("warp")


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Allow sockets; connections stay limited to 127.0.0.1 by the plugin."""


@pytest.fixture
def freezer(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> Iterator[FrozenDateTimeFactory]:
    """Freeze the time of day and the monotonic clock, but not the event loop's: sockets need theirs."""
    with freezegun.freeze_time() as factory:
        monkeypatch.setattr(hass.loop, "time", freezegun.api.real_monotonic)
        assert isinstance(factory, FrozenDateTimeFactory)
        yield factory


@pytest.fixture
def pass_time(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[float], Awaitable[None]]:
    """Return a function that lets so many seconds go by and what falls due come to its end.

    To be named before `loaded`, so that the clock does not jump after setup.
    """
    passed = 0.0
    monkeypatch.setattr(hass.loop, "time", lambda: freezegun.api.real_monotonic() + passed)

    async def pass_seconds(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        freezer.tick(timedelta(seconds=seconds))
        async_fire_time_changed(hass, dt_util.utcnow())
        await hass.async_block_till_done(wait_background_tasks=True)

    return pass_seconds


@pytest.fixture
async def hass(hass: HomeAssistant) -> HomeAssistant:
    """Let Home Assistant look for custom integrations.

    The plugin's enable_custom_integrations does the same, but used by itself in every test it would start
    Home Assistant before the recorder where a test wants both.
    """
    hass.data.pop(DATA_CUSTOM_COMPONENTS)
    return hass


@pytest.fixture
async def device(warp: TimeWarp) -> AsyncIterator[Simulator]:
    """Run a device that a flood of requests overloads: value mode, limit 10 kW, capacity 30 kW."""
    async with Simulator() as simulator:
        yield simulator


@pytest.fixture
async def device_bearing_short_pauses() -> AsyncIterator[Simulator]:
    """Run the same device for tests in real time, which make all pauses shorter than a real one bears."""
    async with Simulator(overload=False) as simulator:
        yield simulator


@pytest.fixture
def sim(request: pytest.FixtureRequest) -> Simulator:
    """Return the device of the test."""
    name = "device" if "warp" in request.fixturenames else "device_bearing_short_pauses"
    simulator = request.getfixturevalue(name)
    assert isinstance(simulator, Simulator)
    return simulator


@pytest.fixture
def entry(hass: HomeAssistant, sim: Simulator) -> MockConfigEntry:
    """Return the entry of the simulated device, added but not set up."""
    entry = entry_of(sim)
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
async def loaded(hass: HomeAssistant, entry: MockConfigEntry) -> MockConfigEntry:
    """Return the entry of the simulated device, set up."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    return entry
