"""Limit commands that wait: the latest wins, and one write carries out all that is left of them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from homeassistant.core import callback
from homeassistant.util import dt as dt_util

from ..const import CONF_CONTROL_MODE, LOGGER
from ..coordinator import SETTINGS_LIFETIME_S, Sec1000Coordinator
from ..issues import Issue
from ..limit import NotANumberError
from ..messages import ENGLISH, format_export, format_kw, text
from ..sec1000.asker import asked_by, asker
from ..sec1000.client import LimitTransaction
from ..sec1000.errors import (
    InvalidValueError,
    ModeChangeRefusedError,
    OutcomeUnknownError,
    Sec1000Error,
    SupersededError,
)
from ..sec1000.model import ControlMode, ExportSettings, ExportTarget, kilowatts
from ..sec1000.setting_write import ROUNDS, NotAppliedError, agrees
from ..sec1000.stats import RequestStats
from ..tracking.limit_events import LimitEventType
from ..tracking.temporary import TemporaryLimit
from .limit_commands import ActionStats, LimitCommand, Plan

FEWEST_REQUESTS: Final = 3
"""Of a command that writes: limit, mode on, read-back."""


class _ReadNeededError(Exception):
    """What a command comes to depends on what the device holds."""


@dataclass(eq=False, slots=True)
class _Waiting:
    command: LimitCommand
    stats: ActionStats
    done: asyncio.Future[str]
    asker: str = field(default_factory=asker)
    """Whose command it is."""
    requests: int = FEWEST_REQUESTS
    """How many this command by itself costs where all goes well; the fewest, until that is known."""


@dataclass(slots=True)
class _Batch:
    """Commands that are carried out by one write, in the order of their calls."""

    waiting: list[_Waiting]
    stats: RequestStats = field(default_factory=RequestStats)

    @property
    def asker(self) -> str:
        """Whose commands it carries out: those of the last."""
        return self.waiting[-1].asker if self.waiting else asker()

    @property
    def rounds(self) -> int:
        """How often it is written at most."""
        return max(waiting.command.rounds for waiting in self.waiting)

    def fail(self, error: Exception) -> None:
        for waiting in self.waiting:
            waiting.stats.add(self.stats)
            _fail(waiting, error)


@dataclass(frozen=True, slots=True)
class _Unconfirmed:
    """What a command wanted whose outcome is unknown."""

    target: ExportTarget
    changed: Mapping[str, Any]
    temporary: TemporaryLimit | None


class LimitQueue:
    """Carries out limit commands in the order of their calls.

    What is written is worked out while the line is held, from the options and the device as they are
    then; options that a command changes are saved before the line is let go. Of those that wait then, one
    is superseded by a later one that leaves nothing of it; what is left of all is written at once.
    """

    def __init__(self, coordinator: Sec1000Coordinator, may_switch_off: Callable[[], bool]) -> None:
        """Serve one device; `may_switch_off` says whether a limiting mode may still be taken off."""
        self._coordinator = coordinator
        self._may_switch_off = may_switch_off
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._unconfirmed: _Unconfirmed | None = None
        self._is_contested = False
        """Whether the device holds what it held before a command whose outcome was unknown."""

    @property
    def task(self) -> asyncio.Task[None] | None:
        """What carries out commands now; None where none waits or runs."""
        return self._task if self._task and not self._task.done() else None

    async def run(self, command: LimitCommand, stats: ActionStats) -> str:
        """Take the command's place in the order at once, and return in words what came of it.

        A reset that runs is cut short, unless the command cannot be carried out as things are. Raises
        SupersededError where a later command leaves nothing of this one, what `LimitCommand.plan`
        raises, else as `LimitTransaction.write`.
        """
        waiting = _Waiting(command, stats, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        coordinator = self._coordinator
        try:
            waiting.requests = await self._requests_at_best(command)
        except BaseException:
            waiting.done.cancel()
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            raise
        if waiting.requests:
            coordinator.client.cut_reset_short("a newer command")
        if self.task is None:
            self._task = coordinator.config_entry.async_create_task(
                coordinator.hass, self._carry_out_waiting(), f"{coordinator.name} limit commands"
            )
        return await waiting.done

    @callback
    def refuse_waiting(self, error: Sec1000Error) -> None:
        """Let the commands that are not begun end with this error."""
        for waiting in self._waiting:
            _fail(waiting, error)
        self._waiting.clear()
        self._coordinator.client.transport.turns.reconsider()

    @property
    def may_correct_drift(self) -> bool:
        """Whether the baseline is known to be what the user wants: not after an unknown outcome."""
        return self._unconfirmed is None and not self._is_contested

    @property
    def _limit_before(self) -> int | None:
        """The limit (W) last proven, or what an unanswered command wanted where that is stricter."""
        proven = self._coordinator.data.proven_limit
        if proven is None or self._unconfirmed is None:
            return proven
        return min(proven, self._unconfirmed.target.limit)

    @callback
    def settle(self, settings: ExportSettings) -> None:
        """Decide by the first good read after an unknown outcome what the baseline is.

        It is what the command wanted, and its options are saved, where that is what is read. Where the
        device holds what it held before, the command is still the baseline, but nothing is corrected
        until a command is proven. Anything else is adopted, up to the maximum.
        """
        if self._unconfirmed is None or self.task or settings.limit is None:
            return
        unconfirmed, self._unconfirmed = self._unconfirmed, None
        coordinator = self._coordinator
        before = coordinator.data.proven_limit
        temporary = coordinator.baseline.temporary
        if agrees(settings, unconfirmed.target):
            temporary = unconfirmed.temporary
        limit = min(settings.limit, coordinator.options.max_export_limit)
        if before is not None and agrees(settings, coordinator.options.target(before)):
            # Also where it agrees with both: the measurement cannot be read.
            self._is_contested = True
            limit = unconfirmed.target.limit
        elif agrees(settings, unconfirmed.target):
            self.save(unconfirmed.changed)
            limit = unconfirmed.target.limit
        coordinator.config_entry.async_create_task(
            coordinator.hass,
            coordinator.set_verified(settings, limit, temporary),
            f"{coordinator.name} settle an unknown outcome",
        )

    async def _carry_out_waiting(self) -> None:
        while self._waiting:
            stats = RequestStats()
            async with self._coordinator.client.limit_transaction(self._needs, stats=stats) as transaction:
                batch = _Batch(self._waiting, stats)
                self._waiting = []
                for waiting in batch.waiting:
                    waiting.stats.is_under_way = True
                    waiting.stats.limit_before = self._coordinator.data.limit_before
                try:
                    with asked_by(batch.asker):
                        await self._carry_out(batch, transaction)
                except asyncio.CancelledError:
                    for waiting in batch.waiting:
                        waiting.done.cancel()
                    raise
                except Exception as error:  # noqa: BLE001 - each caller raises it
                    batch.fail(error)
            for waiting in self._waiting:
                # What needed no request may need some by now.
                waiting.requests = max(waiting.requests, FEWEST_REQUESTS)

    def _refuse_mode_changes(self, batch: _Batch) -> None:
        """Let commands that change the mode leave the batch where no mode may be switched off any more."""
        for waiting in tuple(batch.waiting):
            if CONF_CONTROL_MODE in waiting.command.options and not self._may_switch_off():
                _fail(waiting, ModeChangeRefusedError("Home Assistant is stopping"))
                batch.waiting.remove(waiting)

    async def _carry_out(self, batch: _Batch, transaction: LimitTransaction) -> None:
        self._refuse_mode_changes(batch)
        plan = await self._compose(batch, transaction)
        if not batch.waiting:
            return
        coordinator = self._coordinator
        if plan.temporary and (settings := self._settings_if_extended(plan)):
            await coordinator.keep_end(plan.temporary)
            for waiting in batch.waiting:
                waiting.stats.event = LimitEventType.EXTENDED
            self._finish(batch, settings, self._text("extended", plan.temporary))
            return
        target = await plan.target()
        await self._store_end(plan.temporary, target.limit)
        try:
            settings = await self._write(
                transaction,
                target,
                is_mode_chosen=plan.is_mode_chosen,
                measurement_changes=target.sum_of_phases != coordinator.options.sum_of_phases,
                rounds=batch.rounds,
            )
        except NotAppliedError as error:
            self._unconfirmed = None
            coordinator.show_settings(error.held)
            raise
        except OutcomeUnknownError:
            self._unconfirmed = _Unconfirmed(target, plan.changed, plan.temporary)
            coordinator.invalidate_settings()
            if target.limit != coordinator.data.proven_limit:
                # A reload, too, forgets what is not confirmed; the limit before would undo it.
                await coordinator.baseline.distrust()
            raise
        self._unconfirmed = None
        self._is_contested = False
        self.save(plan.changed)
        if settings.mode is not ControlMode.DEACTIVATED:
            Issue.PENDING_UNREADABLE.async_clear(coordinator.hass, coordinator.config_entry.entry_id)
            if coordinator.pending.corrupt:
                await coordinator.pending.clear()
        proven_before = coordinator.data.proven_limit or 0
        await coordinator.set_verified(settings, target.limit, plan.temporary)
        message = self._describe(settings, batch.stats, is_first_below_zero=target.limit < 0 <= proven_before)
        if plan.temporary:
            message += f" {self._text('ends_by_itself', plan.temporary)}"
        self._finish(batch, settings, message)

    def _text(self, key: str, temporary: TemporaryLimit) -> str:
        """Return the message about an end."""
        return text(
            self._coordinator.hass,
            "common",
            key,
            time=f"{dt_util.as_local(temporary.ends):%H:%M}",
            then=format_kw(self._coordinator.hass, temporary.then),
        )

    @staticmethod
    def _finish(batch: _Batch, settings: ExportSettings, message: str) -> None:
        """Tell each caller what came of its command."""
        for index, waiting in enumerate(batch.waiting):
            waiting.stats.add(batch.stats)
            waiting.stats.settings = settings
            waiting.stats.event = waiting.stats.event or waiting.command.event
            if any(later.command.overrules(waiting.command) for later in batch.waiting[index + 1 :]):
                _fail(waiting, SupersededError("superseded by a newer limit command"))
            if not waiting.done.done():
                waiting.done.set_result(message)

    async def _store_end(self, temporary: TemporaryLimit | None, limit: int) -> None:
        """Have on disk how the limit (W) that is about to be written ends, and what if the write fails.

        Then what ends allows no more than it did before, and no later. Raises EndNotStoredError.
        """
        coordinator = self._coordinator
        running = coordinator.baseline.temporary
        if temporary is None or (
            running and running.interrupted and _is_same(temporary, running.interrupted)
        ):
            await coordinator.baseline.tighten_end(limit)
        elif running is None or (temporary.interrupted and _is_same(temporary.interrupted, running)):
            await coordinator.keep_end(temporary)
        elif _is_same(temporary, running):
            # Its options change.
            await coordinator.keep_end(temporary.at_most(running.then))
        else:
            lasting = running.interrupted or running
            held = lasting.limit if self._limit_before is None else self._limit_before
            await coordinator.keep_end(temporary.until_proven(lasting, held))

    def _settings_if_extended(self, plan: Plan) -> ExportSettings | None:
        """Return what the device holds where a plan only moves the end of a limit that it holds.

        Nothing is written then: a limit that is renewed costs the device nothing.
        """
        coordinator = self._coordinator
        running = coordinator.baseline.temporary
        is_renewed = running and plan.temporary and running is not plan.temporary
        if not is_renewed or plan.changed or plan.limit is None or not self.may_correct_drift:
            return None
        settings = coordinator.settings_read_within(SETTINGS_LIFETIME_S)
        if (
            settings is None
            or coordinator.client.pending.target
            or plan.limit != coordinator.data.proven_limit
        ):
            return None
        return settings if agrees(settings, plan.options.target(plan.limit)) else None

    async def _write(
        self,
        transaction: LimitTransaction,
        target: ExportTarget,
        *,
        is_mode_chosen: bool,
        measurement_changes: bool,
        rounds: int = ROUNDS,
    ) -> ExportSettings:
        """Write the target; a mode that was only found is never switched off on the strength of one read.

        The mode of a limit that is suspended was not found: it is armed as one that was chosen.
        """
        write = partial(transaction.write, measurement_changes=measurement_changes)
        if is_mode_chosen or self._coordinator.client.pending.target:
            return await write(target, may_switch_off=self._may_switch_off(), rounds=rounds)
        try:
            return await write(target, may_switch_off=False, rounds=1)
        except NotAppliedError as error:
            if error.held.mode is target.mode:
                raise
            found = replace(target, mode=error.held.mode)
        return await write(found, may_switch_off=False, rounds=rounds)

    def _needs(self) -> int:
        """Return how many requests those that wait cost together where all goes well."""
        return max((waiting.requests for waiting in self._waiting), default=0)

    async def _requests_at_best(self, command: LimitCommand) -> int:
        """Return how many requests a command costs where all goes well; sends nothing.

        0 where it cannot be carried out under the options of now, or needs none. Raises NotANumberError
        where it never can.
        """
        coordinator = self._coordinator
        reads = 0

        async def read() -> ExportSettings:
            raise _ReadNeededError

        plan = Plan(
            coordinator.config_entry.options,
            coordinator.client.pending.target,
            read,
            self._limit_before,
            coordinator.baseline.temporary,
        )
        try:
            await command.plan(plan)
        except _ReadNeededError:
            reads = 1
        except NotANumberError:
            raise
        except InvalidValueError:
            return 0
        if self._settings_if_extended(plan):
            return 0
        if plan.is_mode_chosen:
            return reads + coordinator.client.requests_at_best(plan.options.control_mode)
        # The device keeps its mode, which is read.
        return 1 + coordinator.client.requests_at_best(coordinator.client.known_mode or ControlMode.VALUE)

    async def _compose(self, batch: _Batch, transaction: LimitTransaction) -> Plan:
        """Return what the commands come to together.

        Those that cannot be carried out leave the batch one by one, and in the end those that a later one
        supersedes: a command that is refused takes no other's place.
        """
        read: ExportSettings | Sec1000Error | None = None

        async def read_once() -> ExportSettings:
            nonlocal read
            if read is None:
                try:
                    read = await transaction.read()
                except Sec1000Error as error:
                    read = error
            if isinstance(read, Sec1000Error):
                raise read
            return read

        while True:
            plan, failed = await self._plan(batch.waiting, read_once)
            if failed is None:
                kept = _not_superseded(batch.waiting)
                plan, failed = await self._plan(kept, read_once)
            if failed is None:
                break
            waiting, error = failed
            waiting.stats.add(batch.stats)
            _fail(waiting, error)
            batch.waiting.remove(waiting)
        for waiting in batch.waiting:
            if waiting not in kept:
                _fail(waiting, SupersededError("superseded by a newer limit command"))
        batch.waiting = kept
        return plan

    async def _plan(
        self, commands: list[_Waiting], read: Callable[[], Awaitable[ExportSettings]]
    ) -> tuple[Plan, tuple[_Waiting, Exception] | None]:
        """Return what these come to together, and the first that cannot be carried out, with its error."""
        coordinator = self._coordinator
        plan = Plan(
            coordinator.config_entry.options,
            coordinator.client.pending.target,
            read,
            self._limit_before,
            coordinator.baseline.temporary,
        )
        for index, waiting in enumerate(commands):
            plan.limit_follows = not any(later.command.sets_limit for later in commands[index + 1 :])
            try:
                await waiting.command.plan(plan)
            except Exception as error:  # noqa: BLE001 - its caller raises it
                return plan, (waiting, error)
        return plan, None

    @callback
    def save(self, changed: Mapping[str, Any]) -> None:
        """Save these options (as stored)."""
        if changed:
            entry = self._coordinator.config_entry
            self._coordinator.hass.config_entries.async_update_entry(
                entry, options={**entry.options, **changed}
            )

    def _describe(self, settings: ExportSettings, stats: RequestStats, *, is_first_below_zero: bool) -> str:
        coordinator = self._coordinator
        hass, options = coordinator.hass, coordinator.options

        def describe_in(language: str) -> str:
            sentences = [
                text(hass, "common", "confirmed", language=language),
                format_export(hass, settings, options, language),
            ]
            if is_first_below_zero:
                sentences.append(text(hass, "common", "below_zero_unproven", language=language))
            if stats.arming_unacknowledged:
                sentences.append(text(hass, "common", "arming_unacknowledged", language=language))
            return " ".join(sentences)

        if stats.arming_unacknowledged or settings.mode is not ControlMode.VALUE:
            LOGGER.warning("%s: %s", coordinator.name, describe_in(ENGLISH))
        return describe_in(hass.config.language)


def describe(settings: ExportSettings) -> str:
    """Return what the device holds, in English, for messages and the log."""
    limit, capacity = (
        "unknown" if power is None else f"{kilowatts(power):.2f} kW"
        for power in (settings.limit, settings.capacity)
    )
    return f"limit {limit}, control mode {settings.mode.key}, total capacity {capacity}"


def _is_same(one: TemporaryLimit, other: TemporaryLimit) -> bool:
    """Return whether this is the same end, under whatever options."""
    return one.ends == other.ends


def _not_superseded(commands: list[_Waiting]) -> list[_Waiting]:
    return [
        waiting
        for index, waiting in enumerate(commands)
        if not any(later.command.supersedes(waiting.command) for later in commands[index + 1 :])
    ]


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)
