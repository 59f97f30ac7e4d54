"""The report on a device, in plain words: what answers, how fast, and what is unusual."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from . import answer
from .command import READ_EXPORT_SETTINGS
from .model import ControlMode
from .transport import Exchange
from .unusual import READS, inverter_power_changes, unusual

_CANCELLED: Final = "cancelled"
_WEB_SERVER: Final = b"HTTP/"
_SHOWN_BYTES: Final = 16
_EXHAUSTED: Final = (
    "After too many requests, a SEC1000/S does this: power-cycle it. "
    "Otherwise another device has this address."
)
_NOTHING_THERE: Final[Mapping[str, str]] = {
    "HostNotFoundError": "The host name could not be resolved. Enter the IP address, such as 192.168.1.200.",
    "ConnectTimeoutError": "The connection timed out. Check the address, and that the device is powered on "
    "and in this network.",
    "ConnectionFailedError": "The connection is refused, or there is no route to this address. Check the "
    "address and port. A SEC1000/S listens on 1234.",
    "ConnectionClosedError": f"The connection is accepted and closed again without a response. {_EXHAUSTED}",
    "AnswerTimeoutError": f"The port is open, but does not respond. {_EXHAUSTED}",
}


class Verdict(IntEnum):
    """What all of it comes to; as a number the exit status of the probe, where 2 is a wrong argument."""

    AS_DOCUMENTED = 0
    UNUSUAL = 1
    """A SEC1000/S of which something is unusual."""
    OTHER_DEVICE = 3
    """Something answers, and never as a SEC1000/S does."""
    NO_ANSWER = 4


@dataclass(frozen=True, slots=True)
class Report:
    """What was found; neither host nor name of the device is in it."""

    verdict: Verdict
    facts: tuple[str, ...]
    unusual: tuple[str, ...]
    """Where there is no SEC1000/S, what is there instead."""

    @classmethod
    def from_exchanges(cls, exchanges: Iterable[Exchange]) -> Report:
        """Return what these exchanges with one device tell."""
        asked = [exchange for exchange in exchanges if exchange.outcome != _CANCELLED]
        facts = (*_reads(asked), *_writes(asked))
        if not any(answer.is_answer(exchange) for exchange in asked):
            verdict, sentence = _what_is_there(asked)
            return cls(verdict, facts, (sentence,))
        found = tuple(unusual(asked))
        return cls(Verdict.UNUSUAL if found else Verdict.AS_DOCUMENTED, facts, found)

    def as_dict(self) -> dict[str, str | list[str]]:
        """Return it as diagnostics and the files of the probe hold it."""
        return {
            "verdict": self.verdict.name.lower(),
            "facts": list(self.facts),
            "unusual": list(self.unusual),
        }


def _reads(asked: Sequence[Exchange]) -> Iterator[str]:
    for name, command in READS.items():
        own = [exchange for exchange in asked if exchange.command == command.name]
        good = [exchange for exchange in own if not exchange.failed]
        if not own:
            continue
        sentence = f"{name} (0x{command.request.command:02X}): {len(good)} of {len(own)} requests successful"
        if not good:
            yield f"{sentence}."
            continue
        fastest, slowest = (choose(exchange.seconds for exchange in good) for choose in (min, max))
        yield f"{sentence}, in {fastest:.2f} to {slowest:.2f} s."
        yield from _settings(good[-1]) if command is READ_EXPORT_SETTINGS else _telemetry(good)


def _settings(exchange: Exchange) -> Iterator[str]:
    if settings := answer.settings(exchange):
        yield (
            f"Control mode {ControlMode(settings.mode).key}, export limit {settings.limit / 1000:.2f} kW, "
            f"total capacity {settings.capacity / 1000:.2f} kW, CT ratio {settings.ct_ratio}."
        )


def _telemetry(read: Sequence[Exchange]) -> Iterator[str]:
    if (values := answer.telemetry(read[-1])) is None:
        return
    volts, amperes, watts = (
        " / ".join(f"{values[f'{kind}_l{phase}'] / steps:.{digits}f}" for phase in (1, 2, 3))
        for kind, steps, digits in (("voltage", 10, 1), ("current", 100, 2), ("power", 1, 0))
    )
    yield (
        f"Last measured: {volts} V, {amperes} A, {watts} W, meter {values['meter_power']} W, "
        f"inverters {values['inverter_power']} W."
    )
    seconds, changes = inverter_power_changes(read)
    times = {0: "did not change", 1: "changed once"}.get(changes, f"changed {changes} times")
    yield f"The inverter power {times} in {seconds:.0f} s ({len(read)} readings)."


def _writes(asked: Sequence[Exchange]) -> Iterator[str]:
    names = {command.name for command in READS.values()}
    writes = [exchange for exchange in asked if exchange.command not in names]
    if not writes:
        return
    good = [exchange for exchange in writes if not exchange.failed]
    statuses = Counter(answer.data(exchange).hex() for exchange in good)
    counted = "".join(f", status {status}: {count}" for status, count in sorted(statuses.items()))
    yield f"Writes: {len(good)} of {len(writes)} requests successful{counted}."


def _what_is_there(asked: Sequence[Exchange]) -> tuple[Verdict, str]:
    """Return what is there where no SEC1000/S is."""
    answers = [exchange.answer for exchange in asked if exchange.answer]
    if any(received.startswith(_WEB_SERVER) for received in answers):
        return Verdict.OTHER_DEVICE, "A web server responds here. A SEC1000/S listens on port 1234."
    if answers:
        begin = answers[-1][:_SHOWN_BYTES].hex(" ")
        return Verdict.OTHER_DEVICE, f"Something responds, but not like a SEC1000/S: it sends {begin}."
    if not asked:
        return Verdict.NO_ANSWER, "No request was sent yet."
    [(outcome, _)] = Counter(exchange.outcome for exchange in asked).most_common(1)
    return Verdict.NO_ANSWER, _NOTHING_THERE[outcome]
