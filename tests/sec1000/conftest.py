"""A client and a simulated device on a real socket, with pauses short enough for a test."""

from collections.abc import AsyncIterator

import pytest
import pytest_socket

from custom_components.goodwe_sec1000.sec1000 import timing
from custom_components.goodwe_sec1000.sec1000.client import Sec1000Client
from custom_components.goodwe_sec1000.sec1000.timing import Timing
from simulator import Simulator

QUICK = Timing(
    pacing=0.01,
    deadline=1,
    unlimited_deadline=0.5,
    rest_of_odd_answer=0.05,
    retry_pauses=(0.01, 0.02),
    read_back_pause=0.02,
    command_deadline=8,
    limit_interval=0.2,
    watchdog_pause=0.1,
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, socket_enabled: None) -> None:
    """Short pauses; sockets to this machine only."""
    pytest_socket.socket_allow_hosts(["127.0.0.1"])
    monkeypatch.setattr(timing, "STANDARD", QUICK)


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """A healthy device: value control, 10 kW of 30 kW, that no haste exhausts."""
    async with Simulator(patience=False, capacity=30_000, limit=10_000) as simulator:
        yield simulator


@pytest.fixture
async def client(sim: Simulator) -> Sec1000Client:
    """A client of that device."""
    return Sec1000Client(sim.host, sim.port)
