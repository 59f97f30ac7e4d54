"""The limits that actions of the older integration had set, in one file for all of its entries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.singleton import singleton
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from ..const import CONF_MAX_EXPORT_LIMIT, CONF_MIN_EXPORT_LIMIT, DOMAIN, LOGGER

_VERSION: Final = 1
_KEY: Final = f"{DOMAIN}.state"


@dataclass(frozen=True, slots=True)
class StoredLimits:
    """The content of the file; each limit unconverted, where it is there."""

    limits: Mapping[str, Any] = field(default_factory=dict)
    damaged: bool = False
    """Whether the file exists and cannot be read."""


_LIMITS: Final[HassKey[StoredLimits]] = HassKey(f"{_KEY}_limits")
_LIMIT_KEYS: Final = (CONF_MIN_EXPORT_LIMIT, CONF_MAX_EXPORT_LIMIT)


@singleton(_LIMITS, async_=True)
async def async_stored_limits(hass: HomeAssistant) -> StoredLimits:
    """Read the file once for all entries: Home Assistant renames it where it is no JSON.

    Whether export was on, which is in the file as well, is not migrated: that is read from the device.
    """
    store = Store[dict[str, Any]](hass, _VERSION, _KEY)
    exists = await hass.async_add_executor_job(Path(store.path).exists)
    try:
        stored = await store.async_load()
        if stored is None:
            return StoredLimits(damaged=exists)
        return StoredLimits({key: stored[key] for key in _LIMIT_KEYS & stored.keys()})
    except Exception as error:  # noqa: BLE001 - a broken file must not block the migration
        LOGGER.warning("The limits set by actions cannot be read from %s: %r", store.path, error)
        return StoredLimits(damaged=True)


async def async_remove_stored_limits(hass: HomeAssistant) -> None:
    """Remove the file."""
    await Store[dict[str, Any]](hass, _VERSION, _KEY).async_remove()
