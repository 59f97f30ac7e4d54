"""A report: what was recorded of a device, what was called meanwhile, and what is expected of a replay."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import groupby
import json
from pathlib import Path
from typing import Any, Final

from simulator import Replay
from simulator.replay import Recorded, recorded_data

REPORTS: Final = Path(__file__).parent / "reports"
_EXPECTED: Final = ".expected.json"
_ACTIONS: Final = (
    *("export_disable", "export_enable", "set_export_limit", "get_export_limit"),
    *("reset_export_watchdog", "set_datetime"),
)
_WRITE_LIMIT: Final = 0x42
_RETRY_S: Final = 20.0
"""Requests of the same action closer than this are of one call."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an action."""

    at: float
    """Seconds after the first exchange."""
    action: str
    data: Mapping[str, Any]
    outcome: int | str | None = None
    """The feedback, or the translation key of the error."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What Home Assistant shows of a report."""

    seconds: float
    """When it shows that, after the first exchange."""
    entry: str
    """The state of the entry."""
    calls: tuple[Call, ...]
    states: Mapping[str, str | None]
    """By entity id; None where the entity does not exist."""
    feedback: Mapping[str, str | None]
    """The states of the feedback sensors."""
    issues: tuple[str, ...]
    """The repair issues."""

    @classmethod
    def from_file(cls, path: Path) -> Expected:
        """Load what was written by `write`."""
        data = json.loads(path.read_text("utf-8"))
        calls = tuple(Call(**call) for call in data.pop("calls"))
        return cls(calls=calls, issues=tuple(data.pop("issues")), **data)

    def write(self, path: Path) -> None:
        """Write the file that stands beside the report."""
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", "utf-8")


@dataclass(frozen=True, slots=True)
class Report:
    """A file of diagnostics, or of the probe."""

    path: Path
    replay: Replay
    entry: Mapping[str, Any]
    """The entry as diagnostics have it; empty in a file of the probe."""
    snapshot: Mapping[str, Any]
    """What was shown when the diagnostics were taken; empty where the file does not say."""

    @classmethod
    def from_file(cls, path: Path) -> Report:
        """Load a file as a user sends it; raises ValueError where it cannot be replayed."""
        data = recorded_data(json.loads(path.read_text("utf-8")))
        return cls(path, Replay.from_file(path), data.get("entry", {}), data.get("snapshot", {}))

    @property
    def expected_path(self) -> Path:
        """The file with what is expected."""
        return self.path.with_name(self.path.stem + _EXPECTED)

    @property
    def seconds(self) -> float:
        """When to look, after the first exchange: as the file beside it says, or else at the end."""
        if self.expected_path.exists():
            return Expected.from_file(self.expected_path).seconds
        return round(self.replay.seconds, 3)

    @property
    def calls(self) -> tuple[Call, ...]:
        """What was called, as the file beside it says, or else as the requests show."""
        if self.expected_path.exists():
            return Expected.from_file(self.expected_path).calls
        return tuple(_calls(self.replay))


def names() -> list[str]:
    """Return the names of all reports."""
    return sorted(path.stem for path in REPORTS.glob("*.json") if not path.name.endswith(_EXPECTED))


def without_outcome(calls: tuple[Call, ...]) -> tuple[Call, ...]:
    """Return the calls as they are made."""
    return tuple(replace(call, outcome=None) for call in calls)


def _calls(replay: Replay) -> Iterator[Call]:
    """Yield the calls that the requests show; what one wanted that sent no limit stays open."""
    ends: dict[str, float] = {}
    for asker, group in groupby(replay.exchanges, key=lambda exchange: exchange.asked_by):
        exchanges = list(group)
        begins = exchanges[0].begins
        if asker in _ACTIONS and begins - ends.get(asker, -_RETRY_S) >= _RETRY_S:
            yield Call(round(begins, 3), asker, _data(asker, exchanges))
        ends[asker] = exchanges[-1].ends


def _data(action: str, exchanges: list[Recorded]) -> dict[str, float]:
    if action != "set_export_limit":
        return {}
    for exchange in exchanges:
        if exchange.command == _WRITE_LIMIT:
            # Length, address and command; then the capacity, and the limit.
            return {"limit": int.from_bytes(exchange.request[9:13], signed=True) / 1000}
    return {}
