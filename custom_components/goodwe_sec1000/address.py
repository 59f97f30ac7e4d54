"""The address of a device, host and port, by which devices are distinguished."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PORT

from .const import DEFAULT_HOST, DEFAULT_PORT


def address(values: Mapping[str, Any]) -> tuple[str, int]:
    """Return host and port as they are compared."""
    return str(values.get(CONF_HOST, DEFAULT_HOST)).strip().casefold(), values.get(CONF_PORT, DEFAULT_PORT)


def address_of(entry: ConfigEntry) -> tuple[str, int]:
    """Return the address of an entry, also where it is one of the older integration.

    Those keep their host in the options once these were saved, and have no port of their own.
    """
    return address({**entry.data, **entry.options})
