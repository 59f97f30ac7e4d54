"""The address of a device, host and port, by which devices are distinguished."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PORT

from .const import DEFAULT_HOST, DEFAULT_PORT
from .sec1000.endpoint import endpoint_for


def address(values: Mapping[str, Any]) -> tuple[str, int]:
    """Return host and port as they are compared."""
    return str(values.get(CONF_HOST, DEFAULT_HOST)).strip().casefold(), values.get(CONF_PORT, DEFAULT_PORT)


async def is_same_device(first: tuple[str, int], second: tuple[str, int]) -> bool:
    """Return whether two addresses lead to one device, by what their hosts resolve to now."""
    if first == second:
        return True
    return await endpoint_for(*first).look_up() is await endpoint_for(*second).look_up()


def address_of(entry: ConfigEntry) -> tuple[str, int]:
    """Return the address of an entry, also where it is one of the older integration.

    Those keep their host in the options once these were saved, and have no port of their own.
    """
    return address({**entry.data, **entry.options})
