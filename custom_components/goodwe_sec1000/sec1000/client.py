"""The client of one SEC1000: reads that are repeated, writes that are proven by a read-back."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from .command import READ_EXPORT_SETTINGS, READ_TELEMETRY, Command, Status, set_clock, switch_mode
from .errors import (
    ChecksumError,
    ConnectionClosedError,
    ConnectionFailedError,
    HostNotFoundError,
    InvalidAnswerError,
    NotLimitedError,
    Sec1000Error,
    SupersededError,
    TelemetryNotServedError,
    UnexpectedAnswerError,
)
from .limit_queue import LimitQueue
from .model import LIMITING_MODES, ControlMode, ExportSettings, ExportTarget, Telemetry
from .reset_window import ResetWindow
from .setting_write import SavePending, SettingWrite
from .stats import RequestStats
from .transport import Priority, Transaction, Transport, transport_for

TRIES: Final = 3
"""How often a read is tried."""
TELEMETRY_REFUSALS: Final = 3
"""So many requests for telemetry closed in a row mean that the firmware does not serve it."""


class Sec1000Client:
    """Speaks to one device. Clients of the same host and port share one line.

    To be made and used inside one running event loop. Every method can be cancelled at any moment
    and then leaves no connection, task or held line behind; a cancelled write may or may not have
    taken effect.
    """

    def __init__(self, host: str, port: int, *, remember: SavePending | None = None) -> None:
        """Speak to the device at this host and port.

        `remember` is awaited with what should hold before a limiting mode is taken off for a while,
        and again whenever a newer command changes it; it is over once `pending_target` is None again.
        """
        self.line: Final[Transport] = transport_for(host, port)
        self.pending_target: ExportTarget | None = None
        """What should hold while the limit may be off; None where nothing was taken off, or all is back."""
        self._remember = remember or _no_pending_store
        self._queue = LimitQueue()
        self._reset_window: ResetWindow | None = None
        self._mode: ControlMode | None = None
        """The mode last read, None where a write since then may have changed it."""
        self._telemetry_closed = 0
        """Requests for telemetry closed or refused in a row."""

    async def read_telemetry(self, *, tries: int = TRIES, stats: RequestStats | None = None) -> Telemetry:
        """Return a measurement.

        Raises TelemetryNotServedError where the firmware has none to give, and otherwise what the
        last try met: AnswerTimeoutError, ConnectionFailedError, UnexpectedAnswerError,
        ChecksumError or one of their kin.
        """

        async def ask_once() -> Telemetry:
            try:
                telemetry = await self._ask_alone(READ_TELEMETRY, Priority.POLL)
            except HostNotFoundError:
                raise
            except ConnectionFailedError:
                self._telemetry_closed += 1
                raise
            except Sec1000Error:
                self._telemetry_closed = 0
                raise
            self._telemetry_closed = 0
            return telemetry

        stats = stats or RequestStats()
        try:
            return await self._repeat(ask_once, tries, stats)
        except ConnectionFailedError as error:
            if self._telemetry_closed >= TELEMETRY_REFUSALS and await self._settings_answer(stats):
                raise TelemetryNotServedError(
                    "the device answers for its settings and closes requests for telemetry"
                ) from error
            raise

    async def _settings_answer(self, stats: RequestStats) -> bool:
        try:
            await self.read_export_settings(tries=1, stats=stats)
        except Sec1000Error:
            return False
        return True

    async def identify(self, *, stats: RequestStats | None = None) -> ExportSettings:
        """Ask for the settings, by which a SEC1000 is known, on behalf of somebody who waits.

        An odd answer is asked for again; silence and refusal are not. Raises as
        `read_export_settings`.
        """
        return await self._read_settings(
            Priority.COMMAND, TRIES, stats or RequestStats(), repeat_only_malformed=True
        )

    async def read_export_settings(
        self, *, tries: int = TRIES, urgent: bool = False, stats: RequestStats | None = None
    ) -> ExportSettings:
        """Return control mode, capacity, CT ratio and export limit, as the device says them.

        An urgent read goes before polls that wait. Raises what the last try met, as
        `read_telemetry` does, and SenselessAnswerError where the control mode is none.
        """
        priority = Priority.COMMAND if urgent else Priority.POLL
        return await self._read_settings(priority, tries, stats or RequestStats())

    async def _read_settings(
        self, priority: Priority, tries: int, stats: RequestStats, *, repeat_only_malformed: bool = False
    ) -> ExportSettings:
        settings = await self._repeat(
            lambda: self._ask_alone(READ_EXPORT_SETTINGS, priority),
            tries,
            stats,
            repeat_only_malformed=repeat_only_malformed,
        )
        self._mode = settings.mode
        return settings

    async def set_clock(self, now: Callable[[], datetime], *, stats: RequestStats | None = None) -> datetime:
        """Set the clock to the local time that `now` gives when it is sent; return that time.

        The clock cannot be read back: the time is sent and acknowledged, never proven. Raises
        SenselessAnswerError where the device answers anything but "set", else as `read_telemetry`.
        """

        async def send_once() -> datetime:
            async with self.line.hold(Priority.COMMAND) as transaction:
                await transaction.ready()
                time = now()
                status = await transaction.ask(set_clock(time))
            if status != Status.CLOCK_SET:
                raise InvalidAnswerError(f"the device did not set its clock (status {status:#04x})")
            return time

        return await self._repeat(send_once, TRIES, stats or RequestStats())

    async def apply(self, target: ExportTarget, *, stats: RequestStats | None = None) -> ExportSettings:
        """Make the device hold this and return what it says it holds then.

        Three requests where the mode stands, five where it is known to differ, at most 12 and
        45 s. Limit and capacity agree within 50 W, the mode exactly; the measurement is sent and
        cannot be read back. Where the limit is off for a while, the target is taken over at once
        as what should hold, and an interruption of the limit ends.

        Raises SupersededError where a newer limit came first, NotAppliedError where the device
        holds something else, OutcomeUnknownError where it could not be read back,
        ConnectionFailedError where nothing was sent, InvalidValueError for what the wire cannot
        carry.
        """
        self.cut_reset_short("a newer command")
        if self.pending_target is not None:
            await self._set_pending(target)
        async with self._queue.hold(self.line) as transaction:
            return await self._change(transaction, target, stats or RequestStats(), known_mode=self._mode)

    async def reset_watchdog(
        self, *, sum_of_phases: bool, stats: RequestStats | None = None
    ) -> ExportSettings:
        """Take the limit off for 5 s, put all back as it was, and return the read-back.

        The measurement cannot be read and is therefore given. Nothing else talks to the device in
        between. Raises NotLimitedError where the device limits nothing; what the first read met,
        and then nothing was changed; as `apply`, where the setting could not be put back; what was
        met instead of an acknowledgement that the limit was off, and SupersededError where the 5 s
        were cut short, both after a setting was put in force again.
        """
        stats = stats or RequestStats()
        reset_window = self._reset_window = ResetWindow()
        try:
            async with self.line.hold(Priority.COMMAND) as transaction:
                before = await self._repeat(lambda: transaction.ask(READ_EXPORT_SETTINGS), TRIES, stats)
                self._mode = before.mode
                if before.mode is ControlMode.DEACTIVATED:
                    raise NotLimitedError("nothing limits the export (control mode deactivated)")
                if reset_window.cut_short_by:
                    raise SupersededError(
                        f"the limit was not taken off, on account of {reset_window.cut_short_by}"
                    )
                target = ExportTarget(before.mode, before.capacity, before.limit, sum_of_phases)
                await self._set_pending(target)
                fault, off_since = await self._take_limit_off(transaction, before.mode, stats)
                pause = self.line.timing.watchdog_pause
                await reset_window.last(off_since + pause - asyncio.get_running_loop().time())
                # By now a newer command may have said what should hold.
                settings = await self._change(
                    transaction, self.pending_target or target, stats, known_mode=ControlMode.DEACTIVATED
                )
        finally:
            self._reset_window = None
        if reset_window.cut_short_by:
            raise SupersededError(f"the limit was put back early by {reset_window.cut_short_by}")
        if fault:
            raise fault
        return settings

    def cut_reset_short(self, by: str) -> None:
        """Let a limit that is off for a watchdog reset be put back at once; `by` tells whose wish it is."""
        if self._reset_window:
            self._reset_window.end(by)

    async def restore(self, *, stats: RequestStats | None = None) -> ExportSettings:
        """Bring back what should hold and return the read-back.

        A device that limits the export again, by whatever setting, is left as it is. Raises what
        the first read met, else as `apply`; then it is still to be done.
        """
        stats = stats or RequestStats()
        async with self.line.hold(Priority.COMMAND) as transaction:
            stats.requests += 1
            settings = await transaction.ask(READ_EXPORT_SETTINGS)
            self._mode = settings.mode
            if settings.mode is not ControlMode.DEACTIVATED:
                self.pending_target = None
            if self.pending_target is None:
                return settings
            return await self._change(transaction, self.pending_target, stats, known_mode=settings.mode)

    async def _set_pending(self, target: ExportTarget) -> None:
        await self._remember(target)
        self.pending_target = target

    async def _take_limit_off(
        self, transaction: Transaction, limiting: ControlMode, stats: RequestStats
    ) -> tuple[Sec1000Error | None, float]:
        """Switch every mode off; return the fault and the moment of the limiting one's request."""
        self._mode = None
        fault: Sec1000Error | None = None
        sent_at = 0.0
        # The mode that limits goes last, so that the time without a limit begins with it.
        for mode in sorted(LIMITING_MODES, key=lambda mode: mode is limiting):
            stats.requests += 1
            await transaction.ready()
            sent_at = asyncio.get_running_loop().time()
            try:
                await transaction.ask(
                    switch_mode(mode, on=False), deadline=self.line.timing.unlimited_deadline
                )
            except Sec1000Error as error:
                stats.recovered_errors.append(error)
                fault = error
            else:
                fault = None
        return fault, sent_at

    async def _change(
        self,
        transaction: Transaction,
        target: ExportTarget,
        stats: RequestStats,
        *,
        known_mode: ControlMode | None,
    ) -> ExportSettings:
        change = SettingWrite(transaction, target, stats, known_mode=known_mode, remember=self._set_pending)
        before = self.pending_target
        self._mode = None
        try:
            return await change.run()
        finally:
            if not change.connected:
                self.pending_target = before
            if change.held:
                self._mode = change.held.mode
                if change.held.mode is not ControlMode.DEACTIVATED or target.mode is ControlMode.DEACTIVATED:
                    self.pending_target = None

    async def _ask_alone[T](self, command: Command[T], priority: Priority) -> T:
        async with self.line.hold(priority) as transaction:
            return await transaction.ask(command)

    async def _repeat[T](
        self,
        ask_once: Callable[[], Awaitable[T]],
        tries: int,
        stats: RequestStats,
        *,
        repeat_only_malformed: bool = False,
    ) -> T:
        """Ask, and ask again after 1 s and 3 s, so that whoever is more urgent gets in between."""
        for pause in self.line.timing.retry_pauses[: tries - 1]:
            stats.requests += 1
            try:
                return await ask_once()
            except HostNotFoundError:
                raise
            except Sec1000Error as error:
                if repeat_only_malformed and not _is_malformed(error):
                    raise
                stats.recovered_errors.append(error)
            await asyncio.sleep(pause)
        stats.requests += 1
        return await ask_once()


def _is_malformed(error: Sec1000Error) -> bool:
    """Tell whether something answered, if not in the way it should."""
    return isinstance(
        error, UnexpectedAnswerError | ChecksumError | InvalidAnswerError | ConnectionClosedError
    )


async def _no_pending_store(_target: ExportTarget) -> None:
    """Serve whoever has nothing to keep a target in: after a crash the limit may stay off."""
