"""A client and a simulated device on a real socket, with short pauses."""

from collections.abc import AsyncIterator

import pytest

from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from simulator import Simulator


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """A healthy device that cannot be overloaded: value mode, limit 10 kW, capacity 30 kW."""
    async with Simulator(overload=False, capacity=30_000, limit=10_000) as simulator:
        yield simulator


@pytest.fixture
async def client(sim: Simulator) -> Sec1000Client:
    """A client of that device."""
    return Sec1000Client(sim.host, sim.port)
