"""Start the demo and a browser and take the screenshots; replace all or none of them."""

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
from tests.e2e.screen import TIMEOUT_MS, Screen

from .camera import WINDOW, Camera
from .pictures import take_all

FOLDER: Final = CHECKOUT / "docs" / "images"
_HOUR: Final = 11
"""Hour of the day in every screenshot; the simulated sky is clear until noon, so that all runs look alike."""
_PAST_DAYS: Final = "2"
_SCALE: Final = 2


def main() -> int:
    """Take the screenshots; return exit status 0, or 1 without a browser."""
    if the_browser.path() is None:
        sys.stderr.write(f"{the_browser.reason()}\n")
        return 1
    expect.set_options(timeout=TIMEOUT_MS)
    zone = time_zone_at(_HOUR, datetime.now(UTC))
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        taken = Path(temporary) / "pictures"
        with running_demo(Path(temporary), "--past", _PAST_DAYS, time_zone=zone) as home:
            browser = the_browser.launched(playwright, Path(temporary))
            _take(browser, home, zone, taken)
            browser.close()
        shutil.rmtree(FOLDER, ignore_errors=True)
        shutil.copytree(taken, FOLDER)
    for picture in sorted(FOLDER.iterdir()):
        sys.stdout.write(f"{picture.relative_to(CHECKOUT)}: {picture.stat().st_size / 1000:.0f} kB\n")
    return 0


def time_zone_at(hour: int, now: datetime) -> str:
    """Return a time zone in which this is the current hour of the day."""
    east = (hour - now.hour + 11) % 24 - 11
    # In these names, zones east of Greenwich have a minus.
    return f"Etc/GMT{-east:+}" if east else "Etc/GMT"


def _take(browser: Browser, home: Home, zone: str, folder: Path) -> None:
    with browser.new_context(
        base_url=home.address,
        viewport=WINDOW,
        device_scale_factor=_SCALE,
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
        take_all(home, home.device, screen, Camera(screen.page, folder))


if __name__ == "__main__":
    sys.exit(main())
