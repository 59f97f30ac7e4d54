"""What its owner is told about an entry that moved in, in the language of Home Assistant."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from homeassistant.const import CONF_HOST, CONF_NAME, CONF_SCAN_INTERVAL, UnitOfPower, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

from ..const import (
    CONF_CONTROL_MODE,
    CONF_MAX_EXPORT_LIMIT,
    CONF_MIN_EXPORT_LIMIT,
    CONF_SUM_OF_PHASES,
    CONF_TOTAL_CAPACITY,
    DOMAIN,
)
from ..sec1000.model import ControlMode
from .settings import Correction, Settings

_POWERS: Final = (CONF_MIN_EXPORT_LIMIT, CONF_MAX_EXPORT_LIMIT, CONF_TOTAL_CAPACITY)
_WINDOWS: Final = {
    CONF_NAME: "config.step.user",
    CONF_HOST: "config.step.user",
    CONF_SCAN_INTERVAL: "options.step.init",
    **dict.fromkeys(_POWERS, "options.step.export_limits"),
    CONF_CONTROL_MODE: "options.step.control",
    CONF_SUM_OF_PHASES: "options.step.control",
}
"""Where each setting has its label."""


async def async_format_report(
    hass: HomeAssistant, settings: Settings, *, stored_damaged: bool, same_address: Sequence[str]
) -> str:
    """Return what its owner should look at as a list in Markdown; empty where all was taken over as it was.

    `same_address` are the names of other entries for the same device.
    """
    words = _ReportFormatter({})
    for category in ("common", "config", "options", "selector", "entity_component"):
        domain = "switch" if category == "entity_component" else DOMAIN
        words.texts |= await async_get_translations(hass, hass.config.language, category, {domain})
    return "\n".join(
        f"- {sentence}"
        for sentence in words.sentences(settings, stored_damaged=stored_damaged, same_address=same_address)
    )


class _ReportFormatter:
    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    def sentences(
        self, settings: Settings, *, stored_damaged: bool, same_address: Sequence[str]
    ) -> Iterator[str]:
        for correction in settings.corrections:
            yield self._correction(correction)
        if settings.used_lower_limit:
            yield self._text("common.moved_lower_limit")
        if stored_damaged:
            yield self._text("common.moved_stored_damaged")
        if settings.options[CONF_CONTROL_MODE] == ControlMode.DEACTIVATED.key:
            yield self._text("common.moved_deactivated")
        if same_address:
            yield self._text("common.moved_same_address").format(entries=", ".join(same_address))

    def _correction(self, correction: Correction) -> str:
        setting = correction.setting
        label = self._text(f"{_WINDOWS[setting]}.data.{setting}")
        old = "–" if correction.old is None else f"`{correction.old}`"
        return f"{label}: {old} → {self._value(setting, correction.new)}"

    def _value(self, setting: str, value: Any) -> str:
        if setting in _POWERS:
            return f"{value:.2f} {UnitOfPower.KILO_WATT}"
        if setting == CONF_SCAN_INTERVAL:
            return f"{value} {UnitOfTime.SECONDS}"
        if setting == CONF_CONTROL_MODE:
            return self._text(f"selector.control_mode.options.{value.key}")
        if setting == CONF_SUM_OF_PHASES:
            return self.texts[f"component.switch.entity_component._.state.{'on' if value else 'off'}"]
        return f"`{value}`"

    def _text(self, key: str) -> str:
        return self.texts[f"component.{DOMAIN}.{key}"]
