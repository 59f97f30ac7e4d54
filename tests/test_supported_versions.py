"""The minimum Home Assistant that is promised is the oldest one that is tested."""

import json
from pathlib import Path
import re

import pytest

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture
def promised() -> str:
    minimum = json.loads((CHECKOUT / "hacs.json").read_text())["homeassistant"]
    assert isinstance(minimum, str)
    return minimum


def test_minimum_home_assistant_of_hacs_is_tested(promised: str) -> None:
    locked = (CHECKOUT / "requirements-oldest.txt").read_text()
    assert re.findall(r"^homeassistant==(\S+)", locked, re.MULTILINE) == [promised], "run scripts/lock"


def test_readme_names_minimum_home_assistant(promised: str) -> None:
    assert f"Home Assistant {promised} or newer" in (CHECKOUT / "README.md").read_text()
