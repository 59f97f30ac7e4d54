"""After kill -9 in a test of the limit, the limit and the end that stood before it are back."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
import signal
from typing import Any, Final

import pytest

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import House
from simulator.house import Load
from tests.calls import until

from . import launch
from .home import ENTRY_ID, START, Automation
from .stage import Stage, run_all

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("homes"), pytest.mark.timeout(300)]

KEY: Final = f"{DOMAIN}.{ENTRY_ID}"
HELD, LOWER, HALFWAY = 10_000, 5_000, 7_500
TEST: Final = ("test_export_limit", {"limit": LOWER / 1000})
MOMENTS: Final = {
    "before anything is written": (0, 3, HELD),
    "as the lower limit arrives": (1, 0, HELD),
    "while it is lowered": (2, 2, LOWER),
    "at the limit halfway": (4, 2, HALFWAY),
    "as the limit of before arrives": (5, 0, HALFWAY),
    "as the limit of before is armed": (6, 0, HELD),
}
"""Writes of the test, reads of the meter after them, and what limits the export (W) at the kill."""
AFTER_A_LASTING_LIMIT: Final = ("while it is lowered", "at the limit halfway")


@pytest.mark.promise("R-36")
async def test_killed_test_leaves_what_stood_before(tmp_path: Path, subtests: pytest.Subtests) -> None:
    scenarios = {
        **{
            name: partial(_test_killed, moment, {"temporary": _temporary()})
            for name, moment in MOMENTS.items()
        },
        **{
            f"{name}, after a lasting limit": partial(_test_killed, MOMENTS[name], {})
            for name in AFTER_A_LASTING_LIMIT
        },
    }
    await run_all(tmp_path, subtests, scenarios)


def _temporary() -> dict[str, Any]:
    """Return a temporary limit as an earlier run of Home Assistant would have it on disk."""
    ends = datetime.now(UTC) + timedelta(hours=1)
    return {"limit": HELD, "then": 2_000, "before": 9_000, "ends": ends.isoformat(), "duration": 7_200.0}


async def _test_killed(moment: tuple[int, int, int], temporary: dict[str, Any], folder: Path) -> None:
    """Kill Home Assistant at this moment of a test, and start it when the lower limit ends."""
    writes, readings, bound = moment
    before = {"limit": HELD, **temporary}
    # On a fast day the inverters report their power twice a second.
    house = House(start=12.0, speed=60.0, clouds=False, load=Load(appliances=()))
    async with Stage.set_up(
        folder, mode=ControlMode.VALUE, limit=HELD, house=house, scan_three_phases=True
    ) as stage:
        home, device = stage.home, stage.sim.device
        home.store(KEY, before)
        home.run = launch.run_quick_tests
        home.automate(Automation(START, [TEST]))
        stage.begin()
        stage.kill_when(lambda: _has_come(stage, writes, readings))
        async with home.running():
            assert await home.ended() == -signal.SIGKILL
        assert device.bound_limit == bound
        home.automate()
        stored = home.stored(KEY)
        if writes:
            assert stored["temporary"]["is_test"] is True
            stored["temporary"]["ends"] = datetime.now(UTC).isoformat()
            home.store(KEY, stored)
        stage.begin()
        async with home.running():
            await until(lambda: home.stored(KEY) == before, within=30)
            await stage.telemetry_requested()
            await stage.sim.wait_until_idle()
            assert (device.mode, device.limit, device.bound_limit) == (ControlMode.VALUE, HELD, HELD)
        assert home.stored(f"{KEY}.limit_test") is None
        assert home.errors == []


def _has_come(stage: Stage, writes: int, readings: int) -> bool:
    names = stage.request_names
    last = max((number for number, name in enumerate(names) if name in {"write", "value on"}), default=0)
    return len(stage.written) == writes and names[last:].count("telemetry") >= readings
