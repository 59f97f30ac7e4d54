"""The command line: what `python -m simulator` understands, checked, with a sentence for each error."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
import math
from random import Random
import re
from typing import Final

from custom_components.goodwe_sec1000.sec1000.model import ControlMode, watts

from .commands import HELP
from .fault_injector import FaultInjector, find_fault
from .faults import FAULTS
from .protocol import COMMANDS

DEFAULT_PORT: Final = 1234
_MOST_KW: Final = 1000.0
_INVERTER_KW: Final = 10.0


@dataclass(frozen=True, slots=True)
class FaultOrder:
    """A fault as the command line orders it."""

    name: str
    count: int | None = None
    chance: float = 1.0
    commands: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for, in the simulator's units."""

    host: str
    port: int
    control_port: int | None
    mode: ControlMode
    limit: int
    """W"""
    capacity: int
    """W"""
    inverters: int
    speed: float
    start: float
    """h"""
    seed: int
    faults: tuple[FaultOrder, ...]
    overload: bool
    captured: bool
    verbose: bool
    list_faults: bool


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return what the arguments ask for; exits with 2 and a sentence where they make no sense."""
    parser = _parser()
    given = parser.parse_args(arguments)
    capacity = given.capacity if given.capacity is not None else _INVERTER_KW * given.inverters
    return Options(
        host=given.host,
        port=given.port,
        control_port=given.control_port,
        mode=given.mode,
        limit=watts(given.limit),
        capacity=watts(capacity),
        inverters=given.inverters,
        speed=given.speed,
        start=given.start_time,
        seed=given.seed,
        faults=tuple(given.fault),
        overload=given.overload == "on",
        captured=given.captured,
        verbose=given.verbose,
        list_faults=given.list_faults,
    )


def fault_list() -> str:
    """Return the faults with what each does, a line each."""
    return "\n".join(f"{fault.name:20} {fault.summary}" for fault in FAULTS.values())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="A GoodWe SEC1000/S on this computer, with a house behind it. "
        'Says "listening on HOST:PORT" once it is ready; Ctrl-C ends it.',
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=_port, default=DEFAULT_PORT, help="0 is any that is free (default: %(default)s)")
    add(
        "--control-port",
        type=_port,
        metavar="PORT",
        help="offer the control port there, on loopback; see below",
    )
    add(
        "--mode",
        type=_mode,
        default="value",
        metavar="MODE",
        help="value, dred, rcr or deactivated (default: value)",
    )
    add(
        "--limit",
        type=_kilowatts,
        default=10.0,
        metavar="KW",
        help="export limit, in force (default: %(default)s)",
    )
    add(
        "--capacity",
        type=_kilowatts,
        metavar="KW",
        help="total capacity that is set (default: 10 an inverter)",
    )
    add("--inverters", type=_inverters, default=3, metavar="N", help="of 10 kW each (default: %(default)s)")
    add(
        "--speed",
        type=speed_factor,
        default=1.0,
        metavar="FACTOR",
        help="speed of the day; 144 is a day in ten minutes; the device keeps real time, but for the "
        "refresh of the inverters' power (default: 1)",
    )
    add(
        "--start-time",
        type=hour_of_day,
        default="11:00",
        metavar="HH:MM",
        help="when the day begins (default: %(default)s)",
    )
    add("--seed", type=int, default=0, help="for clouds, load and chances (default: %(default)s)")
    add(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="NAME[:count=N][:chance=P][:command=0x42]",
        help="let this go wrong; repeatable, and so is command",
    )
    add("--list-faults", action="store_true", help="say which faults there are, and end")
    add(
        "--overload",
        choices=("on", "off"),
        default="off",
        help="on: too many requests in quick succession exhaust the device like a real one: it answers "
        "nonsense, then nothing until it is restarted (default: %(default)s)",
    )
    # The former name of --overload.
    add("--patience", dest="overload", choices=("on", "off"), default="off", help=argparse.SUPPRESS)
    add(
        "--captured",
        action="store_true",
        help="measure what the one public capture of a device tells, whatever the house does",
    )
    add(
        "-v",
        "--verbose",
        action="store_true",
        help="log each request and its answer as hexadecimal, on standard error",
    )
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) not in range(0x10000):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; it has to be 0 to 65535")
    return int(text)


def _mode(text: str) -> ControlMode:
    if text not in {mode.key for mode in ControlMode}:
        raise argparse.ArgumentTypeError(f"{text!r} is no mode; there are value, dred, rcr and deactivated")
    return ControlMode.from_key(text)


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _kilowatts(text: str) -> float:
    if not 0 <= (value := _float(text)) <= _MOST_KW:
        raise argparse.ArgumentTypeError(f"{text!r} is no power in kW; it has to be 0 to {_MOST_KW:.0f}")
    return value


def _inverters(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) not in range(1, 101):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of inverters; it has to be 1 to 100")
    return int(text)


def speed_factor(text: str) -> float:
    """Return the speed of the day; raises ArgumentTypeError for what is none."""
    if not 0 <= (value := _float(text)) <= 86400:  # noqa: PLR2004 - a day in a second
        raise argparse.ArgumentTypeError(f"{text!r} is no speed; it has to be 0 to 86400")
    return value


def hour_of_day(text: str) -> float:
    """Return the hour that HH:MM means; raises ArgumentTypeError for what is no time."""
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; it has to be 00:00 to 23:59")
    hours, minutes = map(int, text.split(":"))
    return hours + minutes / 60


def _fault(text: str) -> FaultOrder:
    name, *settings = text.split(":")
    try:
        return _fault_order(name, settings)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _fault_order(name: str, settings: Sequence[str]) -> FaultOrder:
    find_fault(name)  # A wrong name is complained about before its settings are.
    count: int | None = None
    chance = 1.0
    commands: list[int] = []
    for setting in settings:
        key, _, value = setting.partition("=")
        match key:
            case "count":
                count = _whole(value, key)
            case "chance":
                chance = _float(value)
            case "command":
                commands.append(_whole(value, key))
            case _:
                raise ValueError(
                    f"{setting!r} is no setting of a fault; there are count=, chance= and command="
                )
    if any(command not in COMMANDS for command in commands):
        raise ValueError(
            f"there are only the commands {', '.join(f'0x{code:02x}' for code in sorted(COMMANDS))}"
        )
    order = FaultOrder(name, count, chance, tuple(commands) or None)
    # A trial, so that what cannot be injected is refused before anything runs.
    FaultInjector(Random(0)).inject(name, count=order.count, chance=order.chance, commands=order.commands)
    return order


def _whole(text: str, key: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"{key} is {text!r}; it has to be a whole number") from None
