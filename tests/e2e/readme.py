"""The button cards of the dashboards' README, extracted from its text."""

from functools import cache
import re
from textwrap import dedent
from typing import Final

from homeassistant.util.yaml import parse_yaml

from demo.options import CHECKOUT

CARDS: Final = ("Disable export", "Enable export", "Export 7 kW")
SPELLINGS: Final = ("perform-action", "call-service")
"""Names of the tap action that calls an action; the second is the older one."""


def cards(spelling: str) -> str:
    """Return the YAML of the three button cards in one spelling."""
    return _by_spelling()[spelling]


@cache
def _by_spelling() -> dict[str, str]:
    found: dict[str, str] = {}
    for block in _blocks():
        content = parse_yaml(block)
        assert isinstance(content, dict)
        buttons = {
            card["name"]: card["tap_action"]["action"]
            for card in content.get("cards", ())
            if card["type"] == "button"
        }
        spellings = set(buttons.values())
        if buttons.keys() == set(CARDS) and len(spellings) == 1:
            found[spellings.pop()] = block
    return found


def _blocks() -> list[str]:
    """Return the YAML blocks of the page that contain buttons."""
    text = (CHECKOUT / "docs" / "dashboards" / "README.md").read_text()
    blocks = re.findall(r"^ *```yaml\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [dedent(block) for block in blocks if "type: button" in block]
