"""A Home Assistant with the blueprints in its configuration folder, and a device with the standard timing."""

from collections.abc import AsyncIterator
from pathlib import Path
import shutil

from homeassistant.core import HomeAssistant
import pytest

from simulator import House, Simulator
from tests.still_house import StillHouse
from tests.virtual_time.conftest import hass, quick
from tests.virtual_time.timewarp import TimeWarp

from .home import BLUEPRINTS, Home

__all__ = ["hass", "quick"]


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Return a configuration folder with copies of the blueprints."""
    shutil.copytree(BLUEPRINTS, tmp_path / "blueprints")
    return str(tmp_path)


@pytest.fixture
def house() -> House:
    """Return a house that takes no time; a test to which its power matters parametrizes it."""
    return StillHouse()


@pytest.fixture
async def device(warp: TimeWarp, house: House) -> AsyncIterator[Simulator]:
    """Run a device that a flood of requests overloads."""
    async with Simulator(house=house) as simulator:
        yield simulator


@pytest.fixture
async def home(hass: HomeAssistant) -> AsyncIterator[Home]:
    """Return the automations of Home Assistant."""
    home = Home(hass)
    await home.begin()
    yield home
    await home.stop()
