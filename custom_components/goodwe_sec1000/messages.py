"""Why something failed: in Home Assistant's language for its owner, in English for the log."""

from collections.abc import Callable
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import async_get_cached_translations, async_get_exception_message

from .const import DOMAIN
from .limit import NotANumberError, OutOfRangeError
from .sec1000.errors import (
    AnswerTimeoutError,
    ChecksumError,
    ConnectionClosedError,
    ConnectionFailedError,
    HostNotFoundError,
    InvalidAnswerError,
    NotAppliedError,
    NotLimitedError,
    OutcomeUnknownError,
    SupersededError,
    UnexpectedAnswerError,
)
from .sec1000.model import ControlMode, ExportSettings, kilowatts

_KEYS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (AnswerTimeoutError, "no_answer"),
    (HostNotFoundError, "host_not_found"),
    (ConnectionClosedError, "closed"),
    (ConnectionFailedError, "cannot_connect"),
    (ChecksumError, "checksum"),
    (InvalidAnswerError, "senseless"),
    (UnexpectedAnswerError, "unexpected"),
    (NotAppliedError, "holds"),
    (SupersededError, "newer"),
    (NotLimitedError, "not_limited"),
    (NotANumberError, "no_number"),
    (OutOfRangeError, "out_of_range"),
)


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
    """Return why something failed, to be put into a sentence; in English where we do not know the error."""
    if isinstance(error, HomeAssistantError):
        return _sentence(hass, error)
    if isinstance(error, OutcomeUnknownError) and isinstance(error.__cause__, Exception):
        return reason(hass, error.__cause__)
    key = next((key for kind, key in _KEYS if isinstance(error, kind)), None)
    told = _text(hass, "common", f"reason_{key}", **_placeholders(hass, error)) if key else None
    return told or str(error) or type(error).__name__


@callback
def format_settings(hass: HomeAssistant, settings: ExportSettings | None) -> str:
    """Return what the device holds, or that it is not known, as a sentence of its own."""
    if settings is None:
        return _text(hass, "common", "held_unknown") or ""
    return _text(hass, "common", "held", **_holds(hass, settings)) or ""


@callback
def mode_name(hass: HomeAssistant, mode: ControlMode) -> str:
    """Return the name of a control mode as the select shows it."""
    return _text(hass, "selector", f"control_mode.options.{mode.key}") or mode.key


def format_kw(power: int) -> str:
    """Return a power (W) as kW with two decimals."""
    return f"{kilowatts(power):.2f}"


def _holds(hass: HomeAssistant, settings: ExportSettings) -> dict[str, str]:
    return {
        "mode": mode_name(hass, settings.mode),
        "limit": format_kw(settings.limit),
        "capacity": format_kw(settings.capacity),
    }


def _placeholders(hass: HomeAssistant, error: Exception) -> dict[str, str]:
    if isinstance(error, NotAppliedError):
        return _holds(hass, error.held)
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
    told = None
    if error.translation_domain == DOMAIN:
        placeholders = error.translation_placeholders or {}
        told = _text(hass, "exceptions", f"{error.translation_key}.message", **placeholders)
    return (told or str(error)).rstrip(".")


def _text(hass: HomeAssistant, category: str, key: str, **placeholders: str) -> str | None:
    texts = async_get_cached_translations(hass, hass.config.language, category, DOMAIN)
    text = texts.get(f"component.{DOMAIN}.{category}.{key}")
    return text.format(**placeholders) if text else None
