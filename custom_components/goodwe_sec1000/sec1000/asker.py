"""Who asks the device, as diagnostics name it: a poll, an action, a restore, a form."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_ASKER: Final[ContextVar[str]] = ContextVar("sec1000_asker", default="other")


@contextmanager
def asked_by(name: str) -> Iterator[None]:
    """Let the requests sent within this block, also by tasks begun in it, carry this name."""
    token = _ASKER.set(name)
    try:
        yield
    finally:
        _ASKER.reset(token)


def asker() -> str:
    """Return the name that requests sent now carry."""
    return _ASKER.get()
