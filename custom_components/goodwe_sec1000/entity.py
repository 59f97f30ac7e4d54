"""The base of all entities: one device per entry, ids that do not depend on language or area."""

from collections.abc import Awaitable
from enum import Flag, auto
from typing import ClassVar, override

from homeassistant.const import CONF_NAME, Platform
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from homeassistant.util import slugify

from .const import DOMAIN, LOGGER
from .control.runner import Outcome
from .coordinator import Sec1000Coordinator
from .data import Sec1000Data
from .tracking.caller import async_caller, called_by


class Source(Flag):
    """The reads from which the state of an entity follows."""

    TELEMETRY = auto()
    SETTINGS = auto()


class Sec1000Entity(CoordinatorEntity[Sec1000Coordinator]):
    """An entity of one device, read from its coordinator's snapshot."""

    _attr_has_entity_name = True
    _platform: ClassVar[Platform]
    _source: Source = Source.TELEMETRY

    def __init__(self, data: Sec1000Data, description: EntityDescription) -> None:
        super().__init__(data.coordinator)
        self.entity_description = description
        self._export = data.export
        self._commands = data.commands
        entry = data.coordinator.config_entry
        name = entry.data[CONF_NAME]
        self._attr_unique_id = f"{entry.entry_id}_{description.key}"
        self._attr_translation_key = description.key
        # The same in every language, so that cards and automations can be shared.
        self.entity_id = f"{self._platform}.{slugify(name)}_{description.key}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, entry.entry_id)}, manufacturer="GoodWe", model="SEC1000/S", name=name
        )

    @override
    async def async_update(self) -> None:
        """Read what the state follows from, for `homeassistant.update_entity`."""
        if Source.SETTINGS in self._source:
            await self.coordinator.async_request_settings()
        if Source.TELEMETRY in self._source:
            await super().async_update()

    async def _async_command(
        self, command: Awaitable[Outcome], limit: int | None = None, *, decides_limit: bool = False
    ) -> None:
        """Wait for a command of this entity, which sets this export limit (W) or something else.

        `decides_limit` says that the limit after it is its own, though not one that was named.
        One that a newer command superseded is no failure where that came from the same entity, as while a
        slider is dragged, or from the same scene.
        """
        key = self.entity_description.key
        with (
            called_by(await async_caller(self.hass, self._context)),
            self._commands.begin(key, self._context, limit, decides_limit=decides_limit) as this,
        ):
            try:
                await command
            except HomeAssistantError as error:
                if error.translation_key != "superseded" or not this.is_replaced:
                    raise
                LOGGER.debug("%s: %s", self.entity_id, error)
