"""Every repair issue: what it is called, how severe it is, and how it is raised and cleared."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN


class Issue(StrEnum):
    """A kind of repair issue, one at a time for each entry; the value is its translation key.

    `repairs` has a flow for each that is fixable.
    """

    severity: ir.IssueSeverity
    is_persistent: bool
    """Whether it is shown after a restart, before it is raised again."""
    is_fixable: bool
    """Whether its dialog does something, and not only says what to do."""

    def __new__(
        cls, key: str, severity: ir.IssueSeverity, is_persistent: bool = False, is_fixable: bool = True
    ) -> Self:
        """Return the kind with this translation key."""
        issue = str.__new__(cls, key)
        issue._value_ = key
        issue.severity = severity
        issue.is_persistent = is_persistent
        issue.is_fixable = is_fixable
        return issue

    DEVICE_SILENT = "device_silent", ir.IssueSeverity.ERROR
    LIMIT_EXCEEDED = "limit_exceeded", ir.IssueSeverity.ERROR, False, False
    LIMIT_IS_OFF = "limit_is_off", ir.IssueSeverity.CRITICAL, True
    LIMIT_KEEPS_DRIFTING = "limit_keeps_drifting", ir.IssueSeverity.ERROR
    LIMIT_WAS_LEFT_OFF = "limit_was_left_off", ir.IssueSeverity.CRITICAL, True
    PENDING_UNREADABLE = "pending_unreadable", ir.IssueSeverity.CRITICAL, True
    TEMPORARY_LIMIT_NOT_ENDED = "temporary_limit_not_ended", ir.IssueSeverity.ERROR
    MOVED_IN = "moved_in", ir.IssueSeverity.WARNING, True

    def issue_id(self, entry_id: str) -> str:
        """Return the id in Home Assistant's registry."""
        return f"{self}_{entry_id}"

    @callback
    def async_raise(
        self,
        hass: HomeAssistant,
        entry_id: str,
        placeholders: Mapping[str, str],
        data: Mapping[str, str | int | float | None] | None = None,
    ) -> None:
        """Raise the issue, or replace its texts; `data` is for its repair flow, by default the entry's id."""
        ir.async_create_issue(
            hass,
            DOMAIN,
            self.issue_id(entry_id),
            data={"entry_id": entry_id} if data is None else {**data},
            is_fixable=self.is_fixable,
            is_persistent=self.is_persistent,
            severity=self.severity,
            translation_key=self.value,
            translation_placeholders={**placeholders},
        )

    @callback
    def async_clear(self, hass: HomeAssistant, entry_id: str) -> None:
        """Clear the issue, raised or not."""
        ir.async_delete_issue(hass, DOMAIN, self.issue_id(entry_id))
