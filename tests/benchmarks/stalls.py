"""How long one callback keeps the event loop from everything else."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final


@dataclass(slots=True)
class Stalls:
    """The longest callback of a stretch of time."""

    longest: float = 0.0
    """ms."""
    by: str = field(default="", repr=False)
    """Which it was, as asyncio names it."""

    def take(self) -> Stalls:
        """Return what there was up to here, and begin anew."""
        so_far = Stalls(self.longest, self.by)
        self.longest, self.by = 0.0, ""
        return so_far


@contextmanager
def watched_loop() -> Iterator[Stalls]:
    """Time each callback of every event loop of this process."""
    stalls = Stalls()
    handles: Final[Any] = asyncio.Handle
    run: Final[Callable[[asyncio.Handle], None]] = handles._run

    def timed(handle: asyncio.Handle) -> None:
        callback = getattr(handle, "_callback", None)
        started = perf_counter()
        run(handle)
        taken = (perf_counter() - started) * 1000
        if taken > stalls.longest:
            stalls.longest, stalls.by = taken, repr(getattr(callback, "__self__", callback))

    handles._run = timed
    try:
        yield stalls
    finally:
        handles._run = run
