"""The command line of scripts/demo."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simulator.cli import hour_of_day, speed_factor

CHECKOUT: Final = Path(__file__).resolve().parent.parent
DEFAULT_PORT: Final = 8123
DEFAULT_DEVICE_PORT: Final = 1234
_MAX_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Options:
    """The options; `start` as hour of the day."""

    port: int
    """Of Home Assistant."""
    host: str | None
    """Of a real device; None means the simulator."""
    device_port: int
    folder: Path
    fresh: bool
    speed: float
    """Of the simulated day."""
    start: float | None
    """Of the simulated day; None leaves it to the demo."""
    past: int
    """Simulated days at the beginning of the history."""


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return the options; exits with status 2 and a sentence if the arguments are invalid."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="A simulated SEC1000/S and a real Home Assistant with the integration set up. "
        "It prints a message when it is ready; Ctrl-C stops it. The next start keeps the history.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--host", type=_host, help="use the real device at this address instead of the simulator")
    add(
        "--device-port",
        type=_port,
        metavar="PORT",
        help=f"the real device's port; only with --host (default: {DEFAULT_DEVICE_PORT})",
    )
    add(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        help="Home Assistant's port on this computer (default: %(default)s)",
    )
    add("--fresh", action="store_true", help="start over: delete login, settings and history of the demo")
    add(
        "--speed",
        type=speed_factor,
        metavar="FACTOR",
        help="speed of the simulated day; 144 is a day in ten minutes (default: 1)",
    )
    add(
        "--start-time",
        type=hour_of_day,
        metavar="HH:MM",
        help="time at which the simulated day begins (default: shortly before the heater switches on; a "
        "faster day begins in the morning)",
    )
    add(
        "--past",
        type=_days,
        default=0,
        metavar="DAYS",
        help="give a new demo a history of this many simulated days, as the sensors would have recorded it; "
        "the simulated day then follows the clock",
    )
    add(
        "--folder",
        type=Path,
        default=CHECKOUT / ".demo",
        help="where login, settings, history and logs are kept (default: .demo in the checkout)",
    )
    given = parser.parse_args(arguments)
    if given.device_port is not None and given.host is None:
        parser.error("--device-port is the port of a real device: it needs --host")
    if given.host is not None and (given.speed, given.start_time, given.past) != (None, None, 0):
        parser.error(
            "--speed, --start-time and --past are the simulator's: a real device has a day of its own"
        )
    if given.past and (given.speed, given.start_time) != (None, None):
        parser.error("with --past, the simulated day follows the clock: leave out --speed and --start-time")
    return Options(
        port=given.port,
        host=given.host,
        device_port=given.device_port or DEFAULT_DEVICE_PORT,
        folder=given.folder.resolve(),
        fresh=given.fresh,
        speed=1.0 if given.speed is None else given.speed,
        start=given.start_time,
        past=given.past,
    )


def _host(text: str) -> str:
    if not (host := text.strip()) or any(character.isspace() or character == "/" for character in host):
        raise argparse.ArgumentTypeError(f"{text!r} is not an address; use one such as 192.168.1.200")
    return host


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) not in range(_MAX_DAYS + 1):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days; it has to be 0 to {_MAX_DAYS}")
    return int(text)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) not in range(1, 0x10000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; it has to be 1 to 65535")
    return int(text)
