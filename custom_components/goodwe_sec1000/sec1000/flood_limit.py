"""The flood limit: how often the export limit may be changed.

A device that gets many packets stops answering until it is power-cycled
(docs/protocol.md, "What goes wrong on real devices").
"""

import asyncio

from .timing import Timing


class FloodLimit:
    """Lets a few changes of the limit pass at once, and slows down those that follow."""

    def __init__(self) -> None:
        self._used_up_to = 0.0

    async def wait(self, timing: Timing) -> None:
        """Return as soon as one more change is allowed."""
        # Each change uses up one interval; the burst is how far that may run ahead.
        head_start = (timing.limit_burst - 1) * timing.limit_interval
        wait = self._used_up_to - head_start - asyncio.get_running_loop().time()
        # Without a wait the caller's place at the line is taken at once.
        if wait > 0:
            await asyncio.sleep(wait)

    def count(self, timing: Timing) -> None:
        """Count one change that begins now."""
        now = asyncio.get_running_loop().time()
        self._used_up_to = max(self._used_up_to, now) + timing.limit_interval
