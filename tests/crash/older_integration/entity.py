"""The base of the older integration's entities."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity

from tests.migration.older_entities import ENTITIES, OlderEntity


class StandIn(Entity):
    """One entity of the older integration, with one state for ever."""

    _attr_should_poll = False
    _attr_has_entity_name = True

    def __init__(self, entry: ConfigEntry, older: OlderEntity) -> None:
        self.older = older
        self.entity_id = older.entity_id()
        self._attr_unique_id = f"sec1000_{entry.entry_id}_{older.key}"
        self._attr_translation_key = older.key
        self._attr_name = older.key
        self._attr_device_info = DeviceInfo(
            identifiers={("goodwe_sec1000", entry.entry_id)},
            name="SEC1000",
            sw_version="1.01.03",
            configuration_url="https://example.org/older",
        )


def of_platform(platform: Platform) -> list[OlderEntity]:
    """Return its entities of one platform."""
    return [entity for entity in ENTITIES if entity.platform == platform]
