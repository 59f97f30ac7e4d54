"""The config entry of the older integration (version 1) as one of this (version 2)."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant

from ..address import address, address_of
from ..const import DOMAIN, ENTRY_VERSION, LOGGER
from .follow_up import MigrationFollowUp
from .report import async_format_report
from .settings import CONF_DEVICE_NAME, settings_from
from .stored_limits import async_stored_limits


async def async_migrate_v1_entry(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Migrate settings and stored limits, and raise the version last.

    Nothing that is read here is changed: a migration that was interrupted is run once more.
    """
    entries = hass.config_entries.async_entries(DOMAIN, include_ignore=False)
    stored = await async_stored_limits(hass)
    settings = settings_from({**entry.data, **entry.options}, stored.limits, shared_store=len(entries) > 1)
    here = address(settings.data)
    same_address = [
        _name(other)
        for other in entries
        if other.entry_id != entry.entry_id and not other.disabled_by and address_of(other) == here
    ]
    corrections = await async_format_report(
        hass, settings, stored_damaged=stored.damaged, same_address=same_address
    )
    if corrections:
        name = settings.data[CONF_NAME]
        LOGGER.warning("Migrated %s from the older integration:\n%s", name, corrections)
    await MigrationFollowUp(hass, entry).save(corrections)
    hass.config_entries.async_update_entry(
        entry,
        data=settings.data,
        options=settings.options,
        unique_id=None,
        version=ENTRY_VERSION,
        minor_version=1,
    )


def _name(entry: ConfigEntry) -> str:
    """Return the name of an entry's device; titles of the older integration contain the host, too."""
    return str(entry.data.get(CONF_NAME) or entry.data.get(CONF_DEVICE_NAME) or entry.title)
