"""Impossible values that the device reported: never shown, logged once, kept for diagnostics."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from homeassistant.util import dt as dt_util

from ..const import LOGGER
from ..sec1000.plausibility import ImpossibleValue


@dataclass(frozen=True, slots=True)
class ImpossibleReports:
    """How often an impossible value was reported, and the last one."""

    count: int
    raw: int
    """As on the wire."""
    at: datetime
    """UTC, of the last one."""


class ImpossibleValues:
    """The impossible values since setup, by name."""

    def __init__(self, device: str) -> None:
        self.reports: dict[str, ImpossibleReports] = {}
        self._device = device

    def record(self, values: Iterable[ImpossibleValue]) -> None:
        """Record what was reported; the first of each name is logged."""
        for name, raw in values:
            earlier = self.reports.get(name)
            if earlier is None:
                LOGGER.warning(
                    "%s: the device reports an impossible value (%s: %s), which is not shown; logged once",
                    self._device,
                    name,
                    raw,
                )
            count = earlier.count + 1 if earlier else 1
            self.reports[name] = ImpossibleReports(count, raw, dt_util.utcnow())
