"""Automations made from blueprints, restarts of Home Assistant, and the actions that were called."""

from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any, Final

from homeassistant.const import EVENT_CALL_SERVICE
from homeassistant.core import CoreState, Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN

BLUEPRINTS: Final = Path(__file__).parent.parent.parent / "blueprints"


class Home:
    """The automations of a Home Assistant, one per blueprint."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Start without automations."""
        self._hass = hass
        self._automations: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        """Names of the called actions of the integration, in order."""

        @callback
        def record(event: Event) -> None:
            if event.data["domain"] == DOMAIN:
                self.calls.append(event.data["service"])

        hass.bus.async_listen(EVENT_CALL_SERVICE, record)

    async def begin(self) -> None:
        """Set up the automation integration."""
        assert await async_setup_component(self._hass, "automation", {})

    async def automate(self, blueprint: str, inputs: Mapping[str, Any]) -> str:
        """Create or change the automation of a blueprint and return its entity id."""
        self._automations[blueprint] = {
            "id": blueprint,
            "alias": blueprint,
            "use_blueprint": {"path": f"goodwe_sec1000/{blueprint}.yaml", "input": inputs},
        }
        await self._load(self._automations)
        entity_id = f"automation.{blueprint}"
        state = self._hass.states.get(entity_id)
        assert state is not None
        assert state.state == "on", "its inputs or the blueprint are not valid"
        return entity_id

    async def restart(self, entry: MockConfigEntry) -> None:
        """Restart Home Assistant, as far as automations and the entry are concerned."""
        await self.stop()
        await self._hass.config_entries.async_unload(entry.entry_id)
        self._hass.set_state(CoreState.not_running)
        await self._load(self._automations)
        assert await self._hass.config_entries.async_setup(entry.entry_id)
        await self._hass.async_start()

    async def stop(self) -> None:
        """Remove the automations, which cancels their runs."""
        if self._automations:
            await self._load({})

    async def _load(self, automations: dict[str, dict[str, Any]]) -> None:
        config = {"automation": list(automations.values())}
        path = Path(self._hass.config.path("configuration.yaml"))
        # JSON is YAML.
        await self._hass.async_add_executor_job(path.write_text, json.dumps(config))
        await self._hass.services.async_call("automation", "reload", blocking=True)


async def add_helpers(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Add helpers to the device, which then come first among its entities."""
    registry = er.async_get(hass)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    ours = er.async_entries_for_config_entry(registry, entry.entry_id)
    helpers = (
        MockConfigEntry(
            domain="utility_meter",
            title="Export by tariff",
            options={
                "name": "Export by tariff",
                "source": "sensor.sec1000_energy_exported",
                "cycle": "daily",
                "offset": 0,
                "tariffs": ["peak", "offpeak"],
                "net_consumption": False,
                "delta_values": False,
                "periodically_resetting": True,
                "always_available": False,
            },
        ),
        MockConfigEntry(
            domain="template",
            title="Guests",
            options={
                "template_type": "switch",
                "name": "Guests",
                "value_template": "{{ false }}",
                "device_id": device.id,
            },
        ),
        MockConfigEntry(
            domain="template",
            title="Neighbor's meter power",
            options={
                "template_type": "sensor",
                "name": "Neighbor's meter power",
                "state": "{{ 20000 }}",
                "unit_of_measurement": "W",
                "device_class": "power",
                "device_id": device.id,
            },
        ),
        MockConfigEntry(
            domain="template",
            title="Next inspection",
            options={
                "template_type": "sensor",
                "name": "Next inspection",
                "state": "{{ now() + timedelta(days=365) }}",
                "device_class": "timestamp",
                "device_id": device.id,
            },
        ),
    )
    for helper in helpers:
        helper.add_to_hass(hass)
        assert await hass.config_entries.async_setup(helper.entry_id)
    # As where Home Assistant's language changes: an entity whose name changes becomes the last of its device.
    for entity in ours:
        registry.async_update_entity(entity.entity_id, original_name=f"{entity.original_name} (translated)")
    await hass.async_block_till_done()
    first, *others = er.async_entries_for_device(registry, device.id)
    assert first.platform != DOMAIN
    kinds = {(each.domain, each.platform) for each in (first, *others)}
    assert {("switch", "template"), ("select", "utility_meter")} <= kinds
