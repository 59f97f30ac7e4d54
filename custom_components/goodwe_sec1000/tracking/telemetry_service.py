"""Whether the firmware serves telemetry: some closes every request for it, and answers for its settings."""

from typing import Final

PROBE_INTERVAL_S: Final = 3600.0
"""How often firmware without telemetry is asked for it."""
REFUSALS: Final = 3
"""So many polls in a row that were refused, on a device that never served telemetry, are believed."""
REFUSED_FOR_S: Final = 86_400.0
"""Where every poll was refused for so long, a device that did serve it has other firmware now."""


class TelemetryService:
    """Learns from each poll; a poll is refused where telemetry is closed beside an answer for the settings.

    Moments are in s of a monotonic clock.
    """

    def __init__(self) -> None:
        self.has_served = False
        """Whether the device ever served telemetry, before this start as well."""
        self._refusals = 0
        self._refused_since = 0.0
        self._next_probe_at: float | None = None

    @property
    def is_served(self) -> bool:
        """Whether telemetry is to be had, as far as is known."""
        return self._next_probe_at is None

    @property
    def is_missed(self) -> bool:
        """Whether telemetry was served, and should be: where there is none, something is wrong."""
        return self.has_served and self.is_served

    @property
    def was_refused(self) -> bool:
        """Whether the last poll was refused."""
        return self._refusals > 0

    def is_due(self, now: float) -> bool:
        """Return whether a poll may ask for telemetry."""
        return self._next_probe_at is None or now >= self._next_probe_at

    def ask_again(self) -> None:
        """Let the next poll ask for telemetry, whatever is known."""
        if self._next_probe_at is not None:
            self._next_probe_at = 0.0

    def record_served(self) -> None:
        """Record a measurement."""
        self.has_served = True
        self.record_failed()
        self._next_probe_at = None

    def record_failed(self) -> None:
        """Record a poll that failed in another way than by a refusal."""
        self._refusals = 0

    def record_refused(self, now: float) -> None:
        """Record a poll that was refused."""
        if not self._refusals:
            self._refused_since = now
        self._refusals += 1
        is_believed = (
            now - self._refused_since >= REFUSED_FOR_S if self.has_served else self._refusals >= REFUSALS
        )
        if is_believed or self._next_probe_at is not None:
            self._next_probe_at = now + PROBE_INTERVAL_S
