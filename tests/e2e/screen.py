"""A browser window with Home Assistant's pages; its steps are kept as screenshots."""

from pathlib import Path
import re
from typing import Any, Final

from playwright.sync_api import Locator, Page, expect

from custom_components.goodwe_sec1000.const import DOMAIN

TIMEOUT_MS: Final = 60_000
"""Of any wait, even on a busy computer."""
_BROKEN: Final = ("component.", "Configuration error", "Entity not found", "undefined", "NaN", "[object")
"""Texts on a page with a missing translation, entity or value."""
_PASTE: Final = """(editor, text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    editor.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}"""


class Screen:
    """One browser window and the folder for its screenshots."""

    def __init__(self, page: Page, pictures: Path) -> None:
        self.page = page
        page.set_default_timeout(TIMEOUT_MS)
        self._pictures = pictures
        self._steps = 0

    def open(self, path: str) -> None:
        """Open a page of Home Assistant."""
        self.page.goto(path)

    def open_integration(self) -> None:
        """Open the page of the integration."""
        self.open(f"/config/integrations/integration/{DOMAIN}")
        expect(self.page.get_by_role("heading", name="GoodWe SEC1000/S")).to_be_visible()

    def open_device(self) -> None:
        """Open the page of the device from the page of the integration."""
        self.open_integration()
        self.page.get_by_role("link", name="1 device").click()
        expect(self.page.get_by_role("heading", name="Device info")).to_be_visible()

    def keep(self, step: str) -> None:
        """Save a screenshot of this step, and check that nothing on the page is broken."""
        self._steps += 1
        self._pictures.mkdir(parents=True, exist_ok=True)
        # Some systems restrict the characters of file names.
        name = f"{self._steps:02} {re.sub(r'[^\w ,.-]', '', step)}.png"
        self.page.screenshot(path=self._pictures / name, animations="disabled")
        text = self.page.locator("body").aria_snapshot()
        assert [sign for sign in _BROKEN if sign in text] == [], text

    def call(self, kind: str, **message: object) -> Any:
        """Send a WebSocket command as the frontend does and return the result."""
        return self.page.evaluate(
            "message => document.querySelector('home-assistant').hass.callWS(message)",
            {"type": kind, **message},
        )

    def row(self, name: str, *kinds: str) -> Locator:
        """Return the row of an entity in a list; `kinds` are row types such as "number"."""
        rows = self.page.locator(", ".join(f"hui-{kind}-entity-row" for kind in kinds))
        # The whole name: "Export limit" must not match "Minimum export limit".
        return rows.filter(has=self.page.get_by_text(name, exact=True))

    def shows(self, name: str, state: str) -> None:
        """Wait until the row of a sensor shows a state."""
        row = self.row(name, "sensor", "simple").locator("hui-generic-entity-row")
        expect(row).to_have_text(re.compile(rf"(^|\s){re.escape(state)}(\s|$)"))

    def write_code(self, text: str) -> None:
        """Select all in the open code editor and paste this text over it.

        Text that is filled in arrives line by line, and the card's editor that its first line opens may
        come in between.
        """
        editor = self.page.locator(".cm-content").first
        editor.focus()
        self.page.keyboard.press("ControlOrMeta+a")
        editor.evaluate(_PASTE, text)
