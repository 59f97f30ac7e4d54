"""Adds a device to an empty Home Assistant, run as a program: `python empty_home.py FOLDER PORT`.

It prints a table of JSON: where the integration was loaded from, the state of the entry, and all its states.
"""

import asyncio
import json
from pathlib import Path
import sys
from typing import Any, Final

from homeassistant import bootstrap, loader
from homeassistant.config_entries import SOURCE_USER, ConfigEntries
from homeassistant.core import HomeAssistant

DOMAIN: Final = "goodwe_sec1000"


async def add_device(folder: str, port: int) -> dict[str, Any]:
    """Start Home Assistant in this folder and go through the steps of a new entry."""
    hass = HomeAssistant(folder)
    hass.config.skip_pip = True
    hass.config_entries = ConfigEntries(hass, {})
    loader.async_setup(hass)
    assert await bootstrap.async_load_base_functionality(hass)
    await hass.async_start()
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    for answers in (
        {"name": "SEC1000", "host": "127.0.0.1", "port": port, "scan_interval": 30},
        {"min_export_limit": 0, "max_export_limit": 10, "total_capacity": 30},
        {"export_limit_control_mode": "value", "scan_three_phases": True},
    ):
        flow = await hass.config_entries.flow.async_configure(flow["flow_id"], dict(answers))
    await hass.async_block_till_done()
    [entry] = hass.config_entries.async_entries(DOMAIN)
    result = {
        "from": str(Path(str(sys.modules[f"custom_components.{DOMAIN}"].__file__)).parent),
        "entry": entry.state.value,
        "states": {state.entity_id: state.state for state in hass.states.async_all()},
    }
    await hass.async_stop(force=True)
    return result


if __name__ == "__main__":
    print(json.dumps(asyncio.run(add_device(sys.argv[1], int(sys.argv[2])))))  # noqa: T201
