"""The name of an entry's device, which its user may have changed since setup."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr


@callback
def name_at_setup(entry: ConfigEntry) -> str:
    """Return the name that was entered at setup, by which the entity ids begin."""
    return str(entry.data.get(CONF_NAME, entry.title))


@callback
def device_name(hass: HomeAssistant, entry: ConfigEntry) -> str:
    """Return the name that the device has now; before it is registered, the one entered at setup."""
    for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id):
        if name := device.name_by_user or device.name:
            return name
    return name_at_setup(entry)
