"""The demo's dashboard: the documented one with shorter graphs, and the simulated house."""

from collections.abc import Iterator
from typing import Any, Final

from homeassistant.util.yaml import load_yaml_dict

from .options import CHECKOUT

_DOCUMENTED: Final = CHECKOUT / "docs" / "dashboards" / "goodwe_sec1000.yaml"
_SIMULATED_HOUSE: Final = CHECKOUT / "demo" / "simulated_house.yaml"
_HOURS_TO_SHOW: Final = 0.25
"""In the graphs of a new demo, whose history would otherwise be a stroke at the edge."""
_MORE_COMMANDS: Final = 3
"""Index of the section."""

type Card = dict[str, Any]


def dashboard(*, simulated: bool, has_past: bool) -> dict[str, Any]:
    """Return the dashboard.

    For a real device it is the documented one. For a simulated device without a past, it leaves out
    the cards that stay empty for an hour.
    """
    config = load_yaml_dict(_DOCUMENTED)
    sections: list[Card] = config["views"][0]["sections"]
    if simulated and not has_past:
        for section in sections:
            section["cards"] = [card for card in section["cards"] if not _needs_statistics(card)]
            for part in _parts(section):
                _shorten_history(part)
    if simulated:
        # Below the button that resets the watchdog.
        sections[_MORE_COMMANDS]["cards"] += load_yaml_dict(_SIMULATED_HOUSE)["cards"]
    return config


def _needs_statistics(card: Card) -> bool:
    # The other is the heading above them.
    return card["type"] == "statistics-graph" or card.get("heading_style") == "subtitle"


def _shorten_history(part: Card) -> None:
    if "hours_to_show" in part:
        part["hours_to_show"] = _HOURS_TO_SHOW
    if part.get("heading") == "The last 24 hours":
        part["heading"] = "The last 15 minutes"


def _parts(node: object) -> Iterator[Card]:
    """Yield all dictionaries of a configuration, at any depth."""
    if isinstance(node, dict):
        yield node
        for item in node.values():
            yield from _parts(item)
    elif isinstance(node, list):
        for item in node:
            yield from _parts(item)
