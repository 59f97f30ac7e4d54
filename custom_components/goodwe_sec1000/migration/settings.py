"""The settings of the older integration as data and options of this one, and what had to be corrected."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import math
from typing import Any, Final

from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PORT, CONF_SCAN_INTERVAL
from homeassistant.helpers import config_validation as cv
import voluptuous as vol

from ..const import (
    CONF_ALLOW_DEACTIVATING,
    CONF_CONTROL_MODE,
    CONF_MAX_EXPORT_LIMIT,
    CONF_MIN_EXPORT_LIMIT,
    CONF_PUT_BACK,
    CONF_SUM_OF_PHASES,
    CONF_TOTAL_CAPACITY,
    DEFAULT_HOST,
    DEFAULT_PORT,
    MAX_KILOWATTS,
    MAX_SCAN_INTERVAL,
    MIN_SCAN_INTERVAL,
)
from ..forms import MAX_NAME, validate
from ..sec1000.model import ControlMode

CONF_DEVICE_NAME: Final = "device_name"

DEFAULTS: Final[Mapping[str, Any]] = {
    CONF_DEVICE_NAME: "Device 1",
    CONF_HOST: DEFAULT_HOST,
    CONF_SCAN_INTERVAL: 10,
    CONF_MIN_EXPORT_LIMIT: 0.0,
    CONF_MAX_EXPORT_LIMIT: 10.0,
    CONF_TOTAL_CAPACITY: 20.0,
    CONF_CONTROL_MODE: ControlMode.VALUE,
    CONF_SUM_OF_PHASES: True,
}
"""What the older integration went by where an entry did not say."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A setting that could not be taken over as it was."""

    setting: str
    """Its key in data or options."""
    old: object
    """None where there was none."""
    new: Any


@dataclass(frozen=True, slots=True)
class Settings:
    """What an entry of version 2 keeps, and how that differs from what it kept before."""

    data: dict[str, Any]
    options: dict[str, Any]
    corrections: tuple[Correction, ...]
    used_lower_limit: bool
    """Whether a limit of this entry and the stored one, which all entries had in common, differed."""


def settings_from(older: Mapping[str, Any], stored: Mapping[str, Any], *, shared_store: bool) -> Settings:
    """Return the settings of an older entry (data overridden by options) as version 2 keeps them.

    Limits in `stored` were set by actions and go before those of the entry. With several entries
    nobody knows whose they are: then the lower one is taken, which allows less export.

    What is out of range is brought to the nearest allowed value, and what says nothing to the value
    that the older integration went by where there was none.
    """
    reading = _SettingsReader(older)
    name = reading.take(CONF_DEVICE_NAME, _name, setting=CONF_NAME)
    host = reading.take(CONF_HOST, _host)
    interval = reading.take(CONF_SCAN_INTERVAL, _interval)
    capacity = reading.take(CONF_TOTAL_CAPACITY, _power)
    maximum = reading.take_limit(CONF_MAX_EXPORT_LIMIT, stored, capacity, shared_store=shared_store)
    minimum = reading.take_limit(CONF_MIN_EXPORT_LIMIT, stored, maximum, shared_store=shared_store)
    mode = reading.take(CONF_CONTROL_MODE, _mode)
    return Settings(
        data={CONF_NAME: name, CONF_HOST: host, CONF_PORT: DEFAULT_PORT},
        options={
            CONF_SCAN_INTERVAL: interval,
            CONF_MIN_EXPORT_LIMIT: minimum,
            CONF_MAX_EXPORT_LIMIT: maximum,
            CONF_TOTAL_CAPACITY: capacity,
            CONF_CONTROL_MODE: mode.key,
            CONF_SUM_OF_PHASES: reading.take(CONF_SUM_OF_PHASES, _boolean),
            CONF_PUT_BACK: False,
            # Needed only to deactivate outside of the windows, which the older integration could not do:
            # an entry that is deactivated stays so without it.
            CONF_ALLOW_DEACTIVATING: False,
        },
        corrections=tuple(reading.corrections),
        used_lower_limit=reading.used_lower_limit,
    )


class _SettingsReader:
    """Takes over one setting after the other and notes what had to be corrected."""

    def __init__(self, older: Mapping[str, Any]) -> None:
        self._older = older
        self.corrections: list[Correction] = []
        self.used_lower_limit = False

    def take[T](self, key: str, convert: Callable[[object], T], setting: str | None = None) -> T:
        """Return what `convert` makes of a setting; it raises ValueError for what says nothing."""
        old = self._older.get(key)
        try:
            new = convert(old)
        except ValueError:
            new = convert(DEFAULTS[key])
        self._record_error(setting or key, old, new)
        return new

    def take_limit(self, key: str, stored: Mapping[str, Any], highest: float, *, shared_store: bool) -> float:
        """Return a limit (kW) that is no higher than this."""
        candidates = [stored[key]] if key in stored else []
        if shared_store or not _is_number(stored.get(key)):
            candidates.append(self._older.get(key))
        old = candidates[0]
        numbers = sorted(_number(value) for value in candidates if _is_number(value))
        if len(set(numbers)) > 1:
            self.used_lower_limit = True
            old = numbers[-1]
        new = min(_power(numbers[0] if numbers else DEFAULTS[key]), highest)
        self._record_error(key, old, new)
        return new

    def _record_error(self, setting: str, old: object, new: object) -> None:
        if setting == CONF_HOST and isinstance(old, str) and old.strip() == new:
            # Nothing to look at, and the address would stand in a diagnostics file.
            return
        if old != new or isinstance(old, bool) is not isinstance(new, bool):
            self.corrections.append(Correction(setting, old, new))


def _number(value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, OverflowError) as error:
        raise ValueError(str(error)) from error
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    return number


def _is_number(value: object) -> bool:
    try:
        _number(value)
    except ValueError:
        return False
    return True


def _power(value: object) -> float:
    # Not max(_number(value), 0.0), which would leave a negative zero.
    return round(min(max(0.0, _number(value)), MAX_KILOWATTS), 2)


def _interval(value: object) -> int:
    return min(max(round(_number(value)), MIN_SCAN_INTERVAL), MAX_SCAN_INTERVAL)


def _mode(value: object) -> ControlMode:
    return ControlMode(_number(value))  # type: ignore[arg-type]


def _boolean(value: object) -> bool:
    try:
        return cv.boolean(value)
    except vol.Invalid as error:
        raise ValueError(str(error)) from error


def _name(value: object) -> str:
    values, errors = validate({CONF_NAME: value.strip()[:MAX_NAME] if isinstance(value, str) else ""})
    if errors:
        raise ValueError(f"{value!r} is no name")
    return str(values[CONF_NAME])


def _host(value: object) -> str:
    # Not judged any further: what the system could resolve is no host name for every window.
    if isinstance(value, str) and (host := value.strip()):
        return host
    raise ValueError(f"{value!r} is no host")
