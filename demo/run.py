"""Starts the demo: a simulated device (or a real one), a Home Assistant that has it, and the end of both."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
import signal
import sys
from typing import Final

import aiohttp

from .child import Child
from .device import Device, clock, environment, real_device, simulated_device, simulator_process
from .errors import DemoError, RefusedError
from .folder import Folder
from .home_assistant_api import PASSWORD, USER, HomeAssistantApi
from .options import CHECKOUT, Options, parse
from .past import hour_by_the_clock, past
from .ports import LOOPBACK, port_problem
from .set_up import DASHBOARD, set_up

_RESTART: Final = 100
"""Home Assistant's exit status where it was told to restart."""
_START_TIMEOUT: Final = 300.0
"""s; a first start on a slow computer compiles a lot."""
_SHORTLY_BEFORE_THE_HEATER: Final = 12 + 44 / 60
"""h; with the start of Home Assistant in between, the load steps within a minute of opening the dashboard."""
_MORNING: Final = 7.0
"""h"""
_EXIT_GRACE: Final = 3.0
"""s in which a process that broke a connection by dying is found dead."""


def main() -> int:
    """Return the exit status: 0 ended as asked, 1 something failed, 2 nothing was started."""
    options = parse()
    device = None if options.host is None else f"{options.host}-{options.device_port}"
    folder = Folder(options.folder, device)
    try:
        with folder.kept():
            if reason := port_problem(options.port):
                raise RefusedError(
                    f"Port {options.port} of this computer cannot be used: {reason}. "
                    "Choose another one for Home Assistant with --port."
                )
            folder.prepare(options.port, fresh=options.fresh, past=options.past > 0)
            asyncio.run(Demo(options, folder).run())
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2 if isinstance(error, RefusedError) else 1
    return 0


class Demo:
    """The processes of one demo, from the first one's start to the last one's end."""

    def __init__(self, options: Options, folder: Folder) -> None:
        """Start nothing yet."""
        self._options = options
        self._folder = folder
        self._children: list[Child] = []
        self._stopping = False

    async def run(self) -> None:
        """Run until a signal ends it; raises DemoError where something fails."""
        self._end_on_signals()
        try:
            async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
                await self._start(stack, group)
                await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            _say("The demo has ended.")
        except BaseExceptionGroup as errors:
            raise _first_demo_error(errors) from errors

    def _end_on_signals(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def end() -> None:
            if self._stopping:
                for child in self._children:
                    child.kill()
            elif task is not None:
                self._stopping = True
                _say("Stopping. Home Assistant writes its history first; a second Ctrl-C stops it by force.")
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, end)

    async def _start(self, stack: AsyncExitStack, group: asyncio.TaskGroup) -> None:
        """Start the processes, the device's first: they end in the opposite order."""

        async def started(child: Child) -> Child:
            await stack.enter_async_context(child)
            self._children.append(child)
            group.create_task(child.watch())
            return child

        if self._options.host is None:
            simulator = simulator_process(self._folder, speed=self._options.speed, start=self._beginning())
            device = await simulated_device(await started(simulator))
        else:
            device = real_device(self._options.host, self._options.device_port)
            _say(f"{device.host}:{device.port} is a real device. Setting it up only reads from it.")
        _say("Starting Home Assistant; the first time, this takes a minute.")
        state = await self._set_up(await started(self._home_assistant(device)), device)
        _say(self._ready(device, state))

    def _beginning(self) -> float:
        """Return the hour at which the simulated day begins."""
        if self._options.start is not None:
            return self._options.start
        if self._folder.has_past and self._options.speed == 1:
            return hour_by_the_clock(datetime.now(UTC))
        return _SHORTLY_BEFORE_THE_HEATER if self._options.speed <= 1 else _MORNING

    def _home_assistant(self, device: Device) -> Child:
        config = self._folder.config
        hass = str(CHECKOUT / "demo" / "hass.py")
        command = [sys.executable, hass, "--skip-pip", "--log-no-color", "--config", str(config)]
        log = self._folder.path / "home-assistant.log"
        commands = None if device.control_port is None else environment(device.control_port)
        return Child(
            "Home Assistant",
            command,
            log=log,
            folder=config,
            environment=commands,
            restarts_on=_RESTART,
        )

    async def _set_up(self, home_assistant: Child, device: Device) -> str | None:
        try:
            statistics = await asyncio.to_thread(past, self._options.past, datetime.now(UTC))
            async with HomeAssistantApi(self._address) as api, asyncio.timeout(_START_TIMEOUT):
                return await set_up(api, device, statistics)
        except (aiohttp.ClientError, TimeoutError) as error:
            # Where Home Assistant died, watching it tells more and ends this wait.
            await asyncio.sleep(_EXIT_GRACE)
            raise DemoError(
                f"Home Assistant does not answer: {error!r}. {home_assistant.end_of_log()}"
            ) from error

    def _ready(self, device: Device, trouble: str | None) -> str:
        return "\n".join(
            [
                "",
                "The demo is ready.",
                "",
                f"  Address    {self._address}",
                f"  User       {USER}",
                f"  Password   {PASSWORD}",
                f"  Dashboard  {self._address}/{DASHBOARD}",
                f"  Device     {device.description}",
                *([f"             {trouble}"] if trouble else []),
                *([f"  Day        {self._day()}"] if device.is_simulated else []),
                f"  Logs       {self._folder.path}",
                "",
                "Ctrl-C ends it. The next start keeps login, settings and history; --fresh starts over.",
                "",
            ]
        )

    def _day(self) -> str:
        text = f"began at {clock(self._beginning())}"
        if (speed := self._options.speed) != 1:
            text += (
                f" and passes {speed:g} times as fast. Energy is added up in real time all the same:\n"
                f"             a whole simulated day yields 1/{speed:g} of a day's energy"
            )
        return f"{text}."

    @property
    def _address(self) -> str:
        return f"http://{LOOPBACK}:{self._options.port}"


def _say(text: str) -> None:
    print(text, flush=True)


def _first_demo_error(errors: BaseExceptionGroup) -> BaseException:
    """Return the first error that is a sentence for the user, or all of them where none is."""
    return next((error for error in errors.exceptions if isinstance(error, DemoError)), errors)


if __name__ == "__main__":
    sys.exit(main())
