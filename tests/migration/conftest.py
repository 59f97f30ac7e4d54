"""A device at the address of the older integration."""

import pytest

from custom_components.goodwe_sec1000 import address
from custom_components.goodwe_sec1000.migration import settings as migrated_settings
from simulator import CAPTURED, Simulator


@pytest.fixture
def device(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """Return a device at the default port, which for the test is any free one."""
    for module in (address, migrated_settings):
        monkeypatch.setattr(module, "DEFAULT_PORT", sim.port)
    sim.hold(CAPTURED)
    return sim
