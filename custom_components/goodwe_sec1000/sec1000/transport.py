"""The line to one device: one request at a time, paced and timed, the urgent ones first."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
import heapq
from itertools import count
import logging
import socket
from typing import Final
from weakref import WeakKeyDictionary

from . import timing as manners
from .command import MAX_ANSWER_SIZE, Command
from .errors import (
    AnswerTimeoutError,
    ConnectionClosedError,
    ConnectionFailedError,
    HostNotFoundError,
    Sec1000Error,
    UnexpectedAnswerError,
)
from .frame import HEAD_SIZE
from .timing import Timing

_LOGGER: Final = logging.getLogger(__name__)

STREAM_LIMIT: Final = 512
"""Bytes; asyncio stops reading from a device that sends twice as much as this unasked."""
EXCHANGES_KEPT: Final = 50
_OK: Final = "ok"
_CANCELLED: Final = "cancelled"


class Priority(IntEnum):
    """Who goes first among those who wait."""

    COMMAND = 0
    POLL = 1


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it, kept for diagnostics."""

    at: datetime
    """When it ended, UTC."""
    command: str
    request: bytes
    answer: bytes
    """All that was received, prefix included; empty where nothing was."""
    outcome: str
    """"ok", "cancelled", or the name of the error."""

    @property
    def failed(self) -> bool:
        """Whether it came to an end, and not to a good one."""
        return self.outcome not in (_OK, _CANCELLED)


class Transport:
    """The only way to the device at one host and port."""

    def __init__(self, host: str, port: int, timing: Timing) -> None:
        self.timing = timing
        self.exchanges: deque[Exchange] = deque(maxlen=EXCHANGES_KEPT)
        self.outcomes: Counter[str] = Counter()
        """How often each outcome came about, since this program was started."""
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
        """Wait for the line and keep it, so that nothing else is said in between.

        Whoever gives `turn` can set an exception on it to call the waiting off.
        """
        turn = turn or asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), turn))
        if not self._busy:
            self._release()
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                # Cancelled in the moment between being given the line and taking it.
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
        """Wait until the device has had its pause since the request before."""
        await asyncio.sleep(self._next_request_at - asyncio.get_running_loop().time())

    async def ask[T](self, command: Command[T], deadline: float) -> T:
        """Send one request over a connection of its own and return its answer."""
        loop = asyncio.get_running_loop()
        await self.ready()
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
                Exchange(datetime.now(UTC), command.name, command.encode(), bytes(answer), outcome)
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
        """Fill in the answer, as far as it comes; every way to fail is a Sec1000Error."""
        try:
            async with asyncio.timeout(deadline):
                reader, writer = await asyncio.open_connection(self._host, self._port, limit=STREAM_LIMIT)
                try:
                    writer.write(command.encode())
                    await writer.drain()
                    await self._receive(command, reader, answer)
                finally:
                    writer.close()
        except TimeoutError as error:
            raise AnswerTimeoutError(f"{command.name}: no whole answer within {deadline:.3g} s") from error
        except asyncio.IncompleteReadError as error:
            answer += error.partial
            raise ConnectionClosedError(f"{command.name}: closed after {len(answer)} bytes") from error
        except ConnectionResetError as error:
            raise ConnectionClosedError(f"{command.name}: connection reset") from error
        except (socket.gaierror, UnicodeError) as error:
            raise HostNotFoundError(f"no address is known for {self._host!r}") from error
        except OSError as error:
            raise ConnectionFailedError(f"{command.name}: {error.strerror or error}") from error

    async def _receive(
        self, command: Command[object], reader: asyncio.StreamReader, answer: bytearray
    ) -> None:
        answer += await reader.readexactly(HEAD_SIZE)
        try:
            rest = command.check_head(bytes(answer))
        except UnexpectedAnswerError:
            # The answer is lost already; its rest tells what it was instead.
            try:
                async with asyncio.timeout(self.timing.malformed_answer_drain):
                    answer += await reader.read(MAX_ANSWER_SIZE)
            except TimeoutError, OSError:
                pass
            return
        answer += await reader.readexactly(rest)


class Transaction:
    """The line while it is held: what is asked here is asked without anybody in between."""

    def __init__(self, line: Transport) -> None:
        self._line = line

    @property
    def timing(self) -> Timing:
        """The manners of the line."""
        return self._line.timing

    async def ready(self) -> None:
        """Wait until a request would be sent at once."""
        await self._line.ready()

    async def ask[T](self, command: Command[T], deadline: float | None = None) -> T:
        """Send one request and return its answer, within the deadline (s) if it is the shorter one.

        Raises AnswerTimeoutError, ConnectionFailedError and its kin, and what `Command.read` raises.
        """
        longest = self._line.timing.deadline
        return await self._line.ask(command, longest if deadline is None else min(deadline, longest))


_transports: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], Transport]] = (
    WeakKeyDictionary()
)


def transport_for(host: str, port: int) -> Transport:
    """Return the line to this device: the same one for everybody in this event loop."""
    lines = _transports.setdefault(asyncio.get_running_loop(), {})
    key = (host.casefold(), port)
    if key not in lines:
        lines[key] = Transport(host, port, manners.STANDARD)
    return lines[key]
