"""Sensors: measured values, energy totals, the export limit, and the feedback of each action."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorExtraStoredData,
    SensorStateClass,
)
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import (
    STATE_OFF,
    STATE_ON,
    EntityCategory,
    Platform,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfPower,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.debounce import Debouncer
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.restore_state import RestoreEntity
from homeassistant.util import dt as dt_util

from .const import DOMAIN, LOGGER
from .coordinator import Snapshot, export_is_on
from .data import Sec1000ConfigEntry, Sec1000Data
from .entity import Sec1000Entity, Source
from .options import ExportOptions
from .sec1000.model import ExportSettings, Phases, Telemetry, kilowatts, watts
from .tracking.energy import RISING
from .tracking.feedback import Action
from .tracking.limit_test import LimitTestResult
from .tracking.quarter_hour import month_before, month_of
from .tracking.recorded_energy import async_recorded_total

PARALLEL_UPDATES = 0
WRITE_INTERVAL_S: Final = 60.0
"""How far apart the states of a sensor are whose value changes with every poll: each is a row in the
recorder."""

MONTH_CHECK_INTERVAL: Final = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class TelemetrySensorDescription(SensorEntityDescription):
    """A sensor that shows one measured value; unknown where that is None."""

    value: Callable[[Telemetry], float | None]


@dataclass(frozen=True, kw_only=True)
class EnergySensorDescription(SensorEntityDescription):
    """A sensor that shows an energy total."""

    kind: str
    """The name of the total in `Energy`."""


@dataclass(frozen=True, kw_only=True)
class FeedbackSensorDescription(SensorEntityDescription):
    """A sensor that shows the outcome of one action."""

    action: Action


@dataclass(frozen=True, kw_only=True)
class SettingsSensorDescription(SensorEntityDescription):
    """A sensor that shows one of the device's settings; unknown where that is None."""

    value: Callable[[ExportSettings], float | None]


def _power(key: str, value: Callable[[Telemetry], float | None]) -> TelemetrySensorDescription:
    return TelemetrySensorDescription(
        key=key,
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value=value,
    )


def _phase_sensors(index: int, phase: str) -> tuple[TelemetrySensorDescription, ...]:
    return (
        TelemetrySensorDescription(
            key=f"voltage_{phase}",
            device_class=SensorDeviceClass.VOLTAGE,
            native_unit_of_measurement=UnitOfElectricPotential.VOLT,
            state_class=SensorStateClass.MEASUREMENT,
            suggested_display_precision=1,
            value=lambda telemetry: telemetry.voltage[index],
        ),
        TelemetrySensorDescription(
            key=f"current_{phase}",
            device_class=SensorDeviceClass.CURRENT,
            native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
            state_class=SensorStateClass.MEASUREMENT,
            suggested_display_precision=2,
            value=lambda telemetry: telemetry.current[index],
        ),
        _power(f"power_{phase}", lambda telemetry: telemetry.power[index]),
    )


TELEMETRY_SENSORS: Final = (
    *(sensor for index, phase in enumerate(Phases._fields) for sensor in _phase_sensors(index, phase)),
    _power("meter_power", lambda telemetry: telemetry.meter_power),
    _power("inverter_power", lambda telemetry: telemetry.inverter_power),
    _power("load_power", lambda telemetry: telemetry.load_power),
)

SETTINGS_SENSORS: Final = (
    SettingsSensorDescription(
        key="export_limit",
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.KILO_WATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
        value=lambda settings: None if settings.limit is None else kilowatts(settings.limit),
    ),
)

TEMPORARY_LIMIT_ENDS: Final = SensorEntityDescription(
    key="temporary_limit_ends", device_class=SensorDeviceClass.TIMESTAMP
)

QUARTER_HOUR_EXPORT: Final = SensorEntityDescription(
    key="quarter_hour_export",
    device_class=SensorDeviceClass.POWER,
    native_unit_of_measurement=UnitOfPower.KILO_WATT,
    state_class=SensorStateClass.MEASUREMENT,
    suggested_display_precision=2,
    entity_registry_enabled_default=False,
)
HIGHEST_QUARTER_HOUR_EXPORT: Final = SensorEntityDescription(
    key="highest_quarter_hour_export",
    device_class=SensorDeviceClass.POWER,
    native_unit_of_measurement=UnitOfPower.KILO_WATT,
    state_class=SensorStateClass.MEASUREMENT,
    suggested_display_precision=2,
)
LAST_LIMIT_TEST: Final = SensorEntityDescription(
    key="last_limit_test",
    entity_category=EntityCategory.DIAGNOSTIC,
    device_class=SensorDeviceClass.ENUM,
    options=[result.value for result in LimitTestResult],
)

FEEDBACK_SENSORS: Final = tuple(
    FeedbackSensorDescription(
        key=f"{'set_date_and_time' if action is Action.SET_DATETIME else action}_feedback",
        entity_category=EntityCategory.DIAGNOSTIC,
        action=action,
    )
    for action in Action
)

ENERGY_SENSORS: Final = tuple(
    EnergySensorDescription(
        key=f"energy_{kind}",
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        # One that never falls may be that of a replaced device: its fall is no energy taken back.
        state_class=SensorStateClass.TOTAL_INCREASING if kind in RISING else SensorStateClass.TOTAL,
        suggested_display_precision=2,
        kind=kind,
    )
    for kind in ("exported", "imported", "produced", "consumed")
)


async def async_setup_entry(
    hass: HomeAssistant, entry: Sec1000ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors of one device."""
    data = entry.runtime_data
    async_add_entities(
        [
            *(TelemetrySensor(data, description) for description in TELEMETRY_SENSORS),
            *(EnergySensor(data, description) for description in ENERGY_SENSORS),
            QuarterHourExportSensor(data, QUARTER_HOUR_EXPORT),
            HighestQuarterHourExportSensor(data, HIGHEST_QUARTER_HOUR_EXPORT),
            *(SettingsSensor(data, description) for description in SETTINGS_SENSORS),
            TemporaryLimitEndsSensor(data, TEMPORARY_LIMIT_ENDS),
            LastLimitTestSensor(data, LAST_LIMIT_TEST),
            *(FeedbackSensor(data, description) for description in FEEDBACK_SENSORS),
            *legacy_sensors(hass, data),
        ]
    )


class Sec1000Sensor(Sec1000Entity, SensorEntity):
    """The base of all sensors."""

    _platform = Platform.SENSOR


class AlwaysAvailableSensor(Sec1000Sensor):
    """A sensor of what Home Assistant keeps; available whether or not the device is."""

    @property
    @override
    def available(self) -> bool:
        return True


class TelemetrySensor(Sec1000Sensor):
    """One measured value; unavailable where the last poll failed, unknown where it is impossible."""

    entity_description: TelemetrySensorDescription

    @property
    @override
    def available(self) -> bool:
        return self.coordinator.data.telemetry is not None

    @property
    @override
    def native_value(self) -> float | None:
        telemetry = self.coordinator.data.telemetry
        return None if telemetry is None else self.entity_description.value(telemetry)


class ThrottledSensor(Sec1000Sensor):
    """A sensor whose value changes with every poll, calculated from many.

    The state is written at most once a minute, and when the entry is unloaded or Home Assistant stops.
    """

    @override
    async def async_added_to_hass(self) -> None:
        self._writes = Debouncer(
            self.hass,
            LOGGER,
            cooldown=WRITE_INTERVAL_S,
            immediate=True,
            function=self.async_write_ha_state,
        )
        self.async_on_remove(self._writes.async_shutdown)
        await super().async_added_to_hass()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        if self.hass.is_stopping:
            # Also for what the device responds after the stop.
            self._writes.async_shutdown()
            self.async_write_ha_state()
        elif not self.available or self.coordinator.config_entry.state is ConfigEntryState.UNLOAD_IN_PROGRESS:
            self._writes.async_cancel()
            self.async_write_ha_state()
        else:
            self._writes.async_schedule_call()


class EnergySensor(ThrottledSensor, RestoreEntity):
    """Energy total since setup; available from the first measurement on, whether or not the device is."""

    entity_description: EnergySensorDescription
    _is_restored = False

    @override
    async def async_added_to_hass(self) -> None:
        """Take over what Home Assistant knows and the file on disk does not, as after a power cut."""
        await super().async_added_to_hass()
        if self._is_restored:
            # Added again under another entity id; what is stored under that one is another sensor's.
            return
        self._is_restored = True
        coordinator, kind = self.coordinator, self.entity_description.kind
        if (total := await self._async_stored_by_0_1_0()) is not None:
            await coordinator.restore_energy(kind, total)
        energy, since = coordinator.data.energy, coordinator.energy_totals.loaded_from
        if energy is None or since is None:
            return
        total = await async_recorded_total(self.hass, self.entity_id, since, getattr(energy, kind))
        if total is not None:
            await coordinator.restore_energy(kind, total)

    async def _async_stored_by_0_1_0(self) -> int | None:
        """Return the total (Wh) in Home Assistant's restored state, where it is newer than the file.

        0.1.0 saved its totals once a day, and that state more often. This class stores nothing of its own
        there, so that it is found once.
        """
        state, extra = await self.async_get_last_state(), await self.async_get_last_extra_data()
        saved_at = self.coordinator.energy_totals.loaded_from
        if state is None or extra is None or (saved_at and state.last_updated <= saved_at):
            return None
        last = SensorExtraStoredData.from_dict(extra.as_dict())
        if last is None or not isinstance(last.native_value, int | float | Decimal):
            return None
        return watts(float(last.native_value))

    @property
    @override
    def available(self) -> bool:
        return self.coordinator.data.energy is not None

    @property
    @override
    def native_value(self) -> float | None:
        energy = self.coordinator.data.energy
        return None if energy is None else kilowatts(getattr(energy, self.entity_description.kind))


class QuarterHourExportSensor(ThrottledSensor):
    """The mean export since the quarter hour began; unavailable where the last poll failed."""

    _unrecorded_attributes = frozenset({"covered", "projected"})

    @property
    @override
    def available(self) -> bool:
        return self.coordinator.data.telemetry is not None

    @property
    @override
    def native_value(self) -> float | None:
        current = self.coordinator.data.quarter_hours.current
        return _rounded_kilowatts(current.mean) if current else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        current = self.coordinator.data.quarter_hours.current
        return {
            "projected": _rounded_kilowatts(current.projected) if current else None,
            "covered": round(100 * current.covered) if current else 0,
        }


class HighestQuarterHourExportSensor(AlwaysAvailableSensor):
    """The highest quarter hour of this month; unknown until one counts."""

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()

        @callback
        def show_month(_now: datetime) -> None:
            self.async_write_ha_state()

        # A new month begins also while the device is silent.
        self.async_on_remove(
            async_track_time_interval(self.hass, show_month, MONTH_CHECK_INTERVAL, cancel_on_shutdown=True)
        )

    @property
    @override
    def native_value(self) -> float | None:
        highest = self.coordinator.data.quarter_hours.highest_of(month_of(dt_util.utcnow()))
        return _rounded_kilowatts(highest.mean) if highest else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        quarter_hours, month = self.coordinator.data.quarter_hours, month_of(dt_util.utcnow())
        highest, before = quarter_hours.highest_of(month), quarter_hours.highest_of(month_before(month))
        return {
            "when": dt_util.as_local(dt_util.utc_from_timestamp(highest.start)) if highest else None,
            "last_month": _rounded_kilowatts(before.mean) if before else None,
        }


def _rounded_kilowatts(power: float | None) -> float | None:
    return None if power is None else kilowatts(round(power))


class SettingsSensor(Sec1000Sensor):
    """One value of the export settings; unavailable where they were not read for three minutes.

    While the limit is off it is unknown.

    While polling is disabled it stays, and an attribute says when it was read.
    """

    entity_description: SettingsSensorDescription
    _source = Source.SETTINGS
    _unrecorded_attributes = frozenset({"read_at"})

    @property
    @override
    def available(self) -> bool:
        return self.coordinator.data.has_settings

    @property
    @override
    def native_value(self) -> float | None:
        settings = self.coordinator.data.held
        return None if settings is None else self.entity_description.value(settings)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        read_at = self.coordinator.data.settings_read_at
        return {"read_at": read_at} if read_at else None


class TemporaryLimitEndsSensor(AlwaysAvailableSensor):
    """When the limit ends by itself; unknown where it stands."""

    _source = Source.SETTINGS

    @property
    @override
    def native_value(self) -> datetime | None:
        temporary = self.coordinator.data.temporary
        return temporary.ends if temporary else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        temporary = self.coordinator.data.temporary
        return {
            "limit": kilowatts(temporary.limit) if temporary else None,
            "then": kilowatts(temporary.then) if temporary else None,
        }


class LastLimitTestSensor(AlwaysAvailableSensor):
    """How the last test of the limit ended; unknown before the first."""

    @property
    @override
    def native_value(self) -> str | None:
        record = self.coordinator.data.limit_test
        return record.finding.result.value if record else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        record = self.coordinator.data.limit_test
        return {**record.attributes, "tested_at": record.at} if record else {}


class FeedbackSensor(AlwaysAvailableSensor):
    """The bitmap of one action."""

    entity_description: FeedbackSensorDescription

    @property
    @override
    def native_value(self) -> int:
        return int(self.coordinator.data.feedback[self.entity_description.action].feedback)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        record = self.coordinator.data.feedback[self.entity_description.action]
        return {
            "flags": record.feedback.flags,
            "message": record.message,
            "detail": record.detail,
            "attempts": record.attempts,
            "overcome": list(record.recovered_errors),
            "when": dt_util.as_local(record.when) if record.when else None,
        }


@dataclass(frozen=True, kw_only=True)
class LegacySensorDescription(SensorEntityDescription):
    """A sensor that is on or off; unavailable where its value is None."""

    value: Callable[[Snapshot, ExportOptions], bool | None]


LEGACY_SENSORS: Final = (
    LegacySensorDescription(key="export_state", value=export_is_on),
    LegacySensorDescription(key="module_started", value=lambda snapshot, _options: snapshot.answered),
)


def legacy_sensors(hass: HomeAssistant, data: Sec1000Data) -> Iterator[LegacySensor]:
    """Yield those of them that are in the entity registry."""
    registry = er.async_get(hass)
    for description in LEGACY_SENSORS:
        sensor = LegacySensor(data, description)
        if registry.async_get_entity_id(Platform.SENSOR, DOMAIN, str(sensor.unique_id)):
            yield sensor


class LegacySensor(Sec1000Sensor):
    """On or off, as a sensor, only where an installation of the older integration has it.

    A registered entity cannot change its kind, and automations name it.
    """

    entity_description: LegacySensorDescription
    _source = Source.SETTINGS
    _attr_device_class = SensorDeviceClass.ENUM
    _attr_options = [STATE_ON, STATE_OFF]  # noqa: RUF012 - Home Assistant's own type

    @property
    @override
    def available(self) -> bool:
        return self.native_value is not None

    @property
    @override
    def native_value(self) -> str | None:
        value = self.entity_description.value(self.coordinator.data, self.coordinator.options)
        return None if value is None else STATE_ON if value else STATE_OFF
