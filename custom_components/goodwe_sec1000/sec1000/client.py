"""The client of one SEC1000: reads that are repeated, writes that are proven by a read-back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Final

from .command import READ_EXPORT_SETTINGS, SET_CLOCK, read_telemetry_with_gaps, set_clock, switch_mode
from .endpoint import Endpoint, endpoint_for
from .errors import (
    AnswerTimeoutError,
    ChecksumError,
    ConnectionClosedError,
    ConnectionFailedError,
    HostNotFoundError,
    InvalidAnswerError,
    NotLimitedError,
    OutcomeUnknownError,
    Sec1000Error,
    SupersededError,
    UnexpectedAnswerError,
    impossible_in,
)
from .model import LIMITING_MODES, ControlMode, ExportSettings, ExportTarget, Telemetry
from .pending import PendingTarget
from .plausibility import MAX_SETTING_W, AcceptedGaps
from .reset_window import ResetWindow
from .setting_write import ROUNDS, TOLERANCE_W, SettingWrite, agrees, requests_at_best
from .stats import RequestStats
from .transport import Transaction, Transport
from .turns import Claim, Priority

TRIES: Final = 3
"""How often a read is tried."""
_POLL_JITTER_S: Final = 1.0
"""By how much a poll may be early: Home Assistant's timers keep an interval to the second."""
_REQUESTS_OF_RESET: Final = 7
"""A read, three modes off, limit, mode on, read-back."""
_REQUESTS_OF_RESTORE: Final = 5
"""Two reads, limit, mode on, read-back."""


class Sec1000Client:
    """Speaks to one device. Clients of the same host and port share one line.

    To be made and used inside one running event loop. Every method can be cancelled at any moment
    and then leaves no connection, task or held line behind; a cancelled write may or may not have
    taken effect.
    """

    def __init__(self, host: str, port: int, *, pending: PendingTarget | None = None) -> None:
        """Speak to the device at this host and port.

        `pending` keeps what should hold while the limit may be off; in memory where it is left out.
        """
        self.endpoint: Endpoint = endpoint_for(host, port)
        self.endpoint.users.add(self)
        self._seen = self.transport.requests
        """The number of the last measurement that it has returned."""
        self.pending: Final = pending or PendingTarget()
        self.telemetry_taken_at = 0.0
        """When the measurement that was returned last was taken (s, the event loop's clock)."""
        self._reset_window: ResetWindow | None = None
        self._mode: ControlMode | None = None
        """The mode last read; None where none was."""
        self._switched_off_at: dict[ControlMode, float] = {}
        """When each mode was last sent its "off" by a change of mode (s, the event loop's clock)."""
        self._accepted_gaps = AcceptedGaps()

    @property
    def transport(self) -> Transport:
        """The transport to the device; another one where its host name leads to another device now."""
        return self.endpoint.transport

    @property
    def known_mode(self) -> ControlMode | None:
        """The mode last read; None where none was."""
        return self._mode

    async def read_telemetry(
        self, *, tries: int = TRIES, max_age: float = 0.0, stats: RequestStats | None = None
    ) -> Telemetry:
        """Return a measurement, which another caller may have got a few seconds ago.

        Where a client of another entry has got one that this client has not, it may be less than
        `max_age` seconds old.

        Raises what the last try met: AnswerTimeoutError, ConnectionFailedError, UnexpectedAnswerError,
        ChecksumError or one of their kin. An answer with an impossible power is a wrong one
        (ImpossibleValueError); a power that is so in three reads in a row is None in the third.
        """
        stats = stats or RequestStats()
        earlier = len(stats.recovered_errors)
        command = read_telemetry_with_gaps(self._accepted_gaps.names)

        async def read_once() -> Telemetry:
            reading = await self.endpoint.read(
                command, Priority.POLL, stats, jitter=_POLL_JITTER_S, max_age=max_age, seen=self._seen
            )
            self._seen = reading.number
            self.telemetry_taken_at = reading.at
            return reading.value

        try:
            telemetry = await self._repeat(read_once, tries, stats)
        except Sec1000Error as error:
            found = impossible_in(*stats.recovered_errors[earlier:], error)
            # A read without an answer tells nothing about them.
            if found:
                self._accepted_gaps.record_poll(found)
            raise
        self._accepted_gaps.record_poll(telemetry.impossible)
        return telemetry

    async def identify(self, *, stats: RequestStats | None = None) -> ExportSettings:
        """Ask for the settings, by which a SEC1000 is known, on behalf of a user who waits.

        An odd answer is asked for again; silence and refusal are not. Raises as
        `read_export_settings`.
        """
        return await self._read_settings(
            Priority.READ, TRIES, stats or RequestStats(), repeat_only_malformed=True
        )

    async def read_export_settings(
        self, *, tries: int = TRIES, urgent: bool = False, stats: RequestStats | None = None
    ) -> ExportSettings:
        """Return control mode, capacity, CT ratio and export limit, as the device says them.

        It may have said so to another caller a few seconds ago, if nothing was written since. An urgent
        read goes before polls that wait. Raises what the last try met, as `read_telemetry` does, and
        InvalidAnswerError where the control mode is none.
        """
        priority = Priority.READ if urgent else Priority.POLL
        return await self._read_settings(priority, tries, stats or RequestStats())

    async def _read_settings(
        self, priority: Priority, tries: int, stats: RequestStats, *, repeat_only_malformed: bool = False
    ) -> ExportSettings:
        async def read_once() -> ExportSettings:
            return (await self.endpoint.read(READ_EXPORT_SETTINGS, priority, stats)).value

        settings = await self._repeat(read_once, tries, stats, repeat_only_malformed=repeat_only_malformed)
        self._mode = settings.mode
        return settings

    async def set_clock(self, now: Callable[[], datetime], *, stats: RequestStats | None = None) -> datetime:
        """Set the clock to the local time that `now` gives when it is sent; return that time.

        One request serves all that wait to set it. The clock cannot be read back: the time is sent and
        acknowledged, never proven. Raises InvalidAnswerError where the device answers anything but "set",
        else as `read_telemetry`.
        """
        stats = stats or RequestStats()

        async def send_once() -> datetime:
            return (
                await self.endpoint.write(SET_CLOCK, lambda: set_clock(now()), Priority.COMMAND, stats)
            ).value

        return await self._repeat(send_once, TRIES, stats)

    @asynccontextmanager
    async def limit_transaction(
        self, needs: Callable[[], int], *, stats: RequestStats | None = None
    ) -> AsyncIterator[LimitTransaction]:
        """Wait until the device bears as many requests as `needs` returns, then hold the line for a change.

        What is read and written in it goes out with nothing in between. Where the limit is off, the change
        brings one back, and may go into debt as a restore does.
        """
        stats = stats or RequestStats()

        def claim() -> Claim:
            return Claim(Priority.COMMAND, needs(), may_owe=self.pending.target is not None)

        async with self.endpoint.hold(claim, stats) as transaction:
            yield LimitTransaction(self, transaction, stats)

    def requests_at_best(self, mode: ControlMode) -> int:
        """Return how many requests a change of the limit that arms this mode costs where all goes well."""
        return requests_at_best(mode, self._mode)

    async def apply(self, target: ExportTarget, *, stats: RequestStats | None = None) -> ExportSettings:
        """Make the device hold this and return what it says it holds then; see `LimitTransaction.write`.

        A reset that runs is cut short.
        """
        self.cut_reset_short("a newer command")
        needs = partial(self.requests_at_best, target.mode)
        async with self.limit_transaction(needs, stats=stats) as transaction:
            return await transaction.write(target)

    async def reset_watchdog(
        self,
        expected: Callable[[ExportSettings], ExportTarget],
        *,
        highest: Callable[[], int] = lambda: MAX_SETTING_W,
        after: asyncio.Task[None] | None = None,
        stats: RequestStats | None = None,
    ) -> tuple[ExportSettings, ExportSettings]:
        """Take the limit off for 5 s and restore it; return what was held before, and the read-back.

        `expected` returns, once the device was read, what should hold by what was last proven. Its
        measurement, which cannot be read, is written again. Where the device allows more in the same
        mode, twice read, the expected limit is put in force instead. In another mode what it holds is
        restored, up to the `highest` limit (W). Nothing else talks to the device in between. It begins
        `after` a task that carries out earlier commands.

        Raises NotLimitedError where the device limits nothing; RestorePendingError where the limit is off
        already; what the first read met, and then nothing was changed; as `LimitTransaction.write`, where
        the setting could not be restored; what was met instead of an acknowledgement that the limit was
        off, and SupersededError where the reset was cut short, both after the setting was put in force
        again.
        """
        stats = stats or RequestStats()
        window = self._reset_window = ResetWindow()

        def claim() -> Claim:
            # Cut short while it waits, it must not keep a newer command waiting.
            return Claim(Priority.COMMAND, 0 if window.cut_short_by else _REQUESTS_OF_RESET)

        try:
            if after:
                await window.wait_for(after)
            self._raise_if_cut_short(window)
            self.pending.check_free()
            async with self.endpoint.hold(claim, stats) as transaction:
                self._raise_if_cut_short(window)
                started = asyncio.get_running_loop().time()
                before, target = await self._reset_target(transaction, window, expected, highest, stats)
                self._raise_if_cut_short(window)
                await self.pending.save(target)
                if window.cut_short_by:
                    await self.pending.clear()
                self._raise_if_cut_short(window)
                fault, off_since = await self._take_limit_off(transaction, target.mode, stats)
                timing = self.transport.timing
                await window.wait(off_since + timing.watchdog_pause - asyncio.get_running_loop().time())
                if fault or window.cut_short_by:
                    self.pending.distrust_until(asyncio.get_running_loop().time() + timing.late_effect)
                settings = await self.write_setting(
                    transaction, target, stats, known_mode=ControlMode.DEACTIVATED, started=started
                )
        finally:
            self._reset_window = None
        if window.cut_short_by:
            raise SupersededError(f"the limit was restored early by {window.cut_short_by}")
        if fault:
            raise fault
        return before, settings

    @property
    def is_resetting(self) -> bool:
        """Whether a watchdog reset runs."""
        return self._reset_window is not None

    def cut_reset_short(self, by: str) -> None:
        """Let a limit that a watchdog reset suspends be restored at once; `by` names what asks for it."""
        if self._reset_window:
            self._reset_window.cut_short(by)
            self.transport.turns.reconsider()

    async def restore(self, *, stats: RequestStats | None = None) -> ExportSettings:
        """Bring back what should hold, in one round, and return the read-back.

        A device that limits the export again, by whatever setting, is left as it is; that is read
        twice. Raises what a read met, else as `LimitTransaction.write`; then it is still pending.
        """
        stats = stats or RequestStats()
        claim = Claim(Priority.RESTORE, _REQUESTS_OF_RESTORE, may_owe=True)
        async with self.endpoint.hold(lambda: claim, stats) as transaction:
            await transaction.ready()
            read_at = asyncio.get_running_loop().time()
            settings = await transaction.ask(READ_EXPORT_SETTINGS)
            self._mode = settings.mode
            target = self.pending.target
            if target is None:
                return settings
            if settings.mode is not ControlMode.DEACTIVATED:
                # One stale answer must not end what is pending.
                await asyncio.sleep(self.transport.timing.read_back_pause)
                settings = await transaction.ask(READ_EXPORT_SETTINGS)
                self._mode = settings.mode
            if settings.mode is not ControlMode.DEACTIVATED:
                if self.pending.is_proven_at(read_at):
                    await self.pending.clear()
                return settings
            return await self.write_setting(transaction, target, stats, known_mode=settings.mode, rounds=1)

    @staticmethod
    def _raise_if_cut_short(window: ResetWindow) -> None:
        if window.cut_short_by:
            raise SupersededError(f"the limit was not suspended, because of {window.cut_short_by}")

    async def _reset_target(
        self,
        transaction: Transaction,
        window: ResetWindow,
        expected: Callable[[ExportSettings], ExportTarget],
        highest: Callable[[], int],
        stats: RequestStats,
    ) -> tuple[ExportSettings, ExportTarget]:
        """Return what the device holds before a reset, and what is to hold again after it."""
        deadline = transaction.timing.reset_read_deadline
        try:
            async with window.timeout(deadline):
                before = await self.read_in(transaction, stats)
                if before.mode is not ControlMode.DEACTIVATED and not agrees(before, expected(before)):
                    # One stale answer must not decide on what holds from now on.
                    before = await self.read_in(transaction, stats)
        except TimeoutError as error:
            self._raise_if_cut_short(window)
            raise AnswerTimeoutError(f"the settings could not be read within {deadline:.3g} s") from error
        if before.mode is ControlMode.DEACTIVATED:
            raise NotLimitedError("nothing limits the export (control mode deactivated)")
        target = expected(before)
        # Nothing impossible is put in force again.
        limit = target.limit if before.limit is None else before.limit
        if before.mode is target.mode and (before.limit is None or limit >= target.limit + TOLERANCE_W):
            return before, target
        capacity = target.capacity if before.capacity is None else before.capacity
        return before, ExportTarget(before.mode, capacity, min(limit, highest()), target.sum_of_phases)

    async def read_in(
        self, transaction: Transaction, stats: RequestStats, *, tries: int = TRIES
    ) -> ExportSettings:
        """Return what the device holds, read while the line is held; raises as `read_export_settings`."""
        settings = await self._repeat(lambda: transaction.ask(READ_EXPORT_SETTINGS), tries, stats)
        self._mode = settings.mode
        return settings

    async def _take_limit_off(
        self, transaction: Transaction, limiting: ControlMode, stats: RequestStats
    ) -> tuple[Sec1000Error | None, float]:
        """Switch every mode off; return the fault, and since when (s, the loop's clock) none limits."""
        loop = asyncio.get_running_loop()
        fault: Sec1000Error | None = None
        off_since = 0.0
        # The mode that limits goes last, so that the time without a limit begins with it.
        for number, mode in enumerate(sorted(LIMITING_MODES, key=lambda mode: mode is limiting)):
            off_since = loop.time()
            try:
                await transaction.write(switch_mode(mode, on=False), follows=number > 0)
            except Sec1000Error as error:
                stats.recovered_errors.append(error)
                fault = error
            else:
                off_since = loop.time()
                fault = None
        return fault, off_since

    async def write_setting(
        self,
        transaction: Transaction,
        target: ExportTarget,
        stats: RequestStats,
        *,
        known_mode: ControlMode | None,
        started: float | None = None,
        rounds: int = ROUNDS,
        may_switch_off: bool = True,
        measurement_changes: bool = False,
    ) -> ExportSettings:
        """Bring the device to this target while the line is held; what is pending follows the outcome."""
        was_pending = self.pending.target
        write = SettingWrite(
            transaction,
            target,
            stats,
            known_mode=known_mode,
            pending=self.pending,
            switched_off_at=self._switched_off_at,
            started=asyncio.get_running_loop().time() if started is None else started,
            rounds=rounds,
            may_switch_off=may_switch_off,
            measurement_changes=measurement_changes,
        )
        # What is refused must not become what is restored.
        write.check_mode_change()
        if was_pending and target.mode is not ControlMode.DEACTIVATED and target != was_pending:
            await self.pending.replace(target)
        try:
            return await write.run()
        except ConnectionFailedError as error:
            if was_pending is None or target.mode is ControlMode.DEACTIVATED:
                raise
            # The limit is off and this target is restored from now on, so it may yet come to hold.
            raise OutcomeUnknownError(
                f"the limit is suspended, and nothing could be sent: {error}"
            ) from error
        finally:
            if write.held:
                self._mode = write.held.mode
                limits = write.held.mode is not ControlMode.DEACTIVATED
                deactivated = not limits and target.mode is ControlMode.DEACTIVATED
                proven = limits and self.pending.is_proven_at(write.held_at)
                if self.pending.target and (deactivated or proven):
                    await self.pending.clear()
            elif not write.connected and was_pending is None and self.pending.target:
                # Nothing was taken off.
                await self.pending.clear()

    async def _repeat[T](
        self,
        ask_once: Callable[[], Awaitable[T]],
        tries: int,
        stats: RequestStats,
        *,
        repeat_only_malformed: bool = False,
    ) -> T:
        """Ask, and ask again after 1 s and 3 s, so that more urgent requests get in between."""
        for pause in self.transport.timing.retry_pauses[: tries - 1]:
            try:
                return await ask_once()
            except HostNotFoundError:
                raise
            except Sec1000Error as error:
                if repeat_only_malformed and not _is_malformed(error):
                    raise
                stats.recovered_errors.append(error)
            await asyncio.sleep(pause)
        return await ask_once()


def _is_malformed(error: Sec1000Error) -> bool:
    """Return whether something answered, if not in the way it should."""
    return isinstance(
        error, UnexpectedAnswerError | ChecksumError | InvalidAnswerError | ConnectionClosedError
    )


class LimitTransaction:
    """The line while one change of the limit holds it."""

    def __init__(self, client: Sec1000Client, transaction: Transaction, stats: RequestStats) -> None:
        self._client = client
        self._transaction = transaction
        self._stats = stats
        self._started = asyncio.get_running_loop().time()

    async def read(self) -> ExportSettings:
        """Return what the device holds; raises as `Sec1000Client.read_export_settings`."""
        tries = 1 if self._owes else TRIES
        return await self._client.read_in(self._transaction, self._stats, tries=tries)

    async def write(
        self,
        target: ExportTarget,
        *,
        may_switch_off: bool = True,
        measurement_changes: bool = False,
        rounds: int = ROUNDS,
    ) -> ExportSettings:
        """Make the device hold this and return what it says it holds then.

        Three requests where the mode stands, five where it is known to differ, at most 12 and
        45 s. Limit and capacity agree within 50 W, the mode exactly; the measurement cannot be read
        back: where it changes, it has to be acknowledged. Where the limit is off for a while, the
        target becomes what should hold.

        Raises NotAppliedError where the device holds something else, OutcomeUnknownError where it
        could not be read back or did not acknowledge what it has to, ConnectionFailedError where nothing
        was sent, InvalidValueError for what the wire cannot carry, and ModeChangeRefusedError where a
        limiting mode would have to be taken off for it without `may_switch_off`.
        """
        client = self._client
        return await client.write_setting(
            self._transaction,
            target,
            self._stats,
            known_mode=client.known_mode,
            started=self._started,
            rounds=1 if self._owes else rounds,
            may_switch_off=may_switch_off,
            measurement_changes=measurement_changes,
        )

    @property
    def _owes(self) -> bool:
        """Whether nothing may be repeated: what brings a limit back in debt is repeated as a restore."""
        return self._client.pending.target is not None and self._client.transport.turns.level < 0
