"""The part of docs/fault-table.md on early ends."""

from collections.abc import Iterator, Sequence
from typing import Final

from custom_components.goodwe_sec1000.sec1000.model import ControlMode

from .early_ends import (
    LIMIT_BEFORE,
    LIMIT_NEWER,
    LIMIT_WANTED,
    REQUESTS,
    Command,
    End,
    Measured,
    State,
    judge,
)
from .fault_table_page import ERRORS_TEXT, format_mode, format_range

COMMANDS_TEXT: Final = {
    Command.RESET: (
        f"`reset_export_watchdog` on a device that holds {LIMIT_BEFORE / 1000:.2f} kW in value mode. The "
        f"newer limit is {LIMIT_NEWER / 1000:.2f} kW."
    ),
    Command.MODE: (
        f"`set_export_limit` with {LIMIT_WANTED / 1000:.2f} kW, value mode in the options, on a device that "
        f"is controlled by RCR. The newer limit is {LIMIT_NEWER / 1000:.2f} kW."
    ),
}


def early_ends_part(table: Sequence[Measured]) -> str:
    """Return the part of the page on early ends."""
    wrong = sum(bool(judge(each)) for each in table)
    return "\n".join(
        (
            f"{len(table)} cases; wrong: **{wrong}**.",
            "",
            *(line for command in Command for line in _table(command, table)),
        )
    ).rstrip()


def _table(command: Command, table: Sequence[Measured]) -> Iterator[str]:
    yield f"### {command}, interrupted"
    yield ""
    yield COMMANDS_TEXT[command]
    yield ""
    yield "| interrupted by | device | after | outcome | s | device then | stored | Repairs | device later |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for end in End:
        name: str = end
        for is_silent in (False, True):
            rows: dict[tuple[str, ...], list[Measured]] = {}
            for each in table:
                case = each.case
                if (case.command, case.end, case.is_silent) == (command, end, is_silent):
                    rows.setdefault(_result(each), []).append(each)
            for (outcome, *rest), alike in rows.items():
                after = ", ".join(REQUESTS[command][each.case.answered - 1] for each in alike)
                seconds = [int(each.seconds + 0.51) for each in alike if each.seconds is not None]
                took = format_range(seconds) if seconds else "–"
                device = "silent" if is_silent else "responds"
                yield " | ".join((f"| {name}", device, after, outcome, took, *rest)) + " |"
                name = ""
    yield ""


def _result(measured: Measured) -> tuple[str, ...]:
    """Return the cells of a row other than numbers; equal results share a row."""
    outcome = _outcome(measured.outcome)
    if measured.newer_outcome:
        outcome += f"; newer: {_outcome(measured.newer_outcome)}"
    if wrong := judge(measured):
        outcome += f" **WRONG: {'; '.join(wrong)}**"
    return (
        outcome,
        _device(measured.then),
        "yes" if measured.then.is_pending else "no",
        ", ".join(f"`{issue}`" for issue in measured.then.issues) or "–",
        _device(measured.later),
    )


def _outcome(key: str) -> str:
    return ERRORS_TEXT.get(key, key).replace("_", " ")


def _device(state: State) -> str:
    mode = format_mode(state.mode)
    return f"{mode} {(state.bound_limit or 0) / 1000:.2f}" if state.mode is ControlMode.VALUE else mode
