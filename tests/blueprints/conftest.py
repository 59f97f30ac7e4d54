"""A Home Assistant with the blueprints in its configuration folder, and a device with the standard timing."""

from collections.abc import AsyncIterator
from pathlib import Path
import shutil

from homeassistant.core import HomeAssistant
import pytest

from tests.virtual_time.conftest import hass, quick

from .home import BLUEPRINTS, Home

__all__ = ["hass", "quick"]


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Return a configuration folder with copies of the blueprints."""
    shutil.copytree(BLUEPRINTS, tmp_path / "blueprints")
    return str(tmp_path)


@pytest.fixture
async def home(hass: HomeAssistant) -> AsyncIterator[Home]:
    """Return the automations of Home Assistant."""
    home = Home(hass)
    await home.begin()
    yield home
    await home.stop()
