"""The note: what the device should hold, kept on disk while its limit may be off."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from ..const import DOMAIN, LOGGER
from ..sec1000.model import ControlMode, ExportTarget

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class PendingRestore:
    """What should hold, where, and since when."""

    target: ExportTarget
    host: str
    port: int
    at: str
    """When it was written, UTC, ISO 8601."""

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> PendingRestore:
        """Return the note that was stored; raises KeyError, TypeError, ValueError where it is damaged."""
        return cls(
            ExportTarget(
                ControlMode.from_key(str(stored["mode"])),
                int(stored["capacity"]),
                int(stored["limit"]),
                bool(stored["sum_of_phases"]),
            ),
            str(stored["host"]),
            int(stored["port"]),
            str(stored["at"]),
        )

    def stored(self) -> dict[str, str | int]:
        """Return the note in plain values, powers in W."""
        return {
            **asdict(self.target),
            "mode": self.target.mode.key,
            "host": self.host,
            "port": self.port,
            "at": self.at,
        }


class PendingRestoreStore:
    """Writes and drops the note of one entry; it outlives this program."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        self._hass = hass
        self.note: PendingRestore | None = None
        self.damaged = False
        """Whether a note stands that cannot be read."""
        self._entry_id = entry_id
        self._store = self._new_store()

    def _new_store(self) -> Store[dict[str, Any]]:
        return Store(
            self._hass, _VERSION, f"{DOMAIN}.{self._entry_id}.note", private=True, atomic_writes=True
        )

    async def load(self) -> PendingRestore | None:
        """Return the note that stands, if any does and can be read."""
        self.note = None
        stands = await self._hass.async_add_executor_job(Path(self._store.path).is_file)
        try:
            stored = await self._store.async_load()
        except (HomeAssistantError, NotImplementedError) as error:
            # Written by another version, or not readable at all.
            self.damaged = True
            LOGGER.error("What the export limit should be cannot be read from disk: %s", error)
            return None
        # What is no JSON at all, Home Assistant moves out of the way.
        self.damaged = stands and not stored
        if stored:
            try:
                self.note = PendingRestore.of(stored)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                self.damaged = True
                LOGGER.error("What the export limit should be cannot be read from disk: %r", error)
        return self.note

    async def write(self, target: ExportTarget, host: str, port: int) -> None:
        """Have this on disk before the limit is taken off; raises OSError where it is not."""
        note = PendingRestore(target, host, port, dt_util.utcnow().isoformat())
        stored = note.stored()
        await self._store.async_save(stored)
        # The store only logs what it could not write.
        if await self._new_store().async_load() != stored:
            raise OSError("what should hold could not be written to disk, so the limit was not taken off")
        self.note = note

    async def drop(self) -> None:
        """Forget it: a read-back agreed, or the device limits the export by itself."""
        self.note = None
        await self._store.async_remove()
