"""Polling, and the one snapshot that every entity reads."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from types import MappingProxyType
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later, async_track_time_interval
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .const import LOGGER
from .device import device_name
from .issues import Issue
from .messages import format_export, format_kw, sentences, technical_detail, text, translated_error
from .options import ExportOptions
from .sec1000.asker import asked_by
from .sec1000.client import TRIES, Sec1000Client
from .sec1000.errors import (
    ConnectionClosedError,
    ConnectionFailedError,
    ImpossibleValueError,
    NotStoredError,
    Sec1000Error,
    impossible_in,
)
from .sec1000.model import ControlMode, ExportSettings, ExportTarget, Telemetry, kilowatts
from .sec1000.power_filter import PowerFilter, ShownTelemetry
from .sec1000.stats import RequestStats
from .tracking.baseline import Baseline, Drift, drift
from .tracking.energy import Energy, EnergyMeter, EnergyTotals
from .tracking.feedback import Action, Feedback, FeedbackRecord
from .tracking.impossible_values import ImpossibleValues
from .tracking.limit_events import LimitEvent, LimitEvents, LimitEventType
from .tracking.limit_test_record import LimitTestRecord, LimitTestStore
from .tracking.meter_watch import MeterWatch
from .tracking.obedience import Obedience
from .tracking.pending import PendingRestoreStore
from .tracking.quarter_hour import QuarterHourMeter, QuarterHours, QuarterHourStore
from .tracking.reachability import Reachability
from .tracking.telemetry_service import TelemetryService
from .tracking.temporary import TemporaryLimit

SETTINGS_INTERVAL: Final = timedelta(seconds=60)
SETTINGS_LIFETIME_S: Final = 180.0
"""What was read longer ago is not shown any more."""
TELEMETRY_LIFETIME_S: Final = 180.0
"""As of the settings, or three refresh intervals where that is more."""
EXCEEDED_BEFORE_ISSUE_S: Final = 300.0
"""How long `limit_exceeded` has to be on until Repairs says so."""
REREAD_DELAY_S: Final = 10.0
"""After a command that could not be read back."""
POLL_JITTER_S: Final = 3.0
"""How much later than its interval a poll may end."""
ANSWERED_BESIDE_S: Final = 10.0
"""How long after a good read of the settings a poll that fails does not ask for them."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is known of a device at one moment."""

    telemetry: Telemetry | None = None
    """None where the last poll failed, or where the firmware serves none."""
    settings: ExportSettings | None = None
    """None where the last good read is older than three minutes and polling is enabled."""
    settings_read_at: datetime | None = None
    """When the settings were read, UTC; None while polling is enabled: it would change with each read."""
    answered: bool = False
    """Whether the device answered at least once since setup."""
    proven_limit: int | None = None
    """The limit last proven here, at first the one first read, in W."""
    temporary: TemporaryLimit | None = None
    """The end of the limit that should hold; None where it stands."""
    pending_restore: ExportTarget | None = None
    """What should hold while the limit may be off; None where nothing is to be restored."""
    limit_is_off: bool = False
    """Whether a suspended limit was not restored as it should have been, so that what holds is unknown."""
    energy: Energy | None = None
    """The totals since the entry was first set up; None before the first measurement."""
    quarter_hours: QuarterHours = field(default_factory=QuarterHours)
    """The export by quarter hours."""
    limit_test: LimitTestRecord | None = None
    """How the last test of the limit ended; None before the first."""
    limit_exceeded: bool | None = None
    """Whether the meter has been above the limit for too long; None where that cannot be judged."""
    feedback: Mapping[Action, FeedbackRecord] = field(
        default_factory=lambda: MappingProxyType(dict.fromkeys(Action, FeedbackRecord()))
    )

    @property
    def held(self) -> ExportSettings | None:
        """What the device is known to hold; None where it is not known."""
        return None if self.limit_is_off else self.settings

    @property
    def limit_before(self) -> int | None:
        """The limit (W) that a command finds: what is held, or else was proven last; None without both."""
        return self.held.limit if self.held else self.proven_limit

    @property
    def has_settings(self) -> bool:
        """Whether what follows from the settings is available; while the limit is off it is, as unknown."""
        return self.settings is not None or self.limit_is_off


def export_is_on(snapshot: Snapshot, options: ExportOptions) -> bool | None:
    """Return whether export is on; None where that is not known.

    While a limit is suspended and being restored, export is on.
    """
    if snapshot.pending_restore or snapshot.limit_is_off:
        return True
    if (settings := snapshot.settings) is None:
        return None
    if settings.limit is None:
        return None if settings.mode is ControlMode.VALUE else True
    return not options.disables_export(settings.mode, settings.limit)


def limit_differs(snapshot: Snapshot, options: ExportOptions) -> bool | None:
    """Return whether the device differs from the target; None where that is not known."""
    if snapshot.limit_is_off:
        return True
    if snapshot.settings is None or snapshot.proven_limit is None:
        return None
    found = drift(snapshot.settings, options, snapshot.proven_limit)
    return None if found is Drift.UNKNOWN else found is not Drift.NONE


class Sec1000Coordinator(DataUpdateCoordinator[Snapshot]):
    """Reads telemetry at the refresh interval and the export settings every minute."""

    config_entry: ConfigEntry

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=timedelta(seconds=ExportOptions.from_options(entry.options).scan_interval),
            always_update=False,
        )
        self.data = Snapshot()
        host, port = entry.data[CONF_HOST], entry.data[CONF_PORT]
        self.pending = PendingRestoreStore(hass, entry.entry_id, self._publish_pending)
        self.baseline = Baseline(hass, entry.entry_id)
        self._limit_test_store = LimitTestStore(hass, entry.entry_id)
        self.client = Sec1000Client(host, port, pending=self.pending.at(host, port))
        self._settings_listeners: list[Callable[[], None]] = []
        self._snapshot_listeners: list[Callable[[], None]] = []
        self.limit_events = LimitEvents()
        self._obedience = Obedience()
        self._settings_read: asyncio.Task[None] | None = None
        self.impossible_values = ImpossibleValues(entry.title)
        self._meter_watch = MeterWatch()
        self.energy_totals = EnergyTotals(hass, entry.entry_id)
        self._energy_meter = EnergyMeter()
        self.quarter_hour_store = QuarterHourStore(hass, entry.entry_id)
        self._quarter_hour_meter = QuarterHourMeter()
        self._power_filter = PowerFilter()
        self._cancel_holding: CALLBACK_TYPE | None = None
        self._settings_read_at = 0.0
        self._cancel_dropping: CALLBACK_TYPE | None = None
        self._cancel_telemetry_expiry: CALLBACK_TYPE | None = None
        self._loss_logged = False
        self._settings_error: Sec1000Error | None = None
        self._telemetry_service = TelemetryService()
        self._reachability = Reachability(hass, entry)
        entry.async_on_unload(self._stop_dropping)
        entry.async_on_unload(self._stop_holding)
        entry.async_on_unload(self._stop_telemetry_expiry)

    @property
    def device_name(self) -> str:
        """The name of the device now; `name`, in the log, is that of the entry when it was set up."""
        return device_name(self.hass, self.config_entry)

    @property
    def options(self) -> ExportOptions:
        """The options as they are now."""
        return ExportOptions.from_options(self.config_entry.options)

    @property
    def answers(self) -> bool:
        """Whether what was read last is still shown, of telemetry or settings."""
        return self.data.telemetry is not None or self.data.settings is not None

    @property
    def answered_at(self) -> datetime | None:
        """When the device last gave a good answer, UTC; None where it gave none since setup."""
        return self._reachability.answered_at

    @property
    def backing_off(self) -> bool:
        """Whether polling pauses because the device is unresponsive."""
        return self._reachability.backing_off

    @property
    def serves_telemetry(self) -> bool:
        """Whether the firmware has telemetry to give, as far as is known."""
        return self._telemetry_service.is_served

    @callback
    def format_export(self, language: str) -> str:
        """Return whether export is on, off or unknown now, as a sentence in this language."""
        if self.data.pending_restore:
            return text(self.hass, "common", "export_suspended", language=language)
        return format_export(self.hass, self.data.settings, self.options, language)

    @callback
    def apply_scan_interval(self) -> None:
        """Poll soon, and from then on at the interval that the options hold."""
        interval = timedelta(seconds=self.options.scan_interval)
        if interval != self.update_interval:
            self.update_interval = interval
            if not self.backing_off and not self.config_entry.pref_disable_polling:
                self.config_entry.async_create_background_task(
                    self.hass, self.async_request_refresh(), f"{self.name} apply the refresh interval"
                )

    @callback
    def async_add_settings_listener(self, listener: Callable[[], None]) -> CALLBACK_TYPE:
        """Call this after each read of the settings that no command made; return what ends that."""
        self._settings_listeners.append(listener)
        return partial(self._settings_listeners.remove, listener)

    @callback
    def async_add_snapshot_listener(self, listener: Callable[[], None]) -> CALLBACK_TYPE:
        """Call this after each change of the snapshot; return what ends that.

        Unlike the listeners of the base class, which are the entities, it does not keep the polls going.
        """
        self._snapshot_listeners.append(listener)
        return partial(self._snapshot_listeners.remove, listener)

    @override
    @callback
    def async_update_listeners(self) -> None:
        super().async_update_listeners()
        for listener in tuple(self._snapshot_listeners):
            listener()
        snapshot = self.data
        self.limit_events.observe(
            snapshot.held,
            target=snapshot.proven_limit,
            suspended=snapshot.pending_restore,
            differs=None if snapshot.limit_is_off else limit_differs(snapshot, self.options),
            exceeds=snapshot.limit_exceeded,
        )

    @callback
    def start_reading_settings(self) -> None:
        """Read the export settings every minute until the entry is unloaded.

        While polling is disabled, only until they are known: Home Assistant ignores what is called on
        entities that are unavailable.
        """

        @callback
        def begin(_now: datetime) -> None:
            if self.config_entry.pref_disable_polling and self.data.settings:
                return
            if self._reachability.backing_off:
                self._drop_old_settings()
                return
            self._begin_reading_settings()

        if self.pending.current and not self.client.pending.target:
            # What is restored is another device; setup asked nothing of this one.
            self._begin_reading_settings()
        self.config_entry.async_on_unload(
            async_track_time_interval(
                self.hass,
                begin,
                SETTINGS_INTERVAL,
                name=f"{self.name} export settings",
                cancel_on_shutdown=True,
            )
        )

    async def async_request_settings(self) -> bool:
        """Read the export settings for those who ask; return whether that was answered."""
        await asyncio.wait({self._begin_reading_settings()})
        return self._settings_error is None

    @callback
    def _begin_reading_settings(self) -> asyncio.Task[None]:
        """Return the read of the settings that runs, or a new one."""
        if self._settings_read is None or self._settings_read.done():
            self._settings_read = self.config_entry.async_create_background_task(
                self.hass, self.read_settings(), f"{self.name} export settings"
            )
        return self._settings_read

    async def read_settings(self) -> None:
        """Read the export settings; what is too old afterwards is not shown any more."""
        try:
            with asked_by("settings"):
                settings = await self.client.read_export_settings(tries=1 if self._settings_error else TRIES)
        except Sec1000Error as error:
            self._settings_error = error
            self._reachability.check_outage(self.options.scan_interval)
            self._drop_old_settings()
        else:
            await self.settings_read(settings)

    async def settings_read(self, settings: ExportSettings, verified_limit: int | None = None) -> None:
        """Take over what was read by no command, and let the listeners know.

        `verified_limit` (W) is the target that this proves, if any. All is published before the disk is
        waited for: by then a newer command may have changed it.
        """
        limit = self._first_baseline(settings) if verified_limit is None else verified_limit
        self.show_settings(settings, proven_limit=limit)
        for listener in tuple(self._settings_listeners):
            listener()
        if limit is not None:
            await self.baseline.keep(limit)

    async def async_probe(self) -> None:
        """Read the device once during a back-off; poll as usual again where it answers.

        It is asked for its settings, by which a SEC1000 is known, also where it serves no
        telemetry. Raises Sec1000Error where it does not answer.
        """
        with asked_by("repair"):
            settings = await self.client.read_export_settings(tries=1, urgent=True)
        await self.settings_read(settings)
        self._reachability.reset_backoff()
        self._telemetry_service.ask_again()
        await self.async_refresh()

    def _first_baseline(self, settings: ExportSettings) -> int | None:
        """Return the first baseline (W): the first limit read, up to the maximum; None where there is one.

        What is read while the limit is off is never taken for what should hold.
        """
        limit_may_be_off = self.data.pending_restore or self.pending.corrupt
        if self.data.proven_limit is not None or limit_may_be_off or settings.limit is None:
            return None
        return min(settings.limit, self.options.max_export_limit)

    async def set_verified(
        self, settings: ExportSettings, limit: int, temporary: TemporaryLimit | None
    ) -> None:
        """Take over what the device was just proven to hold, and keep the limit (W) as what should hold.

        All at once: compared with what should have held before, the device would seem to differ. `temporary`
        is the end of that limit, if it has one.
        """
        self.baseline.temporary = temporary
        self._obedience.limit_set(settings, self.options, monotonic())
        self.show_settings(settings, proven_limit=limit)
        await self.baseline.keep(limit)

    async def keep_end(self, temporary: TemporaryLimit) -> None:
        """Have the end of a limit on disk before the limit is written; raises EndNotStoredError."""
        await self.baseline.keep_end(temporary)
        self._publish(self.data)

    async def drop_end(self, limit: int | None = None) -> None:
        """Let the limit stand that should hold now, or this one (W), although it was not proven."""
        self.baseline.temporary = None
        proven_limit = self.data.proven_limit if limit is None else limit
        self._publish(replace(self.data, proven_limit=proven_limit))
        await self.baseline.drop_end(limit)

    async def keep_limit_test(self, record: LimitTestRecord) -> None:
        """Show how a test of the limit ended, also after a restart."""
        self._publish(replace(self.data, limit_test=record))
        await self._limit_test_store.save(record)

    def settings_read_within(self, seconds: float) -> ExportSettings | None:
        """Return what the device was read to hold at most so long ago, polling enabled or not."""
        return self.data.settings if monotonic() - self._settings_read_at < seconds else None

    @callback
    def _publish_pending(self) -> None:
        if self.pending.current is None and not self.pending.corrupt:
            for issue in (Issue.LIMIT_IS_OFF, Issue.PENDING_UNREADABLE):
                issue.async_clear(self.hass, self.config_entry.entry_id)
        self._publish(self.data)

    @callback
    def show_settings(self, settings: ExportSettings, proven_limit: int | None = None) -> None:
        """Take over what the device was just read to hold, and the limit (W) that this proves, if any."""
        if self._loss_logged:
            self._loss_logged = False
            LOGGER.info("%s: the export limit can be read again", self.name)
        self.impossible_values.record(settings.impossible)
        self._meter_watch.record_limit(settings, self.options, monotonic())
        self._settings_error = None
        self._settings_read_at = monotonic()
        self._schedule_settings_expiry()
        self._reachability.record_answer()
        if proven_limit is None:
            proven_limit = self.data.proven_limit
        self._publish(
            replace(
                self.data,
                settings=settings,
                limit_is_off=False,
                settings_read_at=dt_util.utcnow() if self.config_entry.pref_disable_polling else None,
                proven_limit=proven_limit,
                answered=True,
            )
        )

    @callback
    def invalidate_settings(self) -> None:
        """Show nothing where a command may have changed what was read, and read it again soon."""
        self._power_filter.record_limit(None, monotonic())
        self._publish(replace(self.data, settings=None, settings_read_at=None))

        async def read_soon() -> None:
            await asyncio.sleep(REREAD_DELAY_S)
            await self.read_settings()

        self.config_entry.async_create_background_task(
            self.hass, read_soon(), f"{self.name} read what a command left"
        )

    @callback
    def _schedule_settings_expiry(self) -> None:
        """Show what was just read for its lifetime and no longer, also where no read ends just then."""

        @callback
        def drop(_now: datetime) -> None:
            self._cancel_dropping = None
            self._drop_old_settings()

        self._stop_dropping()
        self._cancel_dropping = async_call_later(
            self.hass, SETTINGS_LIFETIME_S, HassJob(drop, cancel_on_shutdown=True)
        )

    @callback
    def _schedule_telemetry_expiry(self) -> None:
        """Show what was just measured for its lifetime and no longer, also where polls only wait."""
        lifetime = max(TELEMETRY_LIFETIME_S, 3 * self.options.scan_interval)

        @callback
        def drop(_now: datetime) -> None:
            self._cancel_telemetry_expiry = None
            if self.data.telemetry is None or self.config_entry.pref_disable_polling:
                return
            LOGGER.warning("%s: no poll has come to its end for %d s", self.name, lifetime)
            self._publish(replace(self.data, telemetry=None))

        self._stop_telemetry_expiry()
        self._cancel_telemetry_expiry = async_call_later(
            self.hass, lifetime, HassJob(drop, cancel_on_shutdown=True)
        )

    @callback
    def _stop_telemetry_expiry(self) -> None:
        if self._cancel_telemetry_expiry:
            self._cancel_telemetry_expiry()
            self._cancel_telemetry_expiry = None

    @callback
    def _stop_dropping(self) -> None:
        if self._cancel_dropping:
            self._cancel_dropping()
            self._cancel_dropping = None

    @callback
    def _drop_old_settings(self) -> None:
        if self.config_entry.pref_disable_polling:
            return
        if self.data.settings and monotonic() - self._settings_read_at < SETTINGS_LIFETIME_S:
            return
        # Where the telemetry fails too, that is logged already.
        if self.last_update_success and not self._loss_logged:
            self._loss_logged = True
            reason = self._settings_error or "no read has finished"
            LOGGER.warning("%s: the export limit cannot be read: %s", self.name, reason)
        self._publish(replace(self.data, settings=None))

    async def restore_energy(self, kind: str, total: int) -> None:
        """Let a total of the energy go on from this newer one (Wh), also on disk."""
        energy = self._energy_meter.restore(kind, total)
        self._publish(replace(self.data, energy=energy))
        self.energy_totals.keep(energy)
        await self.energy_totals.save()

    @callback
    def _publish(self, snapshot: Snapshot) -> None:
        target = self.client.pending.target
        # Also when nothing is pending any more, until what the device holds then is shown.
        was_off = self.pending.current is None and snapshot.limit_is_off
        is_off = self.pending.is_reported and (target is not None or was_off)
        snapshot = replace(
            snapshot, pending_restore=target, limit_is_off=is_off, temporary=self.baseline.temporary
        )
        if settings := snapshot.settings:
            self._power_filter.record_limit((settings.mode, settings.limit, target is None), monotonic())
        if snapshot != self.data:
            self.data = snapshot
            self.async_update_listeners()

    @override
    async def _async_setup(self) -> None:
        """Load what is on disk, and read the settings; the telemetry may answer where this does not."""
        # Before everything else that could fail: it says whether the limit is off.
        await self.pending.load()
        await self.baseline.load()
        energy = await self.energy_totals.load()
        self._energy_meter = EnergyMeter(energy)
        # There is energy on disk only where there was telemetry.
        self._telemetry_service.has_served = energy is not None
        quarter_hours = await self.quarter_hour_store.load()
        self._quarter_hour_meter = QuarterHourMeter(quarter_hours)
        self._publish(
            replace(
                self.data,
                proven_limit=self.baseline.limit,
                energy=energy,
                quarter_hours=quarter_hours,
                limit_test=await self._limit_test_store.load(),
            )
        )
        if self.pending.corrupt:
            await self._replace_corrupt_pending()
        if self.pending.current is None:
            Issue.LIMIT_IS_OFF.async_clear(self.hass, self.config_entry.entry_id)
        if self.pending.current:
            # Restoring goes before everything else that could be asked, also at another address.
            return
        try:
            with asked_by("setup"):
                settings = await self.client.identify()
            await self.settings_read(settings)
        except Sec1000Error as error:
            self._settings_error = error

    async def _replace_corrupt_pending(self) -> None:
        """Restore what was last proven where what is pending cannot be read; else raise an issue."""
        entry = self.config_entry
        limit = self.baseline.limit
        if limit is not None and self.options.control_mode is not ControlMode.DEACTIVATED:
            with suppress(NotStoredError):
                await self.client.pending.save(self.options.target(limit))
                return
        LOGGER.error("%s: it is unknown whether the export is limited, and what the target is", self.name)
        Issue.PENDING_UNREADABLE.async_raise(self.hass, entry.entry_id, {"name": self.device_name})

    @override
    async def _async_update_data(self) -> Snapshot:
        setting_up = self.config_entry.state is ConfigEntryState.SETUP_IN_PROGRESS
        if not self._telemetry_service.is_due(monotonic()) or (setting_up and self.pending.current):
            return self.data
        stats = RequestStats()
        was_well = self._settings_error is None if setting_up else self.last_update_success
        tries = TRIES if was_well and not self._telemetry_service.was_refused else 1
        try:
            with asked_by("poll"):
                telemetry = await self.client.read_telemetry(
                    tries=tries, max_age=self.options.scan_interval / 2, stats=stats
                )
        except Sec1000Error as error:
            self.impossible_values.record(impossible_in(*stats.recovered_errors, error))
            return await self._without_telemetry(error, stats, setting_up=setting_up)
        except Exception as error:
            # What raises, returns no snapshot.
            detail = technical_detail(error)
            failed = translated_error(self.hass, UpdateFailed, "telemetry_failed", error)
            message = sentences(self.hass, failed)
            self._publish(
                self._with_poll(Feedback.from_error(error), message, stats, detail=detail, telemetry=None)
            )
            raise
        return self._with_telemetry(telemetry, stats)

    async def _without_telemetry(
        self, error: Sec1000Error, stats: RequestStats, *, setting_up: bool
    ) -> Snapshot:
        """Return the snapshot after a poll that failed; raises UpdateFailed where that is an outage."""
        service = self._telemetry_service
        settings_error = self._settings_error if setting_up else await self._settings_beside(error, stats)
        if is_refused := isinstance(error, ConnectionClosedError) and settings_error is None:
            was_served = service.is_served
            service.record_refused(monotonic())
            if was_served and not service.is_served:
                LOGGER.warning(
                    "%s: the device responds with its settings but closes requests for telemetry; retrying "
                    "every hour",
                    self.name,
                )
        else:
            service.record_failed()
        interval = self.options.scan_interval
        self._reachability.check_outage(interval)
        failed = partial(
            UpdateFailed,
            retry_after=self._reachability.back_off(settings_error, interval) if settings_error else None,
        )
        shown = translated_error(self.hass, failed, "telemetry_failed", error)
        message = (
            text(self.hass, "common", "telemetry_refused") if is_refused else sentences(self.hass, shown)
        )
        snapshot = self._with_poll(
            Feedback.from_error(error), message, stats, detail=technical_detail(error), telemetry=None
        )
        if (setting_up and self.data.settings) or (is_refused and not service.is_missed):
            return snapshot
        # What raises, returns no snapshot.
        self._publish(snapshot)
        raise shown from error

    async def _settings_beside(self, error: Sec1000Error, stats: RequestStats) -> Sec1000Error | None:
        """Return why the settings could not be read either after a failed poll; None where they could.

        Firmware without telemetry still responds with its settings; a device that responds to neither is
        unresponsive.
        """
        if isinstance(error, ConnectionFailedError) and not isinstance(error, ConnectionClosedError):
            # Unreachable.
            return error
        is_answered = self.data.settings and monotonic() - self._settings_read_at < ANSWERED_BESIDE_S
        if not is_answered and not isinstance(error, ImpossibleValueError):
            try:
                with asked_by("poll"):
                    settings = await self.client.read_export_settings(tries=1, stats=stats)
            except Sec1000Error as settings_error:
                self._settings_error = settings_error
                self._drop_old_settings()
                return settings_error
            await self.settings_read(settings)
        self._reachability.reset_backoff()
        return None

    @callback
    def _with_telemetry(self, telemetry: Telemetry, stats: RequestStats) -> Snapshot:
        """Return the snapshot with this measurement, and with what follows from it."""
        self._telemetry_service.record_served()
        self._schedule_telemetry_expiry()
        self._reachability.reset_backoff()
        self._reachability.record_answer()
        self.impossible_values.record((*impossible_in(*stats.recovered_errors), *telemetry.impossible))
        shown = self._power_filter.filter(telemetry, monotonic())
        self._end_hold_in_time(telemetry, shown)
        # Another entry of the same device may have read it a while ago.
        age = self.hass.loop.time() - self.client.telemetry_taken_at
        taken_at = monotonic() - age
        self._meter_watch.judge(shown, self.data.held, self.options, taken_at)
        if (seconds := self._obedience.judge(shown.meter_power, taken_at)) is not None:
            self.limit_events.report(
                LimitEvent(LimitEventType.OBEYED, settings=self.data.held, seconds=round(seconds, 1))
            )
        exceeded = self.exceeded_limit
        if exceeded is not None and shown.meter_power is not None and not self.data.limit_exceeded:
            self._report_exceeded(shown.meter_power, exceeded)
        energy = self._energy_meter.add(shown, monotonic(), self.options.scan_interval)
        self.energy_totals.keep(energy)
        quarter_hours = self._quarter_hour_meter.add(
            shown.meter_power, dt_util.utcnow().timestamp() - age, self.options.scan_interval
        )
        self.quarter_hour_store.keep(quarter_hours)
        message = text(self.hass, "common", "telemetry_read")
        if telemetry.impossible:
            keys = (f"sensor.{value.name}.name" for value in telemetry.impossible)
            names = ", ".join(text(self.hass, "entity", key) for key in keys)
            message = text(self.hass, "common", "telemetry_read_without", names=names)
        return self._with_poll(
            Feedback.OK,
            message,
            stats,
            telemetry=shown,
            energy=energy,
            quarter_hours=quarter_hours,
            answered=True,
        )

    @callback
    def _end_hold_in_time(self, telemetry: Telemetry, shown: ShownTelemetry) -> None:
        """Show what is reported once a power is held for too long, also where no poll ends just then."""
        self._stop_holding()
        now = monotonic()
        if (until := self._power_filter.held_until) is None:
            return
        if now + self.options.scan_interval <= until + POLL_JITTER_S:
            # The next poll tells.
            until += POLL_JITTER_S

        @callback
        def release(_now: datetime) -> None:
            self._cancel_holding = None
            if self.data.telemetry is shown:
                self._publish(replace(self.data, telemetry=ShownTelemetry.unheld(telemetry)))

        self._cancel_holding = async_call_later(
            self.hass, max(0.0, until - now), HassJob(release, cancel_on_shutdown=True)
        )

    @callback
    def _stop_holding(self) -> None:
        if self._cancel_holding:
            self._cancel_holding()
            self._cancel_holding = None

    @callback
    def _report_exceeded(self, meter_power: int, limit: int) -> None:
        LOGGER.warning(
            "%s: %.2f kW flow to the grid, although the device reports a limit of %.2f kW",
            self.name,
            kilowatts(meter_power),
            kilowatts(limit),
        )
        self.config_entry.async_create_background_task(
            self.hass, self.read_settings(), f"{self.name} read the limit that is exceeded"
        )

    @callback
    def _with_poll(
        self,
        feedback: Feedback,
        message: str,
        stats: RequestStats,
        *,
        detail: str | None = None,
        **changes: Any,
    ) -> Snapshot:
        """Return the snapshot with these changes, and with the outcome of a poll.

        The record stays as it is while the outcome is the same: polling writes no states.
        """
        shown = self.data.feedback[Action.GET_TELEMETRY_DATA]
        if shown.feedback != feedback or (feedback is Feedback.OK and shown.message != message):
            record = FeedbackRecord.ended(feedback, message, stats, detail)
            changes["feedback"] = self._with_record(Action.GET_TELEMETRY_DATA, record)
        self._update_exceeded_issue()
        exceeded = self._meter_watch.is_exceeded(monotonic())
        return replace(self.data, limit_exceeded=exceeded, **changes)

    @property
    def exceeded_limit(self) -> int | None:
        """The limit (W) that the meter was above for too long, as last judged."""
        return self._meter_watch.exceeded

    @callback
    def _update_exceeded_issue(self) -> None:
        entry, limit = self.config_entry, self.exceeded_limit
        lasts = self._meter_watch.exceeded_for(monotonic()) >= EXCEEDED_BEFORE_ISSUE_S
        # A poll may end after its entry is unloaded.
        if lasts and limit is not None and entry.state is ConfigEntryState.LOADED:
            Issue.LIMIT_EXCEEDED.async_raise(
                self.hass, entry.entry_id, {"name": self.device_name, "limit": format_kw(self.hass, limit)}
            )
        else:
            Issue.LIMIT_EXCEEDED.async_clear(self.hass, entry.entry_id)

    @callback
    def show_feedback(self, action: Action, record: FeedbackRecord) -> None:
        """Show the outcome of an action on its feedback sensor."""
        self._publish(replace(self.data, feedback=self._with_record(action, record)))

    def _with_record(self, action: Action, record: FeedbackRecord) -> Mapping[Action, FeedbackRecord]:
        return MappingProxyType({**self.data.feedback, action: record})
