"""The dashboard of the docs on a phone: it shows the device, sends commands and says what came of them."""

from collections.abc import Iterator
from typing import Final

from homeassistant.util.yaml import load_yaml_dict
from playwright.sync_api import Locator, expect
import pytest

from demo.options import CHECKOUT

from .device import SimulatedDevice
from .screen import Screen

_PATH: Final = "copied-controller"
_FILE: Final = CHECKOUT / "docs" / "dashboards" / "goodwe_sec1000.yaml"


@pytest.fixture
def dashboard(added: SimulatedDevice, screen: Screen) -> Iterator[None]:
    """Open the dashboard on a phone."""
    screen.open_integration()
    made = screen.call("lovelace/dashboards/create", url_path=_PATH, title="Controller", mode="storage")
    screen.call("lovelace/config/save", url_path=_PATH, config=load_yaml_dict(_FILE))
    screen.page.set_viewport_size({"width": 390, "height": 844})
    screen.open(f"/{_PATH}")
    yield
    screen.call("lovelace/dashboards/delete", dashboard_id=made["id"])


def tile(screen: Screen, name: str) -> Locator:
    """Return the tile with this name."""
    return screen.page.locator("hui-tile-card").filter(has=screen.page.get_by_text(name, exact=True))


@pytest.mark.usefixtures("dashboard")
def test_dashboard_controls_export_and_says_so(added: SimulatedDevice, screen: Screen) -> None:
    state, outcome = tile(screen, "Export state"), screen.page.locator("hui-markdown-card")
    expect(state).to_contain_text("Export on")

    tile(screen, "Disable export").click()
    expect(outcome.filter(has_text="Disable export: done")).to_be_visible()
    expect(state).to_contain_text("Export off")
    screen.keep("export is off")
    assert added.limit_in_force() == 0

    tile(screen, "Enable export").click()
    expect(outcome.filter(has_text="Enable export: done")).to_be_visible()
    expect(state).to_contain_text("Export on")
    screen.keep("export is on")
    assert added.limit_in_force() == 10

    tile(screen, "Reset export watchdog").click()
    question = screen.page.get_by_role("heading", name="Reset the export watchdog?")
    expect(question).to_be_visible()
    screen.keep("the question before a reset")
    screen.page.get_by_role("button", name="Cancel").click()
    expect(question).to_be_hidden()
    assert added.mode() == "value"
