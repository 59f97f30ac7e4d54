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
    MIN_LIMIT_KW,
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
"""The older integration's defaults."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A setting that could not be taken over as it was."""

    setting: str
    """Its key in data or options."""
    old: object
    """None where it was missing."""
    new: Any


@dataclass(frozen=True, slots=True)
class Settings:
    """Data and options of an entry of version 2, and how they differ from those of version 1."""

    data: dict[str, Any]
    options: dict[str, Any]
    corrections: tuple[Correction, ...]
    used_lower_limit: bool
    """Whether a limit of this entry and the stored one, which all entries shared, differed."""


def settings_from(older: Mapping[str, Any], stored: Mapping[str, Any], *, shared_store: bool) -> Settings:
    """Return the settings of an older entry (data overridden by options) as data and options of version 2.

    Limits in `stored` were set by actions and override those of the entry. Where several entries share them,
    the lower one is taken, which allows less export.

    A value out of range becomes the nearest allowed one, an invalid one the older integration's default.
    """
    reading = _SettingsReader(older)
    name = reading.take(CONF_DEVICE_NAME, _name, setting=CONF_NAME)
    host = reading.take(CONF_HOST, _host)
    interval = reading.take(CONF_SCAN_INTERVAL, _interval)
    capacity = reading.take(CONF_TOTAL_CAPACITY, _capacity)
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
            # Needed only to deactivate outside of the options flow, which the older integration could not
            # do: an entry that is deactivated stays so without it.
            CONF_ALLOW_DEACTIVATING: False,
        },
        corrections=tuple(reading.corrections),
        used_lower_limit=reading.used_lower_limit,
    )


class _SettingsReader:
    """Converts one setting after the other, and collects the corrections."""

    def __init__(self, older: Mapping[str, Any]) -> None:
        self._older = older
        self.corrections: list[Correction] = []
        self.used_lower_limit = False

    def take[T](self, key: str, convert: Callable[[object], T], setting: str | None = None) -> T:
        """Return the converted setting; `convert` raises ValueError for an invalid one."""
        old = self._older.get(key)
        try:
            new = convert(old)
        except ValueError:
            new = convert(DEFAULTS[key])
        self._record_correction(setting or key, old, new)
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
        new = min(_limit(numbers[0] if numbers else DEFAULTS[key]), highest)
        self._record_correction(key, old, new)
        return new

    def _record_correction(self, setting: str, old: object, new: object) -> None:
        if setting == CONF_HOST and isinstance(old, str) and old.strip() == new:
            # Nothing to review, and the report must not contain the address.
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


def _capacity(value: object) -> float:
    return _power(value, 0.0)


def _limit(value: object) -> float:
    return _power(value, MIN_LIMIT_KW)


def _power(value: object, lowest: float) -> float:
    # Adding 0 turns a negative zero into a positive one.
    return round(min(max(lowest, _number(value)), MAX_KILOWATTS), 2) + 0.0


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
        raise ValueError(f"{value!r} is not a name")
    return str(values[CONF_NAME])


def _host(value: object) -> str:
    # Not validated any further: the system may have resolved what the form refuses.
    if isinstance(value, str) and (host := value.strip()):
        return host
    raise ValueError(f"{value!r} is not a host")
