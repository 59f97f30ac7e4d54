"""Virtual time with real sockets, so that waiting takes no time and no pause has to be shortened.

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
import fcntl
from math import ceil, inf
import selectors
import struct
import termios
import threading
import time
from types import TracebackType
from typing import Any, Final, Self, cast
from unittest.mock import patch

import freezegun
from freezegun.api import FrozenDateTimeFactory
from homeassistant.util.thread import ThreadWithException

START: Final = "2026-06-21 00:00:00"
"""Midnight at midsummer, in UTC."""
RESOLUTION: Final = 1e-6
"""In seconds; the loop's own 1e-9 is below the precision of a clock that counts from 1970."""
GRACE_S: Final = 0.02
"""Real time for bytes in transit; most take microseconds."""
THREAD_POLL_S: Final = 0.1
"""Real time between two checks of whether an executor job has ended."""
RENDERING_S: Final = 1.0
"""Real time for a template, which a thread outside of the executor renders."""

_COUNT: Final = struct.Struct("i")

type _Ready = list[tuple[selectors.SelectorKey, int]]


class TimeWarp:
    """Within this context, the running event loop advances the time.

    Time stands still while a callback is ready, an executor job of the loop runs, or bytes are in transit
    through a socket of this loop. Sockets of other loops, threads and processes are not considered.

    Enter it before timers are set and leave it after they are gone, since the loop's clock jumps then:
    before the fixture `hass` is set up, and after it is torn down.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        start: str = START,
        *,
        frozen: FrozenDateTimeFactory | None = None,
        grace_s: float = GRACE_S,
    ) -> None:
        """Prepare the context for this loop; `start` is in UTC, `grace_s` in real seconds as GRACE_S.

        Where many loops follow each other, the clocks can be frozen once: `frozen` is moved to the start.
        """
        self._loop = cast(Any, loop)
        self._start = start
        self._frozen = frozen
        self._grace_s = grace_s
        self._selector: selectors.BaseSelector = self._loop._selector
        self._wait: Callable[[float | None], _Ready] = self._selector.select
        self._submit: Callable[..., asyncio.Future[Any]] = loop.run_in_executor
        self._jobs: set[asyncio.Future[Any]] = set()
        self._connections: set[int] = set()
        """That were open when the loop last had nothing to do, by identity."""
        self._exit = ExitStack()
        self._factory: FrozenDateTimeFactory
        self._now = 0.0
        self._began = 0.0

    def __enter__(self) -> Self:
        if self._frozen is None:
            # How long a test takes is real time.
            frozen = self._exit.enter_context(freezegun.freeze_time(self._start, ignore=["_pytest.timing"]))
            assert isinstance(frozen, FrozenDateTimeFactory)
            self._factory = frozen
        else:
            self._factory = self._frozen
            self._factory.move_to(self._start)
        self._now = self._began = time.monotonic()
        for owner, name, stand_in in (
            # All is frozen; to look up the stack who asks takes a fifth of the time.
            (freezegun.api, "call_stack_inspection_limit", 0),
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
        """Virtual seconds since the context was entered."""
        return self._now - self._began

    def _run_in_executor[*Ts, T](
        self, executor: Executor | None, work: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        job = self._submit(executor, work, *args)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return job

    def _select(self, timeout: float | None = None) -> _Ready:
        """Return ready sockets as the selector would, but advance the time instead of sleeping."""
        ready = self._wait(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        while self._jobs and not ready:
            ready = self._wait(THREAD_POLL_S)
        if not ready and any(isinstance(thread, ThreadWithException) for thread in threading.enumerate()):
            # It renders a template, and some of these never end.
            ready = self._wait(RENDERING_S)
        if not ready and self._is_in_transit():
            ready = self._wait(self._grace_s)
        if not ready and timeout is None:
            return self._wait(None)
        if not ready and timeout is not None:
            self._move_on(timeout)
        return ready

    def _is_in_transit(self) -> bool:
        """Return whether bytes of a connection may have been sent and not have arrived, or its end."""
        connections = set(map(id, self._loop._transports.values()))
        has_changed = connections != self._connections
        self._connections = connections
        return has_changed or any(
            key.events & selectors.EVENT_WRITE
            or (key.fd in self._loop._transports and _has_unacknowledged(key.fd))
            for key in self._selector.get_map().values()
        )

    def _move_on(self, seconds: float) -> None:
        # The clocks count in whole microseconds; rounded down to 0, time would stand still for ever.
        self._factory.tick(timedelta(microseconds=ceil(seconds * 1e6)))
        self._now = time.monotonic()


def _has_unacknowledged(fd: int) -> bool:
    """Return whether the other side of this socket may not have received all that was written to it."""
    try:
        (count,) = _COUNT.unpack(fcntl.ioctl(fd, termios.TIOCOUTQ, bytes(_COUNT.size)))
    except OSError:
        # Not every system tells.
        return True
    return bool(count)
