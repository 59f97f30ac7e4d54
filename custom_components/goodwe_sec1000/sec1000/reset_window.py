"""A watchdog reset from its call to the end of its 5 s without a limit; a newer command cuts it short."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class ResetWindow:
    """The time from the call of a reset until the limit is being restored."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()
        self._over = False
        self._timeout: asyncio.Timeout | None = None
        self.cut_short_by: str | None = None
        """What cut it short, in words; None where nothing did."""

    def cut_short(self, by: str) -> None:
        """Have the limit restored now; once it is being restored, this changes nothing."""
        if self._over:
            return
        self.cut_short_by = self.cut_short_by or by
        self._ended.set()
        if self._timeout and not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        """End what is done in it after so many seconds, or as soon as it is cut short, by TimeoutError."""
        try:
            async with asyncio.timeout(seconds) as self._timeout:
                yield
        finally:
            self._timeout = None

    async def wait_for(self, earlier: asyncio.Task[object]) -> None:
        """Return when what goes before has ended, or as soon as it is cut short."""
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait({earlier, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()

    async def wait(self, seconds: float) -> None:
        """Return after so many seconds, or as soon as it is cut short."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        self._over = True
