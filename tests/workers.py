"""How the tests are shared out among workers that run side by side."""

from fnmatch import fnmatchcase
from math import inf
from typing import Final, override

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

UNITS: Final = ("tests/e2e/test_[a-o]*", "tests/e2e/*")
"""Files that stay with one worker, by the first pattern that fits.

What they share takes longer to start than one of them to run.
"""


def unit_of(nodeid: str) -> str:
    """Return what stays with one worker: the file of a test, or those that match one of UNITS."""
    file = nodeid.split("::", 1)[0]
    return next((pattern for pattern in UNITS if fnmatchcase(file, pattern)), file)


def longest_first(items: list[pytest.Item], default_timeout: float) -> None:
    """Put first what may take longest, so that no worker begins it when the others are about to end.

    That is one of UNITS, then what has tests marked slow, in the order of what these may take together.
    """
    longest: dict[str, float] = {}
    for item in items:
        unit = unit_of(item.nodeid)
        longest.setdefault(unit, inf if unit in UNITS else 0.0)
        if item.get_closest_marker("slow"):
            timeout = item.get_closest_marker("timeout")
            longest[unit] += float(timeout.args[0]) if timeout else default_timeout
    items.sort(key=lambda item: -longest[unit_of(item.nodeid)])


class UnitScheduling(LoadScopeScheduling):  # type: ignore[misc] # pytest-xdist has no types
    """Give a worker whole units, in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        """Share out nothing yet."""
        super().__init__(config, log)
        # Else those with the most tests come first, however short they are.
        config.option.loadscopereorder = False

    @override
    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
