"""A child process of the demo, which logs to a file and never outlives the demo."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
import ctypes
import os
from pathlib import Path
import re
import signal
import sys
from typing import Final, Self

from .errors import DemoError

_STOP_TIMEOUT_S: Final = 60.0
"""Before a process is killed; Home Assistant writes its history while it stops."""
_LOG_LINES: Final = 25
_POLL_INTERVAL_S: Final = 0.05
_PR_SET_PDEATHSIG: Final = 1


class ChildExitedError(DemoError):
    """A process exited unexpectedly."""


class Child:
    """A process that runs inside its context."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        restarts_on: int | None = None,
    ) -> None:
        """Run a command in a folder, again whenever it exits with the status `restarts_on`.

        `environment` extends that of the demo.
        """
        self.name = name
        self._command = command
        self._log = log
        self._folder = folder
        self._environment = {**os.environ, **(environment or {})}
        self._restarts_on = restarts_on
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._log.write_bytes(b"")
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if (process := self._process) is None:
            return
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(_STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                print(f"{self.name} did not stop within {_STOP_TIMEOUT_S:.0f} s and is killed.", flush=True)
        self.kill()
        await process.wait()

    def kill(self) -> None:
        """Kill the process and its own children."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def watch(self) -> None:
        """Raise ChildExitedError, with the end of the log, once the process exits unexpectedly."""
        while self._process is not None:
            status = await self._process.wait()
            if status != self._restarts_on:
                raise ChildExitedError(
                    f"{self.name} exited unexpectedly ({_describe_exit(status)}). {self.end_of_log()}"
                )
            await self._start()

    async def wait_for_line(self, pattern: str) -> re.Match[str]:
        """Return the first match in the log; the caller sets the timeout."""
        while True:
            if match := re.search(pattern, self._text(), re.MULTILINE):
                return match
            await asyncio.sleep(_POLL_INTERVAL_S)

    async def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=self._environment,
                # Only the demo receives Ctrl-C; it stops its processes one after the other.
                start_new_session=True,
                preexec_fn=dies_with_parent(),
            )

    def _text(self) -> str:
        return self._log.read_text(errors="replace")

    def end_of_log(self) -> str:
        """Return the last lines of the log and its path."""
        lines = self._text().splitlines()[-_LOG_LINES:]
        if not lines:
            return f"Its log {self._log} is empty."
        return "\n".join([f"The end of its log {self._log}:", *(f"  {line}" for line in lines)])


def _describe_exit(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"


def dies_with_parent() -> Callable[[], None] | None:
    """Return a function that makes Linux terminate a child process when its parent dies."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
