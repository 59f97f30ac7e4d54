"""Imported before Home Assistant's test plugin, which may be older than the Home Assistant that is tested."""

# Before httpx, whose place it takes.
import homeassistant  # noqa: F401
from homeassistant.components import logger
from homeassistant.components.logger import helpers

if not hasattr(logger, "_clear_logger_overwrites"):
    # The plugin up to 0.13.375 imports it from where it was before 2026.11.
    vars(logger)["_clear_logger_overwrites"] = vars(helpers)["_clear_logger_overwrites"]
