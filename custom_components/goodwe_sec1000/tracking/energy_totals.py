"""Where the energy sensors last stood, kept for as long as the entry is."""

from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from ..const import DOMAIN

_VERSION: Final = 1
_SAVE_WITHIN: Final = 86_400.0
"""s. Home Assistant itself restores what is younger; unload and stop save at once."""


class EnergyTotals:
    """kWh by the key of the sensor, on disk.

    Home Assistant forgets the state of an entity that is absent for a week, such as that of a disabled entry
    or of a device under repair. In the Energy dashboard, a total that began anew would take back all that
    had flowed.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        self._store = Store[dict[str, float]](hass, _VERSION, f"{DOMAIN}.{entry_id}.energy")
        self._totals: dict[str, float] = {}
        self._to_be_saved = False

    async def load(self) -> None:
        """Take over what was kept before."""
        self._totals = await self._store.async_load() or {}

    def of(self, key: str) -> float | None:
        """Return where the sensor last stood; None where it never did."""
        return self._totals.get(key)

    @callback
    def keep(self, key: str, total: float) -> None:
        """Keep where a sensor stands."""
        if self._totals.get(key) == total:
            return
        self._totals[key] = total
        if not self._to_be_saved:
            self._to_be_saved = True
            self._store.async_delay_save(self._saved, _SAVE_WITHIN)

    async def save(self) -> None:
        """Have on disk what is kept."""
        if self._to_be_saved:
            await self._store.async_save(self._saved())

    async def remove(self) -> None:
        """Forget it with its entry."""
        await self._store.async_remove()

    @callback
    def _saved(self) -> dict[str, float]:
        self._to_be_saved = False
        return dict(self._totals)
