"""What a SEC1000 holds, and the export limit that is in force: often, not always, the same."""

from collections.abc import Callable
import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from custom_components.goodwe_sec1000.sec1000.model import ControlMode

DEFAULT_CAPACITY: Final = 30_000
DEFAULT_LIMIT: Final = 10_000
DEFAULT_CT_RATIO: Final = 200


@dataclass(frozen=True, slots=True)
class Restriction:
    """What the inverters are held to."""

    watts: int
    """W at the meter."""
    sum_of_phases: bool
    """Whether the sum of the phases is held to it, or each phase to its third."""


class Device:
    """The one place of the device's state.

    The attributes are for setting a scene: assigning `limit`, `mode` or `sum_of_phases` leaves a
    device in which they are in force, as after a whole command. The methods do what single
    requests do, where a limit binds only once value mode is switched on after it was written
    (docs/protocol.md, "Commands").
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
        """Make a device that holds this; `now` is a clock in s, capacity and limit are in W."""
        self._now = now
        self._mode = mode
        self._limit = limit
        self._sum_of_phases = sum_of_phases
        self._in_force: Restriction | None = None
        self._clock: tuple[datetime, float] | None = None
        self.capacity = capacity
        self.ct_ratio = ct_ratio
        self._arm()

    @property
    def mode(self) -> ControlMode:
        """The one mode that is on, or DEACTIVATED."""
        return self._mode

    @mode.setter
    def mode(self, mode: ControlMode) -> None:
        self._mode = mode
        self._arm()

    @property
    def limit(self) -> int:
        """W; the stored limit, which is what 0x43 tells."""
        return self._limit

    @limit.setter
    def limit(self, watts: int) -> None:
        self._limit = watts
        self._arm()

    @property
    def sum_of_phases(self) -> bool:
        """The stored measurement setting; no request reads it."""
        return self._sum_of_phases

    @sum_of_phases.setter
    def sum_of_phases(self, sum_of_phases: bool) -> None:
        self._sum_of_phases = sum_of_phases
        self._arm()

    @property
    def in_force(self) -> Restriction | None:
        """What the inverters are held to now; None where nothing limits."""
        return self._in_force

    @property
    def bound_limit(self) -> int | None:
        """W; the limit in force, None where nothing limits (RCR and DRED: no receiver calls)."""
        return None if self._in_force is None else self._in_force.watts

    @bound_limit.setter
    def bound_limit(self, watts: int | None) -> None:
        self._in_force = None if watts is None else Restriction(watts, self._sum_of_phases)

    @property
    def clock(self) -> datetime | None:
        """Naive local time in whole seconds, running since it was set; None before that."""
        if self._clock is None:
            return None
        start, set_at = self._clock
        return (start + timedelta(seconds=self._now() - set_at)).replace(microsecond=0)

    @clock.setter
    def clock(self, local: datetime | None) -> None:
        self._clock = None if local is None else (local, self._now())

    @property
    def clock_set_to(self) -> datetime | None:
        """Naive local time that the clock was last set to."""
        return None if self._clock is None else self._clock[0]

    def store_limit(self, capacity: int, limit: int, *, sum_of_phases: bool) -> None:
        """Store without putting in force: what 0x42 does. W."""
        self.capacity = capacity
        self._limit = limit
        self._sum_of_phases = sum_of_phases

    def switch_on(self, mode: ControlMode) -> None:
        """Switch a mode on; value mode puts the stored limit in force.

        That a mode switched on replaces another that was on is a guess: known clients switch
        the others off first, and 0x43 has room for one mode only.
        """
        self.mode = mode

    def switch_off(self, mode: ControlMode) -> bool:
        """Switch a mode off; returns False where it was not on and nothing changed."""
        if self._mode is not mode:
            return False
        self.mode = ControlMode.DEACTIVATED
        return True

    def power_cycle(self) -> None:
        """Start anew from what is stored. That the stored limit then is in force is a guess."""
        self._arm()

    def dry_copy(self) -> Device:
        """Return a copy on which a request can be tried without effect."""
        return copy.copy(self)

    def _arm(self) -> None:
        if self._mode is ControlMode.VALUE:
            self._in_force = Restriction(self._limit, self._sum_of_phases)
        else:
            self._in_force = None
