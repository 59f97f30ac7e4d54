"""A running simulator, and sockets to 127.0.0.1, which Home Assistant's test plugin forbids."""

from collections.abc import AsyncIterator

import pytest

from simulator import Simulator


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Allow sockets; the plugin still limits connections to 127.0.0.1."""


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator
