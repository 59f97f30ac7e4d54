"""Buttons: the actions that need no value."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .control.actions import ExportControl
from .control.runner import Outcome
from .data import Sec1000ConfigEntry
from .entity import Sec1000Entity
from .tracking.caller import async_caller, called_by

# The client sends one request at a time, and a newer limit overtakes one that waits.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class Sec1000ButtonDescription(ButtonEntityDescription):
    """A button and what it does."""

    press: Callable[[ExportControl], Awaitable[Outcome]]


BUTTONS: Final = (
    Sec1000ButtonDescription(key="enable_export", press=ExportControl.enable),
    Sec1000ButtonDescription(key="disable_export", press=ExportControl.disable),
    Sec1000ButtonDescription(key="end_temporary_limit", press=ExportControl.end_temporary_limit),
    Sec1000ButtonDescription(
        key="read_export_limit", entity_category=EntityCategory.DIAGNOSTIC, press=ExportControl.read_limit
    ),
    Sec1000ButtonDescription(
        key="test_export_limit", entity_category=EntityCategory.DIAGNOSTIC, press=ExportControl.test_limit
    ),
    Sec1000ButtonDescription(
        key="set_date_and_time", entity_category=EntityCategory.CONFIG, press=ExportControl.set_clock
    ),
    Sec1000ButtonDescription(
        key="reset_export_watchdog",
        entity_category=EntityCategory.CONFIG,
        press=ExportControl.reset_watchdog,
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: Sec1000ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the buttons of one device."""
    async_add_entities(Sec1000Button(entry.runtime_data, description) for description in BUTTONS)


class Sec1000Button(Sec1000Entity, ButtonEntity):
    """One action; available whether or not the device is, so that a press can show what is wrong."""

    _platform = Platform.BUTTON
    entity_description: Sec1000ButtonDescription

    @property
    @override
    def available(self) -> bool:
        return True

    @override
    async def async_press(self) -> None:
        with called_by(await async_caller(self.hass, self._context)):
            await self.entity_description.press(self._export)
