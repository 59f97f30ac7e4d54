"""The fields of the forms, and their validation, which puts an error at the field it concerns."""

from collections.abc import Callable, Mapping
from functools import partial
import math
from typing import Any, Final, override
import unicodedata

from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PORT, CONF_SCAN_INTERVAL, UnitOfPower, UnitOfTime
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
from homeassistant.util import slugify
from homeassistant.util.network import is_host_valid
import voluptuous as vol

from .const import (
    CONF_ALLOW_DEACTIVATING,
    CONF_CONTROL_MODE,
    CONF_MAX_EXPORT_LIMIT,
    CONF_MIN_EXPORT_LIMIT,
    CONF_PUT_BACK,
    CONF_SUM_OF_PHASES,
    CONF_TOTAL_CAPACITY,
    MAX_KILOWATTS,
    MAX_PORT,
    MAX_SCAN_INTERVAL,
    MIN_LIMIT_KW,
    MIN_SCAN_INTERVAL,
)
from .sec1000.model import ControlMode

CONF_GO_BACK: Final = "go_back"

MAX_NAME: Final = 100
"""Characters of a name, also in its form for entity ids, which Home Assistant bounds to 255."""

_MODES: Final = (ControlMode.VALUE, ControlMode.RCR, ControlMode.DRED, ControlMode.DEACTIVATED)


class _NumberField(NumberSelector):
    """A number in a box whose range is only shown; `validate` judges it.

    The selector's own refusal does not say what is allowed, and is in English everywhere.
    """

    @override
    def __call__(self, data: Any) -> Any:
        return data


class _Switch(BooleanSelector):
    """A switch that takes true and false only, not what Python takes for one of them ("false" is true)."""

    @override
    def __call__(self, data: Any) -> bool:
        if isinstance(data, bool):
            return data
        raise vol.Invalid("expected true or false")


def _number_box(minimum: float, maximum: float, step: float = 1, unit: str | None = None) -> _NumberField:
    config = NumberSelectorConfig(min=minimum, max=maximum, step=step, mode=NumberSelectorMode.BOX)
    if unit:
        config["unit_of_measurement"] = unit
    return _NumberField(config)


_LIMIT_BOX: Final = _number_box(MIN_LIMIT_KW, MAX_KILOWATTS, 0.01, UnitOfPower.KILO_WATT)
_CAPACITY_BOX: Final = _number_box(0, MAX_KILOWATTS, 0.01, UnitOfPower.KILO_WATT)

_FIELDS: Final = {
    CONF_NAME: TextSelector(),
    CONF_HOST: TextSelector(),
    CONF_PORT: _number_box(1, MAX_PORT),
    CONF_SCAN_INTERVAL: _number_box(MIN_SCAN_INTERVAL, MAX_SCAN_INTERVAL, unit=UnitOfTime.SECONDS),
    CONF_PUT_BACK: _Switch(),
    CONF_ALLOW_DEACTIVATING: _Switch(),
    CONF_MIN_EXPORT_LIMIT: _LIMIT_BOX,
    CONF_MAX_EXPORT_LIMIT: _LIMIT_BOX,
    CONF_TOTAL_CAPACITY: _CAPACITY_BOX,
    CONF_CONTROL_MODE: SelectSelector(
        SelectSelectorConfig(
            options=[mode.key for mode in _MODES],
            translation_key="control_mode",
            mode=SelectSelectorMode.LIST,
        )
    ),
    CONF_SUM_OF_PHASES: _Switch(),
}

CONNECTION_FIELDS: Final = (CONF_HOST, CONF_PORT)
SETUP_FIELDS: Final = (CONF_NAME, *CONNECTION_FIELDS, CONF_SCAN_INTERVAL)
GENERAL_FIELDS: Final = (CONF_SCAN_INTERVAL, CONF_PUT_BACK, CONF_ALLOW_DEACTIVATING)
LIMIT_FIELDS: Final = (CONF_MIN_EXPORT_LIMIT, CONF_MAX_EXPORT_LIMIT, CONF_TOTAL_CAPACITY)
CONTROL_FIELDS: Final = (CONF_CONTROL_MODE, CONF_SUM_OF_PHASES)


def form(fields: tuple[str, ...], values: Mapping[str, Any]) -> vol.Schema:
    """Return a form of these fields, filled with these values."""
    return vol.Schema({vol.Required(key, default=values[key]): _FIELDS[key] for key in fields})


def form_after_another(fields: tuple[str, ...], values: Mapping[str, Any]) -> vol.Schema:
    """Return such a form with a switch that leads to the step before: Home Assistant has no button for it."""
    return form(fields, values).extend({vol.Optional(CONF_GO_BACK, default=False): _Switch()})


def validate(user_input: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the input as it is to be stored, and the error of each invalid field."""
    values = dict(user_input)
    errors: dict[str, str] = {}
    for key, check in _CHECKS.items():
        if key in values:
            try:
                values[key] = check(values[key])
            except _FieldError as error:
                errors[key] = error.key
    if not errors and set(LIMIT_FIELDS) <= values.keys():
        errors = _check_order(*(values[key] for key in LIMIT_FIELDS))
    return values, errors


def _check_order(minimum: float, maximum: float, capacity: float) -> dict[str, str]:
    errors: dict[str, str] = {}
    if minimum > maximum:
        errors[CONF_MIN_EXPORT_LIMIT] = "minimum_above_maximum"
    if maximum > capacity:
        errors[CONF_MAX_EXPORT_LIMIT] = "maximum_above_capacity"
    return errors


class _FieldError(Exception):
    """The value of a field is invalid; the key is that of the error's text."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _name(text: str) -> str:
    name = text.strip()
    if len(name) > MAX_NAME or len(slugify(name)) > MAX_NAME or not any(map(str.isalnum, name)):
        raise _FieldError("invalid_name")
    return name


def _host(text: str) -> str:
    # Full-width digits are digits: what is entered in another script is the same address.
    host = unicodedata.normalize("NFKC", text).strip()
    if not is_host_valid(host):
        raise _FieldError("invalid_host")
    return host


def _number(minimum: float, maximum: float, key: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except TypeError, ValueError, OverflowError:
        raise _FieldError(key) from None
    # False for NaN, too.
    if not minimum <= number <= maximum:
        raise _FieldError(key)
    return number


def _whole(minimum: int, maximum: int, key: str, value: Any) -> int:
    number = _number(minimum, maximum, key, value)
    if not number.is_integer():
        raise _FieldError(key)
    return int(number)


def _limit(value: Any) -> float:
    # Adding 0 turns a negative zero into a positive one.
    return round(_number(MIN_LIMIT_KW, MAX_KILOWATTS, "invalid_limit", value), 2) + 0.0


def _capacity(value: Any) -> float:
    return round(_number(0, MAX_KILOWATTS, "invalid_power", value), 2)


_CHECKS: Final[dict[str, Callable[[Any], Any]]] = {
    CONF_NAME: _name,
    CONF_HOST: _host,
    CONF_PORT: partial(_whole, 1, MAX_PORT, "invalid_port"),
    CONF_SCAN_INTERVAL: partial(_whole, MIN_SCAN_INTERVAL, MAX_SCAN_INTERVAL, "invalid_interval"),
    CONF_MIN_EXPORT_LIMIT: _limit,
    CONF_MAX_EXPORT_LIMIT: _limit,
    CONF_TOTAL_CAPACITY: _capacity,
}
