"""The 5 s of a watchdog reset in which nothing limits the export; a newer command cuts them short."""

import asyncio
from contextlib import suppress


class ResetWindow:
    """The time between suspending the limit and restoring it."""

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

    async def wait(self, seconds: float) -> None:
        """Return after so many seconds, or as soon as it is cut short."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        self._over = True
