"""Numbers: the export limit, and the minimum and maximum between which it may be set."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
import math
from typing import Final, override

from homeassistant.components.number import (
    NumberDeviceClass,
    NumberEntity,
    NumberEntityDescription,
    NumberMode,
)
from homeassistant.const import EntityCategory, Platform, UnitOfPower
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import MIN_LIMIT_KW
from .control.actions import ExportControl
from .control.runner import Outcome
from .coordinator import Snapshot
from .data import Sec1000ConfigEntry
from .entity import Sec1000Entity, Source
from .options import ExportOptions
from .sec1000.model import kilowatts, watts

# The client sends one request at a time, and a newer limit overtakes one that waits.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class Sec1000NumberDescription(NumberEntityDescription):
    """A power in W, its bounds in W, and how it is set (kW)."""

    is_available: Callable[[Snapshot], bool] = lambda _snapshot: True
    value: Callable[[Snapshot, ExportOptions], int | None]
    lowest: Callable[[ExportOptions], int]
    highest: Callable[[ExportOptions], int]
    set_value: Callable[[ExportControl, float, bool], Awaitable[Outcome]]
    """Sets it, and says of a bound whether the export limit stays instead of following it."""


EXPORT_LIMIT: Final = Sec1000NumberDescription(
    key="export_limit",
    is_available=lambda snapshot: snapshot.has_settings,
    value=lambda snapshot, _options: snapshot.held.limit if snapshot.held else None,
    lowest=lambda options: options.min_export_limit,
    highest=lambda options: options.max_export_limit,
    set_value=lambda export, limit, _keeps: export.set_limit(limit),
)
NUMBERS: Final = (
    EXPORT_LIMIT,
    Sec1000NumberDescription(
        key="minimum_export_limit",
        entity_category=EntityCategory.CONFIG,
        value=lambda _snapshot, options: options.min_export_limit,
        lowest=lambda _options: watts(MIN_LIMIT_KW),
        highest=lambda options: options.max_export_limit,
        set_value=lambda export, limit, keeps: export.set_minimum(limit, keeps_limit=keeps),
    ),
    Sec1000NumberDescription(
        key="maximum_export_limit",
        entity_category=EntityCategory.CONFIG,
        value=lambda _snapshot, options: options.max_export_limit,
        lowest=lambda options: options.min_export_limit,
        highest=lambda options: options.total_capacity,
        set_value=lambda export, limit, keeps: export.set_maximum(limit, keeps_limit=keeps),
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: Sec1000ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the numbers of one device."""
    async_add_entities(Sec1000Number(entry.runtime_data, description) for description in NUMBERS)


class Sec1000Number(Sec1000Entity, NumberEntity):
    """A power in kW, in steps of 10 W; its bounds follow the options."""

    _platform = Platform.NUMBER
    _source = Source.SETTINGS
    _unrecorded_attributes = frozenset({"kilowatts", "min_kilowatts", "max_kilowatts"})
    entity_description: Sec1000NumberDescription
    _attr_device_class = NumberDeviceClass.POWER
    _attr_mode = NumberMode.BOX
    _attr_native_step = 0.01
    _attr_native_unit_of_measurement = UnitOfPower.KILO_WATT

    @property
    @override
    def available(self) -> bool:
        return self.entity_description.is_available(self.coordinator.data)

    @property
    @override
    def native_value(self) -> float | None:
        value = self.entity_description.value(self.coordinator.data, self.coordinator.options)
        return None if value is None else kilowatts(value)

    @property
    @override
    def native_min_value(self) -> float:
        return kilowatts(self.entity_description.lowest(self.coordinator.options))

    @property
    @override
    def native_max_value(self) -> float:
        return kilowatts(self.entity_description.highest(self.coordinator.options))

    @property
    @override
    def extra_state_attributes(self) -> dict[str, float | None]:
        """Return value and bounds in kW: shown in MW, Home Assistant rounds them to nothing."""
        return {
            "kilowatts": self.native_value,
            "min_kilowatts": self.native_min_value,
            "max_kilowatts": self.native_max_value,
        }

    @override
    async def async_set_native_value(self, value: float) -> None:
        description = self.entity_description
        # NaN passes Home Assistant's bounds; the action refuses it.
        limit = watts(value) if description is EXPORT_LIMIT and math.isfinite(value) else None
        # The same scene may say what the limit is.
        keeps_limit = self._commands.limit_set_in(self._context) is not None
        await self._async_command(description.set_value(self._export, value, keeps_limit), limit)
