"""Who asks for a command: an automation, a script or a user."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from homeassistant.core import Context, HomeAssistant

_RUNNABLE: Final = ("script", "automation")
"""Of a script that an automation has started, the script is nearer."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who has called a command."""

    context: Context
    name: str | None
    """The entity ID of the automation or script, or else the name of the user; None where it is neither."""


_CALLER: Final[ContextVar[Caller | None]] = ContextVar("sec1000_caller", default=None)


async def async_caller(hass: HomeAssistant, context: Context | None) -> Caller | None:
    """Return who calls in this context now: an automation may run anew before its command has ended."""
    if context is None:
        return None
    for domain in _RUNNABLE:
        for state in hass.states.async_all(domain):
            if state.context.id == context.id:
                return Caller(context, state.entity_id)
    user = await hass.auth.async_get_user(context.user_id) if context.user_id else None
    return Caller(context, user.name if user else None)


@contextmanager
def called_by(caller: Caller | None) -> Iterator[None]:
    """Let the commands called within this block be those of this caller."""
    token = _CALLER.set(caller)
    try:
        yield
    finally:
        _CALLER.reset(token)


def calling() -> Caller | None:
    """Return who called the command of now; None where it is the integration's own."""
    return _CALLER.get()
