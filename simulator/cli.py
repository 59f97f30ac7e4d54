"""The command line of `python -m simulator`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
import math
from pathlib import Path
import re
from typing import Final

from custom_components.goodwe_sec1000.sec1000.model import ControlMode, watts

from .commands import Action, Json, help_text, prepare
from .faults import FAULTS
from .lookup import find
from .protocol import COMMAND_BYTES
from .replay import Replay

DEFAULT_PORT: Final = 1234
_MAX_KW: Final = 1000.0
_INVERTER_KW: Final = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """The options: powers in W, start as hour of the day."""

    host: str
    port: int
    control_port: int | None
    mode: ControlMode
    limit: int
    capacity: int
    inverters: int
    speed: float
    battery: float
    start: float
    seed: int
    overload: bool
    replay: Replay | None
    commands: tuple[Action, ...]
    """To run once the simulator has started."""
    verbose: bool
    list_faults: bool


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return the options; exits with status 2 and a sentence if the arguments are invalid."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.replay is not None and (given.fault or given.hold or given.overload == "on"):
        parser.error(
            "--replay answers as the device of the file did: leave out --fault, --captured and --overload"
        )
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
        battery=watts(given.battery),
        start=given.start_time,
        seed=given.seed,
        overload=given.overload != "off",
        replay=given.replay,
        commands=(*given.hold, *given.fault),
        verbose=given.verbose,
        list_faults=given.list_faults,
    )


def fault_list() -> str:
    """Return the faults and what each does, one per line."""
    return "\n".join(f"{fault.name:20} {fault.summary}" for fault in FAULTS.values())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="A simulated GoodWe SEC1000/S with a house behind it. "
        'Prints "listening on HOST:PORT" once it is ready; Ctrl-C stops it.',
        epilog=help_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=_port, default=DEFAULT_PORT, help="0 picks a free one (default: %(default)s)")
    add(
        "--control-port",
        type=_port,
        metavar="PORT",
        help="open the control port on loopback; see below",
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
        type=_limit,
        default=10.0,
        metavar="KW",
        help="export limit in force (default: %(default)s)",
    )
    add(
        "--capacity",
        type=_kilowatts,
        metavar="KW",
        help="total capacity (default: 10 per inverter)",
    )
    add(
        "--inverters",
        type=_inverters,
        default=3,
        metavar="N",
        help="number of inverters of 10 kW (default: %(default)s)",
    )
    add(
        "--battery",
        type=_kilowatts,
        default=0.0,
        metavar="KW",
        help="power of a battery at the inverters, full at first, which lasts for an hour (default: none)",
    )
    add(
        "--speed",
        type=speed_factor,
        default=1.0,
        metavar="FACTOR",
        help="speed of the day; 144 is a day in ten minutes; except for the refresh of the inverter power, "
        "the device runs in real time (default: 1)",
    )
    add(
        "--start-time",
        type=hour_of_day,
        default="11:00",
        metavar="HH:MM",
        help="time at which the day begins (default: %(default)s)",
    )
    add("--seed", type=int, default=0, help="of clouds, load and chances (default: %(default)s)")
    add(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="NAME[:count=N][:chance=P][:command=0x42]",
        help="apply a fault to requests; repeatable, as is command",
    )
    add("--list-faults", action="store_true", help="list the faults and exit")
    add(
        "--overload",
        choices=("on", "off"),
        help="on: more than 7 requests in 30 s for long, 40 at once or 6 without a pause exhaust the device: "
        "it answers nonsense, then nothing until it is restarted; off: it bears any number (default: on)",
    )
    # The former name of --overload.
    add("--patience", dest="overload", choices=("on", "off"), help=argparse.SUPPRESS)
    add(
        "--captured",
        dest="hold",
        action="append_const",
        const=prepare({"do": "hold"}),
        default=[],
        help="report the telemetry of the first public capture of a device, whatever the house does",
    )
    add(
        "--replay",
        type=_replay,
        metavar="FILE",
        help="answer each request as the device of this diagnostics file, or of this file of the probe, did; "
        "past the end it repeats the last answer, and the command state counts that as replay_exhausted",
    )
    add(
        "-v",
        "--verbose",
        action="store_true",
        help="log each request and its answer as hexadecimal on standard error",
    )
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) not in range(0x10000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; it has to be 0 to 65535")
    return int(text)


def _mode(text: str) -> ControlMode:
    if text not in {mode.key for mode in ControlMode}:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a control mode; there are value, dred, rcr and deactivated"
        )
    return ControlMode.from_key(text)


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _kilowatts(text: str) -> float:
    if not 0 <= (value := _float(text)) <= _MAX_KW:
        raise argparse.ArgumentTypeError(f"{text!r} is not a power in kW; it has to be 0 to {_MAX_KW:.0f}")
    return value


def _limit(text: str) -> float:
    if not abs(value := _float(text)) <= _MAX_KW:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a limit in kW; it has to be within {_MAX_KW:.0f} of 0"
        )
    return value


def _inverters(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) not in range(1, 101):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of inverters; it has to be 1 to 100")
    return int(text)


def speed_factor(text: str) -> float:
    """Return the speed of the day; raises ArgumentTypeError if it is out of range."""
    if not 0 <= (value := _float(text)) <= 86400:  # noqa: PLR2004 - a day in a second
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed; it has to be 0 to 86400")
    return value


def hour_of_day(text: str) -> float:
    """Return the hour of a time HH:MM; raises ArgumentTypeError if it is not a time."""
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; it has to be 00:00 to 23:59")
    hours, minutes = map(int, text.split(":"))
    return hours + minutes / 60


def _replay(text: str) -> Replay:
    try:
        return Replay.from_file(Path(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _fault(text: str) -> Action:
    name, *settings = text.split(":")
    try:
        find(FAULTS, name, "fault")  # An error in the name comes before one in the settings.
        return prepare({"do": "fault", "name": name, **_fault_settings(settings)})
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _fault_settings(settings: Sequence[str]) -> dict[str, Json]:
    arguments: dict[str, Json] = {}
    commands: list[Json] = []
    for setting in settings:
        key, _, value = setting.partition("=")
        match key:
            case "count":
                arguments["count"] = _integer(value, key)
            case "chance":
                arguments["chance"] = _float(value)
            case "command":
                commands.append(_integer(value, key))
            case _:
                raise ValueError(
                    f"{setting!r} is not a setting of a fault; there are count=, chance= and command="
                )
    if any(command not in COMMAND_BYTES for command in commands):
        known = ", ".join(f"0x{code:02x}" for code in sorted(COMMAND_BYTES))
        raise ValueError(f"the only commands are {known}")
    return {**arguments, "commands": commands or None}


def _integer(text: str, key: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"{key} is {text!r}; it has to be a whole number") from None
