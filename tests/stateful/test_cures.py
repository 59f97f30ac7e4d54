"""The random lives notice when a cure of a defect that they prove is taken out again."""

from collections.abc import Iterable
from dataclasses import dataclass
import json
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
LIVES_AT_ONCE: Final = 200
FIRST_SEED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines of one file of the integration, and what stands there without the cure."""

    file: str
    lines: str
    without: str


# How many lives noticed was measured once, with the seeds from FIRST_SEED on.
CURES: Final[dict[str, tuple[Edit, ...]]] = {
    # A command during a change of options.
    "commands keep the order of their calls": (  # noticed by 33 of 400
        Edit("control/limit_queue.py", "self._waiting.append(waiting)", "self._waiting.insert(0, waiting)"),
    ),
    "what is written follows the options while the line is held": (  # noticed by 6 of 200
        Edit(
            "control/limit_queue.py",
            "    done: asyncio.Future[str]\n",
            "    done: asyncio.Future[str]\n    options: Any = None\n",
        ),
        Edit(
            "control/limit_queue.py",
            "self._waiting.append(waiting)",
            "waiting.options = self._coordinator.config_entry.options; self._waiting.append(waiting)",
        ),
        Edit(
            "control/limit_queue.py",
            """        coordinator = self._coordinator
        plan = Plan(
            coordinator.config_entry.options,
""",
            """        coordinator = self._coordinator
        plan = Plan(
            commands[0].options if commands else coordinator.config_entry.options,
""",
        ),
    ),
    "options are saved before the line is let go": (  # noticed by 61 of 300
        Edit(
            "control/limit_queue.py",
            "        self.save(plan.changed)\n        if settings",
            "        asyncio.get_running_loop().call_later(1, self.save, plan.changed)\n        if settings",
        ),
    ),
    "options of a superseded command are not lost": (  # noticed by 4 of 200
        Edit(
            "control/limit_commands.py",
            "return older.options <= self.options",
            "return self.sets_limit or older.options <= self.options",
        ),
    ),
    "deactivated comes from its explicit choice only": (  # noticed by 16 of 200
        Edit(
            "control/limit_commands.py",
            "self.options.control_mode is not ControlMode.DEACTIVATED or CONF_CONTROL_MODE in self.changed",
            "True",
        ),
    ),
    # Nobody is told.
    "an issue tells of a limit that stays off": (  # noticed by 8 of 300
        Edit("control/restore.py", "Issue.LIMIT_IS_OFF.async_raise(", "(lambda *_: None)("),
    ),
    "an end tells of a limit that stays off": (  # noticed by 5 of 300
        Edit("control/actions.py", "self._restorer.report_unrestored(is_ending=True)", "pass"),
        Edit(
            "control/actions.py",
            """        except NotAppliedError, OutcomeUnknownError:
            self._restorer.report_unrestored()
            raise
""",
            """        except NotAppliedError, OutcomeUnknownError:
            raise
""",
        ),
        Edit(
            "control/actions.py",
            """                coordinator.invalidate_settings()
                self._restorer.report_unrestored()
""",
            """                coordinator.invalidate_settings()
""",
        ),
    ),
    "the issue is there after a restart": (  # noticed by 7 of 300
        Edit(
            "issues.py",
            '"limit_is_off", ir.IssueSeverity.CRITICAL, True',
            '"limit_is_off", ir.IssueSeverity.CRITICAL',
        ),
    ),
    "the issue is there before a disabled entry is unloaded": (  # noticed by 2 of 300
        Edit("control/actions.py", "        if entry.disabled_by:\n", "        if False:\n"),
    ),
    # The pending restore is thrown away.
    "what is read while the limit is off is not what should hold": (  # noticed by 1 of 300
        Edit(
            "control/limit_commands.py",
            "mode = self._pending.mode if self._pending else (await self.held()).mode",
            "mode = (await self.held()).mode",
        ),
    ),
    # Taken and cut off.
    "nothing is taken once an unload has begun": (  # noticed by 88 of 300
        Edit("control/runner.py", 'key = "closed" if is_closed else', "key = None if is_closed else"),
    ),
    "no mode is taken off once a stop has begun": (  # noticed by 2 of 200
        Edit("control/actions.py", "        self._runner.stopping = True\n", ""),
    ),
    "an unload waits for what runs": (  # noticed by 100 of 200
        Edit("control/actions.py", "await self._finish(UNLOAD_TIMEOUT_S)", "await self._finish(0.5)"),
    ),
    # A limit that ends by itself.
    "a limit ends by itself": (  # noticed by 4 of 100
        Edit(
            "control/temporary_end.py",
            "            self._begin(self._end_until_proven(temporary.ends))\n",
            "            pass\n",
        ),
    ),
    "an end allows no more than a limit that may have failed": (  # noticed by 3 of 300
        Edit("control/limit_queue.py", "await coordinator.baseline.tighten_end(limit)", "pass"),
    ),
    # Ended early, and a late off.
    "a late off is waited for": (  # noticed by 1 of 400
        Edit("sec1000/client.py", "if fault or window.cut_short_by:", "if False:"),
    ),
}


@pytest.mark.parametrize("name", CURES)
def test_cure_is_where_the_long_test_takes_it_out(name: str) -> None:
    for edit in CURES[name]:
        assert (CHECKOUT / INTEGRATION / edit.file).read_text().count(edit.lines) == 1


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", CURES)
def test_lives_notice_a_cure_that_is_taken_out(name: str, tmp_path: Path) -> None:
    take_out(CURES[name], tmp_path)
    for seed in range(FIRST_SEED, FIRST_SEED + LIVES, LIVES_AT_ONCE):
        if found := live(tmp_path, range(seed, seed + LIVES_AT_ONCE)):
            print(f"{len(found)} of {LIVES_AT_ONCE} lives notice it, for example {found[0]}")
            return
    pytest.fail(f"{LIVES} lives did not notice that this was taken out: {name}")


def take_out(cure: Iterable[Edit], folder: Path) -> None:
    """Put a copy of all that the lives need into this folder, without the cure."""
    for part in ("custom_components", "simulator", "tests"):
        shutil.copytree(
            CHECKOUT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "data", "e2e")
        )
    shutil.copy(CHECKOUT / "pyproject.toml", folder)
    for edit in cure:
        mutated = folder / INTEGRATION / edit.file
        mutated.write_text(mutated.read_text().replace(edit.lines, edit.without))


def live(folder: Path, seeds: range) -> list[str]:
    """Live these lives in a process of its own, and return which of them were not as they should be."""
    found = folder / "violations"
    found.unlink(missing_ok=True)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/stateful/test_lives.py"],
        cwd=folder,
        env={
            **os.environ,
            "STATEFUL_HUNT": str(found),
            "STATEFUL_SEEDS": f"{seeds[0]}-{seeds[-1]}",
        },
        capture_output=True,
        check=True,
    )
    return [
        f"{life['life']}: {life['violations'][0]}" for life in map(json.loads, found.read_text().splitlines())
    ]
