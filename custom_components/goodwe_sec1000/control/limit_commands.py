"""What limit commands want, and what those that are carried out together come to."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from homeassistant.util import dt as dt_util

from ..const import CONF_CONTROL_MODE, MIN_LIMIT_KW
from ..limit import OutOfRangeError
from ..options import ExportOptions
from ..sec1000.errors import InvalidValueError, SupersededError
from ..sec1000.model import ControlMode, ExportSettings, ExportTarget, watts
from ..sec1000.setting_write import ROUNDS, TOLERANCE_W
from ..sec1000.stats import RequestStats
from ..tracking.feedback import Action
from ..tracking.limit_events import LimitEventType
from ..tracking.temporary import TemporaryLimit


class ModeDeactivatedError(InvalidValueError):
    """Export is to be disabled, but the control mode of the options is deactivated."""


class ThenNeededError(InvalidValueError):
    """A limit is to end by itself, and no limit was proven before that could hold then."""


class NoTemporaryLimitError(InvalidValueError):
    """The limit that holds is to end now, and it is not a temporary one."""


@dataclass(slots=True)
class ActionStats(RequestStats):
    """What an action cost, and what of its input had to be adjusted."""

    adjusted: list[OutOfRangeError] = field(default_factory=list)
    """Why a limit was set, or is to be at the end, that is not the one that was asked for."""
    action: Action | None = None
    """The action that reports the outcome, where that is another one than the one that was begun."""
    settings: ExportSettings | None = None
    """What the device was proven to hold by this action."""
    event: LimitEventType | None = None
    """What happened to the limit where all went well; None where nothing did."""
    limit_before: int | None = None
    """What the device was known to hold, or else to have held, when the action had its turn, in W."""


class Plan:
    """Options and limit that follow from commands, one after the other, as if each had been carried out.

    To be made while the line is held: what it reads and what the entry's options say cannot change then.
    """

    def __init__(
        self,
        stored: Mapping[str, Any],
        pending: ExportTarget | None,
        read: Callable[[], Awaitable[ExportSettings]],
        proven_limit: int | None = None,
        running: TemporaryLimit | None = None,
    ) -> None:
        """Begin with the entry's stored options, and with what should hold while the limit is off.

        `read` reads the device, or returns what it has read already; `proven_limit` (W) stands in for a
        limit that it cannot hold, and is what a temporary one leads back to. `running` is the temporary one
        that holds.
        """
        self.changed: dict[str, Any] = {}
        """The options (as stored) that the commands change."""
        self.limit: int | None = None
        """In W; None while no command has said what it is to be."""
        self.limit_follows = True
        """Whether a limit that no command has named is to follow its range; a later command may name it."""
        self.temporary = running
        """The end of the limit; None where it stands."""
        self._has_ended = False
        self._before = running.before if running else proven_limit
        """Where a temporary limit leads that says nothing else, in W."""
        self._stored = stored
        self._pending = pending
        self._read = read
        self._proven_limit = proven_limit

    @property
    def options(self) -> ExportOptions:
        """The options as they are after the commands so far."""
        return ExportOptions.from_options({**self._stored, **self.changed})

    async def held(self) -> ExportSettings:
        """Return what the device holds; raises as `Sec1000Client.read_export_settings`."""
        return await self._read()

    def set_limit(self, limit: int) -> None:
        """Have this limit (W) hold until another is set."""
        self.limit = limit
        self.temporary = None
        # A later command may replace it before it is written, and its end must not lead beyond it.
        self._before = limit if self._before is None else min(self._before, limit)

    def put_back(self) -> None:
        """Have the limit hold that was proven last, where no command before has said what it is to be.

        Where it is temporary, its end stays. Raises SupersededError where none was proven.
        """
        if self.limit is not None:
            return
        if self._proven_limit is None:
            raise SupersededError("superseded by a newer limit command")
        self.limit = min(self._proven_limit, self.options.max_export_limit)

    def set_temporary_limit(self, limit: int, duration: timedelta, then: int | None) -> None:
        """Have this limit (W) hold for so long, and then the other.

        Without `then` it is the one that was proven before the first of the temporary ones in a row; raises
        ThenNeededError where there was none.
        """
        if then is None and (then := self._before) is None:
            raise ThenNeededError("no limit was proven before, to which this one could lead back")
        ends = dt_util.utcnow() + duration
        self.limit = limit
        self.temporary = TemporaryLimit(limit, then, self._before, ends, duration).moved_to(
            limit, self.options
        )

    def interrupt(self, limit: int, ends: datetime) -> None:
        """Have this lower limit (W) hold until then (UTC), and go on as if it had never been set.

        One that ends at the same moment gives way to it. Raises SupersededError where another command has
        decided on the limit.
        """
        running, standing = self.temporary, self._proven_limit
        is_same = running is not None and running.ends == ends
        if running and is_same:
            standing = running.then
        if self.limit is not None or self.changed or standing is None or limit >= standing:
            raise SupersededError("superseded by a newer limit command")
        self.limit = limit
        self.temporary = (
            replace(running, limit=limit)
            if running and is_same
            else TemporaryLimit(
                limit,
                standing,
                self._before,
                ends,
                ends - dt_util.utcnow(),
                is_test=True,
                interrupted=running,
            )
        )

    def let_stand(self) -> None:
        """Have the limit stand that holds, or that a test has interrupted."""
        if self.temporary and self.temporary.is_test:
            self.limit = self.temporary.then_within(self.options)
        self.temporary = None

    def end_now(self) -> None:
        """Have the limit hold to which the temporary one leads; raises NoTemporaryLimitError.

        Where a command before has ended it, nothing is left to do.
        """
        if self.temporary:
            self.limit, self.temporary = self.temporary.following(self.options, dt_util.utcnow())
            self._has_ended = True
        elif not self._has_ended:
            raise NoTemporaryLimitError("the limit does not end by itself")

    async def change_options(self, changed: Mapping[str, Any], *, keeps_limit: bool = False) -> None:
        """Change these options (as stored); the limit follows its range, or is only brought into it.

        Raises OutOfRangeError where minimum, maximum and capacity would be out of order.
        """
        old = self.options
        new = ExportOptions.from_options({**self._stored, **self.changed, **changed})
        if new.max_export_limit > new.total_capacity:
            raise OutOfRangeError(new.max_export_limit, new.min_export_limit, new.total_capacity)
        if new.min_export_limit > new.max_export_limit:
            raise OutOfRangeError(new.min_export_limit, watts(MIN_LIMIT_KW), new.max_export_limit)
        self.changed |= changed
        if self.limit is None:
            if not self.limit_follows:
                return
            self.limit = self._pending.limit if self._pending else await self._held_limit(old)
        if keeps_limit:
            self.limit = min(max(self.limit, new.min_export_limit), new.max_export_limit)
        else:
            self.limit = _limit_for_new_range(self.limit, old, new)
        if new.control_mode is not old.control_mode:
            self.let_stand()
        elif self.temporary:
            then = self.temporary.then
            if self.temporary.is_test and not keeps_limit:
                # It is the limit that stands, and follows its range as if it were held.
                then = _limit_for_new_range(then, old, new)
            self.temporary = replace(self.temporary, then=then).moved_to(self.limit, new)

    async def _held_limit(self, options: ExportOptions) -> int:
        held = (await self.held()).limit
        if held is None:
            return options.max_export_limit if self._proven_limit is None else self._proven_limit
        return held

    async def export_is_on(self) -> bool:
        """Return whether export is on after the commands so far; while the limit is off, it is.

        A limit that was just brought back counts, also where that is not proven for good yet.
        """
        if self.limit is not None:
            return not self.options.disables_export(self.options.control_mode, self.limit)
        held = await self.held()
        # An impossible limit is not the minimum.
        return held.limit is None or not self.options.disables_export(held.mode, held.limit)

    @property
    def is_mode_chosen(self) -> bool:
        """Whether the options say which mode to arm; deactivated only where a command has chosen it.

        Else the device keeps the mode that it has.
        """
        return self.options.control_mode is not ControlMode.DEACTIVATED or CONF_CONTROL_MODE in self.changed

    async def target(self) -> ExportTarget:
        """Return what the device is to hold; `limit` must be known."""
        options = self.options
        if self.limit is None:
            raise ValueError("no command has said what the limit is to be")
        target = options.target(self.limit)
        if self.is_mode_chosen:
            return target
        # What is read while the limit is off is not what should hold.
        mode = self._pending.mode if self._pending else (await self.held()).mode
        return ExportTarget(mode, target.capacity, target.limit, target.sum_of_phases)


@dataclass(eq=False, kw_only=True)
class LimitCommand:
    """One call that changes the export limit, or options on which it depends."""

    plan: Callable[[Plan], Awaitable[None]]
    """Adds to the plan what this call wants; may be called again. Raises Sec1000Error where it cannot be."""
    decides_limit: bool = False
    """Whether the limit after this call is this call's, whatever an earlier one wanted."""
    sets_limit: bool = False
    """Whether it depends on nothing that was before, either."""
    options: frozenset[str] = frozenset()
    """The options that this call changes, whatever the device holds."""
    event: LimitEventType = LimitEventType.SET
    """The event that is reported when it was carried out."""
    rounds: int = ROUNDS
    """How often it is written at most."""

    def supersedes(self, older: LimitCommand) -> bool:
        """Return whether an older call that waits can be left out: nothing of it is left after this one."""
        if older.options:
            return older.options <= self.options
        return older.decides_limit and self.sets_limit

    def overrules(self, older: LimitCommand) -> bool:
        """Return whether the limit that an older call wanted is not what holds after this one."""
        return older.decides_limit and self.decides_limit


def _limit_for_new_range(held: int, old: ExportOptions, new: ExportOptions) -> int:
    """Return the limit (W) that is to hold under new options where the device held this under the old.

    A disabled export is disabled under the new minimum, and likewise an enabled one.
    """
    if held < old.min_export_limit + TOLERANCE_W:
        return new.min_export_limit
    if held > old.max_export_limit - TOLERANCE_W:
        return new.max_export_limit
    return min(max(held, new.min_export_limit), new.max_export_limit)
