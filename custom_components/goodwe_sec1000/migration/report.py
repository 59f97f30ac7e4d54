"""The report on a migrated entry, in the language of Home Assistant."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from homeassistant.components.switch import DOMAIN as SWITCH_DOMAIN
from homeassistant.const import (
    CONF_HOST,
    CONF_NAME,
    CONF_SCAN_INTERVAL,
    STATE_OFF,
    STATE_ON,
    UnitOfPower,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_cached_translations, async_get_translations

from ..const import (
    CONF_CONTROL_MODE,
    CONF_MAX_EXPORT_LIMIT,
    CONF_MIN_EXPORT_LIMIT,
    CONF_SUM_OF_PHASES,
    CONF_TOTAL_CAPACITY,
)
from ..messages import async_load_texts, format_kw, mode_name, text
from ..sec1000.model import ControlMode, watts
from .settings import Correction, Settings

_POWERS: Final = (CONF_MIN_EXPORT_LIMIT, CONF_MAX_EXPORT_LIMIT, CONF_TOTAL_CAPACITY)
_STEPS: Final = {
    CONF_NAME: ("config", "user"),
    CONF_HOST: ("config", "user"),
    CONF_SCAN_INTERVAL: ("options", "init"),
    **dict.fromkeys(_POWERS, ("options", "export_limits")),
    CONF_CONTROL_MODE: ("options", "control"),
    CONF_SUM_OF_PHASES: ("options", "control"),
}
"""The flow and the step that have the label of each setting."""


async def async_format_report(
    hass: HomeAssistant, settings: Settings, *, stored_damaged: bool, same_address: Sequence[str]
) -> str:
    """Return what needs review after the migration as a list in Markdown; empty where nothing does.

    `same_address` are the names of other entries for the same device.
    """
    await async_load_texts(hass)
    await async_get_translations(hass, hass.config.language, "entity_component", {SWITCH_DOMAIN})
    sentences = _sentences(hass, settings, stored_damaged=stored_damaged, same_address=same_address)
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _sentences(
    hass: HomeAssistant, settings: Settings, *, stored_damaged: bool, same_address: Sequence[str]
) -> Iterator[str]:
    for correction in settings.corrections:
        yield _correction(hass, correction)
    if settings.used_lower_limit:
        yield text(hass, "common", "moved_lower_limit")
    if stored_damaged:
        yield text(hass, "common", "moved_stored_damaged")
    if settings.options[CONF_CONTROL_MODE] == ControlMode.DEACTIVATED.key:
        yield text(hass, "common", "moved_deactivated")
    if same_address:
        yield text(hass, "common", "moved_same_address", entries=", ".join(same_address))


def _correction(hass: HomeAssistant, correction: Correction) -> str:
    flow, step = _STEPS[correction.setting]
    label = text(hass, flow, f"step.{step}.data.{correction.setting}")
    old = "–" if correction.old is None else f"`{correction.old}`"
    return f"{label}: {old} → {_value(hass, correction.setting, correction.new)}"


def _value(hass: HomeAssistant, setting: str, value: Any) -> str:
    if setting in _POWERS:
        return f"{format_kw(hass, watts(value))} {UnitOfPower.KILO_WATT}"
    if setting == CONF_SCAN_INTERVAL:
        return f"{value} {UnitOfTime.SECONDS}"
    if setting == CONF_CONTROL_MODE:
        return mode_name(hass, value)
    if setting == CONF_SUM_OF_PHASES:
        language, state = hass.config.language, STATE_ON if value else STATE_OFF
        texts = async_get_cached_translations(hass, language, "entity_component", SWITCH_DOMAIN)
        return texts[f"component.{SWITCH_DOMAIN}.entity_component._.state.{state}"]
    return f"`{value}`"
