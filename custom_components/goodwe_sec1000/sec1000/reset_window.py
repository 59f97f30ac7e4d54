"""A while without a limit, which a newer command or the end of the program cuts short."""

import asyncio
from contextlib import suppress


class ResetWindow:
    """The time between taking the limit off and putting it back."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()
        self._over = False
        self.cut_short_by: str | None = None
        """What cut it short, in words; None where nothing did."""

    def end(self, by: str) -> None:
        """Have the limit put back now; once it is being put back, this changes nothing."""
        if not self._over:
            self.cut_short_by = self.cut_short_by or by
            self._ended.set()

    async def last(self, seconds: float) -> None:
        """Return after so many seconds, or as soon as it is ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        self._over = True
