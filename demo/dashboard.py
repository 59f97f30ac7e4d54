"""The demo's dashboard: the one to copy, looking less far back, and the simulated house in it."""

from collections.abc import Iterator
from typing import Any, Final

from homeassistant.util.yaml import load_yaml_dict

from .options import CHECKOUT

_TO_COPY: Final = CHECKOUT / "docs" / "dashboards" / "goodwe_sec1000.yaml"
_SIMULATED_HOUSE: Final = CHECKOUT / "demo" / "simulated_house.yaml"
_HOURS: Final = 0.25
"""How far back the graphs look in a demo that has just begun: else its history is a stroke at the edge."""
_MORE_COMMANDS: Final = 3
"""Which section."""

type Card = dict[str, Any]


def dashboard(*, simulated: bool, has_past: bool) -> dict[str, Any]:
    """Return the dashboard; for a simulated device without a past, without what stays empty for an hour.

    For a real device it is the one to copy, as it stands.
    """
    config = load_yaml_dict(_TO_COPY)
    sections: list[Card] = config["views"][0]["sections"]
    if simulated and not has_past:
        for section in sections:
            section["cards"] = [card for card in section["cards"] if card["type"] != "statistics-graph"]
            for part in _parts(section):
                _look_less_far_back(part)
    if simulated:
        # Below the button that frees the inverters.
        sections[_MORE_COMMANDS]["cards"] += load_yaml_dict(_SIMULATED_HOUSE)["cards"]
    return config


def _look_less_far_back(part: Card) -> None:
    if "hours_to_show" in part:
        part["hours_to_show"] = _HOURS
    if part.get("heading") == "The last 24 hours":
        part["heading"] = "The last 15 minutes"


def _parts(node: object) -> Iterator[Card]:
    """Yield all dictionaries in a configuration, however deep."""
    if isinstance(node, dict):
        yield node
        for item in node.values():
            yield from _parts(item)
    elif isinstance(node, list):
        for item in node:
            yield from _parts(item)
