"""The turn and the budget of one device: who goes next, and how many requests it gets.

A device that gets many packets stops answering until it is power-cycled (docs/protocol.md, "Transport"):
everything that goes to it draws on one budget.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
import math
from typing import Final, cast

from .timing import Timing

_EQUAL_S: Final = 1e-5
"""No wait, but rounding."""


class Priority(IntEnum):
    """Order in which those that wait take their turn, lowest first."""

    RESTORE = 0
    """Of a limit that is off."""
    COMMAND = 1
    READ = 2
    """For which a user waits."""
    POLL = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody who waits needs as things are."""

    priority: Priority
    requests: int = 1
    """That are to be there."""
    may_owe: bool = False
    """Whether the budget may be in debt: a limit that is off is brought back."""


@dataclass(eq=False, slots=True)
class _Waiting:
    claim: Callable[[], Claim]
    since: float
    answer: Callable[[], object]
    turn: asyncio.Future[object]


class Turns:
    """Lets one after the other have the device, once the budget has what it needs.

    The budget fills up by one request per refill. Whoever has the turn may spend more than there is: the
    debt delays those who come after.
    """

    def __init__(self, timing: Callable[[], Timing]) -> None:
        """Begin with a full budget; `timing` returns its size and refill."""
        self._timing = timing
        self._level = float(timing().budget)
        self._counted_at: float | None = None
        self._empty_s = 0.0
        self._waiting: list[_Waiting] = []
        self._is_taken = False
        self._was_poll = False
        """Whether the last turn was a poll's."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def level(self) -> float:
        """How many requests the device may get now; below zero is debt."""
        self._count()
        return self._level

    @property
    def empty_s(self) -> float:
        """For how long in all (s) there was not one request left."""
        self._count()
        return self._empty_s

    def spend(self) -> None:
        """Count one request that goes out now."""
        self._count()
        self._level -= 1

    async def take[T](self, claim: Callable[[], Claim], answer: Callable[[], T | None]) -> T | None:
        """Wait for the turn, and return None; `release` ends it.

        `claim` returns what is needed by now. Where `answer` returns something before the turn has come,
        that is returned instead.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(claim, loop.time(), answer, loop.create_future())
        self._waiting.append(waiting)
        self.reconsider()
        try:
            return cast("T | None", await waiting.turn)
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                self.reconsider()
            elif not waiting.turn.cancelled() and waiting.turn.result() is None:
                # Cancelled after its turn came and before it could run.
                self.release()
            raise

    def release(self) -> None:
        """End the turn."""
        self._is_taken = False
        self.reconsider()

    def reconsider(self) -> None:
        """Give the turn to whoever is next, or look again as soon as the budget allows it.

        To be called where what somebody needs who waits has become less.
        """
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._is_taken:
            return
        # Of a caller that was cancelled just now, too, the turn is done.
        self._waiting = [waiting for waiting in self._waiting if not waiting.turn.done()]
        for waiting in tuple(self._waiting):
            if (answer := waiting.answer()) is not None:
                self._end(waiting, answer)
        if not self._waiting:
            return
        first = min(self._waiting, key=self._rank)
        wait = self._wait(first)
        if wait > _EQUAL_S:
            self._timer = asyncio.get_running_loop().call_later(wait, self.reconsider)
            return
        self._is_taken = True
        self._was_poll = first.claim().priority is Priority.POLL
        self._end(first, None)

    def _wait(self, waiting: _Waiting) -> float:
        """Return how long (s) until the budget lets it go."""
        timing, claim = self._timing(), waiting.claim()
        # Else commands that may owe would keep a poll out for ever.
        may_owe = claim.may_owe or (
            self._is_turn_of_poll(waiting) and any(other.claim().may_owe for other in self._waiting)
        )
        wait = (claim.requests - self.level - (timing.restore_debt if may_owe else 0)) * timing.refill
        if claim.priority is Priority.COMMAND:
            patience = waiting.since + timing.command_patience - asyncio.get_running_loop().time()
            return min(wait, max(patience, wait - timing.refill))
        return wait

    def _end(self, waiting: _Waiting, answer: object) -> None:
        self._waiting.remove(waiting)
        waiting.turn.set_result(answer)

    def _rank(self, waiting: _Waiting) -> float:
        """Return the place in the order."""
        if self._is_turn_of_poll(waiting):
            return (Priority.RESTORE + Priority.COMMAND) / 2
        return waiting.claim().priority

    def _is_turn_of_poll(self, waiting: _Waiting) -> bool:
        """Return whether this is a poll whose turn it is: every second is one's.

        Commands go before it for a while.
        """
        if waiting.claim().priority is not Priority.POLL or self._was_poll:
            return False
        waited = asyncio.get_running_loop().time() - waiting.since
        command_waits = any(other.claim().priority is Priority.COMMAND for other in self._waiting)
        return waited >= self._timing().poll_patience or not command_waits

    def _count(self) -> None:
        """Bring the budget up to date."""
        now = asyncio.get_running_loop().time()
        passed = 0.0 if self._counted_at is None else now - self._counted_at
        self._counted_at = now
        timing = self._timing()
        self._empty_s += min(passed, max(1 - self._level, 0) * timing.refill)
        gained = passed / timing.refill if timing.refill else math.inf
        self._level = min(self._level + gained, timing.budget)
