"""Who asks for a command: an automation, a script or a user."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from homeassistant.core import Context, HomeAssistant, callback

_RUNNABLE: Final = ("script", "automation")
"""Of a script that an automation has started, the script is nearer."""
_CONTEXT: Final[ContextVar[Context | None]] = ContextVar("sec1000_caller", default=None)


@contextmanager
def called_in(context: Context | None) -> Iterator[None]:
    """Let the commands called within this block be those of this context."""
    token = _CONTEXT.set(context)
    try:
        yield
    finally:
        _CONTEXT.reset(token)


def calling_context() -> Context | None:
    """Return the context in which the command of now was called; None where it is the integration's own."""
    return _CONTEXT.get()


@callback
def calling_entity(hass: HomeAssistant, context: Context | None) -> str | None:
    """Return the automation or script that runs in a context; None where none does."""
    if context is None:
        return None
    runs = (state for domain in _RUNNABLE for state in hass.states.async_all(domain))
    return next((state.entity_id for state in runs if state.context.id == context.id), None)


async def calling_user(hass: HomeAssistant, context: Context | None) -> str | None:
    """Return the name of the user of a context; None where it has none."""
    if context is None or context.user_id is None:
        return None
    user = await hass.auth.async_get_user(context.user_id)
    return user.name if user else None
