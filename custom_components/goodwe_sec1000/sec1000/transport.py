"""Transport to one device: one request at a time, with pacing, a deadline and priorities."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
import heapq
from itertools import count
import logging
import socket
from typing import Final
from weakref import WeakKeyDictionary

from . import timing
from .asker import asker
from .command import MAX_ANSWER_SIZE, Command
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
from .timing import Timing

_LOGGER: Final = logging.getLogger(__name__)

STREAM_LIMIT: Final = 512
"""Bytes of the stream's buffer; asyncio pauses reading at twice as many."""
EXCHANGES_KEPT: Final = 50
_OK: Final = "ok"
_CANCELLED: Final = "cancelled"


class Priority(IntEnum):
    """Order in which waiting transactions start, lowest first."""

    COMMAND = 0
    POLL = 1


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


class Transport:
    """Sends every request to the device at one host and port, one after another."""

    def __init__(self, host: str, port: int, timing: Timing) -> None:
        self.timing = timing
        self.exchanges: deque[Exchange] = deque(maxlen=EXCHANGES_KEPT)
        self.outcomes: Counter[str] = Counter()
        """Number of requests by outcome, since the program started."""
        self._host = host
        self._port = port
        self._busy = False
        self._waiting: list[tuple[Priority, int, asyncio.Future[None]]] = []
        self._order = count()
        self._next_request_at = 0.0

    @asynccontextmanager
    async def hold(
        self, priority: Priority, turn: asyncio.Future[None] | None = None
    ) -> AsyncIterator[Transaction]:
        """Wait for the transport and keep it for a transaction, which no other request interrupts.

        The caller can set an exception on `turn` to cancel the wait.
        """
        turn = turn or asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), turn))
        if not self._busy:
            self._release()
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                # Cancelled after its turn came and before it could run.
                self._release()
            raise
        try:
            yield Transaction(self)
        finally:
            self._release()

    def _release(self) -> None:
        self._busy = False
        while self._waiting and not self._busy:
            turn = heapq.heappop(self._waiting)[-1]
            if not turn.done():
                turn.set_result(None)
                self._busy = True

    async def ready(self) -> None:
        """Wait until the pause since the previous request has passed."""
        await asyncio.sleep(self._next_request_at - asyncio.get_running_loop().time())

    async def ask[T](self, command: Command[T], deadline: float, *, paced: bool) -> T:
        """Send one request over its own connection and return the decoded answer."""
        loop = asyncio.get_running_loop()
        if paced:
            await self.ready()
        began = loop.time()
        answer = bytearray()
        outcome = _CANCELLED
        try:
            await self._exchange(command, answer, deadline)
            result = command.read(bytes(answer))
            outcome = _OK
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

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

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
        longest = self._transport.timing.deadline
        deadline = longest if deadline is None else min(deadline, longest)
        return await self._transport.ask(command, deadline, paced=True)

    async def write(
        self, command: Command[int], deadline: float | None = None, *, follows: bool = False
    ) -> int:
        """Send one write of a burst and return its status.

        Where it `follows` the write before, no pause is made between them; devices are known to bear
        four in a row. The time limit is that of a write, or `deadline` in seconds where that is less.
        Raises as `ask`.
        """
        longest = self._transport.timing.write_deadline
        deadline = longest if deadline is None else min(deadline, longest)
        return await self._transport.ask(command, deadline, paced=not follows)


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
