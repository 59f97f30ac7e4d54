"""The listening port: one request per connection, read with a bound, answered as it is told.

What a real device does with a second request on one connection is not known (docs/protocol.md,
"Transport"); this one serves the first and closes.
"""

import asyncio
from collections.abc import Callable
import socket
import struct
from typing import Final

from custom_components.goodwe_sec1000.sec1000.frame import LENGTH_SIZE, OVERHEAD, PREFIX_SIZE

from .exchange import Answer, Delivery

type Handler = Callable[[bytes], Answer]

_LARGEST_REQUEST: Final = 64
"""Bytes; the largest known request has 16."""
_MOST_CONNECTIONS: Final = 64
_BACKLOG: Final = 100
_SEGMENT_PAUSE: Final = 0.002
"""s between two segments, so that the peer's kernel does not join them."""
_LINGER_NONE: Final = struct.pack("ii", 1, 0)


class Server:
    """A TCP port that hands each request to a handler and sends what that returns.

    The handler also gets what is no request: the bytes as far as they came. It answers those
    with silence. Closing and opening the port is done at once, without awaiting, so that a fault
    can be injected from plain code.
    """

    def __init__(self, handler: Handler, host: str, port: int) -> None:
        """Serve there; port 0 is any that is free, and stays the same from then on."""
        self.host = host
        self.port = port
        self._handler = handler
        self._listening: socket.socket | None = None
        self._connections: dict[asyncio.Task[None], socket.socket] = {}
        self._changed = asyncio.Event()

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._connections)

    @property
    def is_open(self) -> bool:
        """Whether the port accepts connections."""
        return self._listening is not None

    def open(self) -> None:
        """Listen; raises OSError where the address cannot be had."""
        if self._listening is not None:
            return
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listening.setblocking(False)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self.host, self.port))
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
        self.port = listening.getsockname()[1]
        self._listening = listening
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)
        self._tell_change()

    def close(self) -> None:
        """Refuse new connections; those that are open go on."""
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._listening = None

    async def hang_up(self) -> None:
        """Drop all connections, and return when they are gone."""
        while self._connections:
            self.drop()
            await asyncio.wait(list(self._connections))
            # The tasks' own callbacks, which take them off the list, run after ours.
            await asyncio.sleep(0)

    def drop(self) -> None:
        """Drop all connections, without waiting for their end."""
        for task in self._connections:
            task.cancel()

    async def wait_until_idle(self) -> None:
        """Return when no connection is open."""
        while self._connections:
            await self._changed.wait()

    async def wait_until_open(self) -> None:
        """Return when the port accepts connections."""
        while not self.is_open:
            await self._changed.wait()

    def _tell_change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except OSError:
            # The peer left between the event and the accept.
            return
        connection.setblocking(False)
        if len(self._connections) >= _MOST_CONNECTIONS:
            connection.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(connection), name="sec1000 connection")
        self._connections[task] = connection
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        # Already closed, unless the task was cancelled before its first step.
        self._connections.pop(task).close()
        self._tell_change()
        if not task.cancelled():
            # Raises in the loop's exception handler what must not stay unseen.
            task.result()

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=1024)
        try:
            raw = await _read_request(reader)
            if raw:
                await _deliver(self._handler(raw), reader, writer)
            writer.close()
            await writer.wait_closed()
        except OSError:
            # The peer left; nobody is there to be told.
            pass
        finally:
            writer.transport.abort()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    """Return one request, or, where the bytes cannot be one, what came of them."""
    raw = b""
    while not _complete(raw):
        chunk = await reader.read(_LARGEST_REQUEST - len(raw))
        if not chunk:
            return raw
        raw += chunk
    length = int.from_bytes(raw[:LENGTH_SIZE])
    return raw[: LENGTH_SIZE + length] if _plausible(length) else raw


def _complete(raw: bytes) -> bool:
    if len(raw) < LENGTH_SIZE:
        return False
    length = int.from_bytes(raw[:LENGTH_SIZE])
    return not _plausible(length) or len(raw) >= LENGTH_SIZE + length


def _plausible(length: int) -> bool:
    return OVERHEAD <= length <= _LARGEST_REQUEST - LENGTH_SIZE


async def _deliver(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    match answer.delivery:
        case Delivery.BYTE_BY_BYTE:
            for byte in answer.data:
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(_SEGMENT_PAUSE)
        case Delivery.HALF:
            writer.write(answer.data[: len(answer.data) // 2])
        case Delivery.BEGINNING:
            writer.write(answer.data[:PREFIX_SIZE])
        case Delivery.RESET:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
            writer.transport.abort()
        case Delivery.CLOSE:
            pass
        case Delivery.WHOLE:
            writer.write(answer.data)
        case Delivery.SILENCE:
            await _until_the_peer_leaves(reader)
        case Delivery.HOLD:
            writer.write(answer.data)
            await _until_the_peer_leaves(reader)


async def _until_the_peer_leaves(reader: asyncio.StreamReader) -> None:
    while await reader.read(1024):
        pass
