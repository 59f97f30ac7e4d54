"""What can be made to happen in the house, by name."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Final

from .house import House


def _heater_on(house: House) -> None:
    house.heater = True


def _heater_off(house: House) -> None:
    house.heater = False


def _trip(house: House) -> None:
    house.tripped = True


def _reconnect(house: House) -> None:
    house.tripped = False


def _at(hour: float) -> Callable[[House], None]:
    def move(house: House) -> None:
        house.time_of_day = hour

    return move


EVENTS: Final[Mapping[str, Callable[[House], None]]] = {
    "heater-on": _heater_on,
    "heater-off": _heater_off,
    "trip": _trip,
    "reconnect": _reconnect,
    "dawn": _at(6.1),
    "noon": _at(12.0),
    "sunset": _at(19.75),
    "night": _at(23.5),
}
"""heater-on/-off: 9 kW more load. trip/reconnect: all inverters leave, or rejoin, the grid.
dawn, noon, sunset, night: the day jumps there."""


def happen(name: str, house: House) -> None:
    """Let it happen; raises ValueError, with the nearest names, for what is no event."""
    try:
        event = EVENTS[name]
    except KeyError:
        near = get_close_matches(name, EVENTS, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(EVENTS)}"
        raise ValueError(f"{name!r} is no event{hint}") from None
    event(house)
