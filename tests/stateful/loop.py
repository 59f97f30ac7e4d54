"""An event loop whose tasks run in an order that a seed decides, and on which a whole program can die.

Callbacks keep their order, as asyncio promises it; a task that is ready may have to wait for others. Work for
threads is done in the loop itself, some turns later: when it ends, a seed decides, too.

What one program started (its tasks, timers, callbacks) bears its `Program` in its context. Once that has
died, nothing of it runs any more, as after a power failure.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from random import Random
from socket import SHUT_RDWR, socket
from typing import Any, Final, cast, override

from tests.virtual_time.timewarp import TimeWarp

MOST_TURNS: Final = 4
"""Turns of the loop that work for threads takes at most, before it begins and before its end is known."""

MOST_TURNS_AT_ONCE: Final = 50_000
MOST_CANCELLATIONS: Final = 100
POSTPONED: Final = 0.3
"""The chance of a task that is ready to go behind all else that is ready."""


class Program:
    """What lives in a loop, together with all that it starts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        """Whether nothing of it runs any more."""
        self.is_buried = False
        """Whether what it left unfinished is being ended."""
        self.context: Final = copy_context()
        self.context.run(_PROGRAM.set, self)


_PROGRAM: Final[ContextVar[Program | None]] = ContextVar("program", default=None)


def running_program() -> Program | None:
    """Return the program whose code runs now; None outside of all."""
    return _PROGRAM.get()


class SeededLoop(asyncio.SelectorEventLoop):
    """Runs ready tasks in the order of a seed, and nothing of the dead."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random: Final = Random(f"loop {seed}")
        self._connecting: Final[list[tuple[Program | None, socket]]] = []
        """Sockets that were connected by a program, some of which no transport has yet."""
        self._ready = _Ready(self.random)

    @override
    def run_in_executor[*Ts, T](
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Do the work in this thread, a few turns from now."""
        future: asyncio.Future[T] = self.create_future()

        def work() -> None:
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - it is the caller's
                failure = error
                self._after_turns(lambda: None if future.done() else future.set_exception(failure))
            else:
                self._after_turns(lambda: None if future.done() else future.set_result(result))

        self._after_turns(work)
        return future

    @override
    async def sock_connect(self, sock: socket, address: Any) -> None:
        """Connect a socket, and keep it for the end of its program."""
        self._connecting.append((running_program(), sock))
        await super().sock_connect(sock, address)

    def _without_transport(self, program: Program) -> Iterator[socket]:
        """Give what a program has connected, or is connecting, and has given to no transport yet."""
        self._connecting[:] = [each for each in self._connecting if each[1].fileno() != -1]
        transports = cast(Any, self)._transports

        def has_transport(sock: socket) -> bool:
            # That of an older socket with the same number may still be there.
            transport = transports.get(sock.fileno())
            return transport is not None and not transport.is_closing()

        return (sock for of, sock in self._connecting if of is program and not has_transport(sock))

    def _after_turns(self, callback: Callable[[], object]) -> None:
        turns = self.random.randrange(MOST_TURNS)

        def turn(left: int) -> None:
            if left:
                self.call_soon(turn, left - 1)
            else:
                callback()

        self.call_soon(turn, turns)

    def tasks_of(self, program: Program) -> list[asyncio.Task[Any]]:
        """Return the tasks of a program that are not done, in no order."""
        return [task for task in asyncio.all_tasks(self) if _of(task.get_context()) is program]

    def timers_of(self, program: Program) -> list[asyncio.TimerHandle]:
        """Return the timers of a program that are still to go off."""
        scheduled: list[asyncio.TimerHandle] = cast(Any, self)._scheduled
        return [timer for timer in scheduled if not timer.cancelled() and _of(_context(timer)) is program]

    def disconnect(self, program: Program, ports: Collection[int]) -> None:
        """Close what a program has connected to these ports, as the kernel does when a process ends."""
        everything = cast(Any, self)
        for transport in list(everything._transports.values()):
            if (transport.get_extra_info("peername") or ("", 0))[1] in ports:
                transport.abort()
        for sock in self._without_transport(program):
            everything._remove_reader(sock.fileno())
            everything._remove_writer(sock.fileno())
            with suppress(OSError):
                sock.shutdown(SHUT_RDWR)

    def tasks_in_words(self) -> str:
        """Return where each task is."""
        return "; ".join(
            f"{task.get_name()} {[f'{frame.f_code.co_name}:{frame.f_lineno}' for frame in task.get_stack()]}"
            for task in asyncio.all_tasks(self)
        )

    async def bury(self, program: Program) -> None:
        """End what a dead program left unfinished, without letting it go on.

        To be called when nothing can be harmed any more: what is cancelled may run to its `finally`.
        """
        for timer in self.timers_of(program):
            timer.cancel()
        program.is_dead = False
        self._ready.extend(self._ready.parked(program))
        await self._cancel(lambda: self.tasks_of(program))
        for sock in self._without_transport(program):
            sock.close()
        for timer in self.timers_of(program):
            timer.cancel()

    async def end_all(self) -> None:
        """Cancel all tasks but the one that calls, and close what is connected."""
        current = asyncio.current_task()
        await self._cancel(lambda: [task for task in asyncio.all_tasks() if task is not current])
        for transport in list(cast(Any, self)._transports.values()):
            transport.abort()
        for _ in range(MOST_TURNS):
            await asyncio.sleep(0)
        await self.shutdown_asyncgens()

    async def _cancel(self, find: Callable[[], list[asyncio.Task[Any]]]) -> None:
        for _ in range(MOST_CANCELLATIONS):
            if not (tasks := find()):
                return
            for task in tasks:
                task.cancel()
            for _ in range(MOST_TURNS):
                await asyncio.sleep(0)
        raise RuntimeError(f"these tasks do not end: {[_where(task) for task in find()]}")


class _Ready(deque[asyncio.Handle]):
    """The queue of what is ready, from which the loop takes the next."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._parked: list[asyncio.Handle] = []

    @override
    def popleft(self) -> asyncio.Handle:
        handle = super().popleft()
        # A task may come later than it would, never earlier: callbacks go before the tasks that they serve.
        while self and _is_task(handle) and self._random.random() < POSTPONED:
            self.append(handle)
            handle = super().popleft()
        program = _of(_context(handle))
        if program is not None and program.is_dead and not _is_kernels(handle):
            self._parked.append(handle)
            return _NOTHING
        return handle

    def parked(self, program: Program) -> Iterator[asyncio.Handle]:
        """Give back the steps and ends of tasks that the program would have seen; forget all else."""
        parked, self._parked = self._parked, []
        for handle in parked:
            if _of(_context(handle)) is not program:
                self._parked.append(handle)
            elif _is_task(handle) or _is_end(handle):
                yield handle


def _where(task: asyncio.Task[Any]) -> str:
    """Return which coroutines a task is in, the innermost last."""
    places: list[str] = []
    inner: Any = task.get_coro()
    while inner is not None:
        code = getattr(inner, "cr_code", None)
        line = getattr(getattr(inner, "cr_frame", None), "f_lineno", "")
        places.append(f"{code.co_qualname}:{line}" if code else repr(inner))
        inner = getattr(inner, "cr_await", None)
    return f"{task.get_name()}: {' > '.join(places)}"


def _of(context: Context) -> Program | None:
    return context.get(_PROGRAM)


def _context(handle: asyncio.Handle) -> Context:
    context: Context = cast(Any, handle)._context
    return context


def _is_task(handle: asyncio.Handle) -> bool:
    """Tell whether this is the next step of a task."""
    return isinstance(getattr(cast(Any, handle)._callback, "__self__", None), asyncio.Task)


def _is_end(handle: asyncio.Handle) -> bool:
    """Tell whether this is told that a task or another future is done."""
    arguments = cast(Any, handle)._args
    return bool(arguments) and isinstance(arguments[0], asyncio.Future)


def _is_kernels(handle: asyncio.Handle) -> bool:
    """Tell whether this closes a socket, which needs no program that lives."""
    return isinstance(getattr(cast(Any, handle)._callback, "__self__", None), asyncio.BaseTransport)


class _Nothing(asyncio.Handle):
    """A callback that is cancelled already."""

    def __init__(self) -> None:
        self._cancelled = True


_NOTHING: Final = _Nothing()


class SeededWarp(TimeWarp):
    """Virtual time in which work for threads is the loop's own affair."""

    _turns = 0
    """Since the time moved last."""

    @override
    def _select(self, timeout: float | None = None) -> Any:
        self._turns += 1
        if self._turns > MOST_TURNS_AT_ONCE or timeout is None:
            raise RuntimeError(f"the time stands still: {self._loop.tasks_in_words()}")
        return super()._select(timeout)

    @override
    def _move_on(self, seconds: float) -> None:
        self._turns = 0
        super()._move_on(seconds)

    @override
    def _run_in_executor[*Ts, T](
        self, executor: Executor | None, work: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        return self._submit(executor, work, *args)
