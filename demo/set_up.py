"""Sets the integration up in a Home Assistant that has just started, as a user would."""

import asyncio
from collections.abc import Sequence
import json
from typing import Final

from .device import Device
from .errors import DemoError
from .home_assistant_api import HomeAssistantApi, WindowError
from .options import CHECKOUT
from .past import Statistics

DASHBOARD: Final = "energy-controller"
"""As in configuration.yaml."""

_DOMAIN: Final = "goodwe_sec1000"
_NAME: Final = "SEC1000"
"""The dashboard's entity ids begin with it."""
_ENERGY_SOURCES: Final = [
    {
        "type": "grid",
        "stat_energy_from": "sensor.sec1000_energy_imported",
        "stat_energy_to": "sensor.sec1000_energy_exported",
        # The Energy dashboard counts import as positive, the meter export.
        "power_config": {"stat_rate_inverted": "sensor.sec1000_meter_power"},
        "cost_adjustment_day": 0,
    },
    {
        "type": "solar",
        "stat_energy_from": "sensor.sec1000_energy_produced",
        "stat_rate": "sensor.sec1000_inverter_power",
        "config_entry_solar_forecast": None,
    },
]
_LOADED_TIMEOUT: Final = 60.0
_LOOK_AGAIN: Final = 0.25


async def set_up(api: HomeAssistantApi, device: Device, past: Sequence[Statistics] = ()) -> str | None:
    """Log in and have the device; return what is wrong with a real one that does not answer now.

    The `past` is what the history of a fresh demo begins with.
    """
    await api.wait_until_answering()
    is_new = await api.log_in()
    await api.wait_until_running()
    if is_new:
        await api.make_default(DASHBOARD)
        for statistics in past:
            await api.command(
                "recorder/import_statistics", metadata=statistics.metadata, stats=statistics.rows
            )
    if entries := await api.entries(_DOMAIN):
        await api.move_entry(_DOMAIN, entries[0]["entry_id"], device.host, device.port)
    else:
        connection = {"name": _NAME, "host": device.host, "port": device.port}
        if device.scan_interval is not None:
            connection["scan_interval"] = device.scan_interval
        try:
            await api.add_entry(_DOMAIN, {"user": connection})
        except WindowError as error:
            raise DemoError(f"The device at {device.host}:{device.port}: {_in_words(error)}") from error
    trouble = await _wait_until_loaded(api, device)
    if is_new:
        # An older Home Assistant takes the unit of what it inverts from the entity as it stands then.
        await api.command("energy/save_prefs", energy_sources=_ENERGY_SOURCES)
    return trouble


def _in_words(error: WindowError) -> str:
    """Return what the windows would show in red."""
    translations = CHECKOUT / "custom_components" / _DOMAIN / "translations" / "en.json"
    texts = json.loads(translations.read_text())["config"]["error"]
    return " ".join(texts.get(key, key) for key in error.errors.values())


async def _wait_until_loaded(api: HomeAssistantApi, device: Device) -> str | None:
    try:
        async with asyncio.timeout(_LOADED_TIMEOUT):
            while True:
                entry = (await api.entries(_DOMAIN))[0]
                if entry["state"] == "loaded":
                    return None
                trouble = f"The device is not ready: {entry['reason'] or entry['state']}."
                if entry["state"] == "setup_retry" and not device.is_simulated:
                    return f"{trouble} Home Assistant goes on trying."
                await asyncio.sleep(_LOOK_AGAIN)
    except TimeoutError:
        raise DemoError(trouble) from None
