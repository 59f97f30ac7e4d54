"""Set up the integration in a Home Assistant that has just started, as a user would."""

import asyncio
from collections.abc import Sequence
import json
from typing import Final

from .device import Device
from .errors import DemoError
from .home_assistant_api import Answers, FormError, HomeAssistantApi
from .options import CHECKOUT
from .past import Statistics

DASHBOARD: Final = "energy-controller"
"""As in configuration.yaml."""

_DOMAIN: Final = "goodwe_sec1000"
_NAME: Final = "SEC1000"
"""The entity ids on the dashboard begin with it."""
_ENERGY_SOURCES: Final = [
    {
        "type": "grid",
        "stat_energy_from": "sensor.sec1000_energy_imported",
        "stat_energy_to": "sensor.sec1000_energy_exported",
        # For the Energy dashboard import is positive, for the meter export.
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
_LOAD_TIMEOUT_S: Final = 60.0
_POLL_INTERVAL_S: Final = 0.25


async def set_up(api: HomeAssistantApi, device: Device, past: Sequence[Statistics] = ()) -> str | None:
    """Log in and set up the device; return the problem with a real one that does not respond.

    The history of a new demo begins with the statistics of its `past`.
    """
    await api.wait_until_responding()
    is_new = await api.log_in()
    await api.wait_until_running()
    if is_new:
        await api.make_default(DASHBOARD)
        for statistics in past:
            await api.command(
                "recorder/import_statistics", metadata=statistics.metadata, stats=statistics.rows
            )
    if entries := await api.entries(_DOMAIN):
        await api.reconfigure_entry(_DOMAIN, entries[0]["entry_id"], device.host, device.port)
    else:
        connection: dict[str, object] = {"name": _NAME, "host": device.host, "port": device.port}
        if device.scan_interval is not None:
            connection["scan_interval"] = device.scan_interval
        # A real device that is deactivated stays so: setup writes nothing.
        answers: Answers = {"user": connection, "confirm_deactivated": {"next_step_id": "deactivate"}}
        try:
            await api.add_entry(_DOMAIN, answers)
        except FormError as error:
            raise DemoError(f"The device at {device.host}:{device.port}: {_error_texts(error)}") from error
    problem = await _wait_until_loaded(api, device)
    if is_new:
        # So that the graph draws it over the powers.
        await api.command(
            "config/entity_registry/update",
            entity_id=f"sensor.{_NAME.lower()}_export_limit",
            options_domain="sensor",
            options={"unit_of_measurement": "W", "display_precision": 0},
        )
        if device.is_simulated:
            await _enable(api, f"sensor.{_NAME.lower()}_quarter_hour_export")
        # Older versions take the unit of the inverted power from the entity, which has to exist.
        await api.command("energy/save_prefs", energy_sources=_ENERGY_SOURCES)
    return problem


async def _enable(api: HomeAssistantApi, entity_id: str) -> None:
    """Enable an entity, and return once the reload that this takes has brought it."""
    await api.command("config/entity_registry/update", entity_id=entity_id, disabled_by=None)
    while True:
        if entity_id in {state["entity_id"] for state in await api.get("/api/states")}:
            return
        await asyncio.sleep(_POLL_INTERVAL_S)


def _error_texts(error: FormError) -> str:
    """Return the errors as the form shows them."""
    translations = CHECKOUT / "custom_components" / _DOMAIN / "translations" / "en.json"
    texts = json.loads(translations.read_text())["config"]["error"]
    return " ".join(texts.get(key, key) for key in error.errors.values())


async def _wait_until_loaded(api: HomeAssistantApi, device: Device) -> str | None:
    try:
        async with asyncio.timeout(_LOAD_TIMEOUT_S):
            while True:
                entry = (await api.entries(_DOMAIN))[0]
                if entry["state"] == "loaded":
                    return None
                problem = f"The device is not ready: {entry['reason'] or entry['state']}."
                if entry["state"] == "setup_retry" and not device.is_simulated:
                    return f"{problem} Home Assistant keeps retrying."
                await asyncio.sleep(_POLL_INTERVAL_S)
    except TimeoutError:
        raise DemoError(problem) from None
