"""Home Assistant and the recorded device in virtual time, with the standard timing."""

from homeassistant.core import HomeAssistant
import pytest

from custom_components.goodwe_sec1000.sec1000 import timing
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from tests.virtual_time.timewarp import TimeWarp


@pytest.fixture
def quick() -> Timing:
    """Return the standard timing."""
    return timing.STANDARD


@pytest.fixture
async def hass(warp: TimeWarp, hass: HomeAssistant) -> HomeAssistant:
    """Start and stop Home Assistant in virtual time."""
    return hass
