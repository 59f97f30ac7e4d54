"""A running simulator, and sockets to 127.0.0.1, which the Home Assistant test plugin forbids."""

from collections.abc import AsyncIterator

import pytest

from simulator import Simulator


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Allow sockets; connections stay limited to 127.0.0.1 by the plugin."""


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator
