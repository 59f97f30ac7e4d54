"""The switch: export to the grid on (maximum limit) or off (minimum limit)."""

from typing import Any, Final, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import LOGGER
from .coordinator import export_is_on
from .data import Sec1000ConfigEntry
from .entity import Sec1000Entity, Source
from .sec1000.model import ControlMode

# The client sends one request at a time, and a newer limit overtakes one that waits.
PARALLEL_UPDATES = 0

EXPORT_TO_GRID: Final = SwitchEntityDescription(key="export_to_grid")


async def async_setup_entry(
    _hass: HomeAssistant, entry: Sec1000ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the switch of one device."""
    async_add_entities([ExportSwitch(entry.runtime_data, EXPORT_TO_GRID)])


class ExportSwitch(Sec1000Entity, SwitchEntity):
    """Shows what was read back; switching waits until that is known."""

    _platform = Platform.SWITCH
    _source = Source.SETTINGS

    @property
    @override
    def available(self) -> bool:
        # An impossible limit is unknown, and may be overwritten.
        return self.is_on is not None or self.coordinator.data.has_settings

    @property
    @override
    def is_on(self) -> bool | None:
        return export_is_on(self.coordinator.data, self.coordinator.options)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Enable export, unless the same scene sets a limit at which export is on."""
        limit = self._commands.limit_set_in(self._context)
        if limit is not None and not self.coordinator.options.disables_export(ControlMode.VALUE, limit):
            LOGGER.debug("%s: the limit of %d W, set in the same context, stays", self.entity_id, limit)
            return
        await self._async_command(self._export.enable(), decides_limit=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self._async_command(self._export.disable(), decides_limit=True)

    @override
    async def async_toggle(self, **kwargs: Any) -> None:
        """Toggle by what the device holds, which is read before."""
        await self._async_command(self._export.toggle(), decides_limit=True)
