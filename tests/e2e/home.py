"""The demo, started as scripts/demo starts it, for as long as the tests last."""

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
_START: Final = 240.0
_END: Final = 120.0
_LOOK_AGAIN: Final = 0.1
_BEGIN_OF_RECORD: Final = re.compile(r"^(?=\d{4}-\d\d-\d\d )", re.MULTILINE)
_REFUSED: Final = "Error during service call"
"""How Home Assistant logs what it has told the browser already."""


class Home:
    """A Home Assistant with its simulated device, as the demo has started them."""

    def __init__(self, folder: Path, port: int, device: SimulatedDevice) -> None:
        self.address = f"http://{LOOPBACK}:{port}"
        self.port = port
        self.device = device
        self._log = folder / "simulator" / "home-assistant.log"
        self._log_read = 0

    def ask[T](self, question: Callable[[HomeAssistantApi], Awaitable[T]]) -> T:
        """Log in, and return what the API answers.

        In a thread of its own: Playwright keeps this one's event loop running.
        """

        async def asked() -> T:
            async with HomeAssistantApi(self.address) as api:
                await api.log_in()
                return await question(api)

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(asked())).result()

    def add_device(self) -> None:
        """Set the simulated device up, as the windows propose."""
        connection = {"name": NAME, "host": LOOPBACK, "port": self.device.port}
        self.ask(lambda api: api.add_entry(DOMAIN, {"user": connection}))

    def remove_devices(self) -> None:
        """Let no device be set up."""

        async def remove_all(api: HomeAssistantApi) -> None:
            for entry in await api.entries(DOMAIN):
                await api.remove_entry(entry["entry_id"])

        self.ask(remove_all)

    def new_errors(self) -> list[str]:
        """Return what has been logged as an error of the integration since last asked.

        Others' are left out: Home Assistant logs one where a window closes while it is written to.
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
    """Run the demo in a folder until the block ends, on ports that are free, with further arguments."""
    said = folder / "demo.log"
    environment = {**os.environ, "DEMO_TIME_ZONE": time_zone}
    with (
        said.open("wb") as output,
        reserved_port() as port,
        # Other demos on this computer look for it, and the device's port is to be its alone.
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
            yield Home(folder, port, _device(demo, said))
        finally:
            demo.terminate()
            try:
                demo.wait(_END)
            except subprocess.TimeoutExpired:
                demo.kill()


def _device(demo: subprocess.Popen[bytes], said: Path) -> SimulatedDevice:
    """Wait until the demo is ready, and return its device."""
    deadline = time.monotonic() + _START
    while "Ctrl-C ends it" not in (text := said.read_text()):
        assert demo.poll() is None, text
        assert time.monotonic() < deadline, text
        time.sleep(_LOOK_AGAIN)
    address = re.search(r":(\d+), control port (\d+)", text)
    assert address, text
    return SimulatedDevice(int(address[1]), int(address[2]))
