"""The commands that control a running simulator; the control port and the command line share them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from custom_components.goodwe_sec1000.sec1000.errors import InvalidValueError
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Phases, Telemetry

from .fault_injector import create_injection
from .house import EVENTS
from .lookup import find
from .protocol import CAPTURED
from .simulator import Simulator

type Json = dict[str, Json] | list[Json] | str | int | float | bool | None
type Arguments = Mapping[str, Json]
type Action = Callable[[Simulator], Awaitable[dict[str, Json]]]

_MAX_MEASUREMENT: Final = 10_000_000.0
"""In any unit: in hundredths it still fits the 32 bits on the wire."""


class CommandError(ValueError):
    """A command is invalid; the message is a sentence for the sender."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the table."""

    prepare: Callable[[Arguments], Action]
    """Checks the arguments; raises ValueError."""
    example: str
    help: str


def prepare(request: Arguments) -> Action:
    """Return the checked command, ready to run.

    `request` names the command as `do`, beside its arguments. Both this and running the action
    raise ValueError, with a sentence for the sender.
    """
    return find(COMMANDS, _text(request, "do"), "command").prepare(request)


def help_text() -> str:
    """Return the table of commands for the help of the command line."""
    lines = ['control port: one JSON object per line; the answer is one line with "ok" true or false']
    for command in COMMANDS.values():
        lines += [f"  {command.example}", f"      {command.help}"]
    return "\n".join(lines)


def _fault(arguments: Arguments) -> Action:
    name = _text(arguments, "name")
    count = None if arguments.get("count") is None else _integer(arguments["count"], "count")
    chance = _number(arguments.get("chance", 1.0), "chance")
    commands = None
    if arguments.get("commands") is not None:
        commands = [_integer(command, "commands") for command in _list(arguments["commands"], "commands")]
    create_injection(name, count=count, chance=chance, commands=commands)

    async def action(simulator: Simulator) -> dict[str, Json]:
        simulator.inject(name, count=count, chance=chance, commands=commands)
        return {}

    return action


def _clear(arguments: Arguments) -> Action:
    name = _text(arguments, "name") if "name" in arguments else None

    async def action(simulator: Simulator) -> dict[str, Json]:
        simulator.clear_faults(name)
        return {}

    return action


def _event(arguments: Arguments) -> Action:
    name = _text(arguments, "name")

    async def action(simulator: Simulator) -> dict[str, Json]:
        simulator.event(name)
        return {}

    return action


def _set(arguments: Arguments) -> Action:
    unknown = arguments.keys() - {"do"} - _SETTINGS.keys()
    if unknown:
        raise CommandError(f"the device has no {', '.join(sorted(unknown))}")
    settings = {key: check(arguments[key], key) for key, check in _SETTINGS.items() if key in arguments}

    async def action(simulator: Simulator) -> dict[str, Json]:
        device = simulator.device
        # Every setting is assigned, so that all are in force.
        for key in _SETTINGS:
            setattr(device, key, settings.get(key, getattr(device, key)))
        return {}

    return action


def _hold(arguments: Arguments) -> Action:
    telemetry = CAPTURED
    if arguments.keys() > {"do"}:
        telemetry = Telemetry(
            voltage=Phases[float | None](*_phases(arguments, "voltage")),
            current=Phases[float | None](*_phases(arguments, "current")),
            power=Phases(*map(round, _phases(arguments, "power"))),
            meter_power=round(_measurement(arguments.get("meter_power"), "meter_power")),
            inverter_power=round(_measurement(arguments.get("inverter_power"), "inverter_power")),
        )

    async def action(simulator: Simulator) -> dict[str, Json]:
        simulator.hold(telemetry)
        return {}

    return action


async def _release(simulator: Simulator) -> dict[str, Json]:
    simulator.release()
    return {}


async def _restart(simulator: Simulator) -> dict[str, Json]:
    simulator.restart()
    return {}


async def _stop(simulator: Simulator) -> dict[str, Json]:
    await simulator.stop()
    return {}


async def _start(simulator: Simulator) -> dict[str, Json]:
    try:
        await simulator.start()
    except OSError as error:
        raise CommandError(f"cannot listen: {error.strerror}") from error
    return {}


async def _state(simulator: Simulator) -> dict[str, Json]:
    device, house, telemetry = simulator.device, simulator.house, simulator.telemetry()
    return {
        "mode": device.mode.key,
        "limit": device.limit,
        "bound_limit": device.bound_limit,
        "capacity": device.capacity,
        "ct_ratio": device.ct_ratio,
        "sum_of_phases": device.sum_of_phases,
        "clock": None if device.clock is None else device.clock.isoformat(),
        "clock_set_to": None if device.clock_set_to is None else device.clock_set_to.isoformat(),
        "requests": simulator.requests_seen,
        "connections": simulator.connections_open,
        "listening": simulator.is_listening,
        "exhausted": simulator.overload.exhausted,
        "unlimited": device.history.is_unlimited,
        "faults": list(simulator.faults),
        "replay_exhausted": None if simulator.replay is None else simulator.replay.exhausted,
        "house": {
            "hour": round(house.time_of_day, 3),
            "available": round(house.available),
            "pv_power": round(house.pv_power),
            "battery_power": round(house.battery.power),
            "inverter_power": round(house.inverter_power),
            "load_power": round(house.load_power),
            "meter_power": round(house.meter_power),
            "heater": house.heater,
            "tripped": house.tripped,
            "throttling": house.watchdog.throttling,
        },
        "telemetry": {
            "voltage": list(telemetry.voltage),
            "current": list(telemetry.current),
            "power": list(telemetry.power),
            "meter_power": telemetry.meter_power,
            "inverter_power": telemetry.inverter_power,
        },
    }


async def _limits(simulator: Simulator) -> dict[str, Json]:
    history = simulator.device.history
    return {
        "armings": [
            {"time": arming.time, "mode": arming.mode.key, "limit": arming.limit}
            for arming in history.armings
        ],
        "unlimited": [{"start": gap.start, "end": gap.end} for gap in history.unlimited],
    }


async def _requests(simulator: Simulator) -> dict[str, Json]:
    return {"requests": [{"time": request.time, "raw": request.raw.hex()} for request in simulator.requests]}


def _without_arguments(action: Action) -> Callable[[Arguments], Action]:
    return lambda _: action


COMMANDS: Final[Mapping[str, Command]] = {
    "fault": Command(
        _fault,
        '{"do": "fault", "name": "nak", "count": 1, "chance": 0.5, "commands": [66]}',
        "Apply a fault to requests; all but the name is optional.",
    ),
    "clear": Command(_clear, '{"do": "clear", "name": "nak"}', "Clear a fault; without a name, all."),
    "event": Command(
        _event,
        '{"do": "event", "name": "heater-on"}',
        f"Trigger an event of the house: {', '.join(EVENTS)}.",
    ),
    "set": Command(
        _set,
        '{"do": "set", "mode": "value", "limit": 5000}',
        "Change settings (W), in force at once: mode, limit, capacity, ct_ratio, sum_of_phases.",
    ),
    "hold": Command(
        _hold,
        '{"do": "hold", "voltage": [230, 230, 230], "current": [1, 1, 1], "power": [0, 0, 0],'
        ' "meter_power": 0, "inverter_power": 0}',
        "Report this telemetry from now on; without values, the captured one.",
    ),
    "release": Command(
        _without_arguments(_release), '{"do": "release"}', "Report the telemetry of the house again."
    ),
    "restart": Command(_without_arguments(_restart), '{"do": "restart"}', "Power-cycle the device."),
    "stop": Command(_without_arguments(_stop), '{"do": "stop"}', "Disconnect the device from the network."),
    "start": Command(_without_arguments(_start), '{"do": "start"}', "Connect it again."),
    "state": Command(
        _without_arguments(_state),
        '{"do": "state"}',
        "Return the true state: mode, limit, bound_limit (the limit in force), clock, house and more.",
    ),
    "limits": Command(
        _without_arguments(_limits),
        '{"do": "limits"}',
        "Return when a limit was armed, and when nothing limited the export (s, on the clock of requests).",
    ),
    "requests": Command(
        _without_arguments(_requests), '{"do": "requests"}', "Return the last requests as hexadecimal."
    ),
}


def _text(arguments: Arguments, key: str) -> str:
    value = arguments.get(key)
    if not isinstance(value, str):
        raise CommandError(f"{key!r} has to be a text")
    return value


def _number(value: Json, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CommandError(f"{key!r} has to be a number")
    return value


def _measurement(value: Json, key: str) -> float:
    if not abs(number := _number(value, key)) <= _MAX_MEASUREMENT:
        raise CommandError(f"{key!r} has to be within {_MAX_MEASUREMENT:.0f} of 0")
    return number


def _integer(value: Json, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise CommandError(f"{key!r} has to be a whole number")
    return value


def _non_negative(value: Json, key: str) -> int:
    number = _integer(value, key)
    if number not in range(2**31):
        raise CommandError(f"{key!r} has to be 0 to {2**31 - 1}")
    return number


def _int32(value: Json, key: str) -> int:
    number = _integer(value, key)
    if number not in range(-(2**31), 2**31):
        raise CommandError(f"{key!r} has to be {-(2**31)} to {2**31 - 1}")
    return number


def _boolean(value: Json, key: str) -> bool:
    if not isinstance(value, bool):
        raise CommandError(f"{key!r} has to be true or false")
    return value


def _list(value: Json, key: str) -> list[Json]:
    if not isinstance(value, list):
        raise CommandError(f"{key!r} has to be a list")
    return value


def _mode(value: Json, key: str) -> ControlMode:
    try:
        return ControlMode.from_key(_text({key: value}, key))
    except InvalidValueError as error:
        raise CommandError(str(error)) from None


def _phases(arguments: Arguments, key: str) -> Phases[float]:
    values = _list(arguments.get(key), key)
    if len(values) != len(Phases._fields):
        raise CommandError(f"{key!r} has to have a value for each of the three phases")
    return Phases(*(_measurement(value, key) for value in values))


_SETTINGS: Final[Mapping[str, Callable[[Json, str], object]]] = {
    "capacity": _non_negative,
    "ct_ratio": _non_negative,
    "mode": _mode,
    "sum_of_phases": _boolean,
    "limit": _int32,
}
"""Attributes of the device, in the order in which they are assigned."""
