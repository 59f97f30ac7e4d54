"""Virtual time with real sockets: an hour of waiting costs nothing, and not a pause has to be shortened.

Every clock is frozen: the event loop's, time.monotonic, time.time, datetime.now. When the loop has nothing
to do before its next timer, the clocks jump there. All agree, so that Home Assistant's timers,
asyncio.timeout, the device's pacing and the simulator see the same passage of time, in the same order in
every run.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from datetime import timedelta
from math import ceil, inf
import selectors
import time
from types import TracebackType
from typing import Any, Final, Self, cast
from unittest.mock import patch

import freezegun
from freezegun.api import FrozenDateTimeFactory

START: Final = "2026-06-21 00:00:00"
"""UTC; midsummer, midnight."""
RESOLUTION: Final = 1e-6
"""s; the loop's own 1e-9 is lost in a clock that counts from 1970, and a timer never falls due on the dot."""
GRACE: Final = 0.02
"""Real s that bytes on their way are given while a connection is open; most take microseconds."""
THREADS_CHECKED: Final = 0.1
"""Real s between two looks at whether a thread that works for the loop has ended."""

type _Ready = list[tuple[selectors.SelectorKey, int]]


class TimeWarp:
    """While the context lasts, a running event loop moves the time itself.

    Time stands still while anything can still happen now: while a callback is ready, a thread of
    an executor works for the loop, or bytes are on the way through a socket of this loop. Sockets of
    other loops, threads and processes are not known to it.

    To be entered before timers are set and left after they are gone, since the loop's clock jumps at both
    moments: before the fixture `hass`, that is, and after it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, start: str = START) -> None:
        """Prepare to take over the clock of this loop; `start` is in UTC."""
        self._loop = cast(Any, loop)
        self._start = start
        self._selector: selectors.BaseSelector = self._loop._selector
        self._wait: Callable[[float | None], _Ready] = self._selector.select
        self._submit: Callable[..., asyncio.Future[Any]] = loop.run_in_executor
        self._jobs: set[asyncio.Future[Any]] = set()
        self._exit = ExitStack()
        self._factory: FrozenDateTimeFactory
        self._now = 0.0
        self._began = 0.0

    def __enter__(self) -> Self:
        frozen = self._exit.enter_context(freezegun.freeze_time(self._start))
        assert isinstance(frozen, FrozenDateTimeFactory)
        self._factory = frozen
        self._now = self._began = time.monotonic()
        for owner, name, stand_in in (
            (self._loop, "time", lambda: self._now),
            (self._loop, "_clock_resolution", RESOLUTION),
            (self._loop, "slow_callback_duration", inf),
            (self._loop, "run_in_executor", self._run_in_executor),
            (self._selector, "select", self._select),
        ):
            self._exit.enter_context(patch.object(owner, name, stand_in))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exit.close()

    @property
    def passed(self) -> float:
        """Virtual s since it began."""
        return self._now - self._began

    def _run_in_executor[*Ts, T](
        self, executor: Executor | None, work: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        job = self._submit(executor, work, *args)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return job

    def _select(self, timeout: float | None = None) -> _Ready:
        """Return what is ready, as the selector would; instead of sleeping, let the time pass."""
        ready = self._wait(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        while self._jobs and not ready:
            ready = self._wait(THREADS_CHECKED)
        if not ready and self._is_connected():
            ready = self._wait(GRACE)
        if not ready and timeout is None:
            return self._wait(None)
        if not ready and timeout is not None:
            self._move_on(timeout)
        return ready

    def _is_connected(self) -> bool:
        """Tell whether the loop has a connection, or is making one: only there bytes can be on the way."""
        return any(
            fd in self._loop._transports or key.events & selectors.EVENT_WRITE
            for fd, key in self._selector.get_map().items()
        )

    def _move_on(self, seconds: float) -> None:
        # The clocks count in whole microseconds; rounded down to none, they would stand still for ever.
        self._factory.tick(timedelta(microseconds=ceil(seconds * 1e6)))
        self._now = time.monotonic()
