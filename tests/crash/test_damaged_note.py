"""A note that a dying disk left unreadable does not keep Home Assistant from starting, and is told."""

import asyncio
from pathlib import Path

import pytest

from custom_components.goodwe_sec1000.sec1000.model import ControlMode

from .commands import OLD
from .stage import SETUP, Stage

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("homes"), pytest.mark.timeout(120)]


@pytest.mark.parametrize(
    "text", ["", '{"version": 1, "minor_version": 1, "key": "goodwe'], ids=["empty", "half"]
)
async def test_a_note_that_is_no_json_is_put_aside_and_told(tmp_path: Path, text: str) -> None:
    async with (
        asyncio.timeout(60),
        Stage.set_up(tmp_path / "home", mode=ControlMode.DEACTIVATED, limit=OLD) as stage,
    ):
        stage.home.note.write_text(text)
        async with stage.home.running():
            await stage.asked_for_telemetry()
        assert stage.told == SETUP
        assert not stage.home.note.exists()
        assert [path for path in stage.home.storage.iterdir() if ".note.corrupt" in path.name]
        assert any("Unrecoverable error decoding storage" in line for line in stage.home.errors)
