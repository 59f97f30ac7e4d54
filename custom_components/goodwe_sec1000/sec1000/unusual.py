"""What is unusual of a device: what docs/protocol.md does not say, or lists as what goes wrong."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from . import answer
from .command import READ_EXPORT_SETTINGS, READ_TELEMETRY
from .frame import ADDRESS, KNOWN_PREFIX, OVERHEAD, answer_length
from .model import ControlMode
from .plausibility import ImpossibleValue, impossible_values
from .transport import Exchange

READS: Final = {"Settings": READ_EXPORT_SETTINGS, "Telemetry": READ_TELEMETRY}
"""The reads by the names that a report gives them."""

_UNEXPECTED: Final = "UnexpectedAnswerError"
_FAILURES: Final[Mapping[str, str]] = {
    "ConnectTimeoutError": "the connection timed out",
    "ConnectionFailedError": "the connection failed",
    "HostNotFoundError": "the host name could not be resolved",
    "AnswerTimeoutError": "no complete response came in time",
    "ConnectionClosedError": "the connection was closed before the response was complete",
    "NegativeAnswerError": "the response was NAK",
    "ChecksumError": "the checksum was invalid",
    _UNEXPECTED: "the response was not a frame",
}
"""The other outcomes show in the frames and values."""
_CLOSED: Final = ("ConnectionClosedError", "ConnectionFailedError")
_KNOWN_REFRESH_S: Final = 30
_OFTEN_S: Final = 15.0
"""The inverter power refreshed more often than this is unusual."""
_DENSE_S: Final = 11.0
"""Between two readings at the most, where they are to tell how often it is refreshed."""
_NOT_ZERO_W: Final = 200
"""So much power is none of the noise around 0."""
_NONE_SUCCESSFUL: Final = (
    "No request was successful. After too many requests, a SEC1000/S sends invalid responses: "
    "power-cycle it and try again."
)


def unusual(asked: Sequence[Exchange]) -> Iterator[str]:
    """Yield in a sentence each what is unusual of the answers to these requests."""
    yield from _frames([exchange for exchange in asked if answer.is_answer(exchange)])
    yield from _failures(asked)
    yield from _values(asked)
    yield from _inverter_power(asked)
    if all(exchange.failed for exchange in asked):
        yield _NONE_SUCCESSFUL


def inverter_power_changes(asked: Sequence[Exchange]) -> tuple[float, int]:
    """Return how many seconds the telemetry read spans, and how often the inverter power changed in it."""
    read = [exchange for exchange in asked if answer.telemetry(exchange)]
    if not read:
        return 0.0, 0
    powers = [values["inverter_power"] for exchange in read if (values := answer.telemetry(exchange))]
    span = (read[-1].at - read[0].at).total_seconds()
    return span, sum(before != after for before, after in pairwise(powers))


def _frames(answers: Sequence[Exchange]) -> Iterator[str]:
    for prefix, count in Counter(map(answer.prefix, answers)).items():
        if prefix != KNOWN_PREFIX:
            share = _share(count, answers)
            yield f"The prefix is {prefix.hex(' ')} instead of {KNOWN_PREFIX.hex(' ')} ({share})."
    for address, count in Counter(map(answer.address, answers)).items():
        if address != ADDRESS:
            share = _share(count, answers)
            yield f"The address is {address.hex(' ')} instead of {ADDRESS.hex(' ')} ({share})."
    for name, command in READS.items():
        own = [exchange for exchange in answers if exchange.command == command.name]
        known = command.answer_size + OVERHEAD
        for length, count in Counter(answer_length(exchange.answer) for exchange in own).items():
            if length != known:
                yield f"{name}: the length field is {length} instead of {known} ({_share(count, own)})."
        for echo, count in Counter(map(answer.echo, own)).items():
            if echo != command.request.command:
                yield f"{name}: the response is to command 0x{echo:02X} ({_share(count, own)})."


def _failures(asked: Sequence[Exchange]) -> Iterator[str]:
    answered: dict[str, bool] = {}
    for name, command in READS.items():
        own = [exchange for exchange in asked if exchange.command == command.name]
        outcomes = Counter(exchange.outcome for exchange in own if exchange.failed)
        # The frames tell already what is wrong with these.
        told = sum(answer.is_answer(exchange) for exchange in own if exchange.outcome == _UNEXPECTED)
        answered[name] = len(own) > outcomes.total()
        for outcome, count in (outcomes - Counter({_UNEXPECTED: told})).items():
            if outcome in _FAILURES:
                yield f"{name}: {_FAILURES[outcome]} ({_share(count, own)})."
        closed = sum(outcomes[outcome] for outcome in _CLOSED)
    # The telemetry comes last.
    if answered["Settings"] and own and closed == len(own):
        yield "Telemetry is refused while settings are served: this firmware seems to have no telemetry."


def _values(asked: Sequence[Exchange]) -> Iterator[str]:
    impossible: dict[str, ImpossibleValue] = {}
    modes = set()
    for exchange in asked:
        if values := answer.telemetry(exchange):
            impossible |= {value.name: value for value in impossible_values(values)}
        elif settings := answer.settings(exchange):
            limits = {"capacity": settings.capacity, "limit": settings.limit}
            impossible |= {value.name: value for value in impossible_values(limits)}
            modes.add(settings.mode)
    for value in impossible.values():
        yield f"Impossible: {value.name.replace('_l', ' L').replace('_', ' ')} is {value.raw} on the wire."
    for mode in sorted(modes - set(ControlMode)):
        yield f"The control mode is {mode}; 0 to 3 are known."


def _inverter_power(asked: Sequence[Exchange]) -> Iterator[str]:
    readings = [values for exchange in asked if (values := answer.telemetry(exchange))]
    zeros = sum(_is_false_zero(before, values) for before, values in pairwise([{}, *readings]))
    if zeros:
        yield (
            "The inverter power was 0 although power was exported or the meter power hardly changed "
            f"({_share(zeros, readings)})."
        )
    times = [exchange.at for exchange in asked if answer.telemetry(exchange)]
    seconds, changes = inverter_power_changes(asked)
    is_dense = all((after - before).total_seconds() <= _DENSE_S for before, after in pairwise(times))
    if changes and is_dense and seconds / changes < _OFTEN_S:
        every = f"{seconds / changes:.0f} s"
        yield f"The inverter power is refreshed about every {every}; {_KNOWN_REFRESH_S} s is known."


def _is_false_zero(before: Mapping[str, int], values: Mapping[str, int]) -> bool:
    """Return whether the inverter power is 0 where the meter contradicts; `before` may be empty."""
    if values["inverter_power"] != 0:
        return False
    if values["meter_power"] >= _NOT_ZERO_W:
        return True
    fallen = before.get("inverter_power", 0)
    return fallen >= _NOT_ZERO_W and before["meter_power"] - values["meter_power"] < fallen / 2


def _share(count: int, of: Sequence[object]) -> str:
    return f"{count} of {len(of)}"
