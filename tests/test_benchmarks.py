"""The benchmarks measure what they say; how fast the machine is does not matter here."""

from pathlib import Path
import subprocess
import sys

import pytest

from tests.benchmarks.__main__ import SUBJECTS, page
from tests.benchmarks.report import Figure, Goal, Table

CHEAPEST = ["read", "command"]
"""The benchmarks of a run without --long."""


@pytest.fixture(scope="module")
def printed(long_run: bool) -> dict[str, str]:
    """Return the output of each benchmark at its smallest size; they run side by side."""
    runs = {
        subject: subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "tests.benchmarks", "--once", subject],
            cwd=Path(__file__).parent.parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        for subject in (SUBJECTS if long_run else CHEAPEST)
    }
    return {subject: run.communicate()[0] for subject, run in runs.items()}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("subject", "figure"),
    [
        ("read", "| decode one answer |"),
        ("command", "| mode stands, quiet for 0.5 s: requests | 3 | 3 – 3 | 1 | 3 met |"),
        ("command", "| mode changes, during a poll: requests | 5 | 5 – 5 | 1 | 5 met |"),
        ("command", "| reset, right after a poll: requests | 7 | 7 – 7 | 1 | 7 met |"),
        pytest.param("meter", "| inverters react after 90 s |", marks=pytest.mark.long),
        pytest.param("entry", "| CPU per poll |", marks=pytest.mark.long),
        pytest.param(
            "recorder",
            "| standing still: rows per hour, all entities but energy | 0 | 0 – 0 | 1 | 0 met |",
            marks=pytest.mark.long,
        ),
        pytest.param("growth", "| 2 at 5 s: gap between polls |", marks=pytest.mark.long),
        pytest.param(
            "floods",
            "| a limit each second, polled every 5 s: requests in the worst hour |",
            marks=pytest.mark.long,
        ),
    ],
)
def test_benchmark_runs(printed: dict[str, str], subject: str, figure: str) -> None:
    assert figure in printed[subject]


def test_every_benchmark_is_tested() -> None:
    assert list(SUBJECTS) == ["read", "command", "meter", "entry", "recorder", "growth", "floods"]


def test_page_names_missed_goals() -> None:
    well, ill = Figure("well", "ms", [1, 2, 3], Goal(2)), Figure("ill", "ms", [4.0], Goal(3))
    written = page({"some": Table("Some", "How.", [well, ill])}, "")
    assert "Goals missed: ill." in written
    assert "| well | 2 ms | 1 – 3 | 3 | ≤ 2 met |" in written
