"""Run the demo: a simulated (or real) device and a Home Assistant with the integration."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
import signal
import sys
from typing import Final

import aiohttp

from .child import Child
from .device import (
    Device,
    format_time,
    real_device,
    simulated_device,
    simulated_house_environment,
    simulator_process,
)
from .errors import DemoError, RefusedError
from .folder import Folder
from .home_assistant_api import PASSWORD, USER, HomeAssistantApi
from .options import CHECKOUT, Options, parse
from .past import local_hour, past_statistics
from .ports import LOOPBACK, port_problem
from .set_up import DASHBOARD, set_up

_RESTART_STATUS: Final = 100
"""Exit status of a Home Assistant that requests a restart."""
_START_TIMEOUT_S: Final = 300.0
"""The first start on a slow computer compiles a lot."""
_BEFORE_HEATER_HOUR: Final = 12 + 44 / 60
"""Home Assistant starts meanwhile, so that the load steps within a minute of opening the dashboard."""
_MORNING_HOUR: Final = 7.0
_EXIT_GRACE_S: Final = 3.0
"""After a lost connection, for the exit of the process to be noticed."""


def main() -> int:
    """Return the exit status: 0 stopped by a signal, 1 failed, 2 not started."""
    options = parse()
    device = None if options.host is None else f"{options.host}-{options.device_port}"
    folder = Folder(options.folder, device)
    try:
        with folder.locked():
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
    """The processes of one demo."""

    def __init__(self, options: Options, folder: Folder) -> None:
        """Create a demo; run() starts it."""
        self._options = options
        self._folder = folder
        self._children: list[Child] = []
        self._stopping = False

    async def run(self) -> None:
        """Run until a signal stops it; raises DemoError if a process fails."""
        self._stop_on_signals()
        try:
            async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
                await self._start(stack, group)
                await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            _print("The demo has ended.")
        except BaseExceptionGroup as errors:
            raise _first_demo_error(errors) from errors

    def _stop_on_signals(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop() -> None:
            if self._stopping:
                for child in self._children:
                    child.kill()
            elif task is not None:
                self._stopping = True
                _print("Stopping. Home Assistant writes its history first; a second Ctrl-C kills it.")
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop)

    async def _start(self, stack: AsyncExitStack, group: asyncio.TaskGroup) -> None:
        """Start the processes, the simulator first; they stop in the opposite order."""

        async def start(child: Child) -> Child:
            await stack.enter_async_context(child)
            self._children.append(child)
            group.create_task(child.watch())
            return child

        if self._options.host is None:
            simulator = simulator_process(self._folder, speed=self._options.speed, start=self._start_hour())
            device = await simulated_device(await start(simulator))
        else:
            device = real_device(self._options.host, self._options.device_port)
            _print(f"{device.host}:{device.port} is a real device. The setup only reads from it.")
        _print("Starting Home Assistant; the first time, this takes a minute.")
        state = await self._set_up(await start(self._home_assistant(device)), device)
        _print(self._ready(device, state))

    def _start_hour(self) -> float:
        """Return the hour at which the simulated day begins."""
        if self._options.start is not None:
            return self._options.start
        if self._folder.has_past and self._options.speed == 1:
            return local_hour(datetime.now(UTC))
        return _BEFORE_HEATER_HOUR if self._options.speed <= 1 else _MORNING_HOUR

    def _home_assistant(self, device: Device) -> Child:
        config = self._folder.config
        hass = str(CHECKOUT / "demo" / "hass.py")
        command = [sys.executable, hass, "--skip-pip", "--log-no-color", "--config", str(config)]
        log = self._folder.path / "home-assistant.log"
        variables = None if device.control_port is None else simulated_house_environment(device.control_port)
        return Child(
            "Home Assistant",
            command,
            log=log,
            folder=config,
            environment=variables,
            restarts_on=_RESTART_STATUS,
        )

    async def _set_up(self, home_assistant: Child, device: Device) -> str | None:
        try:
            statistics = await asyncio.to_thread(past_statistics, self._options.past, datetime.now(UTC))
            async with HomeAssistantApi(self._address) as api, asyncio.timeout(_START_TIMEOUT_S):
                return await set_up(api, device, statistics)
        except (aiohttp.ClientError, TimeoutError) as error:
            # If Home Assistant has exited, watch() reports it and cancels this wait.
            await asyncio.sleep(_EXIT_GRACE_S)
            raise DemoError(
                f"Home Assistant does not respond: {error!r}. {home_assistant.end_of_log()}"
            ) from error

    def _ready(self, device: Device, problem: str | None) -> str:
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
                *([f"             {problem}"] if problem else []),
                *([f"  Day        {self._day()}"] if device.is_simulated else []),
                f"  Logs       {self._folder.path}",
                "",
                "Ctrl-C ends it. The next start keeps login, settings and history; --fresh starts over.",
                "",
            ]
        )

    def _day(self) -> str:
        text = f"began at {format_time(self._start_hour())}"
        if (speed := self._options.speed) != 1:
            text += (
                f" and runs {speed:g} times as fast. Energy is still counted in real time:\n"
                f"             a whole simulated day yields 1/{speed:g} of a day's energy"
            )
        return f"{text}."

    @property
    def _address(self) -> str:
        return f"http://{LOOPBACK}:{self._options.port}"


def _print(text: str) -> None:
    print(text, flush=True)


def _first_demo_error(errors: BaseExceptionGroup) -> BaseException:
    """Return the first error with a sentence for the user, or all of them if there is none."""
    return next((error for error in errors.exceptions if isinstance(error, DemoError)), errors)


if __name__ == "__main__":
    sys.exit(main())
