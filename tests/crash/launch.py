"""Entry points of the Home Assistant process.

It is forked from a server that has imported Home Assistant once, so that a start takes less than a second
instead of five. From then on it is a complete start from the files of the folder.
"""

import ctypes
from dataclasses import replace
import os
from pathlib import Path
import signal
import sys

from homeassistant import bootstrap, runner
from homeassistant.components import (  # noqa: F401 - imported before the fork
    automation,
    binary_sensor,
    blueprint,
    homeassistant as core_integration,
    persistent_notification,
    sensor,
    trace,
)
from homeassistant.components.homeassistant import trigger  # noqa: F401
from homeassistant.components.homeassistant.triggers import homeassistant as event_trigger  # noqa: F401

_PR_SET_PDEATHSIG = 1


def run(folder: str) -> None:
    """Run Home Assistant from this folder without the default integrations, until it is stopped."""
    if sys.platform == "linux":
        # So that it does not outlive a killed test run.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    log = os.open(Path(folder, "log"), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    bootstrap.DEFAULT_INTEGRATIONS = set()
    bootstrap.CRITICAL_INTEGRATIONS = set()
    sys.exit(runner.run(runner.RuntimeConfig(config_dir=folder, skip_pip=True)))


def run_at_port(port: int, folder: str) -> None:
    """Run it with this port in place of the only one that the older integration used."""
    from custom_components.goodwe_sec1000 import address  # noqa: PLC0415 - not before the fork
    from custom_components.goodwe_sec1000.migration import settings as migrated_settings  # noqa: PLC0415

    for module in (address, migrated_settings):
        vars(module)["DEFAULT_PORT"] = port
    run(folder)


def run_quick_tests(folder: str) -> None:
    """Run it with tests of the limit that take as many requests as in a house, in seconds."""
    from custom_components.goodwe_sec1000.control import limit_test  # noqa: PLC0415
    from custom_components.goodwe_sec1000.sec1000 import timing  # noqa: PLC0415

    vars(limit_test)["POLL_S"] = 0.5
    timing.STANDARD = replace(timing.STANDARD, refill=0.1, reread_interval=0)
    run(folder)


def nothing() -> None:
    """Do nothing; the end of this process shows that the fork server has finished its imports."""
