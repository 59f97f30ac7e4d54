"""A minimal Home Assistant in the measured process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from homeassistant import bootstrap, loader
from homeassistant.config_entries import ConfigEntries, ConfigEntry, ConfigEntryState
from homeassistant.core import DOMAIN as HOMEASSISTANT, HomeAssistant
from homeassistant.helpers.recorder import async_initialize_recorder
from homeassistant.setup import async_setup_component

from tests.entries import entry_at

DATABASE: Final = "home-assistant_v2.db"


@asynccontextmanager
async def home(*, recorder: bool = True) -> AsyncIterator[HomeAssistant]:
    """Run a Home Assistant with no integration but the recorder."""
    with TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        hass.config.skip_pip = True
        hass.config_entries = ConfigEntries(hass, {})
        loader.async_setup(hass)
        assert await bootstrap.async_load_base_functionality(hass)
        assert await async_setup_component(hass, HOMEASSISTANT, {})
        if recorder:
            async_initialize_recorder(hass)
            assert await async_setup_component(hass, "recorder", _recording_to(Path(folder, DATABASE)))
        await hass.async_start()
        await hass.async_block_till_done()
        try:
            yield hass
        finally:
            await hass.async_stop(force=True)


def _recording_to(database: Path) -> dict[str, Any]:
    return {"recorder": {"db_url": f"sqlite:///{database}"}}


async def set_up(hass: HomeAssistant, port: int, *, interval: int = 30, name: str = "") -> ConfigEntry:
    """Add an entry for the device at this port and set it up."""
    entry: ConfigEntry = entry_at("127.0.0.1", port, name or f"SEC1000 {port}", scan_interval=interval)
    await hass.config_entries.async_add(entry)
    assert entry.state is ConfigEntryState.LOADED
    return entry
