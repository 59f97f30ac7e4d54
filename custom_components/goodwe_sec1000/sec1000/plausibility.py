"""The values that an installation can have; a valid frame may hold others, such as 0x7FFFFFFF.

Source: docs/protocol.md, "What goes wrong on real devices".
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

_MAX_DECIVOLTS: Final = 10_000
_MAX_CENTIAMPERES: Final = 1_000_000
MAX_POWER_W: Final = 10_000_000
_MAX_INVERTER_POWER_W: Final = 2_000_000
MAX_SETTING_W: Final = 1_000_000
"""Of an export limit, either side of zero, and of a total capacity."""

_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    **{f"voltage_l{phase}": (0, _MAX_DECIVOLTS) for phase in (1, 2, 3)},
    **{f"current_l{phase}": (-_MAX_CENTIAMPERES, _MAX_CENTIAMPERES) for phase in (1, 2, 3)},
    **{f"power_l{phase}": (-MAX_POWER_W, MAX_POWER_W) for phase in (1, 2, 3)},
    "meter_power": (-MAX_POWER_W, MAX_POWER_W),
    "inverter_power": (-_MAX_INVERTER_POWER_W, _MAX_INVERTER_POWER_W),
    "capacity": (0, MAX_SETTING_W),
    "limit": (-MAX_SETTING_W, MAX_SETTING_W),
}
"""Lowest and highest value by name, in the steps of the wire."""
TELEMETRY_NAMES: Final = (
    *(f"voltage_l{phase}" for phase in (1, 2, 3)),
    *(f"current_l{phase}" for phase in (1, 2, 3)),
    *(f"power_l{phase}" for phase in (1, 2, 3)),
    "meter_power",
    "inverter_power",
)
"""The names of what is measured, in the order of the wire."""
POWERS: Final = frozenset(name for name in TELEMETRY_NAMES if "power" in name)
"""One of these outside its range spoils the answer; a voltage or a current does not."""
POLLS_UNTIL_ACCEPTED: Final = 3
"""From so many polls in a row with the same power outside on, the rest of the answer counts."""


class ImpossibleValue(NamedTuple):
    """A value outside its range."""

    name: str
    raw: int
    """As on the wire."""


def impossible_values(values: Mapping[str, int]) -> tuple[ImpossibleValue, ...]:
    """Return those of these values (by name, in the steps of the wire) that are outside their ranges."""
    return tuple(
        ImpossibleValue(name, raw)
        for name, raw in values.items()
        if not _RANGES[name][0] <= raw <= _RANGES[name][1]
    )


class AcceptedGaps:
    """Which powers have been impossible in so many polls in a row that the others are shown without them."""

    def __init__(self) -> None:
        self._polls: dict[str, int] = {}
        """In how many polls in a row each was impossible."""

    @property
    def names(self) -> frozenset[str]:
        """Those that do not spoil the answer of the poll that is due."""
        return frozenset(name for name, polls in self._polls.items() if polls >= POLLS_UNTIL_ACCEPTED - 1)

    def record_poll(self, impossible: Iterable[ImpossibleValue]) -> None:
        """Record what was impossible in the answers of one poll."""
        self._polls = {name: self._polls.get(name, 0) + 1 for name in {value.name for value in impossible}}
