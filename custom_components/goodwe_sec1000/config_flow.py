"""The flows: setup and reconfigure, which write nothing to the device, and the options, which do."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from itertools import chain, count
from typing import Any, Final, override

from homeassistant.config_entries import (
    ConfigEntryBaseFlow,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlow,
)
from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PORT, CONF_SCAN_INTERVAL
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import slugify

from .address import address, address_of, is_same_device
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
from .control.restore import placeholders
from .data import Sec1000ConfigEntry
from .device import device_name, name_at_setup
from .forms import (
    CONF_GO_BACK,
    CONNECTION_FIELDS,
    CONTROL_FIELDS,
    GENERAL_FIELDS,
    LIMIT_FIELDS,
    SETUP_FIELDS,
    form,
    form_after_another,
    validate,
)
from .messages import async_load_texts, format_kw, format_settings, mode_name, reason, sentences, text
from .sec1000.asker import asked_by
from .sec1000.client import Sec1000Client
from .sec1000.errors import (
    AnswerTimeoutError,
    ConnectionClosedError,
    ConnectionFailedError,
    HostNotFoundError,
    NotStoredError,
    Sec1000Error,
)
from .sec1000.model import ControlMode, ExportSettings, kilowatts, watts
from .sec1000.setting_write import TOLERANCE_W, is_about
from .tracking.pending import PendingRestoreStore

_DEFAULTS: Final = {
    CONF_HOST: DEFAULT_HOST,
    CONF_PORT: DEFAULT_PORT,
    CONF_SCAN_INTERVAL: DEFAULT_SCAN_INTERVAL,
}

_ERRORS: Final[tuple[tuple[type[Sec1000Error], dict[str, str]], ...]] = (
    (AnswerTimeoutError, {"base": "no_answer"}),
    (HostNotFoundError, {CONF_HOST: "host_not_found"}),
    # Connected, then closed: something listens there that does not speak the protocol.
    (ConnectionClosedError, {"base": "not_sec1000"}),
    (ConnectionFailedError, {"base": "cannot_connect"}),
    (Sec1000Error, {"base": "not_sec1000"}),
)


class StepFailedError(Exception):
    """The last step could not be finished; it is shown again with this error."""

    def __init__(self, key: str, reason: str = "") -> None:
        super().__init__(key)
        self.key = key
        self.reason = reason


class ExportSteps(ConfigEntryBaseFlow, ABC):
    """The steps on export, with which both flows end."""

    _wanted: dict[str, Any]
    """The options as chosen so far."""
    _confirmed_maximum: float | None = None
    """The maximum export limit (kW) below 0 that needs no question any more."""
    _held: ExportSettings | None = None
    """The current settings of the device; None where they are unknown."""

    @abstractmethod
    async def _finish(self) -> ConfigFlowResult:
        """Apply what was chosen and end the flow; raises StepFailedError."""

    @callback
    def _refresh(self) -> None:
        """Take over what has changed since the step before was shown."""

    @callback
    def _choose(self, values: Mapping[str, Any]) -> None:
        """Take over what was submitted."""
        self._wanted |= values

    @abstractmethod
    async def _show_first(self) -> ConfigFlowResult:
        """Show the step before these, with what was submitted there."""

    async def async_step_export_limits(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user set minimum, maximum and total capacity."""
        values, errors = validate(user_input or {})
        goes_back = values.pop(CONF_GO_BACK, False)
        is_valid = user_input is not None and not errors
        if is_valid:
            self._choose(values)
        if goes_back:
            return await self._show_first()
        if is_valid:
            if 0 > values[CONF_MAX_EXPORT_LIMIT] != self._confirmed_maximum:
                return await self.async_step_confirm_below_zero()
            return await self.async_step_control()
        self._refresh()
        return self.async_show_form(
            step_id="export_limits",
            data_schema=form_after_another(LIMIT_FIELDS, self._wanted | values),
            errors=errors,
            description_placeholders={"held": await self._describe_device()},
            last_step=False,
        )

    async def async_step_confirm_below_zero(self, _input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether even an enabled export is to be an import."""
        maximum = watts(self._wanted[CONF_MAX_EXPORT_LIMIT])
        return self.async_show_menu(
            step_id="confirm_below_zero",
            menu_options=["export_limits", "below_zero"],
            description_placeholders={
                "maximum": format_kw(self.hass, maximum),
                "import": format_kw(self.hass, -maximum),
            },
        )

    async def async_step_below_zero(self, _input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Go on with a maximum below 0."""
        self._confirmed_maximum = self._wanted[CONF_MAX_EXPORT_LIMIT]
        return await self.async_step_control()

    async def async_step_control(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user choose control mode and measurement."""
        if user_input is None:
            return await self._show_control()
        values = dict(user_input)
        goes_back = values.pop(CONF_GO_BACK)
        self._choose(values)
        if goes_back:
            return await self.async_step_export_limits()
        if self._wanted[CONF_CONTROL_MODE] == ControlMode.DEACTIVATED.key:
            return await self.async_step_confirm_deactivated()
        return await self._finish_or_reshow()

    async def async_step_confirm_deactivated(self, _input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether nothing is to limit the export."""
        return self.async_show_menu(step_id="confirm_deactivated", menu_options=["control", "deactivate"])

    async def async_step_deactivate(self, _input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Finish with the mode in which nothing limits the export."""
        return await self._finish_or_reshow()

    async def _finish_or_reshow(self) -> ConfigFlowResult:
        try:
            return await self._finish()
        except StepFailedError as error:
            return await self._show_control(error)

    async def _show_control(self, error: StepFailedError | None = None) -> ConfigFlowResult:
        self._refresh()
        return self.async_show_form(
            step_id="control",
            data_schema=form_after_another(CONTROL_FIELDS, self._wanted),
            errors={"base": error.key} if error else None,
            description_placeholders={
                "held": await self._describe_device(),
                "reason": error.reason if error else "",
            },
        )

    async def _describe_device(self) -> str:
        """Return the current settings of the device, and where they differ from the ones of this flow.

        The frontend translates whole steps only, not a sentence that is not always there.
        """
        await async_load_texts(self.hass)
        sentences = [format_settings(self.hass, self._held)]
        if held := self._held:
            mode = ControlMode.from_key(self._wanted[CONF_CONTROL_MODE])
            minimum, maximum, capacity = (watts(self._wanted[key]) for key in LIMIT_FIELDS)
            if held.mode is not mode:
                sentences.append(text(self.hass, "common", "mode_differs", mode=mode_name(self.hass, mode)))
            if held.limit is None or not minimum - TOLERANCE_W < held.limit < maximum + TOLERANCE_W:
                bounds = {"minimum": format_kw(self.hass, minimum), "maximum": format_kw(self.hass, maximum)}
                sentences.append(text(self.hass, "common", "limit_differs", **bounds))
            if not is_about(held.capacity, capacity):
                sentences.append(
                    text(self.hass, "common", "capacity_differs", capacity=format_kw(self.hass, capacity))
                )
        return " ".join(sentences)


class Sec1000ConfigFlow(ExportSteps, ConfigFlow, domain=DOMAIN):
    """Sets up a device, or changes its address; reads from the device and writes nothing to it."""

    VERSION = ENTRY_VERSION

    def __init__(self) -> None:
        self._data: dict[str, Any] = {}

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: Sec1000ConfigEntry) -> Sec1000OptionsFlow:
        return Sec1000OptionsFlow()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user enter name and address, and read the device's settings."""
        values, errors = validate(user_input or {})
        if CONF_NAME in values and CONF_NAME not in errors and self._is_taken(values[CONF_NAME]):
            errors[CONF_NAME] = "name_taken"
        if user_input is not None and not errors:
            held, errors = await self._ask_device(values)
            if held:
                self._held = held
                if not self._data or address(values) != address(self._data):
                    # The first device, or another one after a step back.
                    self._wanted = _suggestions(held)
                self._wanted[CONF_SCAN_INTERVAL] = values[CONF_SCAN_INTERVAL]
                self._data = {key: values[key] for key in (CONF_NAME, *CONNECTION_FIELDS)}
                return await self.async_step_export_limits()
        return self._show_user({CONF_NAME: self._free_name()} | _DEFAULTS | values, errors)

    @callback
    def _show_user(self, values: Mapping[str, Any], errors: dict[str, str] | None = None) -> ConfigFlowResult:
        return self.async_show_form(
            step_id="user", data_schema=form(SETUP_FIELDS, values), errors=errors, last_step=False
        )

    @override
    async def _show_first(self) -> ConfigFlowResult:
        return self._show_user(self._wanted | self._data)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user change the address, and check that a device responds there."""
        entry = self._get_reconfigure_entry()
        values, errors = validate(user_input or {})
        if user_input is not None and not errors:
            held, errors = await self._ask_device(values)
            if held:
                await self._abort_if_taken(values)
                self._data = values
                # Asked last: a reset may have begun while the device was waited for.
                pending = (await self._pending_restore(entry)).current
                if pending and not pending.is_at(values[CONF_HOST], values[CONF_PORT]):
                    return await self.async_step_pending_restore()
                return self.async_update_reload_and_abort(entry, data_updates=values)
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=form(CONNECTION_FIELDS, {**entry.data, **values}),
            errors=errors,
            description_placeholders={"name": device_name(self.hass, entry)},
        )

    async def async_step_pending_restore(self, _input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether the device whose limit is off is the one at the new address."""
        entry = self._get_reconfigure_entry()
        pending = (await self._pending_restore(entry)).current
        if pending is None:
            # Restored meanwhile.
            return self.async_update_reload_and_abort(entry, data_updates=self._data)
        return self.async_show_menu(
            step_id="pending_restore",
            menu_options=["same_device", "another_device"],
            description_placeholders={
                **placeholders(self.hass, device_name(self.hass, entry), pending),
                "host": pending.host,
                "new_host": self._data[CONF_HOST],
            },
        )

    async def async_step_same_device(self, _input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the limit be restored at the new address, on disk before the address is saved."""
        entry = self._get_reconfigure_entry()
        store = await self._pending_restore(entry)
        try:
            await store.move(self._data[CONF_HOST], self._data[CONF_PORT])
        except NotStoredError as error:
            return self.async_abort(
                reason="not_stored", description_placeholders={"reason": reason(self.hass, error)}
            )
        return self.async_update_reload_and_abort(entry, data_updates=self._data)

    async def async_step_another_device(self, _input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Save the new address; the limit is restored at the old one only."""
        return self.async_update_reload_and_abort(self._get_reconfigure_entry(), data_updates=self._data)

    async def _pending_restore(self, entry: Sec1000ConfigEntry) -> PendingRestoreStore:
        """Return what is pending; that of a loaded entry belongs to its coordinator."""
        if entry.state is ConfigEntryState.LOADED:
            return entry.runtime_data.coordinator.pending
        store = PendingRestoreStore(self.hass, entry.entry_id)
        await store.load()
        return store

    @override
    async def _finish(self) -> ConfigFlowResult:
        await self._abort_if_taken(self._data)
        return self.async_create_entry(title=self._data[CONF_NAME], data=self._data, options=self._wanted)

    async def _ask_device(self, values: dict[str, Any]) -> tuple[ExportSettings | None, dict[str, str]]:
        """Return the settings of the device at this address, or the errors of the form."""
        await self._abort_if_taken(values)
        try:
            with asked_by("form"):
                return await Sec1000Client(values[CONF_HOST], values[CONF_PORT]).identify(), {}
        except Sec1000Error as error:
            LOGGER.debug("No SEC1000/S was found at %s: %s", values[CONF_HOST], error)
            return None, next(errors for kind, errors in _ERRORS if isinstance(error, kind))
        except Exception:  # noqa: BLE001 - on any error the form has to be shown again
            LOGGER.exception("Reading the device failed")
            return None, {"base": "unknown"}

    def _is_taken(self, name: str) -> bool:
        """Return whether another device has this name, or entity ids that start with it."""
        return any(
            slugify(name) == slugify(taken)
            for entry in self._async_current_entries(include_ignore=False)
            for taken in (device_name(self.hass, entry), name_at_setup(entry))
        )

    def _free_name(self) -> str:
        names = chain([DEFAULT_NAME], (f"{DEFAULT_NAME} {number}" for number in count(2)))
        return next(name for name in names if not self._is_taken(name))

    async def _abort_if_taken(self, values: dict[str, Any]) -> None:
        """Abort the flow where another entry leads to the device at this host and port."""
        for entry in self._async_current_entries(include_ignore=False):
            if entry.entry_id == self.context.get("entry_id"):
                continue
            if await is_same_device(address(values), address_of(entry)):
                raise AbortFlow("already_configured")


class Sec1000OptionsFlow(ExportSteps, OptionsFlow):
    """Changes the options of an entry without reloading it, and only those that were changed in a step."""

    def __init__(self) -> None:
        self._shown: dict[str, Any] = {}
        """What was stored when the step was shown. It may be something else when the step is submitted."""
        self._changed: dict[str, Any] = {}
        """What was submitted with another value than was stored when its step was shown."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user set the options that are not written to the device."""
        values, errors = validate(user_input or {})
        if user_input is not None and not errors:
            self._choose(values)
            self._confirmed_maximum = self.config_entry.options[CONF_MAX_EXPORT_LIMIT]
            return await self.async_step_export_limits()
        self._refresh()
        return self.async_show_form(
            step_id="init",
            data_schema=form(GENERAL_FIELDS, self._wanted | values),
            errors=errors,
            last_step=False,
        )

    @override
    async def _show_first(self) -> ConfigFlowResult:
        return await self.async_step_init()

    @callback
    @override
    def _refresh(self) -> None:
        entry: Sec1000ConfigEntry = self.config_entry
        self._shown = {
            CONF_SCAN_INTERVAL: DEFAULT_SCAN_INTERVAL,
            CONF_PUT_BACK: False,
            CONF_ALLOW_DEACTIVATING: False,
            **entry.options,
        }
        self._wanted = {**self._shown, **self._changed}
        if entry.state is ConfigEntryState.LOADED:
            self._held = entry.runtime_data.coordinator.data.held

    @callback
    @override
    def _choose(self, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            if value == self._shown.get(key):
                # Not changed, or changed back in a step that was shown once more.
                self._changed.pop(key, None)
            else:
                self._changed[key] = value
        super()._choose(values)

    @override
    async def _finish(self) -> ConfigFlowResult:
        entry: Sec1000ConfigEntry = self.config_entry
        loaded = entry.state is ConfigEntryState.LOADED
        self.hass.config_entries.async_update_entry(
            entry, options={**entry.options, **self._chosen(GENERAL_FIELDS)}
        )
        if loaded:
            entry.runtime_data.coordinator.apply_scan_interval()
        export = self._chosen((*LIMIT_FIELDS, *CONTROL_FIELDS))
        if self._deactivates(changes_others=bool(export)):
            export[CONF_CONTROL_MODE] = ControlMode.DEACTIVATED.key
        # Whether that is a change is decided in the order of the commands, some of which may wait.
        if export:
            if not loaded:
                raise StepFailedError("not_loaded")
            try:
                await entry.runtime_data.export.apply_options(export)
            except HomeAssistantError as error:
                raise StepFailedError("not_applied", sentences(self.hass, error)) from error
        # The options are saved already; the flow saves the same once more.
        return self.async_create_entry(data={**entry.options})

    def _deactivates(self, *, changes_others: bool) -> bool:
        """Return whether a device that limits the export, or may do so, is to stop.

        No other step does that, and this one comes after its confirmation.
        """
        entry: Sec1000ConfigEntry = self.config_entry
        chosen = self._wanted[CONF_CONTROL_MODE]
        if chosen != ControlMode.DEACTIVATED.key or entry.state is not ConfigEntryState.LOADED:
            return False
        snapshot = entry.runtime_data.coordinator.data
        held = snapshot.settings
        # What is suspended comes back, and a command that runs or waits may arm a mode. Where something is
        # written, this is as well: another program may have armed one since the last read.
        may_limit = snapshot.pending_restore is not None or entry.runtime_data.export.is_busy
        return changes_others or may_limit or held is None or held.mode.key != chosen

    def _chosen(self, fields: Iterable[str]) -> dict[str, Any]:
        """Return what was changed of these options, and what an older release did not store."""
        stored = self.config_entry.options
        return {key: self._wanted[key] for key in fields if key in self._changed or key not in stored}


def _suggestions(held: ExportSettings) -> dict[str, Any]:
    """Return options that match the device's settings, brought into range and order.

    A limit of 0 is not suggested as the maximum: export is just disabled then. In place of what the device
    cannot hold, the largest is suggested.
    """
    capacity = MAX_KILOWATTS if held.capacity is None else _in_range(held.capacity)
    limit = 0.0 if held.limit is None else _in_range(held.limit)
    return {
        CONF_MIN_EXPORT_LIMIT: 0.0,
        CONF_MAX_EXPORT_LIMIT: min(limit or capacity, capacity),
        CONF_TOTAL_CAPACITY: capacity,
        CONF_CONTROL_MODE: held.mode.key,
        CONF_SUM_OF_PHASES: True,
        CONF_PUT_BACK: False,
        CONF_ALLOW_DEACTIVATING: False,
    }


def _in_range(power: int) -> float:
    return round(min(max(kilowatts(power), 0.0), MAX_KILOWATTS), 2)
