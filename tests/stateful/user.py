"""What the owner does in Home Assistant, and what the owner is told."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import Context, HomeAssistant, State
from homeassistant.data_entry_flow import FlowResultType, UnknownFlow
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_component import async_update_entity
from homeassistant.helpers.state import async_reproduce_state

from custom_components.goodwe_sec1000.const import DOMAIN

from .model import Outcome, Wish

MOST_WINDOWS: Final = 8
WRITTEN: Final = frozenset({"not_applied", "outcome_unknown"})
"""Errors of what was written, whatever came of it."""
NOTHING_DONE: Final = frozenset({"entry_not_loaded", "no_entry", "reset_under_way", "closed", "stopping"})


async def act(hass: HomeAssistant, wish: Wish, action: str, data: Mapping[str, Any]) -> None:
    """Call an action of the integration and ask for its response."""
    await _tell(
        wish, hass.services.async_call(DOMAIN, action, dict(data), blocking=True, return_response=True)
    )


def _entity_id(hass: HomeAssistant, entity: str) -> str | None:
    platform, _, key = entity.partition(".")
    entry = the_entry(hass)
    registry = er.async_get(hass)
    return registry.async_get_entity_id(platform, DOMAIN, f"{entry.entry_id}_{key}") if entry else None


def shown(hass: HomeAssistant, entity: str) -> State | None:
    """Return the state of the entity "platform.key" of the entry; None where it has none."""
    entity_id = _entity_id(hass, entity)
    return hass.states.get(entity_id) if entity_id else None


def is_disabled(hass: HomeAssistant, entity: str) -> bool:
    """Tell whether the entity "platform.key" of the entry is disabled."""
    entity_id = _entity_id(hass, entity)
    registered = er.async_get(hass).async_get(entity_id) if entity_id else None
    return registered is not None and registered.disabled_by is not None


async def operate(hass: HomeAssistant, wish: Wish, service: str, entity: str, **data: Any) -> None:
    """Use the control "platform.key"; Home Assistant says and does nothing where it is unavailable."""
    state = shown(hass, entity)
    if state is None or state.state == STATE_UNAVAILABLE:
        wish.outcome = Outcome.REFUSED
        return
    data["entity_id"] = state.entity_id
    await _tell(wish, hass.services.async_call(state.domain, service, data, blocking=True))
    if wish.outcome is Outcome.OK:
        wish.outcome = Outcome.QUIET


async def reproduce(hass: HomeAssistant, wish: Wish, states: list[State]) -> None:
    """Bring entities to these states, as a scene does."""
    await _tell(wish, async_reproduce_state(hass, states, context=Context()))
    if wish.outcome is Outcome.OK:
        wish.outcome = Outcome.QUIET
    else:
        # What the one entity refuses keeps no other from its state.
        wish.outcome = Outcome.FAILED


async def update(hass: HomeAssistant, wish: Wish, entity_id: str) -> None:
    """Let Home Assistant update an entity, as its action homeassistant.update_entity does."""
    await _tell(wish, async_update_entity(hass, entity_id))


async def _tell(wish: Wish, work: Coroutine[Any, Any, Any]) -> None:
    try:
        response = await work
    except Exception as error:  # noqa: BLE001 - the judge looks at what it is
        refuse(wish, error)
    else:
        wish.response = response or {}
        wish.outcome = Outcome.OK


def refuse(wish: Wish, error: Exception) -> None:
    """Note what the owner was told by an error."""
    wish.error = f"{type(error).__name__}: {error}"
    key = error.translation_key if isinstance(error, HomeAssistantError) else None
    wish.is_cut_off = key == "ended_with_the_integration"
    wish.is_written = key in WRITTEN
    if key == "superseded":
        wish.outcome = Outcome.SUPERSEDED
    elif isinstance(error, ServiceValidationError) or key in NOTHING_DONE:
        wish.outcome = Outcome.REFUSED
    else:
        wish.outcome = Outcome.FAILED


class Windows:
    """The windows of one flow, filled in one after the other."""

    def __init__(
        self, manager: Any, on_submit: Callable[[str, Mapping[str, Any]], None] | None = None
    ) -> None:
        """Walk through the windows of this manager; `on_submit` is told the step and what is sent."""
        self._manager = manager
        self._on_submit = on_submit or (lambda _step, _values: None)
        self.submitted: dict[str, Any] = {}
        self.changed: dict[str, Any] = {}
        """What was filled in otherwise than the window showed it."""

    async def walk(
        self,
        answers: Mapping[str, Any],
        begin: tuple[tuple[Any, ...], dict[str, Any]],
        *,
        choice: int = 0,
        pause: float = 0,
    ) -> str:
        """Fill in what is asked for and leave the rest; return the outcome.

        "saved", "abort REASON", or "STEP ERROR" of a window that came back, which is closed then.
        `choice` is the place in menus; `pause` (s) passes before each window is submitted.
        """
        arguments, more = begin
        result = await self._manager.async_init(*arguments, **more)
        seen: set[str] = set()
        for _ in range(MOST_WINDOWS):
            if result["type"] is FlowResultType.CREATE_ENTRY:
                return "saved"
            if result["type"] is FlowResultType.ABORT:
                return f"abort {result['reason']}"
            await asyncio.sleep(pause)
            step = result["step_id"]
            if result["type"] is FlowResultType.MENU:
                options = list(result["menu_options"])
                step, values = "menu", {"next_step_id": options[choice % len(options)]}
            else:
                errors = result["errors"] or {}
                if errors or step in seen:
                    self._manager.async_abort(result["flow_id"])
                    return f"{step} {errors}"
                seen.add(step)
                fields = {str(field): field for field in result["data_schema"].schema}
                values = {key: field.default() for key, field in fields.items()}
                values |= {key: answers[key] for key in fields if key in answers}
                self.submitted |= values
                self.changed |= {
                    key: value for key, value in values.items() if value != fields[key].default()
                }
            self._on_submit(step, values)
            try:
                result = await self._manager.async_configure(result["flow_id"], values)
            except UnknownFlow:
                return "abort gone"
        return "endless"


def the_entry(hass: HomeAssistant) -> ConfigEntry[Any] | None:
    """Return the entry of the integration; None where there is none."""
    entries = hass.config_entries.async_entries(DOMAIN)
    return entries[0] if entries else None


def is_loaded(hass: HomeAssistant) -> bool:
    """Tell whether the entry is loaded."""
    entry = the_entry(hass)
    return entry is not None and entry.state is ConfigEntryState.LOADED


def knows_settings(hass: HomeAssistant) -> bool:
    """Tell whether the entry is loaded and has read the settings of the device."""
    entry = the_entry(hass)
    return entry is not None and is_loaded(hass) and entry.runtime_data.coordinator.data.settings is not None
