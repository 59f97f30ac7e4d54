"""The sentences that the English translation has for errors."""

from functools import cache
import json
from typing import Any

from custom_components.goodwe_sec1000.const import DOMAIN
from demo.options import CHECKOUT


def error(name: str, window: str = "config") -> str:
    """Return the sentence of an error in the windows of setup ("config") or in those of the options."""
    return str(_english()[window]["error"][name])


def aborted(name: str) -> str:
    """Return the sentence with which setup ends early."""
    return str(_english()["config"]["abort"][name])


@cache
def _english() -> dict[str, Any]:
    path = CHECKOUT / "custom_components" / DOMAIN / "translations" / "en.json"
    words: dict[str, Any] = json.loads(path.read_text())
    return words
