"""The limit of a call: what counts as a number of kW, how it is brought into range, and how long it holds."""

from dataclasses import dataclass
from datetime import timedelta
import math
import re
import reprlib
from typing import Final

from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import UNDEFINED
import voluptuous as vol

from .options import ExportOptions
from .sec1000.errors import InvalidValueError
from .sec1000.model import kilowatts, watts

SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(hours=24)
LARGEST_KW: Final = 1e9
"""A larger number, infinity and NaN included, was not meant as a limit."""
_NUMBER: Final = re.compile(r"[+-]?(\d++\.?\d*+|\.\d++)([eE][+-]?\d++)?", re.ASCII)
"""What it has read it does not read anew: that would take minutes for many digits before a letter."""


class NotANumberError(InvalidValueError):
    """The value given as a limit is no number of kW."""

    def __init__(self, value: object) -> None:
        self.value: Final = reprlib.repr(value)
        """The value given, shortened."""
        super().__init__(f"{self.value} is not a valid number in kW")


class OutOfRangeError(InvalidValueError):
    """A limit that is not within its bounds; all in W."""

    def __init__(self, limit: int, lowest: int, highest: int) -> None:
        self.limit: Final = limit
        self.lowest: Final = lowest
        self.highest: Final = highest
        super().__init__(
            f"{kilowatts(limit):.2f} kW is outside the range "
            f"{kilowatts(lowest):.2f} to {kilowatts(highest):.2f} kW"
        )

    @property
    def nearest(self) -> int:
        """The limit within the bounds that is nearest to the one that was asked for (W)."""
        return min(max(self.limit, self.lowest), self.highest)


class InvalidDurationError(InvalidValueError):
    """The value given for how long a limit is to hold is no duration, or out of range."""

    def __init__(self, value: object) -> None:
        self.value: Final = reprlib.repr(value)
        """The value given, shortened."""
        super().__init__(f"{self.value} is not a duration of 1 minute to 24 hours")


class DurationMissingError(InvalidValueError):
    """It is said what is to hold then, but not when."""


@dataclass(frozen=True, slots=True)
class LimitEnd:
    """When a limit is to end by itself and what is to hold then, as an action was given it."""

    duration: object
    """UNDEFINED where it was not given. A future is waited for."""
    then: object = UNDEFINED
    """In kW; UNDEFINED where it was not given. A future is waited for."""


@dataclass(frozen=True, slots=True)
class WantedLimit:
    """A limit in W that may be sent."""

    limit: int
    adjusted: OutOfRangeError | None = None
    """Why it is another limit than the one that was asked for; None where it is that one."""


def wanted_limit(value: object, options: ExportOptions) -> WantedLimit:
    """Return the limit for the value of an action (kW), brought into the range of the options.

    Numbers and numbers as text ("7.5", from a template) are taken. Raises NotANumberError for anything
    else: booleans, other text, None, NaN and infinity.
    """
    asked = watts(_number(value))
    lowest, highest = options.min_export_limit, options.max_export_limit
    if lowest <= asked <= highest:
        return WantedLimit(asked)
    adjusted = OutOfRangeError(asked, lowest, highest)
    return WantedLimit(adjusted.nearest, adjusted)


def wanted_duration(value: object) -> timedelta:
    """Return how long a limit is to hold for the value of an action.

    Taken is what Home Assistant takes for a duration: seconds, "HH:MM:SS", hours and minutes by name. Raises
    DurationMissingError for UNDEFINED, else InvalidDurationError; no value means that there is no end.
    """
    if value is UNDEFINED:
        raise DurationMissingError("a limit that is to hold then needs a duration")
    try:
        duration: timedelta = cv.time_period(value)
    except vol.Invalid, OverflowError:
        raise InvalidDurationError(value) from None
    if isinstance(value, bool) or not SHORTEST <= duration <= LONGEST:
        raise InvalidDurationError(value)
    return duration


def bound(value: object, lowest: int, highest: int) -> float:
    """Return the value of an action that sets the minimum or maximum limit (kW, two decimals).

    Raises NotANumberError, and OutOfRangeError outside of lowest to highest (W).
    """
    # Adding 0 turns a negative zero into a positive one.
    kilowatt = round(_number(value), 2) + 0.0
    if not lowest <= watts(kilowatt) <= highest:
        raise OutOfRangeError(watts(kilowatt), lowest, highest)
    return kilowatt


def _number(value: object) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotANumberError(value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not abs(number) <= LARGEST_KW:
        raise NotANumberError(value)
    return number
