"""A limit that cannot be put back: Repairs says so, and no longer once it is back."""

from playwright.sync_api import expect
import pytest

from .device import SimulatedDevice
from .screen import Screen

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

_ISSUE = "SEC1000: the export may not be limited"
_NONE = "There are currently no repairs pending"


def break_in_a_reset(device: SimulatedDevice, screen: Screen) -> None:
    """Take the device off the network while a reset of the watchdog has taken its limit off."""
    screen.open_device()
    screen.row("Reset export watchdog", "button").get_by_role("button", name="Press").click()
    device.await_mode("deactivated")
    device.do("stop")


def test_a_limit_that_is_off_is_in_repairs_until_it_is_back(added: SimulatedDevice, screen: Screen) -> None:
    break_in_a_reset(added, screen)
    screen.open("/config/repairs")
    screen.page.get_by_text(_ISSUE).click()
    told = "This should hold: control mode value, export limit 10.00 kW, total capacity 30.00 kW."
    expect(screen.page.get_by_text(told)).to_be_visible()
    screen.keep("the issue")
    assert added.limit_in_force() is None

    added.do("start")
    screen.open("/config/repairs")
    expect(screen.page.get_by_text(_NONE)).to_be_visible()
    assert added.mode() == "value"
    assert added.limit_in_force() == 10
    screen.open_device()
    screen.shows("Export limit", "10.00 kW")
