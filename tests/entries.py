"""Mock config entries for simulated devices."""

from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PORT, CONF_SCAN_INTERVAL
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import (
    CONF_ALLOW_DEACTIVATING,
    CONF_CONTROL_MODE,
    CONF_MAX_EXPORT_LIMIT,
    CONF_MIN_EXPORT_LIMIT,
    CONF_PUT_BACK,
    CONF_SUM_OF_PHASES,
    CONF_TOTAL_CAPACITY,
    DOMAIN,
)
from simulator import Simulator


def entry_of(sim: Simulator, name: str = "SEC1000") -> MockConfigEntry:
    """Return an entry for this device: value mode, limits 0 to 10 kW, capacity 30 kW, polled every 30 s."""
    return entry_at(sim.host, sim.port, name)


def entry_at(host: str, port: int, name: str = "SEC1000", scan_interval: int = 30) -> MockConfigEntry:
    """Return an entry like `entry_of`, for any address and polling interval in seconds."""
    return MockConfigEntry(
        domain=DOMAIN,
        version=2,
        title=name,
        data={CONF_NAME: name, CONF_HOST: host, CONF_PORT: port},
        options={
            CONF_SCAN_INTERVAL: scan_interval,
            CONF_MIN_EXPORT_LIMIT: 0.0,
            CONF_MAX_EXPORT_LIMIT: 10.0,
            CONF_TOTAL_CAPACITY: 30.0,
            CONF_CONTROL_MODE: "value",
            CONF_SUM_OF_PHASES: True,
            CONF_PUT_BACK: False,
            CONF_ALLOW_DEACTIVATING: False,
        },
    )
