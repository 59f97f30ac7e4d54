"""Repair flows, one for each kind of issue."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
import voluptuous as vol

from .address import address, address_of, is_same_device
from .const import DOMAIN, LOGGER
from .control.restore import placeholders, restore_removed
from .data import Sec1000ConfigEntry
from .device import device_name
from .issues import Issue
from .messages import format_settings, reason
from .migration.follow_up import MigrationFollowUp
from .sec1000 import timing
from .sec1000.asker import asked_by
from .sec1000.client import Sec1000Client
from .sec1000.errors import Sec1000Error
from .sec1000.model import ExportSettings
from .sec1000.setting_write import agrees
from .tracking.baseline import Drift, drift, is_acceptable
from .tracking.pending import PendingRestore, PendingRestoreStore

if TYPE_CHECKING:
    # Not in the oldest Home Assistant that is supported.
    from homeassistant.components.repairs import RepairsFlowResult

_EMPTY_SCHEMA: Final = vol.Schema({})


class RepairFlowBase(RepairsFlow, ABC):
    """The base of the flows that fix something: runs a fix, and shows the step again where it failed."""

    def __init__(self, issue: ir.IssueEntry) -> None:
        self._placeholders_from_issue = dict(issue.translation_placeholders or {})
        self._fix_task: asyncio.Task[RepairsFlowResult] | None = None

    @property
    @abstractmethod
    def _held(self) -> ExportSettings | None:
        """The current settings of the device; None where they are unknown."""

    @property
    def _placeholders(self) -> dict[str, str]:
        return {**self._placeholders_from_issue, "held": format_settings(self.hass, self._held)}

    def _show(self, step: str, *, error: str | None = None, reason: str = "") -> RepairsFlowResult:
        """Show a step without fields; with an error where its fix has failed."""
        return self.async_show_form(
            step_id=step,
            data_schema=_EMPTY_SCHEMA,
            errors={"base": error} if error else None,
            description_placeholders={**self._placeholders, "reason": reason},
        )

    def _finish_fixed(self, *, description: str | None = None) -> RepairsFlowResult:
        """End the flow and clear the issue, also where the dialog was closed meanwhile."""
        ir.async_delete_issue(self.hass, DOMAIN, self.issue_id)
        return self.async_create_entry(
            data={}, description=description, description_placeholders=self._placeholders
        )

    async def _run_fix(
        self, step: str, work: Callable[[], Awaitable[RepairsFlowResult]]
    ) -> RepairsFlowResult:
        """Run the fix; show this step again, with the reason, where it failed.

        It runs to its end also where the dialog is closed meanwhile; a second submit waits for the same run.
        """
        if self._fix_task is None or self._fix_task.done():
            self._abort_if_solved()
            self._fix_task = self.hass.async_create_task(
                self._run_or_show_error(step, work), f"repair {self.issue_id}"
            )
        return await asyncio.shield(self._fix_task)

    async def _run_or_show_error(
        self, step: str, work: Callable[[], Awaitable[RepairsFlowResult]]
    ) -> RepairsFlowResult:
        try:
            return await work()
        except (Sec1000Error, HomeAssistantError) as error:
            LOGGER.debug("%s: %s", self.issue_id, error)
            return self._show(step, error="failed", reason=reason(self.hass, error))
        except Exception:  # noqa: BLE001 - on any error the step has to be shown again
            LOGGER.exception("%s: fix failed", self.issue_id)
            return self._show(step, error="unknown")

    def _abort_if_solved(self) -> None:
        """Abort the flow where the issue is cleared already; raises AbortFlow."""
        if ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id) is None:
            raise AbortFlow("solved", description_placeholders=self._placeholders_from_issue)


class EntryRepairFlow(RepairFlowBase):
    """The base of the flows that concern a config entry."""

    def __init__(self, issue: ir.IssueEntry) -> None:
        super().__init__(issue)
        self._entry_id = str((issue.data or {}).get("entry_id"))
        self._found: ExportSettings | None = None
        """What the device of an entry that is not loaded was found to hold."""

    @property
    @override
    def _held(self) -> ExportSettings | None:
        entry: Sec1000ConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        loaded = entry is not None and entry.state is ConfigEntryState.LOADED
        return entry.runtime_data.coordinator.data.settings if entry and loaded else self._found

    @property
    def _entry(self) -> Sec1000ConfigEntry:
        """The entry; raises AbortFlow where it is removed or disabled."""
        entry: Sec1000ConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None:
            raise AbortFlow("entry_removed", description_placeholders=self._placeholders_from_issue)
        if entry.disabled_by:
            raise AbortFlow("entry_not_loaded", description_placeholders=self._placeholders_from_issue)
        return entry

    @property
    def _loaded_entry(self) -> Sec1000ConfigEntry:
        """The entry; raises AbortFlow where it is not loaded."""
        entry = self._entry
        if entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("entry_not_loaded", description_placeholders=self._placeholders_from_issue)
        return entry


class _PendingRestoreFlow(EntryRepairFlow):
    """A repair of what is pending, also where the entry is disabled."""

    _shown: PendingRestore | None = None
    """What was pending when the step was shown."""

    @property
    def _pending_entry(self) -> Sec1000ConfigEntry:
        """The entry, loaded or not; raises AbortFlow where it is removed."""
        entry: Sec1000ConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None:
            raise AbortFlow("entry_removed", description_placeholders=self._placeholders_from_issue)
        return entry

    async def _store(self) -> PendingRestoreStore:
        """Return what is pending; that of a loaded entry belongs to its coordinator."""
        entry: Sec1000ConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry and entry.state is ConfigEntryState.LOADED:
            return entry.runtime_data.coordinator.pending
        store = PendingRestoreStore(self.hass, self._entry_id)
        await store.load()
        return store

    async def async_step_confirm(self, user_input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Forget what is pending where the user has set the limit, or the device is gone."""
        store = await self._store()
        if user_input is None:
            self._shown = store.current
            return self._show("confirm")
        self._abort_if_solved()
        # What was suspended since then is not what the user confirms.
        if store.current != self._shown:
            raise AbortFlow("solved", description_placeholders=self._placeholders_from_issue)
        await store.clear()
        store.is_reported = False
        return self._finish_fixed(description="confirmed")


class LimitIsOffFlow(_PendingRestoreFlow):
    """Tries at once to restore a limit that is off."""

    async def async_step_init(self, _input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Begin with the only step where the entry restores it by itself; else offer to confirm, too."""
        entry, pending = self._pending_entry, (await self._store()).current
        is_loaded = entry.state is ConfigEntryState.LOADED
        if is_loaded and (pending is None or pending.is_at(*address_of(entry))):
            return await self.async_step_put_back()
        return self.async_show_menu(
            step_id="init", menu_options=["put_back", "confirm"], description_placeholders=self._placeholders
        )

    async def async_step_put_back(self, user_input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Show what should hold, and restore it."""
        entry, store = self._pending_entry, await self._store()
        # A newer command may have changed what should hold.
        if pending := store.current:
            self._placeholders_from_issue.update(
                placeholders(self.hass, device_name(self.hass, entry), pending)
            )
        if user_input is None:
            return self._show("put_back")

        async def restore() -> RepairsFlowResult:
            if entry.state is ConfigEntryState.LOADED:
                await entry.runtime_data.export.restore()
            elif pending:
                self._found = await restore_removed(pending)
                await store.clear()
            return self._finish_fixed()

        return await self._run_fix("put_back", restore)


class PendingUnreadableFlow(_PendingRestoreFlow):
    """Takes the word of the user that the limit holds; what should hold cannot be read from disk."""

    async def async_step_init(self, _input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Begin with the only step."""
        return await self.async_step_confirm()


class DeviceSilentFlow(EntryRepairFlow):
    """Sends a single request to an unresponsive device, in spite of the back-off."""

    _asked_at: float | None = None

    async def async_step_init(self, _input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Begin with the only step."""
        return await self.async_step_ask()

    async def async_step_ask(self, user_input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Show how to get the device back, and send the request."""
        try:
            entry = self._entry
        except AbortFlow:
            # The device is not polled any more.
            ir.async_delete_issue(self.hass, DOMAIN, self.issue_id)
            raise
        if user_input is None:
            return self._show("ask")

        async def ask() -> RepairsFlowResult:
            await self._pause()
            if entry.state is ConfigEntryState.LOADED:
                await entry.runtime_data.coordinator.async_probe()
                return self._finish_fixed()
            # Setup would send more than one request, and start its back-off anew.
            client = Sec1000Client(*address_of(entry))
            with asked_by("repair"):
                await client.read_export_settings(tries=1, urgent=True)
            await self._load(entry)
            return self._finish_fixed()

        return await self._run_fix("ask", ask)

    async def _load(self, entry: Sec1000ConfigEntry) -> None:
        # Home Assistant itself may be setting it up.
        async with entry.setup_lock:
            pass
        if entry.state is not ConfigEntryState.LOADED:
            await self.hass.config_entries.async_reload(entry.entry_id)
        if entry.state is not ConfigEntryState.LOADED:
            raise HomeAssistantError(
                entry.reason or entry.state.value,
                translation_domain=DOMAIN,
                translation_key=entry.error_reason_translation_key,
                translation_placeholders=entry.error_reason_translation_placeholders,
            )

    async def _pause(self) -> None:
        """Rate-limit manual retries."""
        if self._asked_at is not None:
            await asyncio.sleep(self._asked_at + timing.STANDARD.manual_retry_interval - monotonic())
        self._asked_at = monotonic()


class LimitKeepsDriftingFlow(EntryRepairFlow):
    """Writes the target once more, or takes the device's settings as the new target."""

    async def async_step_init(self, _input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Let the user choose where there is a choice."""
        coordinator = self._loaded_entry.runtime_data.coordinator
        held = coordinator.data.settings
        if held is None or not is_acceptable(held, coordinator.options):
            return await self.async_step_put_back()
        return self.async_show_menu(
            step_id="init", menu_options=["put_back", "keep"], description_placeholders=self._placeholders
        )

    async def async_step_put_back(self, user_input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Show the target, and write it; this does not count as one of the three an hour."""
        data = self._loaded_entry.runtime_data
        snapshot, options = data.coordinator.data, data.coordinator.options
        limit = snapshot.proven_limit
        if limit is None or (snapshot.settings and drift(snapshot.settings, options, limit) is Drift.NONE):
            ir.async_delete_issue(self.hass, DOMAIN, self.issue_id)
            raise AbortFlow("solved", description_placeholders=self._placeholders_from_issue)
        if user_input is None:
            return self._show("put_back")

        async def restore_baseline() -> RepairsFlowResult:
            await data.export.restore_baseline()
            return self._finish_fixed()

        return await self._run_fix("put_back", restore_baseline)

    async def async_step_keep(self, user_input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Show the device's settings, and take them as the new target."""
        data = self._loaded_entry.runtime_data
        if user_input is None:
            return self._show("keep")

        async def keep() -> RepairsFlowResult:
            await data.export.accept_device_setting()
            return self._finish_fixed()

        return await self._run_fix("keep", keep)


class TemporaryLimitNotEndedFlow(EntryRepairFlow):
    """Ends a temporary limit whose end is not proven, or lets it stand."""

    async def async_step_init(self, _input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Let the user choose."""
        self._abort_if_ended()
        return self.async_show_menu(
            step_id="init", menu_options=["end_now", "keep"], description_placeholders=self._placeholders
        )

    async def async_step_end_now(self, user_input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Show the limit that should hold by now, and write it."""
        self._abort_if_ended()
        if user_input is None:
            return self._show("end_now")

        async def end_now() -> RepairsFlowResult:
            data = self._loaded_entry.runtime_data
            try:
                await data.export.end_temporary_limit()
            except HomeAssistantError:
                # One of the tries in the background may have proven it just before.
                if data.coordinator.data.temporary:
                    raise
            return self._finish_fixed()

        return await self._run_fix("end_now", end_now)

    async def async_step_keep(self, user_input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Let the limit stand that holds now; nothing is sent."""
        self._abort_if_ended()
        if user_input is None:
            return self._show("keep")
        await self._loaded_entry.runtime_data.coordinator.drop_end()
        return self._finish_fixed(description="kept")

    def _abort_if_ended(self) -> None:
        """Abort the flow where a newer limit holds, or the end was proven meanwhile; raises AbortFlow."""
        if self._loaded_entry.runtime_data.coordinator.data.temporary is None:
            ir.async_delete_issue(self.hass, DOMAIN, self.issue_id)
        self._abort_if_solved()


class LimitWasLeftOffFlow(RepairFlowBase):
    """Restores the limit that a removed entry left off, or takes the user's word that it is set."""

    def __init__(self, issue: ir.IssueEntry) -> None:
        super().__init__(issue)
        self._note = PendingRestore.from_dict(issue.data or {})
        self._found: ExportSettings | None = None

    @property
    @override
    def _held(self) -> ExportSettings | None:
        return self._found

    async def async_step_init(self, _input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Let the user choose."""
        return self.async_show_menu(
            step_id="init", menu_options=["put_back", "confirm"], description_placeholders=self._placeholders
        )

    async def async_step_put_back(self, user_input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Show the target, and restore it where nothing limits the export."""
        await self._abort_if_set_up_again()
        if user_input is None:
            return self._show("put_back")

        async def put_back_where_off() -> RepairsFlowResult:
            self._found = await restore_removed(self._note)
            if agrees(self._found, self._note.target):
                return self._finish_fixed()
            return self._show("overwrite")

        return await self._run_fix("put_back", put_back_where_off)

    async def async_step_overwrite(self, user_input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Write the target, although another setting limits the export."""
        await self._abort_if_set_up_again()
        if user_input is None:
            return self._show("overwrite")

        async def overwrite() -> RepairsFlowResult:
            self._found = await restore_removed(self._note, overwrite=True)
            return self._finish_fixed()

        return await self._run_fix("overwrite", overwrite)

    async def async_step_confirm(self, user_input: Mapping[str, Any] | None = None) -> RepairsFlowResult:
        """Clear the issue where the user has set the limit.

        Where the integration is not loaded, Home Assistant shows this step by itself, and no other.
        """
        if user_input is None:
            return self._show("confirm")
        return self._finish_fixed(description="confirmed")

    async def _abort_if_set_up_again(self) -> None:
        """Abort the flow where the device has an entry again, which has a target of its own."""
        for entry in self.hass.config_entries.async_entries(
            DOMAIN, include_ignore=False, include_disabled=False
        ):
            former = address({CONF_HOST: self._note.host, CONF_PORT: self._note.port})
            if await is_same_device(address_of(entry), former):
                raise AbortFlow(
                    "set_up_again",
                    description_placeholders=self._placeholders_from_issue
                    | {"entry": device_name(self.hass, entry)},
                )


class MovedInFlow(ConfirmRepairFlow):
    """Shows the report of a migration, and removes it once the user has confirmed it."""

    def __init__(self, issue: ir.IssueEntry) -> None:
        self._entry_id = str((issue.data or {}).get("entry_id"))

    @override
    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Show the report; the file is what would raise the issue again at the next setup."""
        entry = self.hass.config_entries.async_get_entry(self._entry_id)
        if user_input is not None and entry is not None:
            await MigrationFollowUp(self.hass, entry).remove()
        return await super().async_step_confirm(user_input)


_FLOWS: Final[Mapping[str | None, Callable[[ir.IssueEntry], RepairsFlow]]] = {
    Issue.LIMIT_IS_OFF: LimitIsOffFlow,
    Issue.DEVICE_SILENT: DeviceSilentFlow,
    Issue.LIMIT_KEEPS_DRIFTING: LimitKeepsDriftingFlow,
    Issue.LIMIT_WAS_LEFT_OFF: LimitWasLeftOffFlow,
    Issue.TEMPORARY_LIMIT_NOT_ENDED: TemporaryLimitNotEndedFlow,
    Issue.MOVED_IN: MovedInFlow,
    Issue.PENDING_UNREADABLE: PendingUnreadableFlow,
}


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, _data: Mapping[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow of this issue."""
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    if issue and (flow := _FLOWS.get(issue.translation_key)):
        return flow(issue)
    return ConfirmRepairFlow()
