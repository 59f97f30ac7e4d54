"""The baseline: what the device should hold by what was last proven here, and how it drifts from it."""

import asyncio
from dataclasses import replace
from enum import Enum, auto
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from ..const import CONF_CONTROL_MODE, CONF_TOTAL_CAPACITY, DOMAIN, LOGGER, MAX_KILOWATTS
from ..options import ExportOptions
from ..sec1000.model import ControlMode, ExportSettings, kilowatts
from ..sec1000.plausibility import MAX_SETTING_W
from ..sec1000.setting_write import TOLERANCE_W, agrees, is_about
from .storage import async_load_lenient
from .temporary import EndNotStoredError, TemporaryLimit

_VERSION: Final = 1


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
    """The limit (W) last proven here, and when a temporary one ends; mode and capacity are options."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        self.limit: int | None = None
        """None before the device was read for the first time."""
        self.temporary: TemporaryLimit | None = None
        """None where the limit stands. Set before the limit is written, whatever comes of that."""
        self._is_trusted = True
        """Whether the next start may begin with this limit."""
        self._stored: dict[str, Any] | None = None
        """What is on disk, as far as it was verified."""
        self._hass = hass
        self._key = f"{DOMAIN}.{entry_id}"
        self._store = self._new_store()
        self._lock = asyncio.Lock()

    def _new_store(self) -> Store[dict[str, Any]]:
        return Store(self._hass, _VERSION, self._key, atomic_writes=True)

    async def load(self) -> None:
        """Take over what was proven before Home Assistant was started."""
        if (stored := await async_load_lenient(self._store, dict)) is None:
            return
        limit = stored.get("limit")
        # 0.1.0 stored also what no device can hold.
        if isinstance(limit, int) and not isinstance(limit, bool) and abs(limit) <= MAX_SETTING_W:
            self.limit = limit
        if (temporary := stored.get("temporary")) is not None:
            try:
                self.temporary = TemporaryLimit.from_dict(temporary)
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                LOGGER.warning("The end of the limit cannot be read from %s: %r", self._store.path, error)
        if stored == self._content():
            self._stored = stored

    async def keep(self, limit: int) -> None:
        """Keep this limit as the one that was proven; where it cannot be stored now, it is the next time.

        What is stored is removed then: after a restart an older limit would undo what the user has set since.
        The end of a temporary limit is not: it was stored before the limit was written.
        """
        self.limit = limit
        self._is_trusted = True
        if not await self._save() and limit == self.limit and self.temporary is None:
            await self.distrust()

    async def keep_end(self, temporary: TemporaryLimit) -> None:
        """Have the end of a limit on disk before the limit is written.

        Raises EndNotStoredError where that cannot be; then nothing has changed.
        """
        before, self.temporary = self.temporary, temporary
        if not await self._save():
            self.temporary = before
            raise EndNotStoredError("the end of the limit cannot be saved to disk")

    async def drop_end(self, limit: int | None = None) -> None:
        """Let the limit stand that should hold now, or this one (W), although it was not proven.

        An end that cannot be removed from disk alone takes the limit with it.
        """
        self.temporary = None
        if limit is not None:
            self.limit = limit
        if not await self._save():
            await self.distrust()

    async def tighten_end(self, limit: int) -> None:
        """Let a temporary limit lead to no more than this limit (W), which is about to be written for good.

        Once that is proven there is no end any more; where it never is, the end may not allow more.
        """
        if self.temporary:
            self.temporary = self.temporary.at_most(limit)
            await self._save()

    async def distrust(self) -> None:
        """Let the next start begin with what it reads: another limit may hold since this one was proven."""
        self._is_trusted = False
        await self._save()

    async def remove(self) -> None:
        """Forget it with its entry."""
        await self._store.async_remove()

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = {}
        if self._is_trusted and self.limit is not None:
            content["limit"] = self.limit
        if self.temporary:
            content["temporary"] = self.temporary.as_dict()
        return content

    async def _save(self) -> bool:
        """Have all of it on disk; return whether it is."""
        async with self._lock:
            content = self._content()
            if content == self._stored:
                return True
            self._stored = None
            try:
                if not content:
                    await self._store.async_remove()
                    return True
                await self._store.async_save(content)
                # The store only logs what it could not write.
                if await self._new_store().async_load() == content:
                    self._stored = content
            except (HomeAssistantError, NotImplementedError, OSError) as error:
                LOGGER.warning("%s cannot be written: %s", self._store.path, error)
            return self._stored is not None


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
    if settings.capacity >= options.max_export_limit and capacity <= MAX_KILOWATTS:
        adopted[CONF_TOTAL_CAPACITY] = capacity
    return adopted
