"""Run benchmarks and print their tables; a full run also updates docs/BENCHMARKS.md."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
import os
from pathlib import Path
import platform
import sys
from typing import Final

from homeassistant.const import __version__ as homeassistant_version

from .commands import commanded
from .entry_costs import inside_home_assistant
from .floods import flooded
from .growth import growing
from .meter import seen_at_the_meter
from .report import Table
from .rows import recorded
from .scale import FULL, SMALLEST, Scale
from .wire import decoding_and_reading

PAGE: Final = Path(__file__).parents[2] / "docs" / "BENCHMARKS.md"

SUBJECTS: Final[dict[str, Callable[[Scale], Coroutine[None, None, Table]]]] = {
    "read": decoding_and_reading,
    "command": commanded,
    "meter": seen_at_the_meter,
    "entry": inside_home_assistant,
    "recorder": recorded,
    "growth": growing,
    "floods": flooded,
}


def page(tables: dict[str, Table], notes: str) -> str:
    """Return the page: the machine, missed goals, and each table with its command."""
    missed = [figure.name for table in tables.values() for figure in table.figures if figure.missed]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            (
                "What the integration costs, measured against the simulated device over loopback by "
                "`scripts/bench`, which wrote this page. Nothing in the tests depends on these figures."
            ),
            "",
            *(f"- {name}: {value}" for name, value in machine().items()),
            "",
            f"Goals missed: {', '.join(missed) or 'none'}.",
            "",
            *(f"{table.markdown()}\nAgain: `scripts/bench {subject}`\n" for subject, table in tables.items()),
            notes,
        ]
    )


def machine() -> dict[str, str]:
    """Return the versions and hardware that the figures depend on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{cpu}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Home Assistant": homeassistant_version,
    }


def _run(subjects: list[str], scale: Scale) -> dict[str, Table]:
    """Measure each subject on an event loop of its own: Home Assistant marks the one that it stops on."""
    tables = {}
    for subject in subjects:
        tables[subject] = asyncio.run(SUBJECTS[subject](scale))
        sys.stdout.write(tables[subject].markdown() + "\n")
        sys.stdout.flush()
    return tables


def main() -> None:
    """Run the named subjects, or all of them and update the page."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "subjects", nargs="*", metavar="SUBJECT", help=f"of {', '.join(SUBJECTS)}; default: all"
    )
    parser.add_argument(
        "--once", action="store_true", help="the smallest scale, to check that the benchmarks run"
    )
    arguments = parser.parse_args()
    chosen: list[str] = arguments.subjects
    if unknown := sorted(set(chosen) - set(SUBJECTS)):
        parser.error(f"{', '.join(unknown)}: no such subject; there are {', '.join(SUBJECTS)}")
    tables = _run(chosen or list(SUBJECTS), SMALLEST if arguments.once else FULL)
    if not chosen and not arguments.once:
        _, mark, notes = PAGE.read_text(encoding="utf-8").partition(NOTES) if PAGE.exists() else ("", "", "")
        PAGE.write_text(page(tables, f"{mark or NOTES}{notes}"), encoding="utf-8")


NOTES: Final = "## What the figures say\n"
"""From this heading on, the page is written by hand and kept."""

if __name__ == "__main__":
    main()
