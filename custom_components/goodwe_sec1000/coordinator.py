"""Polling, and the one snapshot that every entity reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic
from types import MappingProxyType
from typing import Final, override

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .const import DOMAIN, LOGGER
from .feedback import Action, Feedback, FeedbackRecord
from .options import ExportOptions
from .sec1000.client import TRIES, Sec1000Client
from .sec1000.effort import Effort
from .sec1000.errors import Sec1000Error, TelemetryNotServedError
from .sec1000.model import ExportSettings, Telemetry
from .sec1000.zero_glitch import ZeroGlitchFilter

SETTINGS_INTERVAL: Final = timedelta(seconds=60)
SETTINGS_LIFETIME: Final = 180.0
"""s; what was read longer ago is not shown any more."""
NOT_SERVED_INTERVAL: Final = 3600.0
"""s; how often a firmware without telemetry is asked for it again."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is known of a device at one moment."""

    telemetry: Telemetry | None = None
    """None where the last poll failed, or where the firmware serves none."""
    settings: ExportSettings | None = None
    """None where the last good read is older than three minutes."""
    answered: bool = False
    """Whether the device answered at least once since setup."""
    feedback: Mapping[Action, FeedbackRecord] = field(
        default_factory=lambda: MappingProxyType(dict.fromkeys(Action, FeedbackRecord()))
    )


class Sec1000Coordinator(DataUpdateCoordinator[Snapshot]):
    """Reads telemetry at the refresh interval and the export settings every minute."""

    config_entry: ConfigEntry

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=timedelta(seconds=ExportOptions.of(entry.options).scan_interval),
            always_update=False,
        )
        self.data = Snapshot()
        self.client = Sec1000Client(entry.data[CONF_HOST], entry.data[CONF_PORT])
        self._zero_glitch = ZeroGlitchFilter()
        self._settings_read_at = 0.0
        self._settings_error: Sec1000Error | None = None
        self._ask_telemetry_at = 0.0

    @property
    def options(self) -> ExportOptions:
        """The owner's options as they stand now."""
        return ExportOptions.of(self.config_entry.options)

    @callback
    def take_over_interval(self) -> None:
        """Poll at the interval that the options hold now, from the next poll on."""
        self.update_interval = timedelta(seconds=self.options.scan_interval)
        if self._listeners:
            self._schedule_refresh()

    @callback
    def start_reading_settings(self) -> None:
        """Read the export settings every minute until the entry is unloaded."""

        async def read(_now: datetime) -> None:
            await self.read_settings()

        self.config_entry.async_on_unload(
            async_track_time_interval(
                self.hass,
                read,
                SETTINGS_INTERVAL,
                name=f"{self.name} export settings",
                cancel_on_shutdown=True,
            )
        )

    async def read_settings(self) -> None:
        """Read the export settings; what is too old afterwards is not shown any more."""
        try:
            settings = await self.client.read_export_settings(tries=1 if self._settings_error else TRIES)
        except Sec1000Error as error:
            self._settings_error = error
            self._drop_old_settings(error)
        else:
            self.show_settings(settings)

    @callback
    def show_settings(self, settings: ExportSettings) -> None:
        """Take over what the device was just read to hold."""
        if self._settings_error and self.data.settings is None and self.last_update_success:
            LOGGER.info("%s: the export limit can be read again", self.name)
        self._settings_error = None
        self._settings_read_at = monotonic()
        self._show(replace(self.data, settings=settings, answered=True))

    @callback
    def _drop_old_settings(self, error: Sec1000Error) -> None:
        if self.data.settings is None or monotonic() - self._settings_read_at < SETTINGS_LIFETIME:
            return
        if self.last_update_success:
            # Where the telemetry failed too, that was logged already.
            LOGGER.warning("%s: the export limit cannot be read: %s", self.name, error)
        self._show(replace(self.data, settings=None))

    @callback
    def show_feedback(self, action: Action, record: FeedbackRecord) -> None:
        """Let an action's feedback sensor tell this."""
        self._show(replace(self.data, feedback=MappingProxyType({**self.data.feedback, action: record})))

    @callback
    def _show(self, snapshot: Snapshot) -> None:
        if snapshot != self.data:
            self.data = snapshot
            self.async_update_listeners()

    @override
    async def _async_setup(self) -> None:
        """Ask what this is; the telemetry may still answer where this does not."""
        try:
            self.show_settings(await self.client.identify())
        except Sec1000Error as error:
            self._settings_error = error

    @override
    async def _async_update_data(self) -> Snapshot:
        if monotonic() < self._ask_telemetry_at:
            return self.data
        effort = Effort()
        setting_up = self.config_entry.state is ConfigEntryState.SETUP_IN_PROGRESS
        hopeful = self._settings_error is None if setting_up else self.last_update_success
        try:
            telemetry = await self.client.read_telemetry(tries=TRIES if hopeful else 1, effort=effort)
        except TelemetryNotServedError as error:
            if not self._ask_telemetry_at:
                LOGGER.warning("%s: %s; it is asked again every hour", self.name, error)
            self._ask_telemetry_at = monotonic() + NOT_SERVED_INTERVAL
            self._note_telemetry(Feedback.of(error), str(error), effort)
            return replace(self.data, telemetry=None)
        except Exception as error:
            self._note_telemetry(Feedback.of(error), str(error), effort)
            self.data = replace(self.data, telemetry=None)
            if not isinstance(error, Sec1000Error):
                raise
            if setting_up and self.data.settings:
                return self.data
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="telemetry_failed",
                translation_placeholders={"reason": str(error)},
            ) from error
        self._ask_telemetry_at = 0.0
        self._note_telemetry(Feedback.OK, "Telemetry is read.", effort)
        shown = self._zero_glitch.filter(telemetry, monotonic())
        return replace(self.data, telemetry=shown, answered=True)

    @callback
    def _note_telemetry(self, feedback: Feedback, message: str, effort: Effort) -> None:
        """Keep the record as it is while the outcome is the same: polling writes no states."""
        if self.data.feedback[Action.GET_TELEMETRY_DATA].feedback != feedback:
            self.show_feedback(Action.GET_TELEMETRY_DATA, FeedbackRecord.ended(feedback, message, effort))
