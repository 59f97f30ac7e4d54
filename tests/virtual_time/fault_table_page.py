"""docs/fault-table.md: the measured fault table as a page."""

from collections import Counter
from collections.abc import Sequence
import json
import os
from pathlib import Path
import re
import sys
from typing import Final

from homeassistant.const import __version__ as homeassistant_version

from custom_components import goodwe_sec1000 as integration
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import FAULTS

from .fault_table import (
    LIMIT_BEFORE,
    LIMIT_ELSEWHERE,
    LIMIT_WANTED,
    UNACKNOWLEDGED,
    Held,
    Measured,
    Operation,
    Seen,
    is_applied,
    is_measured,
    is_undetected,
    judge,
    undetectable_reason,
)

PAGE: Final = Path(__file__).parents[2] / "docs" / "fault-table.md"

WRITE_PAGE: Final = "WRITE_FAULT_TABLE"
"""Set in the environment by scripts/fault-table."""

ERRORS_TEXT: Final = {
    "action_failed": "failed",
    "not_applied": "not applied",
    "outcome_unknown": "outcome unknown",
}
OPERATIONS_TEXT: Final = {
    Operation.TELEMETRY: "The sensors of power, voltage and current are updated.",
    Operation.READ: (
        "`get_export_limit`, after another program changed the limit from "
        f"{LIMIT_BEFORE / 1000:.2f} to {LIMIT_ELSEWHERE / 1000:.2f} kW."
    ),
    Operation.WRITE: (
        f"`set_export_limit` with {LIMIT_WANTED / 1000:.2f} kW on a device that holds "
        f"{LIMIT_BEFORE / 1000:.2f} kW in value mode: write, arm, read."
    ),
    Operation.MODE: (
        f"`set_export_limit` with {LIMIT_WANTED / 1000:.2f} kW, value mode in the options, on a device that "
        "is controlled by RCR: write, DRED off, RCR off, arm, read."
    ),
    Operation.RESET: (
        f"`reset_export_watchdog` on a device that holds {LIMIT_BEFORE / 1000:.2f} kW in value mode: read, "
        "DRED off, RCR off, value off, 5 s in which the limit is suspended, write, arm, read."
    ),
    Operation.CLOCK: "`set_datetime`.",
}


def _table(operation: Operation, table: Sequence[Measured]) -> list[str]:
    lines = [
        f"### {operation}",
        "",
        OPERATIONS_TEXT[operation],
        "",
        "| fault | affects | outcome | requests | s | shown | device | shown later | device later |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for fault in dict.fromkeys(each.cell.fault for each in table):
        rows: dict[tuple[str, ...], list[Measured]] = {}
        for each in table:
            if (each.cell.operation, each.cell.fault) == (operation, fault):
                rows.setdefault(_outcome(each), []).append(each)
        for (outcome, *rest), alike in rows.items():
            requests = format_range([each.requests for each in alike])
            seconds = format_range([int(each.seconds + 0.51) for each in alike])
            row = (f"| {fault}", _scopes(alike), outcome, requests, seconds, *rest)
            lines.append(" | ".join(row) + " |")
            fault = ""  # noqa: PLW2901 - named in the first of its rows only
    return [*lines, ""]


def _outcome(measured: Measured) -> tuple[str, ...]:
    """Return the cells of a row other than numbers; equal outcomes share a row."""
    wrong = judge(measured)
    outcome = ERRORS_TEXT.get(measured.result, measured.result)
    outcome += f" ({measured.feedback}" + ("" if measured.is_ok else f" {', '.join(measured.flags)}") + ")"
    if is_undetected(measured):
        outcome += " †"
    if measured.result == UNACKNOWLEDGED and not is_applied(measured):
        outcome += " ‡"
    if wrong:
        outcome += f" **WRONG: {'; '.join(wrong)}**"
    return (
        outcome.replace("_", " "),
        _format_shown(measured, measured.seen),
        _format_held(measured, measured.held),
        _format_shown(measured, measured.seen_later),
        _format_held(measured, measured.held_later),
    )


def _scopes(alike: Sequence[Measured]) -> str:
    names: dict[str, list[str]] = {}
    for each in alike:
        names.setdefault(each.cell.scope.when, []).append(each.cell.affected)
    return "; ".join(f"{when}: {', '.join(requests)}" for when, requests in names.items())


def format_range(values: Sequence[int]) -> str:
    """Return "2", or "2 to 6"."""
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def _format_shown(measured: Measured, seen: Seen) -> str:
    if measured.cell.operation is Operation.CLOCK:
        return "–"
    if measured.cell.operation is Operation.TELEMETRY:
        if seen.telemetry is None:
            return "unavailable"
        if is_measured(seen.telemetry):
            return "right"
        return (
            "inverters: the last value" if is_measured(seen.telemetry, measured.cell.fault) else "old values"
        )
    if seen.limit is None or seen.mode is None:
        return "unavailable"
    return f"{format_mode(seen.mode)} {seen.limit / 1000:.2f}"


def _format_held(measured: Measured, held: Held) -> str:
    if measured.cell.operation is Operation.CLOCK:
        return "set" if held.clock_right else "not set"
    if measured.cell.operation is Operation.TELEMETRY:
        return "–"
    words = f"{format_mode(held.mode)} {held.limit / 1000:.2f}"
    if held.mode is ControlMode.VALUE and held.bound_limit not in (None, held.limit):
        words += f", in force {(held.bound_limit or 0) / 1000:.2f}"
    return words


def format_mode(mode: ControlMode) -> str:
    """Return the name of a control mode as the page has it."""
    return mode.key if mode in (ControlMode.VALUE, ControlMode.DEACTIVATED) else mode.name


def faults_part(table: Sequence[Measured]) -> str:
    """Return the part of the page on the faults."""
    wrong = sum(bool(judge(each)) for each in table)
    unseen = Counter(undetectable_reason(each.cell) for each in table if is_undetected(each))
    names = {each.cell.fault for each in table}
    version = json.loads((Path(integration.__file__).parent / "manifest.json").read_text())["version"]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    warned = sum(each.result == UNACKNOWLEDGED and not is_applied(each) for each in table)
    return "\n".join(
        (
            f"{len(table)} cells of {len(names)} faults; wrong: **{wrong}**.",
            "",
            f"Integration {version}, Home Assistant {homeassistant_version}, Python {python}.",
            "",
            "Cells with a mark:",
            "",
            *(f"- † {why}: {count}" for why, count in unseen.items()),
            f"- ‡ an arming that is lost again and again; the message asks to check the meter: {warned}",
            "",
            *(line for operation in Operation for line in _table(operation, table)),
            "### The faults",
            "",
            "| fault | what the device does |",
            "|---|---|",
            *(f"| {fault.name} | {fault.summary} |" for fault in FAULTS.values() if fault.name in names),
        )
    )


def check_page(part: str, text: str) -> None:
    """Assert that this part of the page is this text, or write it where scripts/fault-table asks for it."""
    page = PAGE.read_text(encoding="utf-8")
    now = _updated(page, part, text)
    if os.environ.get(WRITE_PAGE):
        PAGE.write_text(now, encoding="utf-8")
    else:
        assert _without_versions(page) == _without_versions(now), "run scripts/fault-table; read what changed"


def _updated(page: str, part: str, text: str) -> str:
    """Return the page with this text between the marks of one of its parts."""
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    assert found, f"the page has no part {part}"
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def _without_versions(page: str) -> str:
    """Return the page without the line that names the versions with which it was measured."""
    return re.sub(r"^Integration .*", "", page, flags=re.MULTILINE)
