"""Flow dialogs in the browser."""

import re
from typing import Self

from playwright.sync_api import Locator, expect

from .screen import Screen


class FlowDialog:
    """The dialog of a setup, options or repair flow."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.dialog = screen.page.locator("dialog-data-entry-flow")

    @classmethod
    def of_setup(cls, screen: Screen) -> Self:
        """Start adding the integration, as described in the README."""
        screen.open("/config/integrations/dashboard")
        screen.page.get_by_role("button", name="Add integration").click()
        brands = screen.page.locator("dialog-add-integration")
        brands.get_by_role("textbox").fill("sec1000")
        screen.keep("add integration")
        brands.get_by_text("GoodWe SEC1000/S").click()
        return cls(screen)

    @classmethod
    def of_options(cls, screen: Screen) -> Self:
        """Open the options flow."""
        screen.open_integration()
        screen.page.get_by_role("button", name="Configure").click()
        return cls(screen)

    @classmethod
    def of_repair(cls, screen: Screen, issue: str) -> Self:
        """Wait for an issue in Repairs and open it."""
        screen.open("/config/repairs")
        screen.page.locator("ha-config-repairs").get_by_text(issue).click()
        return cls(screen)

    def shows(self, title: str) -> None:
        """Wait for the step with this title."""
        expect(self.dialog.get_by_text(title, exact=True).first).to_be_visible()
        self._screen.keep(f"step {title}")

    def shows_errors(self, *errors: str) -> None:
        """Wait until the step shows exactly these errors, from top to bottom."""
        expect(self.dialog.locator("ha-alert")).to_have_text(errors)
        self._screen.keep(f"error {errors[0][:40]}")

    def shows_end(self) -> None:
        """Wait for the last step of setup, in which Home Assistant asks for the area of the device."""
        # Its title depends on the version of Home Assistant.
        expect(self.dialog.get_by_role("button", name="Skip and finish")).to_be_visible()
        self._screen.keep("the end of setup")

    def fill(self, **values: object) -> None:
        """Fill in fields, given by their labels with _ for a space."""
        for label, value in values.items():
            self._box(label.replace("_", " ")).fill(str(value))

    def expect_filled(self, **values: object) -> None:
        """Wait until fields have these values."""
        for label, value in values.items():
            expect(self._box(label.replace("_", " "))).to_have_value(str(value))

    def switch(self, label: str) -> Locator:
        """Return the element with the state of a switch."""
        return self._field(label).get_by_role("switch")

    def switch_on(self, label: str) -> None:
        """Turn a switch on."""
        # The visible part of a switch covers the element with its state.
        self._field(label).locator("ha-switch").click()
        expect(self.switch(label)).to_be_checked()

    def choose(self, option: str) -> None:
        """Select a radio option."""
        self.dialog.get_by_role("radio", name=option).click()

    def choose_from_menu(self, option: str) -> None:
        """Choose an option of a step that is a menu."""
        self.dialog.get_by_text(option, exact=True).click()

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
