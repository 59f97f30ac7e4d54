"""The control port: another process controls a running simulator and reads its true state."""

import asyncio
import json
from typing import Final

from .commands import Json, prepare
from .simulator import Simulator

HOST: Final = "127.0.0.1"
"""Loopback only: the port needs no authentication."""


class Control:
    """A port on loopback that receives one JSON object per line and answers each with one line."""

    def __init__(self, simulator: Simulator) -> None:
        """Control this simulator."""
        self._simulator = simulator
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> int:
        """Listen on a port (0: any free one) and return it; raises OSError if it is not available."""
        self._server = await asyncio.start_server(self._accept, HOST, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Close the port and all connections to it."""
        if self._server is None:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server.abort_clients()
        await self._server.wait_closed()
        self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="simulator control")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except OSError, ValueError:
            # The client disconnected, or sent a line that is too long: there is no next line.
            pass
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Json]:
        try:
            request: Json = json.loads(line)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            return {"ok": False, "error": "a line has to be one JSON object"}
        try:
            return {"ok": True, **await prepare(request)(self._simulator)}
        except ValueError as error:
            return {"ok": False, "error": str(error)}
