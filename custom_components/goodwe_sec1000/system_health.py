"""System information: the state of all devices in numbers, from what is known; no device is polled for it."""

from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback
from homeassistant.loader import async_get_integration

from .const import DOMAIN
from .data import Sec1000ConfigEntry


@callback
def async_register(_hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Register the page's information."""
    register.async_register_info(_information)


async def _information(hass: HomeAssistant) -> dict[str, Any]:
    """Return counts: they reveal nothing, and need no translation where they are pasted."""
    loaded: list[Sec1000ConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    coordinators = [entry.runtime_data.coordinator for entry in loaded]
    exchanges = [
        exchange for coordinator in coordinators for exchange in coordinator.client.transport.exchanges
    ]
    # Two entries of one device share its budget.
    budgets = {coordinator.client.transport.turns for coordinator in coordinators}
    answers = [coordinator.answered_at for coordinator in coordinators if coordinator.answered_at]
    integration = await async_get_integration(hass, DOMAIN)
    return {
        "version": str(integration.version),
        "devices": len(hass.config_entries.async_entries(DOMAIN, include_disabled=False)),
        "loaded": len(loaded),
        "answering": sum(coordinator.answers for coordinator in coordinators),
        "without_telemetry": sum(not coordinator.serves_telemetry for coordinator in coordinators),
        "left_alone": sum(coordinator.backing_off for coordinator in coordinators),
        "restoring": sum(coordinator.pending.current is not None for coordinator in coordinators),
        "oldest_answer": min(answers, default="–"),
        "requests_left": min((int(budget.level) for budget in budgets), default="–"),
        "budget_empty": f"{sum(round(budget.empty_s) for budget in budgets)} s",
        "failed_requests": f"{sum(exchange.failed for exchange in exchanges)} / {len(exchanges)}",
    }
