"""The windows that setup and options share: export limits, control, and the confirmation of deactivated."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from homeassistant.config_entries import ConfigEntryBaseFlow, ConfigFlowResult
from homeassistant.helpers.translation import async_get_translations

from .const import (
    CONF_CONTROL_MODE,
    CONF_MAX_EXPORT_LIMIT,
    CONF_MIN_EXPORT_LIMIT,
    CONF_TOTAL_CAPACITY,
    DOMAIN,
)
from .forms import CONF_CHOOSE_ANOTHER_MODE, CONFIRMATION, CONTROL_FIELDS, LIMIT_FIELDS, checked, form
from .sec1000.model import ControlMode, ExportSettings, kilowatts, watts
from .sec1000.setting_write import TOLERANCE


class NotFinishedError(Exception):
    """What the last window submitted could not be done; the window is to come back and say why."""

    def __init__(self, key: str, reason: str = "") -> None:
        super().__init__(key)
        self.key = key
        self.reason = reason


class ExportWindows(ConfigEntryBaseFlow, ABC):
    """A flow that ends with the windows on export."""

    _wanted: dict[str, Any]
    """The options as they stand in the windows so far."""
    _held: ExportSettings | None = None
    """What the device was last read to hold; None where that is not known."""

    @abstractmethod
    async def _finish(self) -> ConfigFlowResult:
        """Do what the last window was submitted for; raises NotFinishedError."""

    async def async_step_export_limits(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for minimum, maximum and total capacity."""
        values, errors = checked(user_input or {})
        if user_input is not None and not errors:
            self._wanted |= values
            return await self.async_step_control()
        return self.async_show_form(
            step_id="export_limits",
            data_schema=form(LIMIT_FIELDS, self._wanted | values),
            errors=errors,
            description_placeholders={"held": await self._what_is_held()},
            last_step=False,
        )

    async def async_step_control(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for control mode and measurement."""
        if user_input is None:
            return await self._show_control()
        self._wanted |= user_input
        if self._wanted[CONF_CONTROL_MODE] == ControlMode.DEACTIVATED.key:
            return await self.async_step_confirm_deactivated()
        return await self._finish_or(self._show_control)

    async def async_step_confirm_deactivated(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask once more before nothing limits the export."""
        if user_input is None:
            return await self._show_confirmation()
        if user_input[CONF_CHOOSE_ANOTHER_MODE]:
            return await self._show_control()
        return await self._finish_or(self._show_confirmation)

    async def _finish_or(
        self, show_again: Callable[[NotFinishedError], Awaitable[ConfigFlowResult]]
    ) -> ConfigFlowResult:
        try:
            return await self._finish()
        except NotFinishedError as error:
            return await show_again(error)

    async def _show_control(self, error: NotFinishedError | None = None) -> ConfigFlowResult:
        return self.async_show_form(
            step_id="control",
            data_schema=form(CONTROL_FIELDS, self._wanted),
            errors={"base": error.key} if error else None,
            description_placeholders={
                "held": await self._what_is_held(),
                "reason": error.reason if error else "",
            },
        )

    async def _show_confirmation(self, error: NotFinishedError | None = None) -> ConfigFlowResult:
        return self.async_show_form(
            step_id="confirm_deactivated",
            data_schema=CONFIRMATION,
            errors={"base": error.key} if error else None,
            description_placeholders={"reason": error.reason if error else ""},
        )

    async def _what_is_held(self) -> str:
        """Return in words what the device holds, and where that is not what stands in the windows."""
        held = self._held
        if held is None:
            return await self._sentence("held_unknown")
        mode = self._wanted[CONF_CONTROL_MODE]
        minimum, maximum, capacity = (
            watts(self._wanted[key])
            for key in (CONF_MIN_EXPORT_LIMIT, CONF_MAX_EXPORT_LIMIT, CONF_TOTAL_CAPACITY)
        )
        sentences = [
            await self._sentence(
                "held",
                mode=await self._name_of(held.mode.key),
                limit=_in_kilowatts(held.limit),
                capacity=_in_kilowatts(held.capacity),
            )
        ]
        if held.mode.key != mode:
            sentences.append(await self._sentence("mode_differs", mode=await self._name_of(mode)))
        if not minimum - TOLERANCE < held.limit < maximum + TOLERANCE:
            sentences.append(
                await self._sentence(
                    "limit_differs", minimum=_in_kilowatts(minimum), maximum=_in_kilowatts(maximum)
                )
            )
        if abs(held.capacity - capacity) >= TOLERANCE:
            sentences.append(await self._sentence("capacity_differs", capacity=_in_kilowatts(capacity)))
        return " ".join(sentences)

    async def _name_of(self, mode: str) -> str:
        return await self._translation("selector", f"control_mode.options.{mode}")

    async def _sentence(self, key: str, **placeholders: str) -> str:
        return (await self._translation("common", key)).format(**placeholders)

    async def _translation(self, category: str, key: str) -> str:
        # The frontend translates whole windows only; a sentence that is not always there, it cannot.
        language = self.hass.config.language
        translations = await async_get_translations(self.hass, language, category, {DOMAIN})
        return translations[f"component.{DOMAIN}.{category}.{key}"]


def _in_kilowatts(power: int) -> str:
    return f"{kilowatts(power):.2f}"
