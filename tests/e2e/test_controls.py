"""The controls of the device page, and the actions in Home Assistant's tools."""

import re

from playwright.sync_api import expect

from .device import SimulatedDevice
from .screen import Screen


def test_switch_turns_export_off_and_on(added: SimulatedDevice, screen: Screen) -> None:
    screen.open_device()
    row = screen.row("Export to grid", "toggle")
    # The visible part of a switch covers the element with its state.
    switch, state = row.locator("ha-switch"), row.get_by_role("switch")
    expect(state).to_be_checked()
    switch.click()
    screen.shows("Export limit", "0.00 kW")
    screen.shows("Export state", "Export off")
    screen.shows("Export disable feedback", "OK")
    expect(state).not_to_be_checked()
    screen.keep("export is off")
    assert added.limit_in_force() == 0

    switch.click()
    screen.shows("Export limit", "10.00 kW")
    screen.shows("Export state", "Export on")
    screen.shows("Export enable feedback", "OK")
    expect(state).to_be_checked()
    screen.keep("export is on")
    assert added.limit_in_force() == 10


def test_number_sets_limit(added: SimulatedDevice, screen: Screen) -> None:
    screen.open_device()
    box = screen.row("Export limit", "number").get_by_role("spinbutton")
    # "10.0" on an older Home Assistant.
    expect(box).to_have_value(re.compile(r"^10(\.0)?$"))
    box.fill("7")
    box.press("Enter")
    screen.shows("Export limit", "7.00 kW")
    screen.shows("Set export limit feedback", "OK")
    expect(box).to_have_value(re.compile(r"^7(\.0)?$"))
    screen.keep("7 kW")
    assert added.limit_in_force() == 7


def test_limit_out_of_range_is_corrected_and_reported(added: SimulatedDevice, screen: Screen) -> None:
    screen.open("/developer-tools/action")
    # "Go to YAML mode" on an older Home Assistant.
    screen.page.get_by_role("button", name=re.compile("YAML mode$")).click()
    screen.write_code("action: goodwe_sec1000.set_export_limit\ndata:\n  limit: 12.5\n")
    screen.page.get_by_role("button", name="Perform action").click()
    answer = screen.page.locator(".cm-content").last
    expect(answer).to_contain_text("feedback: 129")
    expect(answer).to_contain_text(
        "12.50 kW is outside the range 0.00 to 10.00 kW and was adjusted to 10.00 kW."
    )
    screen.keep("the answer")
    assert added.limit_in_force() == 10
    screen.open_device()
    screen.shows("Set export limit feedback", "OK, adjusted")
