"""Which browser the tests drive, and whether they may be left out where there is none."""

from functools import cache
import os
import subprocess
from typing import Final

from demo.options import CHECKOUT

FLAGS: Final = (
    # Containers and a root user have no sandbox, and what is opened is on this computer.
    "--no-sandbox",
    "--disable-gpu",
    # Nothing leaves this computer.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@cache
def found() -> subprocess.CompletedProcess[str]:
    """Look for a browser: its path is on standard output, or why there is none on standard error."""
    looked = [str(CHECKOUT / "scripts" / "chromium"), "--no-install"]
    return subprocess.run(looked, capture_output=True, text=True, check=False)  # noqa: S603 - our own script


def path() -> str | None:
    """Return where the browser is, None where there is none."""
    return found().stdout.strip() or None


def reason() -> str:
    """Return why there is none."""
    return found().stderr.strip()


def is_required() -> bool:
    """Tell whether the lack of a browser is a failure: what decides on a change must have seen all tests."""
    return os.environ.get("CI", "false") not in {"", "0", "false"} or os.environ.get("E2E") == "required"
