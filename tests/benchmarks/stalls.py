"""The longest callback of the event loop, which delays everything else."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final


@dataclass(slots=True)
class Stalls:
    """The longest callback since the last `take`."""

    longest: float = 0.0
    """In ms."""
    by: str = field(default="", repr=False)
    """The callback, as asyncio names it."""

    def take(self) -> Stalls:
        """Return the result so far and start again."""
        result = Stalls(self.longest, self.by)
        self.longest, self.by = 0.0, ""
        return result


@contextmanager
def watched_loop() -> Iterator[Stalls]:
    """Measure every callback of all event loops in this process."""
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
