"""The pending restore: what the device should hold again, on disk while its limit may be off."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, override

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from ..const import DOMAIN, LOGGER, MAX_PORT
from ..sec1000 import timing
from ..sec1000.errors import NotStoredError, RestorePendingElsewhereError
from ..sec1000.model import ControlMode, ExportTarget
from ..sec1000.pending import PendingTarget
from ..sec1000.plausibility import MAX_SETTING_W

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class PendingRestore:
    """What should hold, where, and since when."""

    target: ExportTarget
    host: str
    port: int
    at: str
    """When it was stored, UTC, ISO 8601."""

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> PendingRestore:
        """Return what was stored; raises KeyError, TypeError, ValueError where it is damaged."""
        target = ExportTarget(
            ControlMode.from_key(str(stored["mode"])),
            int(stored["capacity"]),
            int(stored["limit"]),
            bool(stored["sum_of_phases"]),
        )
        pending = cls(target, str(stored["host"]), int(stored["port"]), str(stored["at"]))
        if target.mode is ControlMode.DEACTIVATED:
            raise ValueError("nothing limits the export in the mode deactivated")
        if not pending.host or not 0 < pending.port <= MAX_PORT:
            raise ValueError(f"{pending.host!r}, port {pending.port}: no address")
        if abs(target.limit) > MAX_SETTING_W or not 0 <= target.capacity <= MAX_SETTING_W:
            raise ValueError(f"limit {target.limit} W, capacity {target.capacity} W: out of range")
        return pending

    def as_dict(self) -> dict[str, str | int]:
        """Return it in plain values, powers in W."""
        return {
            **asdict(self.target),
            "mode": self.target.mode.key,
            "host": self.host,
            "port": self.port,
            "at": self.at,
        }

    def is_at(self, host: str, port: int) -> bool:
        """Return whether this is to be restored at that address."""
        return (self.host.casefold(), self.port) == (host.casefold(), port)


class PendingRestoreStore:
    """The one object that says whether the limit of an entry is off, in memory and on disk alike."""

    def __init__(
        self, hass: HomeAssistant, entry_id: str, on_change: Callable[[], None] = lambda: None
    ) -> None:
        """Prepare the store; `on_change` is called after each change of what is pending."""
        self._hass = hass
        self._on_change = on_change
        self._key = f"{DOMAIN}.{entry_id}.note"
        self._store = self._new_store()
        self.current: PendingRestore | None = None
        """What is pending; None where nothing is, or where the file cannot be read."""
        self.corrupt = False
        """Whether something is pending that cannot be read."""
        self.provable_from = 0.0
        """From when on (s, the event loop's clock) a read can prove that the limit is back."""
        self._is_reported = False

    def _new_store(self) -> Store[dict[str, Any]]:
        return Store(self._hass, _VERSION, self._key, private=True, atomic_writes=True)

    async def load(self) -> None:
        """Take over what is pending from disk; an "off" of the run before may still take effect late."""
        self.current = None
        exists = await self._hass.async_add_executor_job(Path(self._store.path).is_file)
        self.provable_from = self._hass.loop.time() + timing.STANDARD.late_effect if exists else 0.0
        try:
            stored = await self._store.async_load()
            if stored:
                self.current = PendingRestore.from_dict(stored)
        except (
            HomeAssistantError,
            NotImplementedError,
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            OSError,
            OverflowError,
        ) as error:
            self.corrupt = True
            LOGGER.warning("The pending restore cannot be read from %s: %r", self._store.path, error)
            return
        self.corrupt = exists and not stored
        if self.corrupt:
            # What is no JSON, Home Assistant has moved out of the way: a later start has to know of it, too.
            LOGGER.warning("The pending restore cannot be read from %s", self._store.path)
            await self._store.async_save({"unreadable_since": dt_util.utcnow().isoformat()})

    async def save(self, target: ExportTarget, host: str, port: int) -> None:
        """Have this on disk before the limit is taken off; raises NotStoredError where it is not."""
        pending = PendingRestore(target, host, port, dt_util.utcnow().isoformat())
        await self._write(pending)

    async def replace_target(self, target: ExportTarget) -> None:
        """Have this restored instead; where it cannot be saved, for as long as Home Assistant runs."""
        if not self.current:
            return
        pending = replace(self.current, target=target, at=dt_util.utcnow().isoformat())
        try:
            await self._write(pending)
        except NotStoredError as error:
            # The limit is off already: a full disk must not bring back an older one.
            LOGGER.warning("%s", error)
            self.current = pending
            self._on_change()

    async def move(self, host: str, port: int) -> None:
        """Restore at this address from now on; raises NotStoredError, and then nothing has changed."""
        if self.current:
            await self._write(replace(self.current, host=host, port=port))

    async def _write(self, pending: PendingRestore) -> None:
        stored = pending.as_dict()
        try:
            await self._store.async_save(stored)
            # The store only logs what it could not write.
            written = await self._new_store().async_load()
        except (HomeAssistantError, NotImplementedError, OSError) as error:
            raise NotStoredError(f"the setting to restore cannot be saved to disk: {error}") from error
        if written != stored:
            raise NotStoredError("the setting to restore cannot be saved to disk")
        self.current = pending
        self.corrupt = False
        self._on_change()

    async def clear(self) -> None:
        """Forget it: a read-back agreed, or the device limits the export by another setting."""
        self.current = None
        self.corrupt = False
        self.provable_from = 0.0
        self._on_change()
        try:
            await self._store.async_remove()
        except OSError as error:
            LOGGER.error("%s cannot be removed: %s", self._store.path, error)

    @property
    def is_reported(self) -> bool:
        """Whether it was said that the limit is off, and not yet that it is back."""
        return self._is_reported

    @is_reported.setter
    def is_reported(self, is_reported: bool) -> None:
        self._is_reported = is_reported
        self._on_change()

    def at(self, host: str, port: int) -> PendingTarget:
        """Return what is pending as a client of that address sees it."""
        return _PendingAtAddress(self, host, port)


class _PendingAtAddress(PendingTarget):
    """What is pending for one device; what is pending elsewhere is neither seen nor replaced."""

    def __init__(self, store: PendingRestoreStore, host: str, port: int) -> None:
        self._store = store
        self._host = host
        self._port = port

    @property
    @override
    def target(self) -> ExportTarget | None:
        pending = self._store.current
        return pending.target if pending and pending.is_at(self._host, self._port) else None

    @override
    def check_free(self) -> None:
        self._check_not_elsewhere()
        super().check_free()

    @override
    async def save(self, target: ExportTarget) -> None:
        self._check_not_elsewhere()
        await self._store.save(target, self._host, self._port)

    @override
    async def replace(self, target: ExportTarget) -> None:
        if self.target:
            await self._store.replace_target(target)

    def _check_not_elsewhere(self) -> None:
        if self._store.current and self.target is None:
            raise RestorePendingElsewhereError(
                "the limit of the device at the address before is not restored yet"
            )

    @property
    @override
    def provable_from(self) -> float:
        """As the store has it: each try at another address has a view of its own."""
        return self._store.provable_from

    @provable_from.setter
    def provable_from(self, moment: float) -> None:
        self._store.provable_from = moment

    @override
    async def clear(self) -> None:
        if self._store.corrupt or self.target:
            await self._store.clear()
