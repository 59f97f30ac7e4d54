"""Texts of the English translation."""

from functools import cache
import json
from typing import Any

from custom_components.goodwe_sec1000.const import DOMAIN
from demo.options import CHECKOUT


def error(name: str, flow: str = "config") -> str:
    """Return the text of an error of the setup flow ("config") or of another flow."""
    return str(_english()[flow]["error"][name])


def aborted(name: str) -> str:
    """Return the text of an abort of the setup flow."""
    return str(_english()["config"]["abort"][name])


@cache
def _english() -> dict[str, Any]:
    path = CHECKOUT / "custom_components" / DOMAIN / "translations" / "en.json"
    words: dict[str, Any] = json.loads(path.read_text())
    return words
