"""Imported before Home Assistant's test plugin, which may be older than the Home Assistant that is tested."""

from importlib.metadata import version

from awesomeversion import AwesomeVersion

if AwesomeVersion(version("homeassistant")) >= "2026.11.0":
    # First, and in the order of the plugin: what is imported before keeps clocks that nothing can freeze.
    import homeassistant  # noqa: F401, I001 - before httpx, whose place it takes
    from pytest_homeassistant_custom_component import patch_json  # noqa: F401
    from pytest_homeassistant_custom_component import patch_recorder  # noqa: F401
    from pytest_homeassistant_custom_component import patch_time  # noqa: F401
    from homeassistant.components import logger

    # The plugin up to 0.13.375 imports this name, which is elsewhere since 2026.11; no test here needs it.
    vars(logger).setdefault("_clear_logger_overwrites", None)
