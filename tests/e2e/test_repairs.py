"""A limit that cannot be put back: Repairs says so, mends it with a click, and is silent once it is back."""

import re

from playwright.sync_api import expect
import pytest

from .device import SimulatedDevice
from .flow import FlowDialog
from .home import Home
from .screen import Screen

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

_ISSUE = "SEC1000: the export may not be limited"
# "... again already." where Home Assistant, which goes on trying by itself, was faster. An older one has a
# sentence of its own.
_MENDED = re.compile("^The device limits the export again|^The issue is repaired!")


def break_in_a_reset(device: SimulatedDevice, screen: Screen) -> None:
    """Let the device answer nothing any more while a reset of the watchdog has taken its limit off."""
    screen.open_device()
    screen.row("Reset export watchdog", "button").get_by_role("button", name="Press").click()
    device.await_mode("deactivated")
    device.do("fault", name="close-before-answer")


def test_suspended_limit_is_in_repairs_until_restored(
    home: Home, added: SimulatedDevice, screen: Screen
) -> None:
    break_in_a_reset(added, screen)
    window = FlowDialog.of_repair(screen, _ISSUE)
    window.shows("The export may not be limited")
    holds = "control mode Value: Central Europe, export limit 10.00 kW, total capacity 30.00 kW."
    expect(window.dialog.get_by_text(f"This should hold: {holds}")).to_be_visible()
    window.press("Put the limit back now")
    reason = "the connection was closed before the answer was whole"
    window.shows_errors(f"The limit is not back: {reason}. Home Assistant goes on trying.")
    assert added.limit_in_force() is None

    added.do("clear")
    window.press("Put the limit back now")
    expect(window.dialog.get_by_text(_MENDED)).to_be_visible()
    screen.keep("the limit is back")
    assert added.limit_in_force() == 10
    # A poll in the meantime has failed, as it should.
    assert [error for error in home.new_errors() if "Error fetching SEC1000 data" not in error] == []
    # Others' issues may stay: Home Assistant has one on how it is installed, for example.
    expect(screen.page.locator("ha-config-repairs").get_by_text(_ISSUE)).to_have_count(0)
    screen.open_device()
    screen.shows("Export limit", "10.00 kW")
    screen.shows("Limit differs", "As set")
