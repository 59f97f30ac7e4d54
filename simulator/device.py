"""The state of a SEC1000: its stored settings, and the export limit in force, which may differ."""

from collections.abc import Callable
import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
import math
from typing import Final

from custom_components.goodwe_sec1000.sec1000.model import ControlMode

from .limit_history import LimitHistory

DEFAULT_CAPACITY: Final = 30_000
DEFAULT_LIMIT: Final = 10_000
DEFAULT_CT_RATIO: Final = 200


@dataclass(frozen=True, slots=True)
class Restriction:
    """The limit on the inverters, in W at the meter."""

    watts: int
    sum_of_phases: bool
    """Whether the sum of the phases is limited, or each phase to a third."""


class Device:
    """The device's state; powers in W.

    The attributes are for tests: what is assigned to `limit`, `mode` or `sum_of_phases` is in force
    at once, as after a complete command. The methods have the effect of single requests, where a
    written limit takes effect only when value mode is switched on (docs/protocol.md, "Commands").
    """

    def __init__(
        self,
        now: Callable[[], float],
        *,
        mode: ControlMode = ControlMode.VALUE,
        capacity: int = DEFAULT_CAPACITY,
        limit: int = DEFAULT_LIMIT,
        ct_ratio: int = DEFAULT_CT_RATIO,
        sum_of_phases: bool = True,
    ) -> None:
        """Create a device with these settings in force; `now` is a clock in seconds."""
        self._now = now
        self._mode = mode
        self._limit = limit
        self._sum_of_phases = sum_of_phases
        self._in_force = self._restriction()
        self._clock: tuple[datetime, float] | None = None
        self._history = LimitHistory()
        self.capacity = capacity
        self.ct_ratio = ct_ratio
        self.limit_step = 1
        """W; a limit that a request writes is stored rounded up to a multiple of it."""

    @property
    def mode(self) -> ControlMode:
        """The active mode, or DEACTIVATED."""
        return self._mode

    @mode.setter
    def mode(self, mode: ControlMode) -> None:
        self._mode = mode
        self._arm()

    @property
    def limit(self) -> int:
        """The stored limit, which 0x43 reports."""
        return self._limit

    @limit.setter
    def limit(self, watts: int) -> None:
        self._limit = watts
        self._arm()

    @property
    def sum_of_phases(self) -> bool:
        """The stored measurement setting, which no request reads."""
        return self._sum_of_phases

    @sum_of_phases.setter
    def sum_of_phases(self, sum_of_phases: bool) -> None:
        self._sum_of_phases = sum_of_phases
        self._arm()

    @property
    def in_force(self) -> Restriction | None:
        """The limit on the inverters now; None if nothing limits them."""
        return self._in_force

    @property
    def bound_limit(self) -> int | None:
        """The limit in force; None if nothing limits, as in RCR and DRED, whose receivers are idle."""
        return None if self._in_force is None else self._in_force.watts

    @bound_limit.setter
    def bound_limit(self, watts: int | None) -> None:
        self._in_force = None if watts is None else Restriction(watts, self._sum_of_phases)
        self._record()

    @property
    def history(self) -> LimitHistory:
        """When a limit was armed, and when there was none, since the device started."""
        return self._history

    @property
    def clock(self) -> datetime | None:
        """Naive local time in whole seconds; None until it is set."""
        if self._clock is None:
            return None
        start, set_at = self._clock
        return (start + timedelta(seconds=self._now() - set_at)).replace(microsecond=0)

    @clock.setter
    def clock(self, local: datetime | None) -> None:
        self._clock = None if local is None else (local, self._now())

    @property
    def clock_set_to(self) -> datetime | None:
        """Naive local time to which the clock was last set."""
        return None if self._clock is None else self._clock[0]

    def store_limit(self, capacity: int, limit: int, *, sum_of_phases: bool) -> None:
        """Store settings that are not in force yet, as 0x42 does."""
        self.capacity = capacity
        self._limit = math.ceil(limit / self.limit_step) * self.limit_step
        self._sum_of_phases = sum_of_phases

    def switch_on(self, mode: ControlMode) -> None:
        """Switch a mode on; value mode puts the stored limit in force.

        That it replaces the active mode is a guess: known clients switch the others off first,
        and 0x43 reports only one mode.
        """
        self.mode = mode

    def switch_off(self, mode: ControlMode) -> bool:
        """Switch a mode off; returns False, without effect, if it was not active."""
        if self._mode is not mode:
            return False
        self.mode = ControlMode.DEACTIVATED
        return True

    def start(self) -> None:
        """Begin the history with what is in force."""
        self._record()

    def power_cycle(self) -> None:
        """Restart from the stored settings. That the stored limit is then in force is a guess."""
        self._arm()

    def dry_copy(self) -> Device:
        """Return a copy on which a request can be performed without effect on this device."""
        twin = copy.copy(self)
        twin._history = LimitHistory()  # noqa: SLF001 - of the same class
        return twin

    def _arm(self) -> None:
        self._in_force = self._restriction()
        self._record()

    def _restriction(self) -> Restriction | None:
        return Restriction(self._limit, self._sum_of_phases) if self._mode is ControlMode.VALUE else None

    def _record(self) -> None:
        is_limited = self._mode in (ControlMode.RCR, ControlMode.DRED) or self._in_force is not None
        if is_limited:
            self._history.arm(self._now(), self._mode, self.bound_limit)
        else:
            self._history.release(self._now())
