"""The limits that actions of the older integration had set: one file for all of its entries."""

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
    """What the file says; each limit as it stands there, if it does."""

    limits: Mapping[str, Any] = field(default_factory=dict)
    damaged: bool = False
    """Whether there is a file that cannot be read."""


_LIMITS: Final[HassKey[StoredLimits]] = HassKey(f"{_KEY}_limits")
_LIMIT_KEYS: Final = (CONF_MIN_EXPORT_LIMIT, CONF_MAX_EXPORT_LIMIT)


@singleton(_LIMITS, async_=True)
async def async_stored_limits(hass: HomeAssistant) -> StoredLimits:
    """Read the file once for all entries: what is no JSON, Home Assistant moves out of the way.

    Whether export was on, which the file also says, is not taken over: that is read from the device.
    """
    store = Store[dict[str, Any]](hass, _VERSION, _KEY)
    stands = await hass.async_add_executor_job(Path(store.path).exists)
    try:
        stored = await store.async_load()
        if stored is None:
            return StoredLimits(damaged=stands)
        return StoredLimits({key: stored[key] for key in _LIMIT_KEYS & stored.keys()})
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the entries move in
        LOGGER.warning("The limits that actions had set cannot be read from %s: %r", store.path, error)
        return StoredLimits(damaged=True)


async def async_remove_stored_limits(hass: HomeAssistant) -> None:
    """Remove the file, once no entry is left that could need it."""
    await Store[dict[str, Any]](hass, _VERSION, _KEY).async_remove()
