"""The listening port: one request of limited size per connection, answered as the handler decides.

How a real device treats a second request on the same connection is unknown (docs/protocol.md,
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

_MAX_REQUEST_BYTES: Final = 64
"""The largest known request has 16."""
_MAX_CONNECTIONS: Final = 64
_BACKLOG: Final = 100
_SEGMENT_PAUSE_S: Final = 0.002
"""Between two segments, so that the client's kernel does not join them."""
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class Server:
    """A TCP port that passes each request to a handler and sends the answer that it returns.

    The handler also receives bytes that are not a request. open() and close() act at once, without
    awaiting, so that synchronous code can inject a fault.
    """

    def __init__(
        self, handler: Handler, host: str, port: int, latency: Callable[[], float] | None = None
    ) -> None:
        """Serve on this address; port 0 picks a free one, which is kept from then on.

        `latency` returns seconds; they pass before each request is handled, and anew before its answer.
        """
        self.host = host
        self.port = port
        self._handler = handler
        self._latency = latency
        self._listening: socket.socket | None = None
        self._connections: dict[asyncio.Task[None], socket.socket] = {}
        self._changed = asyncio.Event()

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._connections)

    @property
    def is_open(self) -> bool:
        """Whether the port accepts connections."""
        return self._listening is not None

    def open(self) -> None:
        """Listen; raises OSError if the address is not available."""
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
        self._notify_change()

    def close(self) -> None:
        """Refuse new connections; open ones continue."""
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._listening = None

    async def disconnect_all(self) -> None:
        """Close all connections and wait until they are closed."""
        while self._connections:
            self.drop()
            await asyncio.wait(list(self._connections))
            # The done callbacks, which remove the tasks from the list, run after this one.
            await asyncio.sleep(0)

    def drop(self) -> None:
        """Close all connections without waiting for it."""
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

    def _notify_change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except OSError:
            # The client disconnected between the event and the accept.
            return
        connection.setblocking(False)
        if len(self._connections) >= _MAX_CONNECTIONS:
            connection.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(connection), name="sec1000 connection")
        self._connections[task] = connection
        task.add_done_callback(self._on_closed)

    def _on_closed(self, task: asyncio.Task[None]) -> None:
        # Already closed, unless the task was cancelled before its first step.
        self._connections.pop(task).close()
        self._notify_change()
        if not task.cancelled():
            # An unexpected error is raised into the event loop's exception handler.
            task.result()

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=1024)
        try:
            raw = await _read_request(reader)
            if raw:
                await self._delay()
                answer = self._handler(raw)
                await self._delay()
                if answer.delay:
                    await asyncio.sleep(answer.delay)
                await _deliver(answer, reader, writer)
            writer.close()
            await writer.wait_closed()
        except OSError:
            # The client disconnected.
            pass
        finally:
            writer.transport.abort()

    async def _delay(self) -> None:
        if self._latency is not None:
            await asyncio.sleep(self._latency())


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    """Return one request, or the bytes received so far if they cannot be one."""
    raw = b""
    while not _complete(raw):
        chunk = await reader.read(_MAX_REQUEST_BYTES - len(raw))
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
    return OVERHEAD <= length <= _MAX_REQUEST_BYTES - LENGTH_SIZE


async def _deliver(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    match answer.delivery:
        case Delivery.BYTE_BY_BYTE:
            for byte in answer.data:
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(_SEGMENT_PAUSE_S)
        case Delivery.HALF:
            writer.write(answer.data[: len(answer.data) // 2])
        case Delivery.BEGINNING:
            writer.write(answer.data[:PREFIX_SIZE])
        case Delivery.RESET:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            writer.transport.abort()
        case Delivery.CLOSE:
            pass
        case Delivery.WHOLE:
            writer.write(answer.data)
        case Delivery.SILENCE:
            await _wait_for_disconnect(reader)
        case Delivery.HOLD:
            writer.write(answer.data)
            await _wait_for_disconnect(reader)


async def _wait_for_disconnect(reader: asyncio.StreamReader) -> None:
    while await reader.read(1024):
        pass
