"""Home Assistant and two devices with the standard timing, in virtual time."""

from collections.abc import AsyncIterator

import pytest

from simulator import Simulator
from tests.virtual_time.conftest import hass, quick

__all__ = ["hass", "quick"]


@pytest.fixture
async def other(sim: Simulator) -> AsyncIterator[Simulator]:
    """Run a second device on the host of the first, with another limit."""
    async with Simulator(host=sim.host, limit=7_000) as simulator:
        yield simulator
