"""The windows of a flow, as the browser shows them one after the other."""

import re
from typing import Self

from playwright.sync_api import Locator, expect

from .screen import Screen


class FlowDialog:
    """The dialog in which the windows of setup, of the options and of repairs appear."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.dialog = screen.page.locator("dialog-data-entry-flow")

    @classmethod
    def of_setup(cls, screen: Screen) -> Self:
        """Begin to add the integration, as its README tells."""
        screen.open("/config/integrations/dashboard")
        screen.page.get_by_role("button", name="Add integration").click()
        brands = screen.page.locator("dialog-add-integration")
        brands.get_by_role("textbox").fill("sec1000")
        screen.keep("the integration among the others")
        brands.get_by_text("GoodWe SEC1000/S").click()
        return cls(screen)

    @classmethod
    def of_options(cls, screen: Screen) -> Self:
        """Open the options."""
        screen.open_integration()
        screen.page.get_by_role("button", name="Configure").click()
        return cls(screen)

    @classmethod
    def of_repair(cls, screen: Screen, issue: str) -> Self:
        """Open an issue in Repairs as soon as it is there."""
        screen.open("/config/repairs")
        screen.page.locator("ha-config-repairs").get_by_text(issue).click()
        return cls(screen)

    def shows(self, title: str) -> None:
        """Wait for the window of this title."""
        expect(self.dialog.get_by_text(title, exact=True).first).to_be_visible()
        self._screen.keep(f"the window {title}")

    def shows_errors(self, *errors: str) -> None:
        """Wait until exactly these errors stand in the window, from top to bottom."""
        expect(self.dialog.locator("ha-alert")).to_have_text(errors)
        self._screen.keep(f"told {errors[0][:40]}")

    def shows_end(self) -> None:
        """Wait for the last window of setup, in which Home Assistant asks where the device is."""
        # Its title depends on the version of Home Assistant.
        expect(self.dialog.get_by_role("button", name="Skip and finish")).to_be_visible()
        self._screen.keep("the end of setup")

    def fill(self, **values: object) -> None:
        """Write into fields, each named by its label with _ for a space."""
        for label, value in values.items():
            self._box(label.replace("_", " ")).fill(str(value))

    def expect_filled(self, **values: object) -> None:
        """Wait until this stands in fields."""
        for label, value in values.items():
            expect(self._box(label.replace("_", " "))).to_have_value(str(value))

    def switch(self, label: str) -> Locator:
        """Return what tells the state of a switch."""
        return self._field(label).get_by_role("switch")

    def switch_on(self, label: str) -> None:
        """Switch a switch on."""
        # What can be seen of a switch lies over what tells its state.
        self._field(label).locator("ha-switch").click()
        expect(self.switch(label)).to_be_checked()

    def choose(self, option: str) -> None:
        """Choose one of several."""
        self.dialog.get_by_role("radio", name=option).click()

    def press(self, button: str) -> None:
        """Press a button."""
        self.dialog.get_by_role("button", name=button, exact=True).click()

    def _field(self, label: str) -> Locator:
        return self.dialog.locator("ha-selector-boolean").filter(has_text=label)

    def _box(self, label: str) -> Locator:
        name = re.compile(rf"^{re.escape(label)}\*?$")
        return self.dialog.get_by_role("textbox", name=name).or_(
            self.dialog.get_by_role("spinbutton", name=name)
        )
