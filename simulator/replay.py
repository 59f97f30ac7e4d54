"""A recorded device: each request is answered as the device of a diagnostics file, or of the probe's, did."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
import json
import math
from pathlib import Path
from typing import Any, Final, Self

from custom_components.goodwe_sec1000.sec1000.frame import ADDRESS, LENGTH_SIZE, MAX_LENGTH

from .exchange import NO_ANSWER, Answer, Delivery

_COMMAND_AT: Final = LENGTH_SIZE + len(ADDRESS)
_REFUSED: Final = frozenset({"ConnectionFailedError", "HostNotFoundError"})
_UNFINISHED: Final = "AnswerTimeoutError"
_CANCELLED: Final = "cancelled"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One exchange of the file; times in seconds since the first one began."""

    begins: float
    ends: float
    asked_by: str
    request: bytes
    answer: bytes
    outcome: str

    @property
    def command(self) -> int:
        """The command byte of the request."""
        return self.request[_COMMAND_AT]

    @property
    def is_refused(self) -> bool:
        """Whether there was no connection."""
        return self.outcome in _REFUSED

    def played(self) -> Answer:
        """Return what the device did, and how long it took for that."""
        if self.outcome == _UNFINISHED:
            return Answer(self.answer, Delivery.HOLD)
        return Answer(self.answer, delay=self.ends - self.begins)


class Replay:
    """Answers each request with the next recorded answer to its command, and at the end with the last."""

    def __init__(self, exchanges: Sequence[Recorded]) -> None:
        """Play these exchanges, in the order of their times."""
        self.exchanges: Final = tuple(exchanges)
        self.exhausted = 0
        """Number of requests that came past the end: no answer to their command was left."""
        # A request that its client gave up tells nothing of the device.
        answered = [exchange for exchange in exchanges if exchange.outcome != _CANCELLED]
        self.closed_first_s: Final = _closed(answered, -1)
        """Seconds for which no connection is accepted at first."""
        self._answers: defaultdict[int, list[tuple[Answer, float]]] = defaultdict(list)
        for index, exchange in enumerate(answered):
            if not exchange.is_refused:
                self._answers[exchange.command].append((exchange.played(), _closed(answered, index)))
        self._played: defaultdict[int, int] = defaultdict(int)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Load diagnostics or a file of the probe; raises ValueError with a sentence where it is neither."""
        try:
            content = json.loads(path.read_text("utf-8"))
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from None
        except ValueError:
            raise ValueError(f"{path} is not JSON") from None
        exchanges = recorded_data(content).get("exchanges")
        if not isinstance(exchanges, list) or not exchanges:
            raise ValueError(f"{path} has no exchanges: it is no diagnostics file, or nothing was asked")
        try:
            return cls(_read(exchanges))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"an exchange in {path} cannot be read: {error!r}") from None

    @property
    def seconds(self) -> float:
        """How long all of it took."""
        return max(exchange.ends for exchange in self.exchanges)

    def answer(self, raw: bytes) -> tuple[Answer, float]:
        """Return the answer to a request, and for how many seconds from now no connection is accepted."""
        command = raw[_COMMAND_AT] if len(raw) > _COMMAND_AT else -1
        answers, played = self._answers.get(command, []), self._played[command]
        if played >= len(answers):
            self.exhausted += 1
            return (answers[-1][0], 0.0) if answers else (NO_ANSWER, 0.0)
        self._played[command] += 1
        return answers[played]


def recorded_data(content: object) -> Mapping[str, Any]:
    """Return what was recorded: Home Assistant downloads diagnostics with it inside of `data`."""
    if not isinstance(content, dict):
        return {}
    data = content.get("data")
    return data if isinstance(data, dict) else content


def _read(exchanges: Sequence[Mapping[str, Any]]) -> list[Recorded]:
    times = []
    for exchange in exchanges:
        ends = datetime.fromisoformat(exchange["at"]).timestamp()
        # Diagnostics of 0.1.0 do not say how long it took, nor who asked.
        times.append((ends - float(exchange.get("seconds", 0)), ends))
    first = min(begins for begins, _ in times)
    recorded = [
        Recorded(
            begins - first,
            ends - first,
            str(exchange.get("asked_by", "")),
            bytes.fromhex(exchange["request"]),
            bytes.fromhex(exchange["answer"]),
            str(exchange["outcome"]),
        )
        for exchange, (begins, ends) in zip(exchanges, times, strict=True)
    ]
    if any(not _COMMAND_AT < len(exchange.request) <= MAX_LENGTH for exchange in recorded):
        raise ValueError("a request is too short or too long")
    return sorted(recorded, key=lambda exchange: exchange.ends)


def _closed(exchanges: Sequence[Recorded], index: int) -> float:
    """Return for how long connections were refused after the exchange with this index began, in seconds.

    The port opens again in the middle between the last refusal and the request after it.
    """
    began = exchanges[index].begins if index >= 0 else 0.0
    rest = exchanges[index + 1 :]
    if not rest or not rest[0].is_refused:
        return 0.0
    for refused, following in pairwise(rest):
        if not following.is_refused:
            return (refused.ends + following.begins) / 2 - began
    return math.inf
