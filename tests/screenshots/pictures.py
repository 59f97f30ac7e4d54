"""The screenshots, one function for each subject, in the order in which they are taken."""

from collections.abc import Iterator
from typing import Any, Final

from homeassistant.util.yaml import load_yaml_dict
from playwright.sync_api import expect

from demo.options import CHECKOUT
from demo.ports import LOOPBACK
from tests.e2e.device import SimulatedDevice
from tests.e2e.flow import FlowDialog
from tests.e2e.home import Home
from tests.e2e.screen import Screen

from .camera import Camera

NAMES: Final = (
    "dashboard",
    "device",
    "energy",
    "options",
    "repair",
    "window-connection",
    "window-control",
    "window-export-limits",
)
_DASHBOARD: Final = CHECKOUT / "docs" / "dashboards" / "goodwe_sec1000.yaml"
COPIED: Final = "my-energy-controller"
"""Path of the dashboard that is created for a screenshot."""
_DRAWING_MS: Final = 4_000
"""Until graphs are drawn; the page has no sign of it."""
RECORDING_MS: Final = 180_000
"""Until the small graphs of the tiles have content."""


def take_all(
    home: Home,
    simulated: SimulatedDevice,
    screen: Screen,
    camera: Camera,
    recording_ms: float = RECORDING_MS,
) -> None:
    """Take all screenshots of NAMES, after recording for some time."""
    begin(screen)
    screen.page.wait_for_timeout(recording_ms)
    dashboard(screen, camera)
    energy(screen, camera)
    device(screen, camera)
    options(screen, camera)
    repair(simulated, screen, camera)
    setup(home, simulated, screen, camera)


def begin(screen: Screen) -> None:
    """Create the dashboard of the docs, set the time format, and call some actions."""
    config: dict[str, Any] = load_yaml_dict(_DASHBOARD)
    for part in _parts(config):
        if part.get("type") == "trend-graph":
            # There is less than an hour of history.
            part["hours_to_show"] = RECORDING_MS / 3_600_000
    screen.call("lovelace/dashboards/create", url_path=COPIED, title="My controller", mode="storage")
    screen.call("lovelace/config/save", url_path=COPIED, config=config)
    formats = dict.fromkeys(("number_format", "date_format", "first_weekday"), "language")
    language = {"language": "en", "time_format": "24", "time_zone": "local", **formats}
    screen.call("frontend/set_user_data", key="language", value=language)
    # Actions that do not change the export, which would be visible in the graphs.
    for action in ("set_datetime", "get_export_limit", "export_enable"):
        screen.call("call_service", domain="goodwe_sec1000", service=action, return_response=True)


def dashboard(screen: Screen, camera: Camera) -> None:
    """Take the dashboard: power, export and the day."""
    screen.open(f"/{COPIED}")
    expect(screen.page.get_by_text("Enable export: done")).to_be_visible()
    screen.page.wait_for_timeout(_DRAWING_MS)
    screen.keep("the dashboard")
    sections = screen.page.locator("hui-sections-view .section")
    headings = ("Power now", "Export to the grid", "The last 24 hours")
    camera.take("dashboard", *(sections.filter(has_text=heading) for heading in headings))


def energy(screen: Screen, camera: Camera) -> None:
    """Take the Energy dashboard."""
    screen.open("/energy")
    expect(screen.page.get_by_text("Energy distribution")).to_be_visible()
    screen.page.wait_for_timeout(_DRAWING_MS)
    screen.keep("energy")
    cards = ("energy-distribution", "energy-sources-table", "power-sources-graph", "energy-usage-graph")
    camera.take("energy", *(screen.page.locator(f"hui-{card}-card") for card in cards))


def device(screen: Screen, camera: Camera) -> None:
    """Take the page of the device."""
    screen.open_device()
    screen.shows("Export state", "Export on")
    screen.page.wait_for_timeout(_DRAWING_MS)
    screen.keep("the device")
    cards = screen.page.locator("ha-config-device-page ha-card")
    about, controls, activity = (
        cards.filter(has_text=text) for text in ("Device info", "Controls", "Activity")
    )
    # The list of sensors is too long for a picture.
    camera.take("device", about, controls, activity, screen.row("Energy produced", "sensor"))


def options(screen: Screen, camera: Camera) -> None:
    """Take the first step of the options flow."""
    flow = FlowDialog.of_options(screen)
    flow.shows("General")
    # The demo polls more often than the default.
    flow.fill(Refresh_interval=30)
    camera.take_dialog("options", flow.dialog)


def repair(simulated: SimulatedDevice, screen: Screen, camera: Camera) -> None:
    """Take the repair flow of a suspended limit."""
    screen.open_device()
    screen.row("Reset export watchdog", "button").get_by_role("button", name="Press").click()
    simulated.await_mode("deactivated")
    simulated.do("stop")
    flow = FlowDialog.of_repair(screen, "SEC1000: the export may not be limited")
    flow.shows("The export may not be limited")
    camera.take_dialog("repair", flow.dialog)
    simulated.do("start")
    flow.press("Restore the limit now")
    expect(flow.dialog.get_by_text("The device limits the export again")).to_be_visible()


def setup(home: Home, simulated: SimulatedDevice, screen: Screen, camera: Camera) -> None:
    """Take the three steps of setup, after removing the device."""
    home.remove_devices()
    flow = FlowDialog.of_setup(screen)
    flow.shows("Connection")
    camera.take_dialog("window-connection", flow.dialog)
    flow.fill(Host=LOOPBACK, Port=simulated.port)
    flow.press("Next")
    flow.shows("Export limits")
    camera.take_dialog("window-export-limits", flow.dialog)
    flow.press("Next")
    flow.shows("Control")
    camera.take_dialog("window-control", flow.dialog)


def _parts(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for item in node.values():
            yield from _parts(item)
    elif isinstance(node, list):
        for item in node:
            yield from _parts(item)
