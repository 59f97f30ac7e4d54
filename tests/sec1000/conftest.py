"""A client and a simulated device on a real socket, with short pauses."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from custom_components.goodwe_sec1000.sec1000 import timing
from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from simulator import Simulator
from tests.fast_timing import FAST_TIMING


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Timing:
    """Shorten every pause, but keep the interval between limits long enough to be measured."""
    fast = replace(FAST_TIMING, limit_interval=0.2)
    monkeypatch.setattr(timing, "STANDARD", fast)
    return fast


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """A healthy device that cannot be overloaded: value mode, limit 10 kW, capacity 30 kW."""
    async with Simulator(overload=False, capacity=30_000, limit=10_000) as simulator:
        yield simulator


@pytest.fixture
async def client(sim: Simulator) -> Sec1000Client:
    """A client of that device."""
    return Sec1000Client(sim.host, sim.port)
