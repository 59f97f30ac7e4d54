"""The options: what is submitted stands in the device before it is saved."""

from playwright.sync_api import expect
import pytest

from .device import SimulatedDevice
from .flow import FlowDialog
from .screen import Screen
from .words import error

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


def test_options_are_applied_and_saved(added: SimulatedDevice, screen: Screen) -> None:
    window = FlowDialog.of_options(screen)
    window.shows("General")
    window.expect_filled(Refresh_interval=30)
    window.fill(Refresh_interval=4)
    window.press("Next")
    window.shows_errors(error("invalid_interval", "options"))
    window.fill(Refresh_interval=10)
    window.switch_on("Put the setting back")
    window.press("Next")
    window.shows("Export limits")
    window.fill(Maximum_export_limit=31)
    window.press("Next")
    window.shows_errors(error("maximum_above_capacity", "options"))
    window.fill(Maximum_export_limit=8)
    window.press("Next")
    window.shows("Control")
    assert added.limit_in_force() == 10
    window.press("Submit")
    window.shows("Options successfully saved.")
    # Export was enabled: it follows its new maximum.
    assert added.limit_in_force() == 8
    window.press("Finish")

    window = FlowDialog.of_options(screen)
    window.shows("General")
    window.expect_filled(Refresh_interval=10)
    expect(window.switch("Put the setting back")).to_be_checked()
    expect(window.switch("Allow deactivating")).not_to_be_checked()
    window.press("Next")
    window.shows("Export limits")
    window.expect_filled(Minimum_export_limit=0, Maximum_export_limit=8, Total_capacity=30)
