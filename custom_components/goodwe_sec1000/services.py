"""The actions: their schemas, permissions, and the device each call is for."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
import re
from typing import Final

from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, Platform
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import ServiceValidationError, TemplateError, Unauthorized, UnknownUser
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.helpers.template import Template, is_template_string
from homeassistant.helpers.typing import UNDEFINED
from homeassistant.util import slugify
import voluptuous as vol

from .const import DOMAIN, LOGGER
from .control.actions import ExportControl
from .control.runner import Outcome
from .data import Sec1000ConfigEntry
from .device import device_name, name_at_setup
from .limit import LimitEnd
from .sec1000.model import kilowatts
from .tracking.caller import async_caller, called_by
from .tracking.limit_test_record import LimitTestRecord

ATTR_LIMIT: Final = "limit"
ATTR_DURATION: Final = "duration"
ATTR_THEN: Final = "then"
ATTR_DEVICE: Final = "device"
"""The name of a device, as automations made for the older integration give it."""

TEMPLATE_TIMEOUT_S: Final = 1.0
"""How long the template of a value may take to render."""
_LONGEST_OLDER_SLUG: Final = 20

_SCHEMA: Final = vol.Schema(
    {vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string, vol.Optional(ATTR_DEVICE): cv.string}
)
# Any limit and duration passes here: one that is none shows in the feedback as well.
_LIMIT_SCHEMA: Final = _SCHEMA.extend({vol.Optional(ATTR_LIMIT): object})
_END: Final = {vol.Optional(ATTR_DURATION): object, vol.Optional(ATTR_THEN): object}

type _Handler = Callable[[ExportControl, ServiceCall], Awaitable[Outcome]]

_HANDLERS: Final[dict[str, tuple[_Handler, vol.Schema]]] = {
    "export_disable": (lambda export, call: export.disable(_end(call)), _SCHEMA.extend(_END)),
    "export_enable": (lambda export, call: export.enable(_end(call)), _SCHEMA.extend(_END)),
    "export_toggle": (lambda export, _call: export.toggle(), _SCHEMA),
    "set_export_limit": (
        lambda export, call: export.set_limit(_value(call, ATTR_LIMIT), _end(call)),
        _LIMIT_SCHEMA.extend(_END),
    ),
    "test_export_limit": (
        lambda export, call: export.test_limit(
            _value(call, ATTR_LIMIT) if ATTR_LIMIT in call.data else UNDEFINED
        ),
        _LIMIT_SCHEMA,
    ),
    "get_export_limit": (lambda export, _call: export.read_limit(), _SCHEMA),
    "set_datetime": (lambda export, _call: export.set_clock(), _SCHEMA),
    "reset_export_watchdog": (lambda export, _call: export.reset_watchdog(), _SCHEMA),
    "set_min_export_limit": (
        lambda export, call: export.set_minimum(_value(call, ATTR_LIMIT)),
        _LIMIT_SCHEMA,
    ),
    "set_max_export_limit": (
        lambda export, call: export.set_maximum(_value(call, ATTR_LIMIT)),
        _LIMIT_SCHEMA,
    ),
}


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions, whether or not a device is set up."""
    for action, (handler, schema) in _HANDLERS.items():
        hass.services.async_register(
            DOMAIN,
            action,
            partial(_handle, handler),
            schema=schema,
            supports_response=SupportsResponse.OPTIONAL,
        )


async def _handle(handler: _Handler, call: ServiceCall) -> ServiceResponse:
    entry = resolve_entry(call.hass, call.data.get(ATTR_CONFIG_ENTRY_ID), call.data.get(ATTR_DEVICE))
    await _check_permission(call, entry)
    with called_by(await async_caller(call.hass, call.context)):
        outcome = await handler(entry.runtime_data.export, call)
    settings = outcome.settings
    temporary = entry.runtime_data.coordinator.data.temporary
    return {
        "feedback": int(outcome.feedback),
        "flags": [*outcome.feedback.flags],
        "message": outcome.message,
        "export_limit": None if settings is None or settings.limit is None else kilowatts(settings.limit),
        "control_mode": settings.mode.key if settings else None,
        "ends": temporary.ends.isoformat(timespec="seconds") if temporary else None,
        "then": kilowatts(temporary.then) if temporary else None,
        **(_found(outcome.limit_test) if outcome.limit_test else {}),
    }


def _found(record: LimitTestRecord) -> dict[str, str | float | None]:
    """Return what a test of the limit has found."""
    return {
        "result": record.finding.result.value,
        **record.attributes,
        "tested_at": record.at.isoformat(timespec="seconds"),
    }


def _end(call: ServiceCall) -> LimitEnd | None:
    """Return when the limit of a call ends by itself; None where the call says nothing of it."""
    if ATTR_DURATION not in call.data and ATTR_THEN not in call.data:
        return None
    # What is empty was meant as something, and is refused.
    return LimitEnd(
        *(_value(call, key) if key in call.data else UNDEFINED for key in (ATTR_DURATION, ATTR_THEN))
    )


def _value(call: ServiceCall, key: str) -> object:
    """Return a value of a call; a template is rendered while the call has its place in the order already."""
    value = call.data.get(key)
    if isinstance(value, str) and is_template_string(value):
        return call.hass.async_create_task(_rendered(call, key, value), f"render the {key} of {call.service}")
    return value


async def _rendered(call: ServiceCall, key: str, value: str) -> str:
    """Return what the template of a value comes to.

    In automations and scripts Home Assistant renders it before the call, on a card it does not. A template
    that cannot be rendered, or takes longer than a second, is refused as no number or duration.
    """
    template = Template(value, call.hass)
    with suppress(TemplateError):
        if not await template.async_render_will_timeout(TEMPLATE_TIMEOUT_S):
            return str(template.async_render(parse_result=False))
        LOGGER.warning("%s: the template of %s takes too long to render", call.service, key)
    return value


async def _check_permission(call: ServiceCall, entry: Sec1000ConfigEntry) -> None:
    """Require permission to control the entry's switch; raises Unauthorized and UnknownUser."""
    if call.context.user_id is None:
        return
    user = await call.hass.auth.async_get_user(call.context.user_id)
    if user is None:
        raise UnknownUser(context=call.context)
    entity_id = er.async_get(call.hass).async_get_entity_id(
        Platform.SWITCH, DOMAIN, f"{entry.entry_id}_export_to_grid"
    )
    if user.is_admin or (entity_id and user.permissions.check_entity(entity_id, POLICY_CONTROL)):
        return
    raise Unauthorized(
        context=call.context, entity_id=entity_id, config_entry_id=entry.entry_id, permission=POLICY_CONTROL
    )


@callback
def resolve_entry(hass: HomeAssistant, entry_id: str | None, device: str | None) -> Sec1000ConfigEntry:
    """Return the enabled entry with this id and with a device of this name, as far as they are given.

    It must be exactly one, and loaded; the ServiceValidationError raised otherwise lists them.
    """
    entries: list[Sec1000ConfigEntry] = hass.config_entries.async_entries(
        DOMAIN, include_ignore=False, include_disabled=False
    )
    # The older integration ignored an empty name.
    device = device.strip() if device else None

    def error(problem: str) -> ServiceValidationError:
        return ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key=problem,
            translation_placeholders={
                "device": device or "",
                "entry_id": entry_id or "",
                "devices": ", ".join(device_name(hass, entry) for entry in entries) or "-",
                "entries": ", ".join(f"{device_name(hass, entry)}: {entry.entry_id}" for entry in entries)
                or "-",
            },
        )

    chosen = entries
    if entry_id is not None:
        chosen = [entry for entry in entries if entry.entry_id == entry_id]
        if not chosen:
            raise error("entry_not_found")
    if device and entries:
        by_name = [entry for entry in entries if device.casefold() in _names(hass, entry)]
        if not by_name:
            raise error("device_not_found")
        chosen = [entry for entry in chosen if entry in by_name]
        if not chosen:
            raise error("device_differs")
    if not chosen:
        raise error("no_entry")
    if len(chosen) > 1:
        raise error("several_devices" if device else "several_entries")
    [entry] = chosen
    if entry.state is not ConfigEntryState.LOADED:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="entry_not_loaded",
            translation_placeholders={"name": device_name(hass, entry)},
        )
    return entry


def _names(hass: HomeAssistant, entry: Sec1000ConfigEntry) -> set[str]:
    """Return the names by which an automation may call a device.

    They are the one it has now, the one entered at setup, and the form of that in entity ids. The older
    integration formed entity ids in another way, where the name is long or has letters other than a to z.
    """
    name = name_at_setup(entry)
    older = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:_LONGEST_OLDER_SLUG]
    return {device_name(hass, entry).casefold(), name.casefold(), slugify(name), older or "device"}
