"""The baseline: what the device should hold by what was last proven here, and how it drifts from it."""

from contextlib import suppress
from dataclasses import replace
from enum import Enum, auto
from typing import Any, Final, TypedDict

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from ..const import CONF_CONTROL_MODE, CONF_TOTAL_CAPACITY, DOMAIN, LOGGER, MAX_KILOWATTS
from ..options import ExportOptions
from ..sec1000.model import ControlMode, ExportSettings, kilowatts
from ..sec1000.plausibility import MAX_SETTING_W
from ..sec1000.setting_write import TOLERANCE_W, agrees, is_about
from .storage import async_load_lenient

_VERSION: Final = 1


class _Stored(TypedDict):
    limit: int


class Drift(Enum):
    """How what the device holds compares with the baseline."""

    NONE = auto()
    LESS_STRICT = auto()
    """It allows more: nothing limits any more, or the limit is higher."""
    OTHER = auto()
    """It holds something else, which allows less or cannot be compared."""
    UNKNOWN = auto()
    """It holds a limit that cannot be, in the right mode."""


class Baseline:
    """The limit (W) last proven here; mode and capacity are those of the options."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        self.limit: int | None = None
        """None before the device was read for the first time."""
        self._stored: int | None = None
        """What is on disk, as far as it was verified."""
        self._hass = hass
        self._key = f"{DOMAIN}.{entry_id}"
        self._store = self._new_store()

    def _new_store(self) -> Store[_Stored]:
        return Store(self._hass, _VERSION, self._key)

    async def load(self) -> None:
        """Take over what was proven before Home Assistant was started."""
        limit = (await async_load_lenient(self._store)).get("limit")
        # 0.1.0 stored also what no device can hold.
        if isinstance(limit, int) and not isinstance(limit, bool) and abs(limit) <= MAX_SETTING_W:
            self.limit = self._stored = limit

    async def keep(self, limit: int) -> None:
        """Keep this limit as the one that was proven; where it cannot be stored now, it is the next time.

        What is stored is removed then: after a restart an older limit would undo what the user has set since.
        """
        self.limit = limit
        if limit == self._stored:
            return
        self._stored = None
        stored: _Stored = {"limit": limit}
        try:
            await self._store.async_save(stored)
            # The store only logs what it could not write.
            if await self._new_store().async_load() == stored:
                self._stored = limit
                return
        except (HomeAssistantError, NotImplementedError, OSError) as error:
            LOGGER.warning("%s cannot be written: %s", self._store.path, error)
        if limit == self.limit:
            await self.distrust()

    async def distrust(self) -> None:
        """Let the next start begin with what it reads: another limit may hold since this one was proven."""
        self._stored = None
        with suppress(OSError):
            await self._store.async_remove()

    async def remove(self) -> None:
        """Forget it with its entry."""
        await self._store.async_remove()


def drift(settings: ExportSettings, options: ExportOptions, limit: int) -> Drift:
    """Return how what the device holds differs from the options and the proven limit (W)."""
    target = options.target(limit)
    if settings.capacity is None:
        # What the device cannot hold is not compared.
        settings = replace(settings, capacity=target.capacity)
    if agrees(settings, target):
        return Drift.NONE
    if target.mode is ControlMode.DEACTIVATED:
        return Drift.OTHER
    if settings.mode is ControlMode.DEACTIVATED:
        return Drift.LESS_STRICT
    if settings.mode is not target.mode:
        return Drift.OTHER
    if settings.limit is None:
        return Drift.UNKNOWN
    return Drift.LESS_STRICT if settings.limit >= target.limit + TOLERANCE_W else Drift.OTHER


def is_acceptable(settings: ExportSettings, options: ExportOptions) -> bool:
    """Return whether what the device holds may become the target: a limit within the options.

    Deactivated never does: it is chosen, not found.
    """
    lowest, highest = options.min_export_limit - TOLERANCE_W, options.max_export_limit + TOLERANCE_W
    within = settings.limit is not None and lowest < settings.limit < highest
    return settings.mode is not ControlMode.DEACTIVATED and within


def adoptable_options(settings: ExportSettings, options: ExportOptions) -> dict[str, Any]:
    """Return the options (kW) that follow what the device holds; empty where none is to change."""
    adopted: dict[str, Any] = {}
    if settings.mode not in (ControlMode.DEACTIVATED, options.control_mode):
        adopted[CONF_CONTROL_MODE] = settings.mode.key
    if settings.capacity is None or is_about(settings.capacity, options.total_capacity):
        return adopted
    capacity = round(kilowatts(settings.capacity), 2)
    if settings.capacity >= max(options.max_export_limit, 0) and capacity <= MAX_KILOWATTS:
        adopted[CONF_TOTAL_CAPACITY] = capacity
    return adopted
