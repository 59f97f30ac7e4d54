"""Adding the integration: three steps, and the errors that they can show."""

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


def test_setup_in_three_steps_adds_device(device: SimulatedDevice, screen: Screen) -> None:
    device.do("hold")
    flow = FlowDialog.of_setup(screen)
    flow.shows("Connection")
    flow.expect_filled(Name="SEC1000", Host="192.168.1.200", Port=1234, Refresh_interval=30)
    flow.fill(Host=LOOPBACK, Port=device.port)
    flow.press("Next")
    flow.shows("Export limits")
    held = "control mode Value: Central Europe, export limit 10.00 kW, total capacity 30.00 kW."
    expect(flow.dialog.get_by_text(f"Current device settings: {held}")).to_be_visible()
    flow.expect_filled(Minimum_export_limit=0, Maximum_export_limit=10, Total_capacity=30)
    flow.press("Next")
    flow.shows("Control")
    expect(flow.dialog.get_by_role("radio", name="Value: Central Europe")).to_be_checked()
    expect(flow.switch("Sum measurement of all three phases")).to_be_checked()
    flow.press("Submit")
    flow.shows_end()
    flow.press("Skip and finish")
    screen.open_device()
    screen.shows("Voltage L1", "241.0 V")
    screen.shows("Meter power", "-351 W")
    screen.shows("Inverter power", "3,386 W")
    screen.shows("Export limit", "10.00 kW")
    screen.shows("Export state", "Export on")
    screen.shows("Module started", "Ready")
    screen.shows("Get telemetry data feedback", "OK")
    assert device.limit_in_force() == 10


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port without a listener."""
    with reserved_port() as port:
        yield port


def test_setup_steps_show_their_errors(
    home: Home, device: SimulatedDevice, screen: Screen, closed_port: int
) -> None:
    flow = FlowDialog.of_setup(screen)
    flow.shows("Connection")
    flow.fill(Name="!", Host="http://sec1000", Port=70000, Refresh_interval=4)
    flow.press("Next")
    flow.shows_errors(
        error("invalid_name"), error("invalid_host"), error("invalid_port"), error("invalid_interval")
    )
    flow.fill(Name="Attic", Host="sec1000.invalid", Port=device.port, Refresh_interval=5)
    flow.press("Next")
    flow.shows_errors(error("host_not_found"))
    flow.fill(Host=LOOPBACK, Port=closed_port)
    flow.press("Next")
    flow.shows_errors(error("cannot_connect"))
    flow.fill(Port=home.port)
    flow.press("Next")
    flow.shows_errors(error("not_sec1000"))
    device.do("fault", name="silence")
    flow.fill(Port=device.port)
    flow.press("Next")
    flow.shows_errors(error("no_answer"))
    device.do("clear")
    flow.press("Next")
    flow.shows("Export limits")
    flow.fill(Minimum_export_limit=-101, Maximum_export_limit=100.5, Total_capacity=1000)
    flow.press("Next")
    flow.shows_errors(error("invalid_limit"), error("invalid_limit"), error("invalid_power"))
    flow.fill(Minimum_export_limit=50, Maximum_export_limit=40, Total_capacity=30)
    flow.press("Next")
    flow.shows_errors(error("minimum_above_maximum"), error("maximum_above_capacity"))
    flow.fill(Minimum_export_limit=0, Maximum_export_limit=10)
    flow.press("Next")
    flow.shows("Control")
    flow.choose("Deactivated")
    flow.press("Submit")
    flow.shows("Export without a limit?")
    flow.choose_from_menu("Go back and select another control mode")
    flow.shows("Control")
    flow.switch_on("Go back and change the limits")
    flow.press("Submit")
    flow.shows("Export limits")
    flow.switch_on("Go back and change name or address")
    flow.press("Next")
    flow.shows("Connection")
    flow.expect_filled(Name="Attic", Host=LOOPBACK, Port=device.port, Refresh_interval=5)
    flow.press("Next")
    flow.shows("Export limits")
    flow.press("Next")
    flow.shows("Control")
    flow.choose("Value: Central Europe")
    flow.press("Submit")
    flow.shows_end()
    assert device.limit_in_force() == 10


def test_second_setup_of_device_aborts(added: SimulatedDevice, screen: Screen) -> None:
    flow = FlowDialog.of_setup(screen)
    flow.shows("Connection")
    flow.fill(Host=LOOPBACK, Port=added.port)
    flow.press("Next")
    expect(flow.dialog.get_by_text(aborted("already_configured"))).to_be_visible()
