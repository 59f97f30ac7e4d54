"""Transport to one device: one request at a time, with pacing and a deadline."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
import logging
import socket
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

from . import timing
from .asker import asker
from .command import MAX_ANSWER_SIZE, READ_EXPORT_SETTINGS, Command
from .errors import (
    AnswerTimeoutError,
    ConnectionClosedError,
    ConnectionFailedError,
    ConnectTimeoutError,
    HostNotFoundError,
    Sec1000Error,
    UnexpectedAnswerError,
)
from .frame import HEAD_SIZE
from .stats import RequestStats
from .timing import Timing
from .turns import Priority, Turns

_LOGGER: Final = logging.getLogger(__name__)

STREAM_LIMIT: Final = 512
"""Bytes of the stream's buffer; asyncio pauses reading at twice as many."""
EXCHANGES_KEPT: Final = 50
_POLL_JITTER_S: Final = 1.0
_OK: Final = "ok"
_CANCELLED: Final = "cancelled"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its answer and outcome: what a replay needs (simulator/replay.py)."""

    at: datetime
    """Its end, in UTC."""
    command: str
    request: bytes
    answer: bytes
    """All bytes received, prefix included."""
    outcome: str
    """"ok", "cancelled", or the name of the error."""
    seconds: float = 0.0
    """From the connecting to the end."""
    asked_by: str = "other"
    """Who asked: "poll", "settings", the name of an action, and others."""

    @property
    def failed(self) -> bool:
        """Whether the outcome is an error; a cancelled request has not failed."""
        return self.outcome not in (_OK, _CANCELLED)

    def as_dict(self) -> dict[str, str | float]:
        """Return it as diagnostics and the files of the probe hold it."""
        return {
            "at": self.at.isoformat(),
            "seconds": round(self.seconds, 3),
            "asked_by": self.asked_by,
            "command": self.command,
            "request": self.request.hex(),
            "answer": self.answer.hex(),
            "outcome": self.outcome,
        }


@dataclass(frozen=True, slots=True)
class _Read:
    """How the last read of one kind ended."""

    number: int
    """Of the request."""
    at: float
    answer: object = None
    error: Sec1000Error | None = None


class Transport:
    """Sends every request to the device at one host and port, one after another."""

    def __init__(self, host: str, port: int, timing: Timing) -> None:
        self.timing = timing
        self.exchanges: deque[Exchange] = deque(maxlen=EXCHANGES_KEPT)
        self.outcomes: Counter[str] = Counter()
        """Number of requests by outcome, since the program started."""
        self.turns: Final = Turns(lambda: self.timing)
        self._host = host
        self._port = port
        self._next_request_at = 0.0
        self._requests = 0
        """Sent so far."""
        self._reads: dict[str, _Read] = {}
        """By the name of the request."""

    @asynccontextmanager
    async def hold(
        self, priority: Priority, stats: RequestStats, needs: Callable[[], int] = lambda: 1
    ) -> AsyncIterator[Transaction]:
        """Wait for the turn and keep it for a transaction, which no other request interrupts.

        It comes once the budget has as many requests as `needs` returns then. From there on none waits
        for the budget.
        """
        await self.turns.take(priority, needs, lambda: None)
        stats.is_under_way = True
        try:
            yield Transaction(self, stats)
        finally:
            self.turns.release()

    async def read[T](self, command: Command[T], priority: Priority, stats: RequestStats) -> T:
        """Return the answer to a read; one request serves all that wait for the same.

        Where the last good answer is too recent to ask again, that one is returned. Raises as
        `Transaction.ask`.
        """
        loop = asyncio.get_running_loop()
        before = self._requests
        interval = self.timing.reread_interval
        if priority is Priority.POLL:
            # Polls keep their interval by themselves, to the second as Home Assistant's timers do.
            interval -= _POLL_JITTER_S

        def answer() -> _Read | None:
            read = self._reads.get(command.name)
            if read is None:
                return None
            is_recent = read.error is None and loop.time() - read.at < interval
            return read if is_recent or read.number > before else None

        served = await self.turns.take(priority, lambda: 1, answer)
        stats.is_under_way = True
        if served is None:
            try:
                return await Transaction(self, stats).ask(command)
            except Sec1000Error as error:
                self._reads[command.name] = _Read(self._requests, loop.time(), error=error)
                raise
            finally:
                self.turns.release()
        if served.error:
            raise served.error.with_traceback(None)
        return cast(T, served.answer)

    def forget(self, command: Command[Any]) -> None:
        """Let no answer from before serve anybody who asks for the same."""
        self._reads.pop(command.name, None)

    async def ready(self) -> None:
        """Wait until the pause since the previous request has passed."""
        await asyncio.sleep(self._next_request_at - asyncio.get_running_loop().time())

    async def ask[T](self, command: Command[T], deadline: float) -> T:
        """Send one request over its own connection and return the decoded answer."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.turns.spend()
        self._requests += 1
        answer = bytearray()
        outcome = _CANCELLED
        try:
            await self._exchange(command, answer, deadline)
            result = command.read(bytes(answer))
            outcome = _OK
            self._reads[command.name] = _Read(self._requests, began, result)
        except Sec1000Error as error:
            outcome = type(error).__name__
            raise
        else:
            return result
        finally:
            self._next_request_at = loop.time() + self.timing.pacing
            self.outcomes[outcome] += 1
            self.exchanges.append(
                Exchange(
                    datetime.now(UTC),
                    command.name,
                    command.encode(),
                    bytes(answer),
                    outcome,
                    loop.time() - began,
                    asker(),
                )
            )
            _LOGGER.debug(
                "%s:%s %s: sent %s, received %s: %s",
                self._host,
                self._port,
                command.name,
                command.encode().hex(),
                answer.hex() or "nothing",
                outcome,
            )

    async def _exchange(self, command: Command[object], answer: bytearray, deadline: float) -> None:
        """Append what is received to `answer`; every failure raises a Sec1000Error."""
        connected = False
        try:
            async with asyncio.timeout(deadline):
                reader, writer = await asyncio.open_connection(self._host, self._port, limit=STREAM_LIMIT)
                connected = True
                try:
                    writer.write(command.encode())
                    await writer.drain()
                    await self._receive(command, reader, answer)
                finally:
                    writer.close()
                    with suppress(OSError):
                        # Else asyncio may log what ended the connection as an exception of its own.
                        await writer.wait_closed()
        except TimeoutError as error:
            if not connected:
                raise ConnectTimeoutError(f"{command.name}: no connection within {deadline:.3g} s") from error
            raise AnswerTimeoutError(f"{command.name}: no complete answer within {deadline:.3g} s") from error
        except ConnectionResetError as error:
            raise ConnectionClosedError(f"{command.name}: connection reset") from error
        except (socket.gaierror, ValueError, OverflowError) as error:
            raise HostNotFoundError(f"the host name {self._host!r} could not be resolved") from error
        except OSError as error:
            # After the connection was made, the request may have arrived.
            kind = ConnectionClosedError if connected else ConnectionFailedError
            raise kind(f"{command.name}: {error.strerror or error}") from error

    async def _receive(
        self, command: Command[object], reader: asyncio.StreamReader, answer: bytearray
    ) -> None:
        await _receive_until(HEAD_SIZE, command, reader, answer)
        try:
            rest = command.check_head(bytes(answer))
        except UnexpectedAnswerError:
            # The answer is invalid already; the rest of it is for diagnostics.
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(self.timing.malformed_answer_drain):
                    while len(answer) < MAX_ANSWER_SIZE and (more := await reader.read(MAX_ANSWER_SIZE)):
                        answer += more
            return
        await _receive_until(HEAD_SIZE + rest, command, reader, answer)


async def _receive_until(
    size: int, command: Command[object], reader: asyncio.StreamReader, answer: bytearray
) -> None:
    """Let the answer grow to this size; what came before a failure stays in it, for diagnostics."""
    while len(answer) < size:
        more = await reader.read(size - len(answer))
        if not more:
            raise ConnectionClosedError(f"{command.name}: closed after {len(answer)} bytes")
        answer += more


class Transaction:
    """A sequence of requests to the device that no other request interrupts."""

    def __init__(self, transport: Transport, stats: RequestStats) -> None:
        self._transport = transport
        self._stats = stats

    @property
    def timing(self) -> Timing:
        """Pacing and deadlines of the transport."""
        return self._transport.timing

    async def ready(self) -> None:
        """Wait until a request would be sent without a pause."""
        await self._transport.ready()

    async def ask[T](self, command: Command[T], deadline: float | None = None) -> T:
        """Send one request and return the decoded answer.

        The time limit is `deadline` in seconds, at most that of the transport. Raises
        AnswerTimeoutError, ConnectionFailedError or a subclass, and what `Command.read` raises.
        """
        await self.ready()
        return await self._send(command, deadline, self.timing.deadline)

    async def write(
        self, command: Command[int], deadline: float | None = None, *, follows: bool = False
    ) -> int:
        """Send one write of a burst and return its status.

        Where it `follows` the write before, no pause is made between them; devices are known to bear
        four in a row. The time limit is that of a write, or `deadline` in seconds where that is less.
        Raises as `ask`.
        """
        if not follows:
            await self.ready()
        self._transport.forget(READ_EXPORT_SETTINGS)
        return await self._send(command, deadline, self.timing.write_deadline)

    async def _send[T](self, command: Command[T], deadline: float | None, longest: float) -> T:
        self._stats.requests += 1
        return await self._transport.ask(command, longest if deadline is None else min(deadline, longest))


_transports: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], Transport]] = (
    WeakKeyDictionary()
)


def transport_for(host: str, port: int) -> Transport:
    """Return the transport to this host and port, shared by all callers in this event loop."""
    transports = _transports.setdefault(asyncio.get_running_loop(), {})
    key = (host.casefold(), port)
    if key not in transports:
        transports[key] = Transport(host, port, timing.STANDARD)
    return transports[key]
