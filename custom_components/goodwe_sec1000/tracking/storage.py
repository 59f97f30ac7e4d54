"""Files that a device can do without: unreadable ones count as absent, what changes often is saved rarely."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from homeassistant.core import callback
from homeassistant.helpers.storage import Store

from ..const import LOGGER

SAVE_INTERVAL_S: Final = 300.0
"""How long what changes with each poll may be missing on disk."""


async def async_load_lenient[T](store: Store[Any], parse: Callable[[dict[str, Any]], T]) -> T | None:
    """Return what `parse` makes of the file; None where it is absent, damaged or of a newer version.

    None of these may keep an entry from its setup, which restores a limit that is off.
    """
    try:
        stored = await store.async_load()
        return None if stored is None else parse(dict(stored))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, setup goes on
        LOGGER.warning("%s cannot be read and is ignored: %r", store.path, error)
        return None


class ThrottledStore[T: Mapping[str, Any]]:
    """A file whose content changes with each poll, and is saved within five minutes."""

    def __init__(self, store: Store[T], content: Callable[[], T]) -> None:
        """Save to this store what `content` returns then."""
        self._store = store
        self._content = content
        self._is_due = False

    @callback
    def save_soon(self, seconds: float = SAVE_INTERVAL_S) -> None:
        """Save within so many seconds (s), or when that is due already."""
        # Each call of async_delay_save postpones the save.
        if not self._is_due:
            self._is_due = True
            self._store.async_delay_save(self._due_content, seconds)

    async def save(self) -> None:
        """Save now, where a save is due."""
        if self._is_due:
            await self._store.async_save(self._due_content())

    @callback
    def _due_content(self) -> T:
        self._is_due = False
        return self._content()
