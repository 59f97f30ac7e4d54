"""The button cards of the docs, pasted into a dashboard and pressed."""

from collections.abc import Iterator
import re
from typing import Final

from playwright.sync_api import expect
import pytest

from .device import SimulatedDevice
from .readme import CARDS, SPELLINGS, cards
from .screen import Screen

_DASHBOARD: Final = "my-cards"
_SENSORS: Final = {
    "sensor.sec1000_export_limit": "Limit",
    "binary_sensor.sec1000_export_state": "State",
    "sensor.sec1000_export_disable_feedback": "Feedback of disabling",
    "sensor.sec1000_export_enable_feedback": "Feedback of enabling",
    "sensor.sec1000_set_export_limit_feedback": "Feedback of setting",
}


@pytest.fixture
def dashboard(added: SimulatedDevice, screen: Screen) -> Iterator[None]:
    """Open a dashboard with the sensors that show the effect of a press."""
    entities = [{"entity": entity, "name": name} for entity, name in _SENSORS.items()]
    view = {"title": "Cards", "path": "cards", "cards": [{"type": "entities", "entities": entities}]}
    screen.open_integration()
    made = screen.call("lovelace/dashboards/create", url_path=_DASHBOARD, title="My cards", mode="storage")
    screen.call("lovelace/config/save", url_path=_DASHBOARD, config={"views": [view]})
    screen.open(f"/{_DASHBOARD}/cards")
    yield
    screen.call("lovelace/dashboards/delete", dashboard_id=made["id"])


def paste(screen: Screen, card: str) -> None:
    """Add a card to the dashboard as described in the docs: Add card, Manual, paste."""
    screen.open(f"/{_DASHBOARD}/cards?edit=1")
    screen.page.get_by_role("button", name="Add card").click()
    screen.page.get_by_role("tab", name=re.compile("^By card")).click()
    manual = screen.page.get_by_text("Manual", exact=True)
    screen.page.locator("hui-card-picker .card").filter(has=manual).click()
    screen.write_code(card)
    save = screen.page.get_by_role("button", name="Save", exact=True)
    # Until the pasted card is checked, the one that was there before counts.
    expect(save).to_be_enabled()
    screen.keep("pasted")
    save.click()
    screen.page.get_by_role("button", name="Done", exact=True).click()


@pytest.mark.usefixtures("dashboard")
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_button_cards_control_export(spelling: str, added: SimulatedDevice, screen: Screen) -> None:
    paste(screen, cards(spelling))
    disable, enable, seven = (screen.page.get_by_role("button", name=name) for name in CARDS)
    screen.shows("Limit", "10.00 kW")
    screen.shows("State", "Export on")

    disable.click()
    screen.shows("Limit", "0.00 kW")
    screen.shows("State", "Export off")
    screen.shows("Feedback of disabling", "OK")
    screen.keep("export is off")
    assert added.limit_in_force() == 0

    seven.click()
    screen.shows("Limit", "7.00 kW")
    screen.shows("State", "Export on")
    screen.shows("Feedback of setting", "OK")
    screen.keep("export is limited to 7 kW")
    assert added.limit_in_force() == 7

    enable.click()
    screen.shows("Limit", "10.00 kW")
    screen.shows("Feedback of enabling", "OK")
    screen.keep("export is on")
    assert added.limit_in_force() == 10
    expect(disable).to_be_visible()
