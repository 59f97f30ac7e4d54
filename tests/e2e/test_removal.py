"""Removing the integration leaves nothing behind and does not change the device."""

from playwright.sync_api import expect

from .device import SimulatedDevice
from .screen import Screen


def test_removal_does_not_change_device(added: SimulatedDevice, screen: Screen) -> None:
    screen.open_integration()
    entry = screen.page.locator("ha-config-entry-row")
    # The other menu is that of the device.
    entry.get_by_role("button", name="Menu").first.click()
    screen.page.get_by_role("menuitem", name="Delete").click()
    expect(screen.page.get_by_text("Its devices and entities will be permanently deleted.")).to_be_visible()
    screen.keep("confirmation")
    before = added.requests()
    screen.page.get_by_role("button", name="Delete", exact=True).click()
    expect(screen.page.get_by_text("No entries")).to_be_visible()
    left = screen.call("config/entity_registry/list")
    assert [entity for entity in left if entity["platform"] == "goodwe_sec1000"] == []
    assert [
        device for device in screen.call("config/device_registry/list") if device["name"] == "SEC1000"
    ] == []
    assert added.requests() == before
    assert added.mode() == "value"
    assert added.limit_in_force() == 10
