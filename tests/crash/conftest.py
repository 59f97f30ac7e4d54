"""Real time with the standard timing: these tests depend on the order of events."""

import pytest
from pytest_socket import socket_allow_hosts

from custom_components.goodwe_sec1000.sec1000 import timing
from custom_components.goodwe_sec1000.sec1000.timing import Timing

from .home import warm_up


@pytest.fixture
def quick() -> Timing:
    """Return the standard timing."""
    return timing.STANDARD


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Allow connections to the device and the Unix sockets of multiprocessing."""
    socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)


@pytest.fixture
async def homes(_sockets: None) -> None:
    """Prepare the fork server for Home Assistant processes."""
    await warm_up()
