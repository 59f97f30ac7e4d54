"""The options flow applies the settings to the device before it saves them."""

from playwright.sync_api import expect

from .device import SimulatedDevice
from .flow import FlowDialog
from .screen import Screen
from .words import error


def test_options_are_applied_and_saved(added: SimulatedDevice, screen: Screen) -> None:
    flow = FlowDialog.of_options(screen)
    flow.shows("General")
    flow.expect_filled(Refresh_interval=30)
    flow.fill(Refresh_interval=4)
    flow.press("Next")
    flow.shows_errors(error("invalid_interval", "options"))
    flow.fill(Refresh_interval=10)
    flow.switch_on("Correct the setting automatically")
    flow.press("Next")
    flow.shows("Export limits")
    flow.fill(Maximum_export_limit=31)
    flow.press("Next")
    flow.shows_errors(error("maximum_above_capacity", "options"))
    flow.fill(Maximum_export_limit=8)
    flow.press("Next")
    flow.shows("Control")
    assert added.limit_in_force() == 10
    flow.press("Submit")
    flow.shows("Options successfully saved.")
    # Export was enabled: it follows its new maximum.
    assert added.limit_in_force() == 8
    flow.press("Finish")

    flow = FlowDialog.of_options(screen)
    flow.shows("General")
    flow.expect_filled(Refresh_interval=10)
    expect(flow.switch("Correct the setting automatically")).to_be_checked()
    expect(flow.switch("Allow deactivation")).not_to_be_checked()
    flow.press("Next")
    flow.shows("Export limits")
    flow.expect_filled(Minimum_export_limit=0, Maximum_export_limit=8, Total_capacity=30)
