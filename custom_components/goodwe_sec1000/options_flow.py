"""The options: applied to the device, and saved once the device has proven to hold them."""

from collections.abc import Iterable
from typing import Any, override

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult, OptionsFlow
from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.exceptions import HomeAssistantError

from .const import CONF_ALLOW_DEACTIVATING, CONF_CONTROL_MODE, CONF_PUT_BACK, DEFAULT_SCAN_INTERVAL
from .data import Sec1000ConfigEntry
from .forms import CONTROL_FIELDS, GENERAL_FIELDS, LIMIT_FIELDS, checked, form
from .messages import reason
from .sec1000.model import ControlMode
from .windows import ExportWindows, NotFinishedError


class Sec1000OptionsFlow(ExportWindows, OptionsFlow):
    """Changes the options of an entry without reloading it."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for what the device has no part in."""
        entry: Sec1000ConfigEntry = self.config_entry
        if user_input is None:
            self._wanted = {
                CONF_SCAN_INTERVAL: DEFAULT_SCAN_INTERVAL,
                CONF_PUT_BACK: False,
                CONF_ALLOW_DEACTIVATING: False,
                **entry.options,
            }
            if entry.state is ConfigEntryState.LOADED:
                self._held = entry.runtime_data.coordinator.data.settings
        values, errors = checked(user_input or {})
        if user_input is not None and not errors:
            self._wanted |= values
            return await self.async_step_export_limits()
        return self.async_show_form(
            step_id="init",
            data_schema=form(GENERAL_FIELDS, self._wanted | values),
            errors=errors,
            last_step=False,
        )

    @override
    async def _finish(self) -> ConfigFlowResult:
        entry: Sec1000ConfigEntry = self.config_entry
        loaded = entry.state is ConfigEntryState.LOADED
        self.hass.config_entries.async_update_entry(
            entry, options={**entry.options, **self._chosen(GENERAL_FIELDS)}
        )
        if loaded:
            entry.runtime_data.coordinator.take_over_interval()
        export = self._chosen((*LIMIT_FIELDS, *CONTROL_FIELDS))
        if self._deactivates() or any(entry.options.get(key) != value for key, value in export.items()):
            if not loaded:
                raise NotFinishedError("not_loaded")
            try:
                await entry.runtime_data.export.apply_options(export)
            except HomeAssistantError as error:
                raise NotFinishedError("not_applied", reason(self.hass, error)) from error
        # All is saved already; the flow saves the same once more.
        return self.async_create_entry(data={**entry.options})

    def _deactivates(self) -> bool:
        """Tell whether a device that limits the export is to stop; no other action does that."""
        chosen = self._wanted[CONF_CONTROL_MODE]
        return (
            chosen == ControlMode.DEACTIVATED.key and self._held is not None and self._held.mode.key != chosen
        )

    def _chosen(self, fields: Iterable[str]) -> dict[str, Any]:
        return {key: self._wanted[key] for key in fields}
