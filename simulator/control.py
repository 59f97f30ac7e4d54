"""The control port: how another process sets a running simulator's scene and reads its true state."""

import asyncio
import json
from typing import Final

from .commands import Json, obey
from .simulator import Simulator

HOST: Final = "127.0.0.1"
"""Loopback only: whoever reaches the port rules the simulator."""


class Control:
    """A port on loopback that takes one JSON object a line and answers each with one."""

    def __init__(self, simulator: Simulator) -> None:
        """Rule this simulator."""
        self._simulator = simulator
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> int:
        """Listen there (0: any that is free) and return the port; raises OSError if it cannot be had."""
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
            # The peer left, or sent a line longer than the reader takes: there is no next line.
            pass
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Json]:
        try:
            order: Json = json.loads(line)
        except ValueError:
            return {"ok": False, "error": "a line has to be one JSON object"}
        if not isinstance(order, dict):
            return {"ok": False, "error": "a line has to be one JSON object"}
        try:
            return {"ok": True, **await obey(self._simulator, order)}
        except ValueError as error:
            return {"ok": False, "error": str(error)}
