"""The stored pending restore of a Home Assistant that was killed during a reset."""

from typing import Any, Final

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import Simulator

PENDING: Final[dict[str, str | int | float | None]] = {
    "mode": "value",
    "capacity": 30_000,
    "limit": 4_320,
    "sum_of_phases": False,
    "at": "2026-06-20T22:00:00+00:00",
}


def store_pending(
    hass_storage: dict[str, Any], entry: MockConfigEntry, sim: Simulator, **changed: object
) -> None:
    """Store a pending restore for this device, with these values in place of `PENDING`'s."""
    key = f"{DOMAIN}.{entry.entry_id}.note"
    data = {**PENDING, "host": sim.host, "port": sim.port, **changed}
    hass_storage[key] = {"version": 1, "minor_version": 1, "key": key, "data": data}
