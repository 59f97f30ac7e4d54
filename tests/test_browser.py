"""Without a browser, the tests that need one are named, and skipped only where that is allowed."""

import asyncio
import os
import sys

import pytest

from demo.options import CHECKOUT

_TEST = "tests/e2e/test_removal.py::test_removal_does_not_change_device"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "status", "expected"),
    [
        ({}, pytest.ExitCode.OK, "SKIPPED"),
        ({"CI": "true"}, pytest.ExitCode.TESTS_FAILED, "ERROR"),
        ({"E2E": "required"}, pytest.ExitCode.TESTS_FAILED, "ERROR"),
    ],
)
async def test_tests_that_lack_a_browser_are_named(
    settings: dict[str, str], status: int, expected: str
) -> None:
    others = {name: value for name, value in os.environ.items() if name not in {"CI", "E2E"}}
    tests = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", _TEST),
        cwd=CHECKOUT,
        env={**others, "CHROMIUM": "no-such-browser", **settings},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await tests.communicate()
    [line] = [line for line in output.decode().splitlines() if line.startswith(expected)]
    assert _TEST in line
    assert tests.returncode == status


async def test_broken_browser_is_reported() -> None:
    script = await asyncio.create_subprocess_exec(
        CHECKOUT / "scripts" / "internal" / "chromium",
        env={**os.environ, "CHROMIUM": "no-such-browser"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await script.communicate()
    assert (output, errors) == (b"", b"CHROMIUM names no-such-browser, which does not run.\n")
    assert script.returncode == 1
