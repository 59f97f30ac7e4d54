"""With an unreadable pending restore, the last verified limit is restored instead."""

import asyncio
from pathlib import Path

import pytest

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode

from .commands import OLD, RESTORING
from .home import ENTRY_ID
from .stage import Stage

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
