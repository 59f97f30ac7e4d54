"""The version of the older integration's entries; no flow."""

from homeassistant.config_entries import ConfigFlow


class OlderFlow(ConfigFlow, domain="goodwe_sec1000"):
    """Entries of version 1."""

    VERSION = 1
