"""Back-off and outage reporting for an unresponsive device."""

from datetime import datetime
from time import monotonic
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..device import device_name
from ..issues import Issue
from ..sec1000.errors import (
    AnswerTimeoutError,
    ChecksumError,
    InvalidAnswerError,
    Sec1000Error,
    UnexpectedAnswerError,
)

FAILURES_BEFORE_BACKING_OFF: Final = 3
LONGEST_BACK_OFF_S: Final = 300
"""Between two polls of an unresponsive device."""
OUTAGE_BEFORE_ISSUE_S: Final = 180.0
"""Without one good answer before a repair issue says what to do."""

_OVERLOAD_ERRORS: Final = (AnswerTimeoutError, ChecksumError, InvalidAnswerError, UnexpectedAnswerError)
"""No response or an invalid one, as from an overloaded device."""
_ANSWERED_AT: Final[HassKey[dict[str, float]]] = HassKey(f"{DOMAIN}_answered_at")
"""By entry id: when (s, monotonic) its device last gave a good answer, or was first asked."""


class Reachability:
    """Records good answers and their absence.

    Each retry of a setup makes a new one while the device may have been unresponsive all along: the
    time of the last good answer is therefore kept for as long as Home Assistant runs.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self._answered_at = hass.data.setdefault(_ANSWERED_AT, {})
        self._answered_at.setdefault(entry.entry_id, monotonic())
        self._failures = 0
        self._quiet_until = 0.0
        self._failing_since: float | None = None
        """When (s, monotonic) the first read after the last good answer failed."""
        self.answered_at: datetime | None = None
        """UTC, of the last good answer since setup."""
        self._issue_raised: bool | None = None
        """None before it is known whether an earlier setup raised the issue."""

    @property
    def backing_off(self) -> bool:
        """Whether polling pauses now."""
        return monotonic() < self._quiet_until

    @callback
    def record_answer(self) -> None:
        """Record a good answer."""
        if self._entry.entry_id in self._answered_at:
            self._answered_at[self._entry.entry_id] = monotonic()
        self.answered_at = dt_util.utcnow()
        self._failing_since = None
        if self._issue_raised is not False:
            self._issue_raised = False
            Issue.DEVICE_SILENT.async_clear(self._hass, self._entry.entry_id)

    @callback
    def reset_backoff(self) -> None:
        """Ask at the usual pace again."""
        self._failures = 0
        self._quiet_until = 0.0

    @callback
    def check_outage(self, interval: int) -> None:
        """Raise the issue of a device that has not given one good answer for too long."""
        now = monotonic()
        since = self._answered_at.get(self._entry.entry_id)
        if self._failing_since is None:
            self._failing_since = now
        if since is not None and self.answered_at and self._entry.pref_disable_polling:
            # It may not have been asked since its last answer.
            since = self._failing_since
        # A poll may end after its entry is unloaded and forgotten.
        if since is None or self._issue_raised or now - since < OUTAGE_BEFORE_ISSUE_S:
            return
        self._issue_raised = True
        Issue.DEVICE_SILENT.async_raise(
            self._hass,
            self._entry.entry_id,
            {"name": device_name(self._hass, self._entry), "interval": str(interval)},
        )

    @callback
    def back_off(self, error: Sec1000Error, interval: int) -> float | None:
        """Return the back-off (s) for a device that is polled at this interval (s); None where there is none.

        The error is that of a read of its settings, since firmware may lack telemetry. Only errors of an
        overloaded device lead to a back-off.
        """
        if not isinstance(error, _OVERLOAD_ERRORS):
            self.reset_backoff()
            return None
        self._failures += 1
        doublings = self._failures - FAILURES_BEFORE_BACKING_OFF + 1
        if doublings <= 0:
            return None
        pause = max(min(interval << min(doublings, 8), LONGEST_BACK_OFF_S), interval)
        self._quiet_until = monotonic() + pause
        return pause


@callback
def async_forget_entry(hass: HomeAssistant, entry_id: str) -> None:
    """Forget an entry that is unloaded or removed, and that its device was silent."""
    hass.data.get(_ANSWERED_AT, {}).pop(entry_id, None)
    Issue.DEVICE_SILENT.async_clear(hass, entry_id)
