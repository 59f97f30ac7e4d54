"""A while without a limit, which a newer command or the end of the program cuts short."""

import asyncio
from contextlib import suppress


class Interruption:
    """The time between taking the limit off and putting it back."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()
        self.superseded = False
        """Whether a newer command ended it."""

    def end(self, *, superseded: bool) -> None:
        """Have the limit put back now."""
        self.superseded = self.superseded or superseded
        self._ended.set()

    async def last(self, seconds: float) -> None:
        """Return after so many seconds, or as soon as it is ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
