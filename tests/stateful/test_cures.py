"""The random lives notice when a cure of a defect that they prove is taken out again."""

from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import subprocess
import sys
from typing import Final

import pytest

CHECKOUT: Final = Path(__file__).parents[2]
INTEGRATION: Final = "custom_components/goodwe_sec1000"
LIVES: Final = 2_000
CHUNK: Final = 25
CHUNKS_AT_ONCE: Final = 8
FIRST_SEED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Cure:
    """A line of the integration without which a defect comes back."""

    file: str
    line: str
    without: str


CURES: Final = {
    "commands keep the order of their calls": Cure(
        "control/limit_queue.py", "self._waiting.append(waiting)", "self._waiting.insert(0, waiting)"
    ),
    "options of a superseded command are not lost": Cure(
        "control/limit_commands.py",
        "return older.options <= self.options",
        "return self.sets_limit or older.options <= self.options",
    ),
    "deactivated comes from its explicit choice only": Cure(
        "control/limit_commands.py",
        "self.options.control_mode is not ControlMode.DEACTIVATED or CONF_CONTROL_MODE in self.changed",
        "True",
    ),
    "nothing is taken once an unload has begun": Cure(
        "control/runner.py", 'key = "closed" if self.closed else', "key = None if self.closed else"
    ),
}


@pytest.mark.parametrize("name", CURES)
def test_cure_is_where_the_long_test_takes_it_out(name: str) -> None:
    cure = CURES[name]
    assert (CHECKOUT / INTEGRATION / cure.file).read_text().count(cure.line) == 1


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", CURES)
def test_lives_notice_a_cure_that_is_taken_out(name: str, tmp_path: Path) -> None:
    cure = CURES[name]
    for folder in ("custom_components", "simulator", "tests"):
        shutil.copytree(
            CHECKOUT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "data")
        )
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    mutated = tmp_path / INTEGRATION / cure.file
    mutated.write_text(mutated.read_text().replace(cure.line, cure.without))
    found = tmp_path / "violations"
    for seed in range(FIRST_SEED, FIRST_SEED + LIVES // CHUNK, CHUNKS_AT_ONCE):
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/stateful/test_lives.py"],
            cwd=tmp_path,
            env={
                **os.environ,
                "STATEFUL_HUNT": str(found),
                "STATEFUL_SEEDS": f"{seed}-{seed + CHUNKS_AT_ONCE - 1}",
            },
            capture_output=True,
            check=False,
        )
        if found.exists() and found.read_text():
            return
    pytest.fail(f"{LIVES} lives did not notice that this was taken out: {name}")
