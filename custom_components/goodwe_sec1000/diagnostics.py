"""Diagnostics of one entry: what it holds, what it shows, and the last frames on the wire."""

from collections import Counter
from dataclasses import asdict
from typing import Any, Final

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_HOST, CONF_NAME
from homeassistant.core import HomeAssistant

from .data import Sec1000ConfigEntry

TO_REDACT: Final = {CONF_HOST, CONF_NAME, "title", "unique_id"}


async def async_get_config_entry_diagnostics(
    _hass: HomeAssistant, entry: Sec1000ConfigEntry
) -> dict[str, Any]:
    """Return all that a bug report on an unknown firmware needs, without host and name."""
    coordinator = entry.runtime_data.coordinator
    snapshot = coordinator.data
    exchanges = coordinator.client.line.exchanges
    return {
        "entry": async_redact_data(
            {"version": entry.version, "data": dict(entry.data), "options": dict(entry.options)}, TO_REDACT
        ),
        "snapshot": {
            "telemetry": asdict(snapshot.telemetry) if snapshot.telemetry else None,
            "settings": asdict(snapshot.settings) if snapshot.settings else None,
            "proven_limit": snapshot.proven_limit,
            "note": asdict(snapshot.note) if snapshot.note else None,
            "limit_exceeded": snapshot.limit_exceeded,
            "feedback": {
                str(action): {"feedback": int(record.feedback), "attempts": record.attempts}
                for action, record in snapshot.feedback.items()
            },
        },
        "last_update_success": coordinator.last_update_success,
        "outcomes": Counter(exchange.outcome for exchange in exchanges),
        "exchanges": [
            {
                "at": exchange.at.isoformat(),
                "command": exchange.command,
                "request": exchange.request.hex(),
                "answer": exchange.answer.hex(),
                "outcome": exchange.outcome,
            }
            for exchange in exchanges
        ],
    }
