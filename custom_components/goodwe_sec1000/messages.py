"""Errors and settings as text, in Home Assistant's language; errors in the log are in English."""

from collections.abc import Callable
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import (
    async_get_cached_translations,
    async_get_exception_message,
    async_get_translations,
)

from .const import DOMAIN
from .limit import NotANumberError, OutOfRangeError
from .sec1000.errors import (
    AnswerTimeoutError,
    ChecksumError,
    ConnectionClosedError,
    ConnectionFailedError,
    HostNotFoundError,
    ImpossibleValueError,
    InvalidAnswerError,
    NotLimitedError,
    NotStoredError,
    OutcomeUnknownError,
    SupersededError,
    UnexpectedAnswerError,
)
from .sec1000.model import ControlMode, ExportSettings, kilowatts
from .sec1000.setting_write import NotAppliedError

_KEYS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (AnswerTimeoutError, "no_answer"),
    (HostNotFoundError, "host_not_found"),
    (ConnectionClosedError, "closed"),
    (ConnectionFailedError, "cannot_connect"),
    (ChecksumError, "checksum"),
    (InvalidAnswerError, "senseless"),
    (ImpossibleValueError, "senseless"),
    (UnexpectedAnswerError, "unexpected"),
    (NotAppliedError, "holds"),
    (SupersededError, "newer"),
    (NotLimitedError, "not_limited"),
    (NotStoredError, "not_stored"),
    (NotANumberError, "no_number"),
    (OutOfRangeError, "out_of_range"),
)


async def async_load_texts(hass: HomeAssistant) -> None:
    """Load what `text` returns; needed only where the integration may not be set up yet."""
    await async_get_translations(hass, hass.config.language, "common", {DOMAIN})


@callback
def text(hass: HomeAssistant, category: str, key: str, **placeholders: str) -> str:
    """Return a text of the translations in Home Assistant's language; empty where there is none."""
    texts = async_get_cached_translations(hass, hass.config.language, category, DOMAIN)
    return texts.get(f"component.{DOMAIN}.{category}.{key}", "").format(**placeholders)


@callback
def translated_error[E: HomeAssistantError](
    hass: HomeAssistant, kind: Callable[..., E], key: str, error: Exception, **placeholders: str
) -> E:
    """Return the error that Home Assistant shows for this one; its text in the log stays in English.

    `key` names the sentence, whose {reason} is put in Home Assistant's language.
    """
    in_english = async_get_exception_message(
        DOMAIN, key, {**placeholders, "reason": str(error) or type(error).__name__}
    )
    shown = kind(
        in_english,
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={**placeholders, "reason": reason(hass, error)},
    )
    shown.__cause__ = error
    return shown


@callback
def reason(hass: HomeAssistant, error: Exception) -> str:
    """Return why something failed, to be put into a sentence; in English where the error is unknown."""
    if isinstance(error, HomeAssistantError):
        return _sentence(hass, error)
    if isinstance(error, OutcomeUnknownError) and isinstance(error.__cause__, Exception):
        return reason(hass, error.__cause__)
    key = next((key for kind, key in _KEYS if isinstance(error, kind)), None)
    translated = text(hass, "common", f"reason_{key}", **_placeholders(hass, error)) if key else ""
    return translated or str(error) or type(error).__name__


@callback
def format_settings(hass: HomeAssistant, settings: ExportSettings | None) -> str:
    """Return the current settings of the device, or that they are unknown, as a sentence."""
    if settings is None:
        return text(hass, "common", "held_unknown")
    return text(hass, "common", "held", **_settings_placeholders(hass, settings))


@callback
def mode_name(hass: HomeAssistant, mode: ControlMode) -> str:
    """Return the name of a control mode as the select shows it."""
    return text(hass, "selector", f"control_mode.options.{mode.key}") or mode.key


def format_kw(power: int | None) -> str:
    """Return a power (W) as kW with two decimals; a dash where it is unknown."""
    return "–" if power is None else f"{kilowatts(power):.2f}"


def _settings_placeholders(hass: HomeAssistant, settings: ExportSettings) -> dict[str, str]:
    return {
        "mode": mode_name(hass, settings.mode),
        "limit": format_kw(settings.limit),
        "capacity": format_kw(settings.capacity),
    }


def _placeholders(hass: HomeAssistant, error: Exception) -> dict[str, str]:
    if isinstance(error, NotAppliedError):
        return _settings_placeholders(hass, error.held)
    if isinstance(error, NotANumberError):
        return {"value": error.value}
    if isinstance(error, OutOfRangeError):
        return {
            "limit": format_kw(error.limit),
            "lowest": format_kw(error.lowest),
            "highest": format_kw(error.highest),
        }
    return {}


def _sentence(hass: HomeAssistant, error: HomeAssistantError) -> str:
    translated = ""
    if error.translation_domain == DOMAIN:
        placeholders = error.translation_placeholders or {}
        translated = text(hass, "exceptions", f"{error.translation_key}.message", **placeholders)
    return (translated or str(error)).rstrip(".")
