"""A watchdog reset from its call to the end of its 5 s without a limit; a newer command cuts it short."""

import asyncio
from contextlib import suppress


class ResetWindow:
    """The time from the call of a reset until the limit is being restored."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()
        self._over = False
        self.cut_short_by: str | None = None
        """What cut it short, in words; None where nothing did."""

    def cut_short(self, by: str) -> None:
        """Have the limit restored now; once it is being restored, this changes nothing."""
        if not self._over:
            self.cut_short_by = self.cut_short_by or by
            self._ended.set()

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
