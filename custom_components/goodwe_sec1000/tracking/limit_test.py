"""Whether the installation obeys its limit: judged by the meter before, under and after a lower one."""

from collections import deque
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
import math
from statistics import median
from typing import Final

from .meter_watch import excess_above

LEAST_EXPORT_W: Final = 1_000
LEAST_EXPORT_OF_CAPACITY: Final = 0.1
"""How much has to be exported before; half as much is the least by which the limit is lowered."""
STEADY_READINGS: Final = 3
"""How many in a row have to agree, before and under each limit."""
STEADY_WITHIN_S: Final = 36.0
"""How long the meter may take to be steady before anything is written."""
OBEYED_WITHIN_S: Final = 110.0
"""Inverters follow within a minute and a half, the limit as well as a load that falls."""
AT_ONCE_S: Final = 20.0
"""In which the meter falls once it has begun to: a cloud takes longer."""
AS_SOON_S: Final = 36.0
"""By how much sooner or later inverters may follow the next limit than they followed the first."""
SHOWN_WITHIN_S: Final = 66.0
"""In which the inverters show that they follow; the device refreshes their power every 30 s."""
LARGEST_GAP_S: Final = 20.0
"""Between two readings; what happened in a longer one is not known."""
LOWERED_S: Final = 180.0
"""How long the limit is lowered at most."""
LIFTING_S: Final = 15.0
"""How long it may take to lift it."""
LASTS_S: Final = 240.0
"""From the lower limit to the end; what has not come back by then is not known to."""
MOVED: Final = 0.2
"""Share of the expected fall by which the meter has moved, or may be beside where it was."""
CLEARLY: Final = 1.5
"""How many times as far above the limit as that it has to stay for disobedience."""


class LimitTestResult(StrEnum):
    """How a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class LimitTestReason(StrEnum):
    """Why a test was inconclusive."""

    UNSTEADY = "unsteady"
    """The meter moved by itself before anything was written."""
    OTHER_CAUSE = "other_cause"
    """It moved under the limit as it does not because of one."""
    NOT_BACK = "not_back"
    """It did not come back, or not to where it was."""
    NO_READINGS = "no_readings"
    INTERRUPTED = "interrupted"
    """Something else was wanted meanwhile, or something else changed the device."""
    NOT_SET = "not_set"
    """The lower limit was not proven to be set."""


class Step(Enum):
    """What is to be done after a reading."""

    READ = auto()
    LOWER = auto()
    RAISE = auto()
    """Lift the limit half of the way."""
    LIFT = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a test has shown; seconds are counted from the proof of the limit, and of its end."""

    result: LimitTestResult
    reason: LimitTestReason | None = None
    """None unless it was inconclusive."""
    moved_s: float | None = None
    """Until the meter moved; None where it did not."""
    at_limit_s: float | None = None
    """Until it was at the limit."""
    excess: int | None = None
    """By how much (W) it was above the limit; None where that was never lowered."""
    back_s: float | None = None
    """Until it was back."""


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    meter: int
    inverters: int | None


def least_export(capacity: int) -> float:
    """Return how much has to be exported for a test (W)."""
    return max(LEAST_EXPORT_W, LEAST_EXPORT_OF_CAPACITY * capacity)


class LimitTest:
    """One test, fed with readings; moments are in s of one monotonic clock, powers in W.

    It passes where a steady meter falls to the limit at once and stays there, the inverters with it, follows
    the limit half of the way back and stays there, and comes back to where it was, each about as soon as it
    fell. It fails where the meter stays clearly above the limit for all the time that inverters may need.
    What a cloud or an appliance could do as well is inconclusive, as soon as neither can come of it any more.
    """

    def __init__(self, limit: int, margin: float, at: float) -> None:
        """Begin with this lower limit; `margin` is how far from a limit a meter may be that keeps it."""
        self._limit = limit
        self._margin = margin
        self._began = at
        self._recent: deque[_Sample] = deque(maxlen=STEADY_READINGS)
        """The last ones under the limit of now."""
        self._last_at = -math.inf
        self._before = _Sample(at, limit, None)
        """What was steady before, once it was."""
        self._asked = self._phase = Step.READ
        """What is to be proven, and what was proven last."""
        self._proven_at = self._lowered_at = at
        self._excesses: list[int] = []
        """Of all readings under the lower limit."""
        self._rose_at = 0.0
        """When the meter last rose under the lower limit, as no limit makes it do (s since its proof)."""
        self._is_disturbed = False
        """Whether it was where no limit brings it."""
        self._left = False
        """Whether the meter has left the limit before, once that was raised."""
        self._result = LimitTestResult.INCONCLUSIVE
        self._reason: LimitTestReason | None = None
        self._moved_s: float | None = None
        self._at_limit_s: float | None = None
        self._back_s: float | None = None

    @property
    def finding(self) -> Finding:
        """What the test has shown."""
        last = self._excesses[-STEADY_READINGS:]
        return Finding(
            self._result,
            self._reason,
            self._moved_s,
            self._at_limit_s,
            max(0, round(median(last))) if last else None,
            self._back_s,
        )

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left to be read."""
        return self._reason is not None or self._result is not LimitTestResult.INCONCLUSIVE

    @property
    def halfway(self) -> int:
        """The limit (W) between the lower one and what was exported before; some devices know steps only."""
        return round(self._limit + self._drop // 2, -2)

    def interrupt(self, reason: LimitTestReason) -> Step:
        """End it without a result."""
        self._result, self._reason = LimitTestResult.INCONCLUSIVE, reason
        return Step.END

    def proven(self, at: float) -> None:
        """Note that the limit that was asked for last was proven."""
        self._phase = self._asked
        self._proven_at = self._last_at = at
        if self._phase is Step.LOWER:
            self._lowered_at = at
        self._left = False
        self._recent.clear()

    def read(self, meter: int | None, inverters: int | None, at: float) -> Step:
        """Judge this reading, taken at `at`, and return what is to be done; None is none."""
        silence = at - max(self._last_at, self._began)
        if silence > LARGEST_GAP_S:
            return self.interrupt(LimitTestReason.NO_READINGS)
        if meter is None or at <= self._last_at:
            return Step.READ
        self._last_at = at
        reading = _Sample(at, meter, inverters)
        self._recent.append(reading)
        seconds = at - self._proven_at
        match self._phase:
            case Step.READ:
                return self._read_before(reading)
            case Step.LOWER:
                return self._read_lowered(reading, seconds)
            case Step.RAISE:
                return self._read_raised(reading, seconds, self._limit, self.halfway)
        return self._read_raised(reading, seconds, self.halfway, self._before.meter)

    def _ask(self, step: Step) -> Step:
        self._asked = step
        return step

    @property
    def _drop(self) -> int:
        """By how much the meter is to fall."""
        return self._before.meter - self._limit

    @property
    def _moves(self) -> float:
        """By how much the meter may differ and still be where it was."""
        return MOVED * self._drop

    def _is_steady_at(self, limit: int) -> bool:
        """Return whether the meter has stayed at this limit for some readings."""
        near = min(self._margin, self._moves / 2)
        return len(self._recent) == STEADY_READINGS and all(
            abs(reading.meter - limit) <= near for reading in self._recent
        )

    def _read_before(self, reading: _Sample) -> Step:
        self._before = replace(reading, meter=round(median(each.meter for each in self._recent)))
        if self._drop > 2 * self._margin and self._is_steady_at(self._before.meter):
            return self._ask(Step.LOWER)
        if reading.at - self._began > STEADY_WITHIN_S:
            return self.interrupt(LimitTestReason.UNSTEADY)
        return Step.READ

    def _read_lowered(self, reading: _Sample, seconds: float) -> Step:
        inverters = math.inf if reading.inverters is None else reading.inverters
        excess = round(excess_above(reading.meter, inverters, self._limit))
        fallen = self._before.meter - reading.meter
        if excess - (self._excesses[-1] if self._excesses else self._drop) > self._moves / 2:
            self._rose_at = seconds
        self._excesses.append(excess)
        if self._moved_s is None and fallen > self._moves:
            self._moved_s = seconds
        self._is_disturbed |= fallen < (-self._moves if self._moved_s is None else self._moves)
        if excess <= self._margin and self._at_limit_s is None:
            self._at_limit_s = seconds
        may_pass, may_fail = self._may_pass(seconds), self._may_fail
        if may_pass and self._is_steady_at(self._limit) and self._have_inverters_fallen(reading):
            return self._ask(Step.RAISE)
        if may_fail and seconds >= self._rose_at + OBEYED_WITHIN_S:
            self._result = LimitTestResult.FAILED
            return Step.END
        if not (may_pass or may_fail) or seconds > LOWERED_S - LIFTING_S:
            return self.interrupt(LimitTestReason.OTHER_CAUSE)
        return Step.READ

    def _may_pass(self, seconds: float) -> bool:
        """Return whether the meter, and the inverters with it, may still follow the lower limit."""
        moved = seconds if self._moved_s is None else self._moved_s
        at_limit = seconds if self._at_limit_s is None else self._at_limit_s
        return (
            not self._is_disturbed
            and moved <= OBEYED_WITHIN_S
            and at_limit - moved <= AT_ONCE_S
            and seconds - at_limit <= SHOWN_WITHIN_S
        )

    @property
    def _may_fail(self) -> bool:
        """Return whether the meter was always clearly above the limit, with time left to see it stay."""
        return (
            self._at_limit_s is None
            and min(self._excesses) > CLEARLY * self._moves
            and self._rose_at + OBEYED_WITHIN_S <= LOWERED_S - LIFTING_S
        )

    def _have_inverters_fallen(self, reading: _Sample) -> bool:
        """Return whether the inverters have fallen as the meter has; one of two that obeys falls by half."""
        before, now = self._before.inverters, reading.inverters
        return before is not None and now is not None and before - now >= self._drop - self._moves

    def _read_raised(self, reading: _Sample, seconds: float, old: int, new: int) -> Step:
        """Judge a reading once the limit was raised, so that the meter is to go from one power to another."""
        if not self._left and reading.meter - old > self._moves:
            self._left = True
            if abs(seconds - (self._moved_s or 0.0)) > AS_SOON_S:
                return self.interrupt(LimitTestReason.OTHER_CAUSE)
        if not old - self._moves <= reading.meter <= new + self._moves:
            return self.interrupt(LimitTestReason.OTHER_CAUSE)
        longest = LASTS_S
        if self._phase is Step.RAISE:
            longest = LOWERED_S - LIFTING_S
            if self._is_steady_at(new):
                return self._ask(Step.LIFT)
        elif abs(reading.meter - new) <= self._moves:
            self._back_s = seconds
            self._result = LimitTestResult.PASSED
            return Step.END
        is_late = not self._left and seconds > (self._moved_s or 0.0) + AS_SOON_S
        if is_late or reading.at - self._lowered_at > longest:
            return self.interrupt(LimitTestReason.NOT_BACK)
        return Step.READ
