"""Real time and real pauses: here it is the order of things that counts."""

import pytest
from pytest_socket import socket_allow_hosts

from custom_components.goodwe_sec1000.sec1000 import timing
from custom_components.goodwe_sec1000.sec1000.timing import Timing

from .home import warm_up


@pytest.fixture
def quick() -> Timing:
    """Shorten nothing."""
    return timing.STANDARD


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Allow connections to the device, and those by which a process is started."""
    socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)


@pytest.fixture
async def homes(_sockets: None) -> None:
    """Be ready to start Home Assistant in processes of its own."""
    await warm_up()
