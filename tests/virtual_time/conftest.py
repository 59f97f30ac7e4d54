"""Home Assistant and the device in virtual time, with every pause as it is in use."""

from homeassistant.core import HomeAssistant
import pytest

from custom_components.goodwe_sec1000.sec1000 import timing
from custom_components.goodwe_sec1000.sec1000.timing import Timing

from .timewarp import TimeWarp


@pytest.fixture
def quick() -> Timing:
    """Shorten nothing: time is virtual."""
    return timing.STANDARD


@pytest.fixture
async def hass(warp: TimeWarp, hass: HomeAssistant) -> HomeAssistant:
    """Start and stop Home Assistant in virtual time."""
    return hass
