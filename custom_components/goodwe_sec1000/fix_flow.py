"""The base of all repair flows: says what should be done, does it once, and comes back where it failed."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, override

from homeassistant.components.repairs import RepairsFlow
from homeassistant.config_entries import ConfigEntryState
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
import voluptuous as vol

from .const import DOMAIN, LOGGER
from .data import Sec1000ConfigEntry
from .messages import held_in_words, reason
from .sec1000.errors import Sec1000Error
from .sec1000.model import ExportSettings

if TYPE_CHECKING:
    # Not in the oldest Home Assistant that is supported.
    from homeassistant.components.repairs import RepairsFlowResult

_NOTHING_TO_FILL_IN: Final = vol.Schema({})


class FixFlow(RepairsFlow, ABC):
    """Mends what an issue tells."""

    def __init__(self, issue: ir.IssueEntry) -> None:
        self._told = dict(issue.translation_placeholders or {})
        self._mending: asyncio.Task[RepairsFlowResult] | None = None

    @property
    @abstractmethod
    def _held(self) -> ExportSettings | None:
        """What the device was last read to hold; None where that is not known."""

    @property
    def _placeholders(self) -> dict[str, str]:
        return {**self._told, "held": held_in_words(self.hass, self._held)}

    def _show(self, step: str, *, error: str | None = None, reason: str = "") -> RepairsFlowResult:
        """Show a window that only is to be submitted; with an error, what was submitted failed."""
        return self.async_show_form(
            step_id=step,
            data_schema=_NOTHING_TO_FILL_IN,
            errors={"base": error} if error else None,
            description_placeholders={**self._placeholders, "reason": reason},
        )

    def _mended(self, *, description: str | None = None) -> RepairsFlowResult:
        """End the flow well, also where its window was closed meanwhile."""
        ir.async_delete_issue(self.hass, DOMAIN, self.issue_id)
        return self.async_create_entry(
            data={}, description=description, description_placeholders=self._placeholders
        )

    async def _mend(self, step: str, work: Callable[[], Awaitable[RepairsFlowResult]]) -> RepairsFlowResult:
        """Do the work; show this window again, with the reason, where it failed.

        It comes to its end also where the window is closed meanwhile, and whoever submits twice
        waits for the same work.
        """
        if self._mending is None or self._mending.done():
            self._abort_if_solved()
            self._mending = self.hass.async_create_task(
                self._or_show_again(step, work), f"repair {self.issue_id}"
            )
        return await asyncio.shield(self._mending)

    async def _or_show_again(
        self, step: str, work: Callable[[], Awaitable[RepairsFlowResult]]
    ) -> RepairsFlowResult:
        try:
            return await work()
        except (Sec1000Error, HomeAssistantError) as error:
            LOGGER.debug("%s: %s", self.issue_id, error)
            return self._show(step, error="failed", reason=reason(self.hass, error))
        except Exception:  # noqa: BLE001 - whatever it is, the window has to come back
            LOGGER.exception("%s could not be mended", self.issue_id)
            return self._show(step, error="unknown")

    def _abort_if_solved(self) -> None:
        """End the flow where the issue went away by itself; raises AbortFlow."""
        if ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id) is None:
            raise AbortFlow("solved", description_placeholders=self._told)


class EntryFixFlow(FixFlow):
    """Mends what concerns a config entry."""

    def __init__(self, issue: ir.IssueEntry) -> None:
        super().__init__(issue)
        self._entry_id = str((issue.data or {}).get("entry_id"))

    @property
    @override
    def _held(self) -> ExportSettings | None:
        entry: Sec1000ConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        loaded = entry is not None and entry.state is ConfigEntryState.LOADED
        return entry.runtime_data.coordinator.data.settings if entry and loaded else None

    @property
    def _entry(self) -> Sec1000ConfigEntry:
        """The entry; raises AbortFlow where it is removed or disabled."""
        entry: Sec1000ConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None:
            raise AbortFlow("entry_removed", description_placeholders=self._told)
        if entry.disabled_by:
            raise AbortFlow("entry_not_loaded", description_placeholders=self._told)
        return entry

    @property
    def _loaded_entry(self) -> Sec1000ConfigEntry:
        """The entry; raises AbortFlow where it is not loaded."""
        entry = self._entry
        if entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("entry_not_loaded", description_placeholders=self._told)
        return entry
