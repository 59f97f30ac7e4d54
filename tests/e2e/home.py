"""The demo, started like scripts/demo, for the duration of the tests."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
import os
from pathlib import Path
import re
import subprocess
import sys
import time
from typing import Final

from custom_components.goodwe_sec1000.const import DOMAIN
from demo.child import dies_with_parent
from demo.home_assistant_api import HomeAssistantApi
from demo.options import CHECKOUT, DEFAULT_DEVICE_PORT
from demo.ports import LOOPBACK
from tests.ports import reserved_port, withheld_port

from .device import SimulatedDevice

NAME: Final = "SEC1000"
_START_TIMEOUT_S: Final = 240.0
_STOP_TIMEOUT_S: Final = 120.0
_POLL_S: Final = 0.1
_BEGIN_OF_RECORD: Final = re.compile(r"^(?=\d{4}-\d\d-\d\d )", re.MULTILINE)
_REFUSED: Final = "Error during service call"
"""How Home Assistant logs an error that it has shown in the browser."""


class Home:
    """The Home Assistant and the simulated device of a running demo."""

    def __init__(self, folder: Path, port: int, device: SimulatedDevice) -> None:
        self.address = f"http://{LOOPBACK}:{port}"
        self.port = port
        self.device = device
        self._log = folder / "simulator" / "home-assistant.log"
        self._log_read = 0

    def ask[T](self, question: Callable[[HomeAssistantApi], Awaitable[T]]) -> T:
        """Log in and return the answer of the API.

        This takes another thread, because Playwright keeps the event loop of this one running.
        """

        async def run() -> T:
            async with HomeAssistantApi(self.address) as api:
                await api.log_in()
                return await question(api)

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(run())).result()

    def add_device(self, device: SimulatedDevice) -> None:
        """Add a simulated device with the defaults of the flow."""
        connection = {"name": NAME, "host": LOOPBACK, "port": device.port}
        self.ask(lambda api: api.add_entry(DOMAIN, {"user": connection}))

    def remove_devices(self) -> None:
        """Remove all entries of the integration."""

        async def remove_all(api: HomeAssistantApi) -> None:
            for entry in await api.entries(DOMAIN):
                await api.remove_entry(entry["entry_id"])

        self.ask(remove_all)

    def new_errors(self) -> list[str]:
        """Return errors of the integration logged since the last call.

        Other errors are ignored: Home Assistant logs one if a browser window closes during a message.
        """
        text = self._log.read_text()[self._log_read :]
        self._log_read += len(text)
        return [
            record
            for record in re.split(_BEGIN_OF_RECORD, text)
            if DOMAIN in record and _REFUSED not in record and (" ERROR " in record or "Traceback" in record)
        ]


@contextmanager
def running_demo(folder: Path, *arguments: str, time_zone: str = "Europe/Prague") -> Iterator[Home]:
    """Run the demo in a folder on free ports, with further arguments."""
    log = folder / "demo.log"
    environment = {**os.environ, "DEMO_TIME_ZONE": time_zone}
    with (
        log.open("wb") as output,
        reserved_port() as port,
        # Other demos on this computer look for it, and this device must not use it.
        withheld_port(DEFAULT_DEVICE_PORT),
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "demo.run", "--folder", str(folder), "--port", str(port), *arguments],
            cwd=CHECKOUT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=dies_with_parent(),  # noqa: PLW1509 - it only asks the system for a signal
        ) as demo,
    ):
        try:
            yield Home(folder, port, _device(demo, log))
        finally:
            demo.terminate()
            try:
                demo.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                demo.kill()


def _device(demo: subprocess.Popen[bytes], log: Path) -> SimulatedDevice:
    """Wait until the demo is ready, and return its device."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while "Ctrl-C ends it" not in (text := log.read_text()):
        assert demo.poll() is None, text
        assert time.monotonic() < deadline, text
        time.sleep(_POLL_S)
    address = re.search(r":(\d+), control port (\d+)", text)
    assert address, text
    return SimulatedDevice(int(address[1]), int(address[2]))
