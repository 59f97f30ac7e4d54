"""A suspended limit that cannot be restored: an issue in Repairs, its fix, and its end."""

import re

from playwright.sync_api import expect

from .device import SimulatedDevice
from .flow import FlowDialog
from .home import Home
from .screen import Screen

_ISSUE = "SEC1000: the export may not be limited"
# "... again already." if Home Assistant, which keeps trying, was faster. Older versions have their own text.
_FIXED = re.compile("^The device limits the export again|^The issue is repaired!")


def fail_during_reset(device: SimulatedDevice, screen: Screen) -> None:
    """Stop the answers of the device while a watchdog reset suspends the limit."""
    screen.open_device()
    screen.row("Reset export watchdog", "button").get_by_role("button", name="Press").click()
    device.await_mode("deactivated")
    device.do("fault", name="close-before-answer")


def test_suspended_limit_is_in_repairs_until_restored(
    home: Home, added: SimulatedDevice, screen: Screen
) -> None:
    fail_during_reset(added, screen)
    flow = FlowDialog.of_repair(screen, _ISSUE)
    flow.shows("The export may not be limited")
    holds = "control mode Value: Central Europe, export limit 10.00 kW, total capacity 30.00 kW."
    expect(flow.dialog.get_by_text(f"Target: {holds}")).to_be_visible()
    flow.press("Restore the limit now")
    reason = "the connection was closed before the response was complete"
    flow.shows_errors(
        f"The limit is not restored: {reason}. Check the device's power supply and network "
        "connection, then try again."
    )
    assert added.limit_in_force() is None

    added.do("clear")
    flow.press("Restore the limit now")
    expect(flow.dialog.get_by_text(_FIXED)).to_be_visible()
    screen.keep("the limit is back")
    assert added.limit_in_force() == 10
    # A poll in the meantime is expected to fail.
    assert [error for error in home.new_errors() if "Error fetching SEC1000 data" not in error] == []
    # Home Assistant may have issues of its own, about the installation for example.
    expect(screen.page.locator("ha-config-repairs").get_by_text(_ISSUE)).to_have_count(0)
    screen.open_device()
    screen.shows("Export limit", "10.00 kW")
    screen.shows("Limit differs", "As set")
