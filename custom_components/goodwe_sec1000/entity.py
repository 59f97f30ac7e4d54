"""The base of all entities: one device per entry, ids that do not depend on language or area."""

from typing import ClassVar

from homeassistant.const import CONF_NAME, Platform
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from homeassistant.util import slugify

from .const import DOMAIN
from .coordinator import Sec1000Coordinator
from .data import Sec1000Data


class Sec1000Entity(CoordinatorEntity[Sec1000Coordinator]):
    """An entity of one device, read from its coordinator's snapshot."""

    _attr_has_entity_name = True
    _platform: ClassVar[Platform]

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
