"""Adding the integration: three windows, and each error that they can show."""

from collections.abc import Iterator

from playwright.sync_api import expect
import pytest

from demo.ports import LOOPBACK
from tests.ports import reserved_port

from .device import SimulatedDevice
from .flow import FlowDialog
from .home import Home
from .screen import Screen
from .words import aborted, error

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


def test_setup_in_three_steps_adds_device(device: SimulatedDevice, screen: Screen) -> None:
    device.do("hold")
    window = FlowDialog.of_setup(screen)
    window.shows("Connection")
    window.expect_filled(Name="SEC1000", Host="192.168.1.200", Port=1234, Refresh_interval=30)
    window.fill(Host=LOOPBACK, Port=device.port)
    window.press("Next")
    window.shows("Export limits")
    held = "control mode Value: Central Europe, export limit 10.00 kW, total capacity 30.00 kW."
    expect(window.dialog.get_by_text(f"The device now holds: {held}")).to_be_visible()
    window.expect_filled(Minimum_export_limit=0, Maximum_export_limit=10, Total_capacity=30)
    window.press("Next")
    window.shows("Control")
    expect(window.dialog.get_by_role("radio", name="Value: Central Europe")).to_be_checked()
    expect(window.switch("Sum measurement of all three phases")).to_be_checked()
    window.press("Submit")
    window.shows_end()
    window.press("Skip and finish")
    screen.open_device()
    screen.shows("Voltage L1", "241.0 V")
    screen.shows("Meter power", "-351 W")
    screen.shows("Inverter power", "3,386 W")
    screen.shows("Export limit", "10.00 kW")
    screen.shows("Export state", "Export on")
    screen.shows("Module started", "Ready")
    screen.shows("Get telemetry data feedback", "1")
    assert device.limit_in_force() == 10


@pytest.fixture
def nobody() -> Iterator[int]:
    """Return a port on which nobody listens."""
    with reserved_port() as port:
        yield port


def test_setup_steps_show_their_errors(
    home: Home, device: SimulatedDevice, screen: Screen, nobody: int
) -> None:
    window = FlowDialog.of_setup(screen)
    window.shows("Connection")
    window.fill(Name="!", Host="http://sec1000", Port=70000, Refresh_interval=4)
    window.press("Next")
    window.shows_errors(
        error("invalid_name"), error("invalid_host"), error("invalid_port"), error("invalid_interval")
    )
    window.fill(Name="Attic", Host="sec1000.invalid", Port=device.port, Refresh_interval=5)
    window.press("Next")
    window.shows_errors(error("host_not_found"))
    window.fill(Host=LOOPBACK, Port=nobody)
    window.press("Next")
    window.shows_errors(error("cannot_connect"))
    window.fill(Port=home.port)
    window.press("Next")
    window.shows_errors(error("not_sec1000"))
    device.do("fault", name="silence")
    window.fill(Port=device.port)
    window.press("Next")
    window.shows_errors(error("no_answer"))
    device.do("clear")
    window.press("Next")
    window.shows("Export limits")
    window.fill(Minimum_export_limit=-1, Maximum_export_limit=100.5, Total_capacity=1000)
    window.press("Next")
    window.shows_errors(*[error("invalid_power")] * 3)
    window.fill(Minimum_export_limit=50, Maximum_export_limit=40, Total_capacity=30)
    window.press("Next")
    window.shows_errors(error("minimum_above_maximum"), error("maximum_above_capacity"))
    window.fill(Minimum_export_limit=0, Maximum_export_limit=10)
    window.press("Next")
    window.shows("Control")
    window.choose("Deactivated")
    window.press("Submit")
    window.shows("Export without a limit?")
    window.switch_on("Go back and choose another control mode")
    window.press("Continue")
    window.shows("Control")
    window.choose("Value: Central Europe")
    window.press("Submit")
    window.shows_end()
    assert device.limit_in_force() == 10


def test_second_setup_of_device_aborts(added: SimulatedDevice, screen: Screen) -> None:
    window = FlowDialog.of_setup(screen)
    window.shows("Connection")
    window.fill(Host=LOOPBACK, Port=added.port)
    window.press("Next")
    expect(window.dialog.get_by_text(aborted("already_configured"))).to_be_visible()
