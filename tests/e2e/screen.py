"""A window of the browser: Home Assistant's pages, found by what is written on them, and kept as pictures."""

from pathlib import Path
import re
from typing import Any, Final

from playwright.sync_api import Locator, Page, expect

from custom_components.goodwe_sec1000.const import DOMAIN

PATIENCE: Final = 60_000
"""ms that anything may take on a busy computer."""
_BROKEN: Final = ("component.", "Configuration error", "Entity not found", "undefined", "NaN", "[object")
"""What stands on a page where a text, an entity or a value is missing."""


class Screen:
    """One window; its steps are kept as pictures in a folder."""

    def __init__(self, page: Page, pictures: Path) -> None:
        self.page = page
        page.set_default_timeout(PATIENCE)
        self._pictures = pictures
        self._steps = 0

    def open(self, path: str) -> None:
        """Open a page of Home Assistant."""
        self.page.goto(path)

    def open_integration(self) -> None:
        """Open the page of the integration, with its entries."""
        self.open(f"/config/integrations/integration/{DOMAIN}")
        expect(self.page.get_by_role("heading", name="GoodWe SEC1000/S")).to_be_visible()

    def open_device(self) -> None:
        """Open the page of the device, as the page of the integration leads to it."""
        self.open_integration()
        self.page.get_by_role("link", name="1 device").click()
        expect(self.page.get_by_role("heading", name="Device info")).to_be_visible()

    def keep(self, step: str) -> None:
        """Keep a picture of this step; nothing on the page looks broken."""
        self._steps += 1
        self._pictures.mkdir(parents=True, exist_ok=True)
        # Not every system takes any character in the name of a file.
        name = f"{self._steps:02} {re.sub(r'[^\w ,.-]', '', step)}.png"
        self.page.screenshot(path=self._pictures / name, animations="disabled")
        text = self.page.locator("body").aria_snapshot()
        assert [sign for sign in _BROKEN if sign in text] == [], text

    def call(self, kind: str, **message: object) -> Any:
        """Send what Home Assistant's pages send themselves, and return the answer."""
        return self.page.evaluate(
            "message => document.querySelector('home-assistant').hass.callWS(message)",
            {"type": kind, **message},
        )

    def row(self, name: str, *kinds: str) -> Locator:
        """Return the row of an entity in a list of entities, which has one of these kinds: "number"."""
        rows = self.page.locator(", ".join(f"hui-{kind}-entity-row" for kind in kinds))
        # Not a part of a name: "Export limit" is not "Minimum export limit".
        return rows.filter(has=self.page.get_by_text(name, exact=True))

    def shows(self, name: str, state: str) -> None:
        """Wait until the row of a sensor shows a state."""
        row = self.row(name, "sensor", "simple").locator("hui-generic-entity-row")
        expect(row).to_have_text(re.compile(rf"(^|\s){re.escape(state)}(\s|$)"))

    def write_code(self, text: str) -> None:
        """Replace what stands in the editor that is open."""
        self.page.locator(".cm-content").first.fill(text)
