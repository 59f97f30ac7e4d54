"""The base of all entities: one device per entry, ids that do not depend on language or area."""

from collections.abc import Awaitable
from typing import ClassVar

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


class Sec1000Entity(CoordinatorEntity[Sec1000Coordinator]):
    """An entity of one device, read from its coordinator's snapshot."""

    _attr_has_entity_name = True
    _platform: ClassVar[Platform]
    _latest_command: object = None

    def __init__(self, data: Sec1000Data, description: EntityDescription) -> None:
        super().__init__(data.coordinator)
        self.entity_description = description
        self._export = data.export
        entry = data.coordinator.config_entry
        name = entry.data[CONF_NAME]
        self._attr_unique_id = f"{entry.entry_id}_{description.key}"
        self._attr_translation_key = description.key
        # The same in every language, so that cards and automations can be shared.
        self.entity_id = f"{self._platform}.{slugify(name)}_{description.key}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, entry.entry_id)}, manufacturer="GoodWe", model="SEC1000/S", name=name
        )

    async def _async_command(self, command: Awaitable[Outcome]) -> None:
        """Wait for a command of this entity.

        One that a newer command of the same entity superseded, as while a slider is dragged, is no failure.
        """
        this = self._latest_command = object()
        try:
            await command
        except HomeAssistantError as error:
            if error.translation_key != "superseded" or self._latest_command is this:
                raise
            LOGGER.debug("%s: %s", self.entity_id, error)
