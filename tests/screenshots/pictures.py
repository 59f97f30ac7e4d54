"""What the pictures show, one function for each subject, in the order in which they are taken."""

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
"""The dashboard that is made for a picture."""
_DRAWN: Final = 4_000
"""ms until graphs are drawn, which nothing on the page tells."""
RECORDED: Final = 180_000
"""ms in which the tiles' small graphs get something to show."""


def take_all(home: Home, screen: Screen, camera: Camera, recorded: float = RECORDED) -> None:
    """Take the pictures of all NAMES, after so many ms."""
    begin(screen)
    screen.page.wait_for_timeout(recorded)
    dashboard(screen, camera)
    energy(screen, camera)
    device(screen, camera)
    options(screen, camera)
    repair(home.device, screen, camera)
    windows(home, screen, camera)


def begin(screen: Screen) -> None:
    """Have the dashboard that is there to be copied, the time in 24 hours, and some commands done."""
    config: dict[str, Any] = load_yaml_dict(_DASHBOARD)
    for part in _parts(config):
        if part.get("type") == "trend-graph":
            # An hour has not passed yet.
            part["hours_to_show"] = RECORDED / 3_600_000
    screen.call("lovelace/dashboards/create", url_path=COPIED, title="My controller", mode="storage")
    screen.call("lovelace/config/save", url_path=COPIED, config=config)
    formats = dict.fromkeys(("number_format", "date_format", "first_weekday"), "language")
    language = {"language": "en", "time_format": "24", "time_zone": "local", **formats}
    screen.call("frontend/set_user_data", key="language", value=language)
    # None of them changes the export, which would leave its trace in the graphs.
    for action in ("set_datetime", "get_export_limit", "export_enable"):
        screen.call("call_service", domain="goodwe_sec1000", service=action, return_response=True)


def dashboard(screen: Screen, camera: Camera) -> None:
    """Take the dashboard: power, export and the day."""
    screen.open(f"/{COPIED}")
    expect(screen.page.get_by_text("Enable export: done")).to_be_visible()
    screen.page.wait_for_timeout(_DRAWN)
    screen.keep("the dashboard")
    sections = screen.page.locator("hui-sections-view .section")
    headings = ("Power now", "Export to the grid", "The last 24 hours")
    camera.take("dashboard", *(sections.filter(has_text=heading) for heading in headings))


def energy(screen: Screen, camera: Camera) -> None:
    """Take the Energy dashboard."""
    screen.open("/energy")
    expect(screen.page.get_by_text("Energy distribution")).to_be_visible()
    screen.page.wait_for_timeout(_DRAWN)
    screen.keep("energy")
    cards = ("energy-distribution", "energy-sources-table", "power-sources-graph", "energy-usage-graph")
    camera.take("energy", *(screen.page.locator(f"hui-{card}-card") for card in cards))


def device(screen: Screen, camera: Camera) -> None:
    """Take the page of the device."""
    screen.open_device()
    screen.shows("Export limit", "10.00 kW")
    screen.page.wait_for_timeout(_DRAWN)
    screen.keep("the device")
    cards = screen.page.locator("ha-config-device-page ha-card")
    about, controls, activity = (
        cards.filter(has_text=text) for text in ("Device info", "Controls", "Activity")
    )
    # The list of sensors is too long for a picture.
    camera.take("device", about, controls, activity, screen.row("Energy produced", "sensor"))


def options(screen: Screen, camera: Camera) -> None:
    """Take the first window of the options."""
    window = FlowDialog.of_options(screen)
    window.shows("General")
    # The demo asks its device more often than a real one is asked.
    window.fill(Refresh_interval=30)
    camera.take_dialog("options", window.dialog)


def repair(device: SimulatedDevice, screen: Screen, camera: Camera) -> None:
    """Take what Repairs says while a limit is off."""
    screen.open_device()
    screen.row("Reset export watchdog", "button").get_by_role("button", name="Press").click()
    device.await_mode("deactivated")
    device.do("stop")
    window = FlowDialog.of_repair(screen, "SEC1000: the export may not be limited")
    window.shows("The export may not be limited")
    camera.take_dialog("repair", window.dialog)
    device.do("start")
    window.press("Put the limit back now")
    expect(window.dialog.get_by_text("The device limits the export again")).to_be_visible()


def windows(home: Home, screen: Screen, camera: Camera) -> None:
    """Take the three windows of setup, for the device that is removed before."""
    home.remove_devices()
    window = FlowDialog.of_setup(screen)
    window.shows("Connection")
    camera.take_dialog("window-connection", window.dialog)
    window.fill(Host=LOOPBACK, Port=home.device.port)
    window.press("Next")
    window.shows("Export limits")
    camera.take_dialog("window-export-limits", window.dialog)
    window.press("Next")
    window.shows("Control")
    camera.take_dialog("window-control", window.dialog)


def _parts(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for item in node.values():
            yield from _parts(item)
    elif isinstance(node, list):
        for item in node:
            yield from _parts(item)
