"""Transport to one device: one request at a time, with pacing and a deadline."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
import logging
import os
from typing import Any, Final, Protocol, cast

from .asker import asker
from .command import MAX_ANSWER_SIZE, READ_EXPORT_SETTINGS, Command
from .errors import (
    AnswerTimeoutError,
    ConnectionClosedError,
    ConnectionFailedError,
    ConnectTimeoutError,
    Sec1000Error,
    UnexpectedAnswerError,
)
from .frame import HEAD_SIZE
from .stats import RequestStats
from .timing import Timing
from .turns import Turns

_LOGGER: Final = logging.getLogger(__name__)

STREAM_LIMIT: Final = 512
"""Bytes of the stream's buffer; asyncio pauses reading at twice as many."""
EXCHANGES_KEPT: Final = 50
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
class Reading[T]:
    """How a read ended."""

    number: int
    """Of the request; later ones have greater numbers."""
    at: float
    """When it was sent (s, the event loop's clock)."""
    _value: T | None = None
    error: Sec1000Error | None = None

    @property
    def value(self) -> T:
        """What was read; where there is no error."""
        return cast(T, self._value)


class Route(Protocol):
    """The way to a device."""

    @property
    def host(self) -> str:
        """The host, as it was entered."""

    @property
    def port(self) -> int:
        """The port."""

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection; raises HostNotFoundError and OSError."""


class Transport:
    """Sends every request to one device, one after another."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.exchanges: deque[Exchange] = deque(maxlen=EXCHANGES_KEPT)
        self.outcomes: Counter[str] = Counter()
        """Number of requests by outcome, since the program started."""
        self.turns: Final = Turns(lambda: self.timing)
        self.requests = 0
        """Sent so far."""
        self._next_request_at = 0.0
        self._readings: dict[str, Reading[Any]] = {}
        """By the name of the request."""

    def last_reading(self, name: str) -> Reading[Any] | None:
        """Return how the last request of this name ended; None where a write has made it obsolete."""
        return self._readings.get(name)

    def forget(self, command: Command[Any]) -> None:
        """Let no answer from before serve anybody who asks for the same."""
        self._readings.pop(command.name, None)

    async def ready(self) -> None:
        """Wait until the pause since the previous request has passed."""
        await asyncio.sleep(self._next_request_at - asyncio.get_running_loop().time())

    async def ask[T](self, command: Command[T], route: Route, deadline: float) -> Reading[T]:
        """Send one request over its own connection and return the decoded answer."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.turns.spend()
        self.requests += 1
        answer = bytearray()
        outcome = _CANCELLED
        try:
            await self._exchange(command, route, answer, deadline)
            reading = Reading(self.requests, began, command.read(bytes(answer)))
            outcome = _OK
        except Sec1000Error as error:
            outcome = type(error).__name__
            self._readings[command.name] = Reading(self.requests, began, error=error)
            raise
        else:
            self._readings[command.name] = reading
            return reading
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
                route.host,
                route.port,
                command.name,
                command.encode().hex(),
                answer.hex() or "nothing",
                outcome,
            )

    async def _exchange(
        self, command: Command[object], route: Route, answer: bytearray, deadline: float
    ) -> None:
        """Append what is received to `answer`; every failure raises a Sec1000Error."""
        connected = False
        try:
            async with asyncio.timeout(deadline):
                reader, writer = await route.connect()
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
        except OSError as error:
            # After the connection was made, the request may have arrived.
            kind = ConnectionClosedError if connected else ConnectionFailedError
            # The text of asyncio's own errors names the address.
            why = os.strerror(error.errno) if error.errno else "no address accepts a connection"
            raise kind(f"{command.name}: {why}") from error

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

    def __init__(self, transport: Transport, route: Route, stats: RequestStats) -> None:
        self._transport = transport
        self._route = route
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
        return (await self.read(lambda: command, deadline)).value

    async def read[T](self, command: Callable[[], Command[T]], deadline: float | None = None) -> Reading[T]:
        """Send one request, made at that moment, and return how it ended; raises as `ask`."""
        await self.ready()
        return await self._send(command(), deadline, self.timing.deadline)

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
        return (await self._send(command, deadline, self.timing.write_deadline)).value

    async def _send[T](self, command: Command[T], deadline: float | None, longest: float) -> Reading[T]:
        self._stats.requests += 1
        deadline = longest if deadline is None else min(deadline, longest)
        return await self._transport.ask(command, self._route, deadline)
