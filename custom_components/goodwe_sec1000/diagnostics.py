"""Diagnostics of one entry: its settings, its snapshot, and the last frames on the wire."""

from dataclasses import asdict
from typing import Any, Final

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_NAME
from homeassistant.core import HomeAssistant

from .address import address_of
from .coordinator import Sec1000Coordinator
from .data import Sec1000ConfigEntry
from .migration.settings import CONF_DEVICE_NAME
from .sec1000.endpoint import endpoint_for
from .sec1000.report import Report

TO_REDACT: Final = {CONF_HOST, CONF_NAME, CONF_DEVICE_NAME}


async def async_get_config_entry_diagnostics(
    _hass: HomeAssistant, entry: Sec1000ConfigEntry
) -> dict[str, Any]:
    """Return all that a bug report on an unknown firmware needs, without host and name.

    The frames are there also for an entry that cannot be loaded because its device responds differently.
    """
    loaded = entry.state is ConfigEntryState.LOADED
    coordinator = entry.runtime_data.coordinator if loaded else None
    line = coordinator.client.transport if coordinator else endpoint_for(*address_of(entry)).transport
    return {
        "entry": async_redact_data(
            {
                "version": entry.version,
                "state": entry.state.value,
                "data": dict(entry.data),
                "options": dict(entry.options),
                "polling_disabled": entry.pref_disable_polling,
            },
            TO_REDACT,
        ),
        **(_shown(coordinator) if coordinator else {}),
        "outcomes": dict(line.outcomes),
        "report": Report.from_exchanges(line.exchanges).as_dict(),
        "budget": {"requests_left": round(line.turns.level, 1), "empty_s": round(line.turns.empty_s)},
        "exchanges": [exchange.as_dict() for exchange in line.exchanges],
    }


def _shown(coordinator: Sec1000Coordinator) -> dict[str, Any]:
    snapshot = coordinator.data
    return {
        "snapshot": {
            "telemetry": asdict(snapshot.telemetry) if snapshot.telemetry else None,
            "settings": asdict(snapshot.settings) if snapshot.settings else None,
            "proven_limit": snapshot.proven_limit,
            "temporary": snapshot.temporary.as_dict() if snapshot.temporary else None,
            "pending_restore": asdict(snapshot.pending_restore) if snapshot.pending_restore else None,
            "limit_is_off": snapshot.limit_is_off,
            "energy": asdict(snapshot.energy) if snapshot.energy else None,
            "quarter_hours": asdict(snapshot.quarter_hours),
            "limit_test": snapshot.limit_test.as_dict() if snapshot.limit_test else None,
            "limit_exceeded": snapshot.limit_exceeded,
            "feedback": {
                str(action): {
                    "feedback": int(record.feedback),
                    "attempts": record.attempts,
                    "detail": record.detail,
                }
                for action, record in snapshot.feedback.items()
            },
        },
        "impossible_values": {
            name: {"count": report.count, "raw": report.raw, "at": report.at.isoformat()}
            for name, report in coordinator.impossible_values.reports.items()
        },
        "last_update_success": coordinator.last_update_success,
        "answered_at": coordinator.answered_at.isoformat() if coordinator.answered_at else None,
        "serves_telemetry": coordinator.serves_telemetry,
        "left_alone": coordinator.backing_off,
    }
