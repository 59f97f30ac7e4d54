"""One change of the setting: write, arm the mode, read back, compare, and again if need be."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
import math
from typing import Final

from .command import READ_EXPORT_SETTINGS, Command, Status, switch_mode, write_export_limit
from .errors import (
    AnswerTimeoutError,
    ConnectionClosedError,
    ConnectionFailedError,
    ModeChangeRefusedError,
    OutcomeUnknownError,
    Sec1000Error,
)
from .model import LIMITING_MODES, ControlMode, ExportSettings, ExportTarget
from .pending import PendingTarget
from .stats import RequestStats
from .transport import Transaction

ROUNDS: Final = 3
MAX_REQUESTS: Final = 12
"""How many requests one command may cost, those before the change included."""
TOLERANCE_W: Final = 50
"""A limit or capacity that is read back this far off was not applied."""


class NotAppliedError(Sec1000Error):
    """The read-back after the last write does not match the target."""

    def __init__(self, message: str, held: ExportSettings) -> None:
        super().__init__(message)
        self.held = held
        """The settings that were read back."""


def agrees(settings: ExportSettings, target: ExportTarget) -> bool:
    """Return whether a read-back shows the target; the measurement cannot be read back."""
    return (
        settings.mode is target.mode
        and is_about(settings.limit, target.limit)
        and is_about(settings.capacity, target.capacity)
    )


def is_about(power: int | None, expected: int) -> bool:
    """Return whether a power (W) that was read is within the tolerance of the expected one."""
    return power is not None and abs(power - expected) < TOLERANCE_W


def requests_at_best(mode: ControlMode, known_mode: ControlMode | None) -> int:
    """Return how many requests a change that arms this mode costs where all goes well.

    `known_mode` is the mode last read, None where none was.
    """
    offs = len(_others(mode)) if _must_switch_off(mode, known_mode) else 0
    return 1 + offs + (mode in LIMITING_MODES) + 1


def _others(mode: ControlMode) -> list[ControlMode]:
    return [other for other in LIMITING_MODES if other is not mode]


def _must_switch_off(mode: ControlMode, held: ControlMode | None) -> bool:
    """Return whether other modes go off first. A mode that is not known is taken for the wanted one."""
    if mode is ControlMode.DEACTIVATED:
        return held is not ControlMode.DEACTIVATED
    return held not in (None, ControlMode.DEACTIVATED, mode)


class SettingWrite:
    """Brings a device to a target while the line is held."""

    def __init__(
        self,
        transaction: Transaction,
        target: ExportTarget,
        stats: RequestStats,
        *,
        known_mode: ControlMode | None,
        pending: PendingTarget,
        switched_off_at: dict[ControlMode, float],
        started: float,
        rounds: int = ROUNDS,
        may_switch_off: bool = True,
        measurement_changes: bool = False,
    ) -> None:
        """Prepare the change; `known_mode` is the mode last read, None where none was.

        `switched_off_at` says when each mode was last sent its "off" (s, the event loop's clock), by
        earlier writes and this one. `started` is when the command sent its first request, by the same clock.

        The target is saved as `pending` before a limiting mode is taken off for another one. In a
        single round it is read back once. Without `may_switch_off` no mode is taken off. Where
        `measurement_changes`, the limit has to be acknowledged, too: the measurement cannot be read back.
        """
        self.held: ExportSettings | None = None
        """The read-back after the last write, None where it failed."""
        self.held_at = 0.0
        """When it was asked for, by the event loop's clock (s)."""
        self.connected = False
        """Whether a connection was made at all; where none was, the device holds what it held."""
        self._transaction = transaction
        self._pending = pending
        self._switched_off_at = switched_off_at
        self._rounds = rounds
        self._may_switch_off = may_switch_off
        self._is_measurement_confirmed = not measurement_changes
        """Whether the device has acknowledged the measurement, or had it before."""
        self._target = target
        self._stats = stats
        self._switch_off = _must_switch_off(target.mode, known_mode)
        self._modes_off = self._is_off(known_mode)
        self._offs: dict[Command[int], ControlMode] = {}
        self._mode_changed = False
        """Whether the mode in a read-back proves that it was armed; where it stood before, it does not."""
        self._limit_may_be_late = False
        """Whether the last limit sent may take effect after its arming."""
        self._proven: ExportSettings | None = None
        self._fault: Sec1000Error | None = None
        self._timing = transaction.timing
        # Arming may go beyond this by its own deadline, so that all stays within the command's.
        longest = self._timing.command_deadline - self._timing.write_deadline
        self._until = started + longest

    async def run(self) -> ExportSettings:
        """Return the read-back that agrees.

        Raises NotAppliedError where the device holds something else, OutcomeUnknownError where it
        could not be read back after the last write, ConnectionFailedError where nothing was sent.
        """
        stored = False
        for number in range(self._rounds):
            steps = self._steps()
            if number and not self._round_within_budget(steps):
                break
            acknowledged = await self._write(steps)
            at_once = await self._read_back_twice()
            if self.held is None:
                continue
            if agrees(self.held, self._target):
                self._proven = self.held
                # A limit that was taken over late may have come after its arming.
                in_order = at_once and not self._limit_may_be_late
                if self._is_measurement_confirmed:
                    if (acknowledged or self._mode_changed) and (in_order or stored):
                        return self.held
                    if number:
                        break
            stored = agrees(replace(self.held, mode=self._target.mode), self._target)
            self._mode_changed = self.held.mode is not self._target.mode
            self._switch_off = _must_switch_off(self._target.mode, self.held.mode) and self._may_switch_off
            self._modes_off = self._is_off(self.held.mode)
        return self._held_in_the_end()

    def _held_in_the_end(self) -> ExportSettings:
        """Return what agreed, if not as it should; raises as `run`."""
        if self._proven and (self.held is None or agrees(self.held, self._target)):
            if not self._is_measurement_confirmed:
                raise OutcomeUnknownError(
                    f"the measurement cannot be read back, and was not acknowledged: {self._fault}"
                ) from self._fault
            self._stats.arming_unacknowledged = True
            return self._proven
        if self.held:
            raise NotAppliedError(
                f"the device reports {_words(self.held.mode, self.held.limit, self.held.capacity)} "
                f"instead of {_words(self._target.mode, self._target.limit, self._target.capacity)}",
                self.held,
            )
        if self._fault and not self.connected:
            # No connection was ever made, so nothing can have been taken over.
            raise self._fault
        raise OutcomeUnknownError(f"no read-back succeeded after it was sent: {self._fault}") from self._fault

    def check_mode_change(self) -> None:
        """Raise ModeChangeRefusedError where a mode would have to be taken off and may not."""
        if self._switch_off and not self._may_switch_off:
            raise ModeChangeRefusedError("another control mode would have to be switched off")

    def _is_off(self, mode: ControlMode | None) -> bool:
        """Return whether nothing limits the export although something should."""
        return mode is ControlMode.DEACTIVATED and self._target.mode is not ControlMode.DEACTIVATED

    def _steps(self) -> list[Command[int]]:
        target = self._target
        steps = [
            write_export_limit(
                capacity=target.capacity, limit=target.limit, sum_of_phases=target.sum_of_phases
            )
        ]
        self._offs = (
            {switch_mode(mode, on=False): mode for mode in _others(target.mode)} if self._switch_off else {}
        )
        steps += self._offs
        if target.mode is not ControlMode.DEACTIVATED:
            steps.append(switch_mode(target.mode, on=True))
        return steps

    async def _write(self, steps: list[Command[int]]) -> bool:
        """Send the steps back to back; return whether the last one, which arms the mode, was acknowledged.

        A NAK counts, since devices are known to send it where nothing had to change.
        """
        self.held = None
        # Deactivating takes the mode off for good: there is nothing to be restored.
        if self._switch_off and self._target.mode is not ControlMode.DEACTIVATED:
            await self._pending.save(self._target)
        status: int | None = None
        self._limit_may_be_late = False
        await self._transaction.ready()
        for step in steps:
            if (mode := self._offs.get(step)) is not None:
                self._switched_off_at[mode] = asyncio.get_running_loop().time()
            try:
                status = await self._send(step, follows=step is not steps[0], is_last=step is steps[-1])
            except Sec1000Error as error:
                status = None
                self._record_error(error)
                if step is steps[0]:
                    self._limit_may_be_late = isinstance(error, AnswerTimeoutError)
                if step in self._offs:
                    self._pending.distrust_until(asyncio.get_running_loop().time() + self._timing.late_effect)
            else:
                self._is_measurement_confirmed |= step is steps[0] and status == Status.ACKNOWLEDGED
        return status in (Status.ACKNOWLEDGED, Status.NEGATIVE)

    async def _read_back_twice(self) -> bool:
        """Read back, and once more after a pause where that does not agree.

        Return whether it agreed at once.
        """
        await self._read_back()
        if self.held and agrees(self.held, self._target):
            return True
        if self._rounds == 1 or not self._within_budget(1):
            return False
        await asyncio.sleep(self._timing.read_back_pause)
        await self._read_back()
        return False

    async def _read_back(self) -> None:
        # Switched off a moment ago, the mode may yet go off after its "on" and a read-back that agrees.
        off_at = self._switched_off_at.get(self._target.mode, -math.inf)
        await asyncio.sleep(off_at + self._timing.late_effect - asyncio.get_running_loop().time())
        if not self._within_budget(1):
            return
        await self._transaction.ready()
        self.held_at = asyncio.get_running_loop().time()
        deadline = self._time_left()
        if self._may_be_off:
            deadline = min(deadline, self._timing.unlimited_deadline)
        try:
            with self._connecting():
                self.held = await self._transaction.ask(READ_EXPORT_SETTINGS, deadline)
        except Sec1000Error as error:
            self.held = None
            self._record_error(error)

    def _record_error(self, error: Sec1000Error) -> None:
        self._fault = error
        self._stats.recovered_errors.append(error)

    def _time_left(self) -> float:
        return self._until - asyncio.get_running_loop().time()

    def _within_budget(self, requests: int, seconds: float = 0) -> bool:
        """Return whether so many more requests and so much more time are within what a command may cost."""
        return self._stats.requests + requests <= MAX_REQUESTS and self._time_left() > seconds

    def _round_within_budget(self, steps: list[Command[int]]) -> bool:
        """Return whether another round can come to its end: with modes off it must reach its arming."""
        timing = self._timing
        return self._within_budget(len(steps) + 1, timing.pacing + len(steps) * timing.write_deadline)

    @property
    def _may_be_off(self) -> bool:
        """Whether nothing may limit the export, since modes are off or are being switched off."""
        return self._modes_off or self._switch_off

    async def _send(self, step: Command[int], *, follows: bool, is_last: bool) -> int:
        """Send one write; once modes are off, arming the wanted one must not fail for lack of time."""
        deadline = None if is_last and self._may_be_off else self._time_left()
        with self._connecting():
            return await self._transaction.write(step, deadline, follows=follows)

    @contextmanager
    def _connecting(self) -> Iterator[None]:
        """Note whether a connection is made."""
        # From here on the request may arrive, whatever ends the wait for its answer.
        was_connected, self.connected = self.connected, True
        try:
            yield
        except ConnectionFailedError as error:
            if not isinstance(error, ConnectionClosedError):
                self.connected = was_connected
            raise


def _words(mode: ControlMode, limit: int | None, capacity: int | None) -> str:
    return f"mode {mode.key}, limit {_kw(limit)}, capacity {_kw(capacity)}"


def _kw(power: int | None) -> str:
    return "unknown" if power is None else f"{power / 1000:.2f} kW"
