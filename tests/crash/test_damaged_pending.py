"""With an unreadable pending restore, the last verified limit is restored instead."""

import asyncio
from pathlib import Path
import signal

import pytest

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode

from .commands import OLD, RESTORING
from .home import ENTRY_ID, START, Automation
from .stage import SETUP, Stage

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("homes"), pytest.mark.timeout(120)]


@pytest.mark.promise("R-23")
@pytest.mark.parametrize(
    "text", ["", '{"version": 1, "minor_version": 1, "key": "goodwe'], ids=["empty", "half"]
)
async def test_unreadable_pending_file_does_not_leave_limit_off(tmp_path: Path, text: str) -> None:
    async with (
        asyncio.timeout(60),
        Stage.set_up(tmp_path / "home", mode=ControlMode.DEACTIVATED, limit=OLD) as stage,
    ):
        stage.home.store(f"{DOMAIN}.{ENTRY_ID}", {"limit": OLD})
        stage.home.pending.write_text(text)
        async with stage.home.running():
            await stage.telemetry_requested()
            await stage.answered(len(stage.requests))
        assert stage.request_names == (*RESTORING, "telemetry")
        assert (stage.sim.device.mode, stage.sim.device.bound_limit) == (ControlMode.VALUE, OLD)
        assert not stage.home.pending.exists()
        assert any("Unrecoverable error decoding storage" in line for line in stage.home.errors)


@pytest.mark.promise("R-23", "R-25")
async def test_unreadable_pending_file_is_reported_after_a_crash(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(100),
        Stage.set_up(tmp_path / "home", mode=ControlMode.DEACTIVATED, limit=OLD) as stage,
    ):
        stage.home.pending.write_text('{"version": 1, "minor_version": 1, "key": "goodwe')
        # Killed before Home Assistant has written its issues.
        async with stage.home.running():
            await stage.telemetry_requested()
        assert stage.home.stored("repairs.issue_registry") is None
        # It writes them at a stop, once it has started.
        stage.begin()
        stage.home.automate(Automation(START, (("set_datetime", {}),)))
        async with stage.home.running():
            await stage.answered(len((*SETUP, "clock")))
            stage.home.signal(signal.SIGTERM)
            await stage.home.ended()
        issues = stage.home.stored("repairs.issue_registry")["issues"]
        assert [issue["issue_id"] for issue in issues] == [f"pending_unreadable_{ENTRY_ID}"]
        # What is read while the limit is suspended is not the target.
        assert stage.home.stored(f"{DOMAIN}.{ENTRY_ID}") is None
