"""Starts the demo and a browser, takes the pictures, and keeps all of them or none."""

from datetime import UTC, datetime
from pathlib import Path
import shutil
import sys
import tempfile
from typing import Final

from playwright.sync_api import Browser, expect, sync_playwright

from demo.home_assistant_api import PASSWORD, USER
from demo.options import CHECKOUT
from tests.e2e import browser as the_browser
from tests.e2e.home import Home, running_demo
from tests.e2e.screen import PATIENCE, Screen

from .camera import WINDOW, Camera
from .pictures import take_all

FOLDER: Final = CHECKOUT / "docs" / "images"
_HOUR: Final = 11
"""Of the day in every picture: the simulated sky is clear until noon, so that each run looks alike."""
_PAST: Final = "2"
_SHARP: Final = 2


def main() -> int:
    """Return the exit status: 0 where there are new pictures, 1 where there is no browser."""
    if the_browser.path() is None:
        sys.stderr.write(f"{the_browser.reason()}\n")
        return 1
    expect.set_options(timeout=PATIENCE)
    zone = where_it_is(_HOUR, datetime.now(UTC))
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        taken = Path(temporary) / "pictures"
        with running_demo(Path(temporary), "--past", _PAST, time_zone=zone) as home:
            browser = playwright.chromium.launch(
                executable_path=the_browser.path(), args=the_browser.FLAGS, chromium_sandbox=False
            )
            _take(browser, home, zone, taken)
            browser.close()
        shutil.rmtree(FOLDER, ignore_errors=True)
        shutil.copytree(taken, FOLDER)
    for picture in sorted(FOLDER.iterdir()):
        sys.stdout.write(f"{picture.relative_to(CHECKOUT)}: {picture.stat().st_size / 1000:.0f} kB\n")
    return 0


def where_it_is(hour: int, now: datetime) -> str:
    """Return a time zone where it is between this hour and the next one."""
    east = (hour - now.hour + 11) % 24 - 11
    # What lies east of Greenwich has a minus in these names.
    return f"Etc/GMT{-east:+}" if east else "Etc/GMT"


def _take(browser: Browser, home: Home, zone: str, folder: Path) -> None:
    with browser.new_context(
        base_url=home.address,
        viewport=WINDOW,
        device_scale_factor=_SHARP,
        color_scheme="light",
        locale="en-US",
        reduced_motion="reduce",
        timezone_id=zone,
    ) as context:
        screen = Screen(context.new_page(), folder.parent / "steps")
        screen.open("/")
        screen.page.get_by_role("textbox", name="Username").fill(USER)
        screen.page.get_by_role("textbox", name="Password").fill(PASSWORD)
        screen.page.get_by_role("button", name="Log in").click()
        expect(screen.page.get_by_text("Power now")).to_be_visible()
        take_all(home, screen, Camera(screen.page, folder))


if __name__ == "__main__":
    sys.exit(main())
