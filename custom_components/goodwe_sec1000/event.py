"""The event entity: what happened to the export limit."""

from typing import Final, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.const import Platform
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .data import Sec1000ConfigEntry
from .entity import Sec1000Entity
from .sec1000.model import kilowatts
from .tracking.limit_events import LimitEvent, LimitEventType

PARALLEL_UPDATES = 0

EXPORT_LIMIT: Final = EventEntityDescription(
    key="export_limit", event_types=[str(kind) for kind in LimitEventType]
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: Sec1000ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the event entity of one device."""
    async_add_entities([ExportLimitEvents(entry.runtime_data, EXPORT_LIMIT)])


class ExportLimitEvents(Sec1000Entity, EventEntity):
    """The last change of the limit; available whether or not the device is."""

    _platform = Platform.EVENT
    entity_description: EventEntityDescription

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.limit_events.async_add_listener(self._fire))

    @property
    @override
    def available(self) -> bool:
        return True

    @callback
    def _fire(self, event: LimitEvent) -> None:
        before, settings = event.limit_before, event.settings
        self._trigger_event(
            event.type.value,
            {
                "limit_before": None if before is None else kilowatts(before),
                "limit": None if settings is None or settings.limit is None else kilowatts(settings.limit),
                "control_mode": settings.mode.key if settings else None,
                "asked_by": event.caller.name if event.caller else None,
                "requests": event.requests,
                "seconds": event.seconds,
                "message": event.message,
            },
        )
        # Also where it has none: Home Assistant would take that of the event before for a few seconds.
        self.async_set_context(event.caller.context if event.caller else Context())
        self.async_write_ha_state()
