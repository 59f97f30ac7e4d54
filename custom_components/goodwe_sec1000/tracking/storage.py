"""Files that a device can do without: what cannot be read counts as absent."""

from collections.abc import Mapping
from typing import Any

from homeassistant.helpers.storage import Store

from ..const import LOGGER


async def async_load_lenient(store: Store[Any]) -> dict[str, Any]:
    """Return what the file holds; empty where it is absent, damaged or of a newer version.

    None of these may keep an entry from its setup, which restores a limit that is off.
    """
    try:
        stored = await store.async_load()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, setup goes on
        LOGGER.warning("%s cannot be read and is ignored: %r", store.path, error)
        return {}
    if stored is None:
        return {}
    if not isinstance(stored, Mapping):
        LOGGER.warning("%s cannot be read and is ignored: it contains no object", store.path)
        return {}
    return dict(stored)
