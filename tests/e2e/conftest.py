"""The demo and a headless Chromium, started once; a new device and a new browser window for each test."""

from collections.abc import Iterator
from pathlib import Path
import shutil
from typing import Final

from playwright.sync_api import Browser, StorageState, ViewportSize, expect, sync_playwright
import pytest
import pytest_socket

from demo.home_assistant_api import PASSWORD, USER
from demo.options import CHECKOUT

from . import browser as the_browser
from .device import SimulatedDevice, running_device
from .home import Home, running_demo
from .screen import TIMEOUT_MS, Screen

ARTEFACTS: Final = CHECKOUT / ".artefacts" / "e2e"
_FOLDER: Final = Path(__file__).parent
_TIMEOUT_S: Final = 300
_WINDOW: Final[ViewportSize] = {"width": 1280, "height": 900}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, which all take a while."""
    for item in items:
        if item.path.is_relative_to(_FOLDER):
            for mark in (pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(_TIMEOUT_S)):
                item.add_marker(mark)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail each test by name if there is no browser."""
    if the_browser.path() is None:
        skip_or_fail = pytest.fail if the_browser.is_required() else pytest.skip
        skip_or_fail(f"{item.nodeid} needs a browser. {the_browser.reason()}")


# The plugin for Home Assistant expects an event loop per test. These tests have none: Home Assistant is
# another process, and Playwright keeps one loop running across tests.
@pytest.fixture
def configure_event_loop() -> None:
    """Configure nothing."""


@pytest.fixture
def enable_event_loop_debug() -> None:
    """Debug nothing."""


@pytest.fixture
def verify_cleanup() -> None:
    """Verify nothing."""


@pytest.fixture(scope="package")
def artefacts(worker_id: str) -> Path:
    """Return an empty folder for logs and screenshots of this worker."""
    folder = ARTEFACTS / worker_id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Iterator[Home]:
    """Run the demo."""
    # It starts before the function-scoped fixtures that allow sockets.
    pytest_socket.enable_socket()
    folder = tmp_path_factory.mktemp("demo")
    try:
        with running_demo(folder) as home:
            yield home
    finally:
        for log in folder.rglob("*.log"):
            shutil.copy(log, artefacts)


@pytest.fixture(scope="package")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Run a headless Chromium."""
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = the_browser.launched(playwright, tmp_path_factory.mktemp("browser"))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def login(home: Home, chromium: Browser, artefacts: Path) -> StorageState:
    """Log in and return the storage state of the browser."""
    with chromium.new_context(base_url=home.address, viewport=_WINDOW) as context:
        screen = Screen(context.new_page(), artefacts / "login")
        screen.page.goto("/")
        screen.page.get_by_role("textbox", name="Username").fill(USER)
        screen.page.get_by_role("textbox", name="Password").fill(PASSWORD)
        screen.keep("the login")
        screen.page.get_by_role("button", name="Log in").click()
        expect(screen.page.get_by_text("Power now")).to_be_visible()
        screen.keep("the dashboard of the demo")
        return context.storage_state()


@pytest.fixture
def device(home: Home) -> Iterator[SimulatedDevice]:
    """Return a simulated device without an entry in Home Assistant.

    It has an address of its own: nothing that it answered before is shown, and all of its budget is left.
    """
    home.remove_devices()
    with running_device() as device:
        yield device
        # A suspended limit can be restored on removal.
        device.renew()
        home.remove_devices()


@pytest.fixture
def added(home: Home, device: SimulatedDevice) -> SimulatedDevice:
    """Return the simulated device with an entry in Home Assistant."""
    home.add_device(device)
    return device


@pytest.fixture
def screen(
    home: Home, chromium: Browser, login: StorageState, artefacts: Path, request: pytest.FixtureRequest
) -> Iterator[Screen]:
    """Open a browser window with a logged-in user; request it after the device.

    An error logged by the integration in the meantime fails the test.
    """
    home.new_errors()
    with chromium.new_context(base_url=home.address, viewport=_WINDOW, storage_state=login) as context:
        screen = Screen(context.new_page(), artefacts / request.node.name)
        yield screen
        screen.keep("the end")
    assert home.new_errors() == []
