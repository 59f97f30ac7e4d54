"""A client of the simulated device, on a real socket."""

import pytest

from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from simulator import Simulator


@pytest.fixture
async def client(sim: Simulator) -> Sec1000Client:
    """A client of that device."""
    return Sec1000Client(sim.host, sim.port)
