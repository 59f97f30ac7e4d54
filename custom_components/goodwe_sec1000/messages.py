"""Outcomes, errors and settings as text, in Home Assistant's language; the log is in English."""

from collections.abc import Callable, Mapping
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import (
    async_get_cached_translations,
    async_get_exception_message,
    async_get_translations,
)

from .const import DOMAIN
from .limit import InvalidDurationError, NotANumberError, OutOfRangeError
from .options import ExportOptions
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
from .sec1000.model import ControlMode, ExportSettings, ExportTarget, kilowatts
from .sec1000.setting_write import NotAppliedError

ENGLISH: Final = "en"
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
    (InvalidDurationError, "no_duration"),
    (OutOfRangeError, "out_of_range"),
)
_ADVICE_KEYS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ConnectionClosedError, "odd_answer"),
    (ChecksumError, "checksum"),
    (UnexpectedAnswerError, "odd_answer"),
    (InvalidAnswerError, "odd_answer"),
    (AnswerTimeoutError, "no_answer"),
    (ConnectionFailedError, "no_answer"),
)
"""What an owner can do about a device that does not answer as it should."""


async def async_load_texts(hass: HomeAssistant) -> None:
    """Load what `text` returns; needed only where the integration may not be set up yet."""
    await async_get_translations(hass, hass.config.language, "common", {DOMAIN})


@callback
def text(
    hass: HomeAssistant, category: str, key: str, *, language: str | None = None, **placeholders: str
) -> str:
    """Return a text of the translations, in Home Assistant's language or this; empty where there is none.

    It is in English while those of a language that was just chosen are loaded.
    """
    path = f"component.{DOMAIN}.{category}.{key}"
    for tried in (language or hass.config.language, ENGLISH):
        if found := async_get_cached_translations(hass, tried, category, DOMAIN).get(path):
            return found.format(**placeholders)
    return ""


@callback
def translated_error[E: HomeAssistantError](
    hass: HomeAssistant,
    kind: Callable[..., E],
    key: str,
    error: Exception,
    placeholders_in: Callable[[str], Mapping[str, str]] = lambda _language: {},
) -> E:
    """Return the error that Home Assistant shows for this one; its text in the log stays in English.

    `key` names the sentence, and `placeholders_in` returns what is put into it in a language, beside
    {reason} and {advice}.
    """
    language = hass.config.language
    in_english = async_get_exception_message(
        DOMAIN,
        key,
        {
            **placeholders_in(ENGLISH),
            "reason": technical_detail(error),
            "advice": advice(hass, error, ENGLISH),
        },
    )
    shown = kind(
        in_english.rstrip(),
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={
            **placeholders_in(language),
            "reason": reason(hass, error),
            "advice": advice(hass, error, language),
        },
    )
    shown.__cause__ = error
    return shown


def technical_detail(error: Exception) -> str:
    """Return what the log says of an error, in English."""
    return str(error) or type(error).__name__


@callback
def advice(hass: HomeAssistant, error: Exception, language: str) -> str:
    """Return what to do about a device that did not answer as it should; empty for any other error."""
    key = _key_of(_ADVICE_KEYS, error)
    return text(hass, "common", f"advice_{key}", language=language) if key else ""


def is_ended_by_an_answer(error: Exception) -> bool:
    """Return whether this is over once the device answers as it should."""
    return isinstance(error, OutcomeUnknownError) or _key_of(_ADVICE_KEYS, error) is not None


@callback
def reason(hass: HomeAssistant, error: Exception) -> str:
    """Return why something failed, to be put into a sentence; in English where the error is unknown."""
    if isinstance(error, HomeAssistantError):
        return _sentence(hass, error)
    error = _cause_of(error)
    key = _key_of(_KEYS, error)
    translated = text(hass, "common", f"reason_{key}", **_placeholders(hass, error)) if key else ""
    return translated or technical_detail(error)


@callback
def sentences(hass: HomeAssistant, error: HomeAssistantError) -> str:
    """Return a translated error as one or more whole sentences."""
    return f"{_sentence(hass, error)}."


@callback
def action_name(hass: HomeAssistant, action: str, language: str) -> str:
    """Return the name of an action as Home Assistant shows it, or what else a command is called."""
    return (
        text(hass, "services", f"{action}.name", language=language)
        or text(hass, "common", f"action_{action}", language=language)
        or action
    )


@callback
def format_export(
    hass: HomeAssistant, settings: ExportSettings | None, options: ExportOptions, language: str
) -> str:
    """Return whether export is on or off with these settings of the device, as a sentence."""
    if settings is None or (settings.limit is None and settings.mode is ControlMode.VALUE):
        return text(hass, "common", "export_unknown", language=language)
    if settings.mode is ControlMode.DEACTIVATED:
        key = "export_unlimited"
    elif settings.mode is not ControlMode.VALUE:
        key = "export_by_receiver"
    else:
        is_off = settings.limit is not None and options.disables_export(settings.mode, settings.limit)
        key = "export_off" if is_off else "export_on"
    return text(
        hass,
        "common",
        key,
        language=language,
        limit=format_kw(hass, settings.limit, language),
        mode=settings.mode.name,
    )


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


@callback
def format_kw(hass: HomeAssistant, power: int | None, language: str | None = None) -> str:
    """Return a power (W) as kW with two decimals, as the language writes them; a dash where it is unknown."""
    if power is None:
        return "–"
    return f"{kilowatts(power):.2f}".replace(
        ".", text(hass, "common", "decimal_mark", language=language) or "."
    )


@callback
def format_drift(
    hass: HomeAssistant, settings: ExportSettings, target: ExportTarget, options: ExportOptions
) -> str:
    """Return how what the device holds differs from the target, and what to do, in whole sentences."""
    return text(
        hass,
        "common",
        "differs",
        **_settings_placeholders(hass, settings),
        target_mode=mode_name(hass, target.mode),
        target_limit=format_kw(hass, target.limit),
        target_capacity=format_kw(hass, target.capacity),
        export=format_export(hass, settings, options, hass.config.language),
    )


def _key_of(keys: tuple[tuple[type[Exception], str], ...], error: Exception) -> str | None:
    cause = _cause_of(error)
    return next((key for kind, key in keys if isinstance(cause, kind)), None)


def _cause_of(error: Exception) -> Exception:
    """Return why an outcome is unknown, or else the error itself."""
    if isinstance(error, OutcomeUnknownError) and isinstance(error.__cause__, Exception):
        return error.__cause__
    return error


def _settings_placeholders(hass: HomeAssistant, settings: ExportSettings) -> dict[str, str]:
    return {
        "mode": mode_name(hass, settings.mode),
        "limit": format_kw(hass, settings.limit),
        "capacity": format_kw(hass, settings.capacity),
    }


def _placeholders(hass: HomeAssistant, error: Exception) -> dict[str, str]:
    if isinstance(error, NotAppliedError):
        return _settings_placeholders(hass, error.held)
    if isinstance(error, NotANumberError | InvalidDurationError):
        return {"value": error.value}
    if isinstance(error, OutOfRangeError):
        return {
            "limit": format_kw(hass, error.limit),
            "lowest": format_kw(hass, error.lowest),
            "highest": format_kw(hass, error.highest),
        }
    return {}


def _sentence(hass: HomeAssistant, error: HomeAssistantError) -> str:
    translated = ""
    if error.translation_domain == DOMAIN:
        placeholders = error.translation_placeholders or {}
        translated = text(hass, "exceptions", f"{error.translation_key}.message", **placeholders)
    return (translated or str(error)).strip().rstrip(".")
