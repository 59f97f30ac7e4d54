"""What should hold while the limit may be off, and from when on a read-back proves that it does."""

import asyncio

from .errors import RestorePendingError
from .model import ExportTarget


class PendingTarget:
    """What the device should hold again: from before its limit is taken off until a read-back proves it.

    This one lives in memory. A subclass keeps it where it outlives the program.
    """

    def __init__(self) -> None:
        self._target: ExportTarget | None = None
        self._provable_from = 0.0

    @property
    def provable_from(self) -> float:
        """From when on (s, the event loop's clock) a read can prove that the limit is back."""
        return self._provable_from

    @provable_from.setter
    def provable_from(self, moment: float) -> None:
        self._provable_from = moment

    @property
    def target(self) -> ExportTarget | None:
        """What should hold; None where nothing was taken off, or all is back."""
        return self._target

    def check_free(self) -> None:
        """Raise RestorePendingError where something is to be restored already."""
        if self.target:
            raise RestorePendingError("the limit is suspended and not restored yet")

    async def save(self, target: ExportTarget) -> None:
        """Make this what should hold; to be awaited before a limiting mode is taken off.

        Raises Sec1000Error where it cannot be kept: then the limit must not be taken off.
        """
        self._target = target

    async def replace(self, target: ExportTarget) -> None:
        """Make this what should hold in place of what is pending; the limit is off already."""
        self._target = target

    async def clear(self) -> None:
        """Forget it: a read-back has proven that the device limits the export."""
        self._target = None
        self._provable_from = 0.0

    def distrust_until(self, moment: float) -> None:
        """Let no read before this moment (s, the event loop's clock) prove that the limit is back.

        An "off" that was not answered, or was sent just before, may take effect late.
        """
        self.provable_from = max(self.provable_from, moment)

    def is_proven_at(self, moment: float) -> bool:
        """Return whether a read of that moment (s, the event loop's clock) can prove it."""
        return moment >= self.provable_from

    async def wait_until_provable(self) -> None:
        """Return when a read that begins now can prove it."""
        await asyncio.sleep(self.provable_from - asyncio.get_running_loop().time())
