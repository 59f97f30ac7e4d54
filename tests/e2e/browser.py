"""The browser of the tests, and whether the tests may be skipped without one."""

from functools import cache
import os
from pathlib import Path
import subprocess
from typing import Final

from playwright.sync_api import Browser, Playwright

from demo.options import CHECKOUT

FLAGS: Final = (
    # Containers and root have no sandbox; only local pages are opened.
    "--no-sandbox",
    "--disable-gpu",
    # No connection leaves this computer.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@cache
def found() -> subprocess.CompletedProcess[str]:
    """Look for a browser; standard output is its path, or standard error the reason why there is none."""
    looked = [str(CHECKOUT / "scripts" / "internal" / "chromium"), "--no-install"]
    return subprocess.run(looked, capture_output=True, text=True, check=False)  # noqa: S603 - our own script


def path() -> str | None:
    """Return the path of the browser, or None."""
    return found().stdout.strip() or None


def reason() -> str:
    """Return why no browser was found."""
    return found().stderr.strip()


def is_required() -> bool:
    """Return whether a missing browser is a failure, as in CI."""
    return os.environ.get("CI", "false") not in {"", "0", "false"} or os.environ.get("E2E") == "required"


def launched(playwright: Playwright, home: Path) -> Browser:
    """Launch the browser, headless; what it keeps goes to this folder, not to the user's home."""
    folders = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(home))
    return playwright.chromium.launch(
        executable_path=path(), args=FLAGS, chromium_sandbox=False, env={**os.environ, **folders}
    )
