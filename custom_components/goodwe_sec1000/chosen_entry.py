"""Which device an action is meant for: by the id of its entry, by its name, or the only one."""

import re
from typing import Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import slugify

from .const import DOMAIN
from .data import Sec1000ConfigEntry

_LONGEST_OLDER_SLUG: Final = 20


@callback
def chosen_entry(hass: HomeAssistant, entry_id: str | None, device: str | None) -> Sec1000ConfigEntry:
    """Return the enabled entry with this id and with a device of this name, as far as they are given.

    It must be exactly one, and loaded; else ServiceValidationError says which there are.
    """
    entries: list[Sec1000ConfigEntry] = hass.config_entries.async_entries(
        DOMAIN, include_ignore=False, include_disabled=False
    )
    # The older integration took an empty name for none.
    device = device.strip() if device else None

    def refused(problem: str) -> ServiceValidationError:
        return ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key=problem,
            translation_placeholders={
                "device": device or "",
                "entry_id": entry_id or "",
                "devices": ", ".join(_name(entry) for entry in entries) or "-",
                "entries": ", ".join(f"{entry.title}: {entry.entry_id}" for entry in entries) or "-",
            },
        )

    chosen = entries
    if entry_id is not None:
        chosen = [entry for entry in entries if entry.entry_id == entry_id]
        if not chosen:
            raise refused("entry_not_found")
    if device and entries:
        called = [entry for entry in entries if device.casefold() in _names(entry)]
        if not called:
            raise refused("device_not_found")
        chosen = [entry for entry in chosen if entry in called]
        if not chosen:
            raise refused("device_differs")
    if not chosen:
        raise refused("no_entry")
    if len(chosen) > 1:
        raise refused("several_devices" if device else "several_entries")
    [entry] = chosen
    if entry.state is not ConfigEntryState.LOADED:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="entry_not_loaded",
            translation_placeholders={"name": entry.title},
        )
    return entry


def _name(entry: Sec1000ConfigEntry) -> str:
    return str(entry.data.get(CONF_NAME, entry.title))


def _names(entry: Sec1000ConfigEntry) -> set[str]:
    """Return what an automation may call a device: its name, and what entity ids make of it.

    Entity ids of the older integration made something else of it, where it is long or has letters
    other than a to z.
    """
    name = _name(entry)
    older = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:_LONGEST_OLDER_SLUG]
    return {name.casefold(), slugify(name), older or "device"}
