"""The select: the control mode, by which the device limits the export."""

from typing import Final, override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .data import Sec1000ConfigEntry
from .entity import Sec1000Entity, Source
from .sec1000.model import ControlMode

# The client sends one request at a time, and a newer limit overtakes one that waits.
PARALLEL_UPDATES = 0

MODES: Final = (ControlMode.VALUE, ControlMode.RCR, ControlMode.DRED, ControlMode.DEACTIVATED)
CONTROL_MODE: Final = SelectEntityDescription(
    key="control_mode", entity_category=EntityCategory.CONFIG, options=[mode.key for mode in MODES]
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: Sec1000ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the select of one device."""
    async_add_entities([ControlModeSelect(entry.runtime_data, CONTROL_MODE)])


class ControlModeSelect(Sec1000Entity, SelectEntity):
    """Shows the mode that was read; choosing one applies it and then keeps it in the options."""

    _platform = Platform.SELECT
    _source = Source.SETTINGS

    @property
    @override
    def available(self) -> bool:
        return self.coordinator.data.has_settings

    @property
    @override
    def current_option(self) -> str | None:
        settings = self.coordinator.data.held
        return settings.mode.key if settings else None

    @override
    async def async_select_option(self, option: str) -> None:
        await self._async_command(self._export.choose_mode(ControlMode.from_key(option)))
