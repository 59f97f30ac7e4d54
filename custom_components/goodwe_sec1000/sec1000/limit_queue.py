"""The gate before every change of the limit: the newest wish waits, and not too many pass.

A device that gets many packets stops answering until somebody power-cycles it
(docs/protocol.md, "What goes wrong on real devices").
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .errors import SupersededError
from .transport import Priority, Transaction, Transport


class LimitQueue:
    """Lets limit commands to the line, one waiting at the most."""

    def __init__(self) -> None:
        self._turn: asyncio.Future[None] | None = None
        self._used_up_to = 0.0

    @asynccontextmanager
    async def hold(self, line: Transport) -> AsyncIterator[Transaction]:
        """Hold the line as soon as the flood limit and the line allow.

        Raises SupersededError as soon as a newer limit command comes while this one waits.
        """
        loop = asyncio.get_running_loop()
        if self._turn and not self._turn.done():
            self._turn.set_exception(SupersededError("a newer limit command took this one's place"))
        turn = self._turn = loop.create_future()
        try:
            # Each change uses up one interval; the burst is how far that may run ahead.
            head_start = (line.timing.limit_burst - 1) * line.timing.limit_interval
            while (wait := self._used_up_to - head_start - loop.time()) > 0:
                await asyncio.wait({turn}, timeout=wait)
                if turn.done():
                    turn.result()
            async with line.hold(Priority.COMMAND, turn) as transaction:
                self._forget(turn)
                self._used_up_to = max(self._used_up_to, loop.time()) + line.timing.limit_interval
                yield transaction
        finally:
            self._forget(turn)

    def _forget(self, turn: asyncio.Future[None]) -> None:
        if self._turn is turn:
            self._turn = None
