"""States of entities."""

from homeassistant.const import CONF_UNIT_OF_MEASUREMENT
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry


def get_state(hass: HomeAssistant, entity_id: str) -> State:
    """Return the state of an entity that must exist."""
    state = hass.states.get(entity_id)
    assert state is not None, f"{entity_id} does not exist"
    return state


def energy_total(entry: MockConfigEntry, kind: str) -> float:
    """Return a total of the energy, kWh; its sensor is written at most once a minute."""
    return float(getattr(entry.runtime_data.coordinator.data.energy, kind)) / 1_000


async def show_in(hass: HomeAssistant, entity_id: str, unit: str) -> None:
    """Let an entity be shown in another unit, as its owner may choose."""
    er.async_get(hass).async_update_entity_options(
        entity_id, entity_id.partition(".")[0], {CONF_UNIT_OF_MEASUREMENT: unit}
    )
    await hass.async_block_till_done()
    assert get_state(hass, entity_id).attributes[CONF_UNIT_OF_MEASUREMENT] == unit
