"""What another process may do to a running simulator: one JSON object in, one out."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from custom_components.goodwe_sec1000.sec1000.errors import InvalidValueError
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Phases, Telemetry

from .protocol import CAPTURED
from .simulator import Simulator

type Json = dict[str, Json] | list[Json] | str | int | float | bool | None
type Order = Mapping[str, Json]


class OrderError(ValueError):
    """An order that makes no sense; the message is a sentence for whoever sent it."""


_LARGEST_MEASURED: Final = 10_000_000.0
"""Of any unit: in hundredths it still fits the wire's 32 bits."""

HELP: Final = """\
control port: one JSON object a line, each answered by one line with "ok" true or false
  {"do": "fault", "name": "nak", "count": 1, "chance": 0.5, "commands": [66]}   all but name optional
  {"do": "clear"}  {"do": "clear", "name": "nak"}        end the faults
  {"do": "event", "name": "heater-on"}                   heater-off, trip, reconnect, dawn, noon, sunset or
                                                         night
  {"do": "set", "mode": "value", "limit": 5000}          in force at once; W; also capacity, ct_ratio and
                                                         sum_of_phases
  {"do": "hold"}                                         measure the captured frame from now on, or
  {"do": "hold", "voltage": [230, 230, 230], "current": [1, 1, 1], "power": [0, 0, 0],
   "meter_power": 0, "inverter_power": 0}                this; {"do": "release"} measures the house again
  {"do": "restart"}                                      cycle the device's power
  {"do": "stop"}  {"do": "start"}                        away from the network, and back
  {"do": "state"}                                        true state: mode, limit, bound_limit, clock, house …
  {"do": "requests"}                                     the last requests, as hexadecimal
"""


async def obey(simulator: Simulator, order: Order) -> dict[str, Json]:
    """Do what an order says and return what it asks for.

    Raises ValueError, with a sentence for whoever sent it, for an order that makes no sense.
    """
    name = _text(order, "do")
    try:
        action = _ACTIONS[name]
    except KeyError:
        raise OrderError(f"{name!r} is nothing to do; there are {', '.join(_ACTIONS)}") from None
    return await action(simulator, order)


async def _fault(simulator: Simulator, order: Order) -> dict[str, Json]:
    commands = order.get("commands")
    simulator.inject(
        _text(order, "name"),
        count=None if order.get("count") is None else _whole(order["count"], "count"),
        chance=_number(order.get("chance", 1.0), "chance"),
        commands=None
        if commands is None
        else [_whole(command, "commands") for command in _listed(commands, "commands")],
    )
    return {}


async def _clear(simulator: Simulator, order: Order) -> dict[str, Json]:
    simulator.clear_faults(_text(order, "name") if "name" in order else None)
    return {}


async def _event(simulator: Simulator, order: Order) -> dict[str, Json]:
    simulator.event(_text(order, "name"))
    return {}


async def _set(simulator: Simulator, order: Order) -> dict[str, Json]:
    device = simulator.device
    wishes = {key: value for key, value in order.items() if key != "do"}
    unknown = wishes.keys() - {"mode", "sum_of_phases", "limit", "capacity", "ct_ratio"}
    if unknown:
        raise OrderError(f"the device has no {', '.join(sorted(unknown))}")
    mode = _mode(order) if "mode" in wishes else device.mode
    sums = (
        _truth(wishes["sum_of_phases"], "sum_of_phases")
        if "sum_of_phases" in wishes
        else device.sum_of_phases
    )
    limit, capacity, ct_ratio = (
        _not_negative(wishes.get(key, old), key)
        for key, old in (
            ("limit", device.limit),
            ("capacity", device.capacity),
            ("ct_ratio", device.ct_ratio),
        )
    )
    device.capacity, device.ct_ratio = capacity, ct_ratio
    device.mode, device.sum_of_phases, device.limit = mode, sums, limit
    return {}


async def _hold(simulator: Simulator, order: Order) -> dict[str, Json]:
    if order.keys() <= {"do"}:
        simulator.hold(CAPTURED)
        return {}
    simulator.hold(
        Telemetry(
            voltage=_phases(order, "voltage"),
            current=_phases(order, "current"),
            power=Phases(*map(round, _phases(order, "power"))),
            meter_power=round(_measured(order.get("meter_power"), "meter_power")),
            inverter_power=round(_measured(order.get("inverter_power"), "inverter_power")),
        ),
    )
    return {}


async def _release(simulator: Simulator, _: Order) -> dict[str, Json]:
    simulator.release()
    return {}


async def _restart(simulator: Simulator, _: Order) -> dict[str, Json]:
    simulator.restart()
    return {}


async def _stop(simulator: Simulator, _: Order) -> dict[str, Json]:
    await simulator.stop()
    return {}


async def _start(simulator: Simulator, _: Order) -> dict[str, Json]:
    try:
        await simulator.start()
    except OSError as error:
        raise OrderError(f"cannot listen: {error.strerror}") from error
    return {}


async def _state(simulator: Simulator, _: Order) -> dict[str, Json]:
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
        "faults": list(simulator.faults),
        "house": {
            "hour": round(house.time_of_day, 3),
            "available": round(house.available),
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


async def _requests(simulator: Simulator, _: Order) -> dict[str, Json]:
    return {"requests": [{"time": request.time, "raw": request.raw.hex()} for request in simulator.requests]}


_ACTIONS: Final[Mapping[str, Callable[[Simulator, Order], Awaitable[dict[str, Json]]]]] = {
    "fault": _fault,
    "clear": _clear,
    "event": _event,
    "set": _set,
    "hold": _hold,
    "release": _release,
    "restart": _restart,
    "stop": _stop,
    "start": _start,
    "state": _state,
    "requests": _requests,
}


def _text(order: Order, key: str) -> str:
    value = order.get(key)
    if not isinstance(value, str):
        raise OrderError(f"{key!r} has to be a text")
    return value


def _number(value: Json, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OrderError(f"{key!r} has to be a number")
    return value


def _measured(value: Json, key: str) -> float:
    if not abs(number := _number(value, key)) <= _LARGEST_MEASURED:
        raise OrderError(f"{key!r} has to be within {_LARGEST_MEASURED:.0f} of 0")
    return number


def _whole(value: Json, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise OrderError(f"{key!r} has to be a whole number")
    return value


def _not_negative(value: Json, key: str) -> int:
    watts = _whole(value, key)
    if watts not in range(2**31):
        raise OrderError(f"{key!r} has to be 0 to {2**31 - 1}")
    return watts


def _truth(value: Json, key: str) -> bool:
    if not isinstance(value, bool):
        raise OrderError(f"{key!r} has to be true or false")
    return value


def _listed(value: Json, key: str) -> list[Json]:
    if not isinstance(value, list):
        raise OrderError(f"{key!r} has to be a list")
    return value


def _mode(order: Order) -> ControlMode:
    try:
        return ControlMode.from_key(_text(order, "mode"))
    except InvalidValueError as error:
        raise OrderError(str(error)) from None


def _phases(order: Order, key: str) -> Phases[float]:
    values = _listed(order.get(key), key)
    if len(values) != len(Phases._fields):
        raise OrderError(f"{key!r} has to have a value for each of the three phases")
    return Phases(*(_measured(value, key) for value in values))
