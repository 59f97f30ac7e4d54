"""The windows by which a device is set up, and by which it is found again at another address."""

from typing import Any, Final, override

from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PORT, CONF_SCAN_INTERVAL
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow

from .address import address, address_of
from .const import (
    CONF_ALLOW_DEACTIVATING,
    CONF_CONTROL_MODE,
    CONF_MAX_EXPORT_LIMIT,
    CONF_MIN_EXPORT_LIMIT,
    CONF_PUT_BACK,
    CONF_SUM_OF_PHASES,
    CONF_TOTAL_CAPACITY,
    DEFAULT_HOST,
    DEFAULT_NAME,
    DEFAULT_PORT,
    DEFAULT_SCAN_INTERVAL,
    DOMAIN,
    ENTRY_VERSION,
    LOGGER,
    MAX_KILOWATTS,
)
from .data import Sec1000ConfigEntry
from .forms import CONNECTION_FIELDS, SETUP_FIELDS, checked, form
from .options_flow import Sec1000OptionsFlow
from .sec1000.client import Sec1000Client
from .sec1000.errors import (
    AnswerTimeoutError,
    ConnectionClosedError,
    ConnectionFailedError,
    HostNotFoundError,
    Sec1000Error,
)
from .sec1000.model import ExportSettings, kilowatts
from .tracking.pending import NoteKeeper
from .windows import ExportWindows

_DEFAULTS: Final = {
    CONF_NAME: DEFAULT_NAME,
    CONF_HOST: DEFAULT_HOST,
    CONF_PORT: DEFAULT_PORT,
    CONF_SCAN_INTERVAL: DEFAULT_SCAN_INTERVAL,
}

_ERRORS: Final[tuple[tuple[type[Sec1000Error], dict[str, str]], ...]] = (
    (AnswerTimeoutError, {"base": "no_answer"}),
    (HostNotFoundError, {CONF_HOST: "host_not_found"}),
    # Connected and hung up: something is there, and it does not know the question.
    (ConnectionClosedError, {"base": "not_sec1000"}),
    (ConnectionFailedError, {"base": "cannot_connect"}),
    (Sec1000Error, {"base": "not_sec1000"}),
)


class Sec1000ConfigFlow(ExportWindows, ConfigFlow, domain=DOMAIN):
    """Sets up a device, or changes its address. It reads from the device and writes nothing to it."""

    VERSION = ENTRY_VERSION

    _data: dict[str, Any]

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: Sec1000ConfigEntry) -> Sec1000OptionsFlow:
        return Sec1000OptionsFlow()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask where the device is, and ask the device what it holds."""
        values, errors = checked(user_input or {})
        if user_input is not None and not errors:
            held, errors = await self._ask_device(values)
            if held:
                self._data = {key: values[key] for key in (CONF_NAME, *CONNECTION_FIELDS)}
                self._held = held
                self._wanted = {
                    CONF_SCAN_INTERVAL: values[CONF_SCAN_INTERVAL],
                    **_suggestions(held),
                    CONF_PUT_BACK: False,
                    CONF_ALLOW_DEACTIVATING: False,
                }
                return await self.async_step_export_limits()
        return self.async_show_form(
            step_id="user",
            data_schema=form(SETUP_FIELDS, _DEFAULTS | values),
            errors=errors,
            last_step=False,
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for another address, and the device whether it is there."""
        entry = self._get_reconfigure_entry()
        if await NoteKeeper(self.hass, entry.entry_id).load():
            # What should hold has to be put back at the address where it was taken off.
            return self.async_abort(reason="limit_is_off")
        values, errors = checked(user_input or {})
        if user_input is not None and not errors:
            held, errors = await self._ask_device(values)
            if held:
                self._abort_if_taken(values)
                return self.async_update_reload_and_abort(entry, data_updates=values)
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=form(CONNECTION_FIELDS, {**entry.data, **values}),
            errors=errors,
            description_placeholders={"name": entry.title},
        )

    @override
    async def _finish(self) -> ConfigFlowResult:
        self._abort_if_taken(self._data)
        return self.async_create_entry(title=self._data[CONF_NAME], data=self._data, options=self._wanted)

    async def _ask_device(self, values: dict[str, Any]) -> tuple[ExportSettings | None, dict[str, str]]:
        """Return what the device at this address holds, or the errors that say why that is not known."""
        self._abort_if_taken(values)
        try:
            return await Sec1000Client(values[CONF_HOST], values[CONF_PORT]).identify(), {}
        except Sec1000Error as error:
            LOGGER.debug("No SEC1000/S was found at %s: %s", values[CONF_HOST], error)
            return None, next(errors for kind, errors in _ERRORS if isinstance(error, kind))
        except Exception:  # noqa: BLE001 - whatever it is, the window has to come back
            LOGGER.exception("Asking the device failed")
            return None, {"base": "unknown"}

    @callback
    def _abort_if_taken(self, values: dict[str, Any]) -> None:
        """End the flow where another entry has this host and port."""
        if any(
            address(values) == address_of(entry)
            for entry in self._async_current_entries(include_ignore=False)
            if entry.entry_id != self.context.get("entry_id")
        ):
            raise AbortFlow("already_configured")


def _suggestions(held: ExportSettings) -> dict[str, Any]:
    """Return export options that go with what the device holds, brought into range and order.

    A limit of 0 is no maximum that anybody wants to enable: export is just disabled then.
    """
    capacity = _in_range(held.capacity)
    return {
        CONF_MIN_EXPORT_LIMIT: 0.0,
        CONF_MAX_EXPORT_LIMIT: min(_in_range(held.limit) or capacity, capacity),
        CONF_TOTAL_CAPACITY: capacity,
        CONF_CONTROL_MODE: held.mode.key,
        CONF_SUM_OF_PHASES: True,
    }


def _in_range(power: int) -> float:
    return round(min(max(kilowatts(power), 0.0), MAX_KILOWATTS), 2)
