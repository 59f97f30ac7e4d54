"""The windows by which a device is set up, moved to another address and given its options."""

from homeassistant.config_entries import ConfigFlow

from .const import DOMAIN


class Sec1000ConfigFlow(ConfigFlow, domain=DOMAIN):
    """Sets up a device."""

    VERSION = 2
