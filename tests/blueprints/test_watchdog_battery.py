"""The watchdog blueprint in a house with a battery, which hides a throttling from inverter power and grid."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Phases
from simulator import CAPTURED, House, Simulator
from simulator.house import Load
from tests.states import get_state, show_in
from tests.virtual_time.timewarp import TimeWarp

from .home import Home
from .watchdog import BLUEPRINT, CALM_S, inputs, resets, sun

pytestmark = pytest.mark.slow

PANELS: Final = "sensor.goodwe_pv_power"
BATTERY: Final = "sensor.goodwe_battery_power"
BOTH: Final = {"pv_power": [PANELS], "battery_power": [BATTERY]}
ONLY_PANELS: Final = {"pv_power": [PANELS]}
ONLY_BATTERY: Final = {"battery_power": [BATTERY]}
each_choice: Final = pytest.mark.parametrize(
    "sensors", [BOTH, ONLY_PANELS, ONLY_BATTERY], ids=["both", "panels", "battery"]
)
READ_SETTINGS: Final = 0x43
REFRESH_S: Final = 10
"""Of Home Assistant's integration of the inverters."""

type Sensors = Mapping[str, list[str]]


@pytest.fixture
async def sim(warp: TimeWarp) -> AsyncIterator[Simulator]:
    """Run a device in a house with a battery, at noon."""
    house = House(start=12, clouds=False, load=Load(appliances=()), battery=10_000)
    async with Simulator(house=house) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
async def _noon(hass: HomeAssistant) -> None:
    await hass.config.async_set_time_zone("UTC")
    sun(hass, 50)


def show(hass: HomeAssistant, panels: float | str, battery: float | str, unit: str = "W") -> None:
    """Let the sensors of the inverters show this."""
    attributes = {"unit_of_measurement": unit, "device_class": "power"}
    hass.states.async_set(PANELS, str(panels), attributes)
    hass.states.async_set(BATTERY, str(battery), attributes)


@asynccontextmanager
async def shown(show_house: Callable[[], None]) -> AsyncIterator[None]:
    """Refresh the sensors of the inverters all the time."""

    async def refresh() -> None:
        while True:
            show_house()
            await asyncio.sleep(REFRESH_S)

    task = asyncio.create_task(refresh())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def throttling(sim: Simulator) -> bool:
    return sim.house.watchdog.throttling


def measure(sim: Simulator, inverters: int, meter: int) -> None:
    """Let the device report this; the rest of the telemetry is never twice the same."""
    volts = 230 + len(sim.requests) % 50 / 10
    sim.hold(
        replace(
            CAPTURED,
            voltage=Phases(volts, volts, volts),
            inverter_power=inverters,
            meter_power=meter,
        )
    )


async def collapse(
    hass: HomeAssistant,
    sim: Simulator,
    *,
    panels: tuple[float, float] = (9_000, 900),
    battery: tuple[float, float] = (0, 8_000),
    inverters: tuple[int, int] = (9_000, 8_900),
    meter: tuple[int, int] = (0, 0),
    unit: str = "W",
    seconds: int = 130,
) -> None:
    """Show values before and after a collapse, the first ones for a time of calm."""
    scale = {"W": 1, "kW": 0.001, "MW": 0.000_001}[unit]
    for moment, duration in ((0, CALM_S), (1, seconds)):
        show(hass, panels[moment] * scale, battery[moment] * scale, unit)
        for _ in range(0, duration, 5):
            measure(sim, inverters[moment], meter[moment])
            await asyncio.sleep(5)


@each_choice
async def test_throttled_panels_are_freed(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, sensors: Sensors
) -> None:
    """The case that the author of the reset describes: inverter power and grid hardly tell of it."""
    await home.automate(BLUEPRINT, inputs(**sensors))
    async with shown(lambda: show(hass, round(sim.house.pv_power), round(sim.house.battery.power))):
        await asyncio.sleep(CALM_S)
        inverters = sim.house.inverter_power
        sim.event("heater-on")
        await asyncio.sleep(35)
        assert throttling(sim)
        assert sim.house.inverter_power > 0.8 * inverters
        assert sim.house.meter_power == pytest.approx(0, abs=50)
        assert sim.house.battery.power > 8_000
        await asyncio.sleep(75)
        assert resets(sim) == 1
        assert not throttling(sim)
        await asyncio.sleep(30)
        assert sim.house.battery.power <= 0
        assert sim.house.meter_power == pytest.approx(10_000, abs=50)
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 10_000)


async def test_without_sensors_of_the_inverters_nothing_is_seen(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    automation = await home.automate(BLUEPRINT, inputs())
    await asyncio.sleep(CALM_S)
    sim.event("heater-on")
    await asyncio.sleep(200)
    assert resets(sim) == 0
    assert get_state(hass, automation).attributes["last_triggered"] is None


@each_choice
@pytest.mark.parametrize("scan_interval", [10, 30, 300])
async def test_load_step_without_throttling_is_no_collapse(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sim: Simulator,
    home: Home,
    sensors: Sensors,
    scan_interval: int,
) -> None:
    """The battery helps at once, and the device tells the inverter power only half a minute later."""
    measure(sim, 5_000, 4_000)
    hass.config_entries.async_update_entry(entry, options={**entry.options, "scan_interval": scan_interval})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await home.automate(BLUEPRINT, inputs(**sensors))
    await collapse(
        hass,
        sim,
        panels=(5_000, 5_000),
        battery=(0, 4_000),
        inverters=(5_000, 5_000),
        meter=(4_000, 0),
        seconds=30,
    )
    for _ in range(40):
        measure(sim, 9_000, 0)
        await asyncio.sleep(5)
    assert home.calls == []


async def test_inverter_power_that_is_not_refreshed_yet_is_not_used(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    """It is polled 10 s after the load step, and not again for 5 min."""
    measure(sim, 5_000, 4_000)
    hass.config_entries.async_update_entry(entry, options={**entry.options, "scan_interval": 300})
    assert await hass.config_entries.async_setup(entry.entry_id)
    automation = await home.automate(BLUEPRINT, inputs(**ONLY_BATTERY))
    show(hass, 5_000, 0)
    await asyncio.sleep(290)
    show(hass, 5_000, 4_000)
    measure(sim, 5_000, 0)
    await asyncio.sleep(200)
    assert get_state(hass, "sensor.sec1000_meter_power").state == "0"
    assert get_state(hass, automation).attributes["last_triggered"] is not None
    assert home.calls == []


async def test_cloud_over_house_without_battery_is_no_collapse(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs(**ONLY_PANELS))
    await collapse(hass, sim, inverters=(9_000, 9_000), meter=(8_000, -100), seconds=30)
    for _ in range(40):
        measure(sim, 900, -100)
        await asyncio.sleep(5)
    assert home.calls == []


@pytest.mark.parametrize(
    ("changed", "shown_", "expected"),
    [
        ({}, {}, 1),
        ({}, {"panels": (9_000, 1_800)}, 1),
        ({}, {"panels": (9_000, 1_850)}, 0),
        ({"collapsed_to": 30}, {"panels": (9_000, 2_600)}, 1),
        ({}, {"panels": (990, 90)}, 0),
        ({}, {"panels": (1_000, 90)}, 1),
        ({"power_before": 500}, {"panels": (990, 90)}, 1),
        ({}, {"battery": (0, 500)}, 1),
        ({}, {"battery": (0, 490)}, 0),
        ({"battery_above": 400}, {"battery": (0, 490)}, 1),
        ({"battery_above": 9_000}, {}, 0),
        ({"discharge_negative": True}, {"battery": (0, -8_000)}, 1),
        ({"discharge_negative": True}, {}, 0),
        ({}, {"battery": (0, -8_000)}, 0),
        ({"import_above": 100_000}, {}, 1),
        ({}, {"battery": (0, 0), "meter": (0, -500)}, 1),
        ({}, {"battery": (0, 0), "meter": (0, -490)}, 0),
        ({"import_above": 400}, {"battery": (0, 0), "meter": (0, -490)}, 1),
        ({}, {"unit": "kW"}, 1),
        ({}, {"unit": "MW"}, 1),
        ({}, {"panels": (9_000, 1_850), "unit": "kW"}, 0),
    ],
)
async def test_inputs_are_used(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    changed: dict[str, Any],
    shown_: dict[str, Any],
    expected: int,
) -> None:
    await home.automate(BLUEPRINT, inputs(**BOTH, **changed))
    await collapse(hass, sim, **shown_)
    assert resets(sim) == expected


@pytest.mark.parametrize(
    ("sensors", "shown_", "expected"),
    [
        (ONLY_PANELS, {}, 1),
        (ONLY_PANELS, {"inverters": (9_000, 1_390)}, 0),
        (ONLY_PANELS, {"inverters": (9_000, 1_410)}, 1),
        (ONLY_BATTERY, {}, 1),
        (ONLY_BATTERY, {"battery": (0, 7_000)}, 0),
        (ONLY_BATTERY, {"battery": (0, 7_200), "inverters": (9_000, 9_010)}, 0),
        (ONLY_BATTERY, {"battery": (0, 7_200), "inverters": (9_000, 8_990)}, 1),
        (ONLY_BATTERY, {"battery": (8_100, 9_000)}, 0),
        ({**ONLY_BATTERY, "discharge_negative": True}, {"battery": (0, -8_000)}, 1),
        ({**ONLY_BATTERY, "discharge_negative": True}, {"battery": (0, 8_000)}, 0),
    ],
)
async def test_missing_one_is_worked_out_from_inverter_power(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    sensors: dict[str, Any],
    shown_: dict[str, Any],
    expected: int,
) -> None:
    await home.automate(BLUEPRINT, inputs(**sensors))
    await collapse(hass, sim, **shown_)
    assert resets(sim) == expected


@pytest.mark.parametrize(
    ("sensors", "changed", "after"),
    [
        (BOTH, {}, 40),
        (BOTH, {"collapsed_for": {"seconds": 60}}, 60),
        (BOTH, {"collapsed_for": "00:01:00"}, 60),
        (ONLY_PANELS, {}, 70),
        (ONLY_PANELS, {"collapsed_for": {"seconds": 90}}, 90),
        (ONLY_BATTERY, {}, 70),
    ],
)
async def test_collapse_has_to_last(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    sensors: dict[str, Any],
    changed: dict[str, Any],
    after: int,
) -> None:
    await home.automate(BLUEPRINT, inputs(**sensors, **changed))
    await collapse(hass, sim, seconds=after - 5)
    assert home.calls == []
    for _ in range(2):
        measure(sim, 8_900, 0)
        await asyncio.sleep(5)
    assert home.calls == ["get_export_limit"]


@each_choice
@pytest.mark.parametrize(
    ("panels", "battery"),
    [(8_000, 900), ("unavailable", 8_000), (900, "unknown"), ("unknown", "unknown")],
)
async def test_recovered_or_unknown_sensor_prevents_reset(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    sensors: Sensors,
    panels: float | str,
    battery: float | str,
) -> None:
    await home.automate(BLUEPRINT, inputs(**sensors))
    await collapse(hass, sim, seconds=20)
    show(hass, panels, battery)
    await asyncio.sleep(100)
    known = {PANELS: panels, BATTERY: battery}
    used = [known[sensor] for chosen in sensors.values() for sensor in chosen]
    assert resets(sim) == all(value in {900, 8_000} for value in used) - (panels == 8_000)


async def test_several_inverters_are_added_up(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    """Their sensors are refreshed one after the other, and one shows kW."""
    panels = [PANELS, f"{PANELS}_2", f"{PANELS}_3"]
    battery = [BATTERY, f"{BATTERY}_2"]
    units = {panels[1]: "kW", battery[1]: "kW"}

    def show_all(values: Mapping[str, float | str]) -> None:
        for sensor, value in values.items():
            hass.states.async_set(sensor, str(value), {"unit_of_measurement": units.get(sensor, "W")})

    await home.automate(BLUEPRINT, inputs(pv_power=panels, battery_power=battery))
    for third, expected in ((2_000, 0), ("unavailable", 0), (150, 1)):
        show_all({panels[0]: 3_000, panels[1]: 3, panels[2]: 3_000, battery[0]: 0, battery[1]: 0})
        measure(sim, 9_000, 0)
        await asyncio.sleep(CALM_S)
        show_all({battery[0]: 200, battery[1]: 0.35})
        for sensor, value in ((panels[0], 150), (panels[1], 0.15), (panels[2], third)):
            show_all({sensor: value})
            await asyncio.sleep(3)
        await asyncio.sleep(100)
        assert resets(sim) == expected


@pytest.mark.parametrize(
    ("limit", "meter", "expected"),
    [(10, 9_810, 0), (10, 9_780, 1), (10, 12_000, 0), (2, 1_910, 0), (2, 1_890, 1), (2, 0, 1)],
)
async def test_meter_at_limit_prevents_reset(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    limit: float,
    meter: int,
    expected: int,
) -> None:
    await show_in(hass, "number.sec1000_export_limit", "MW")
    await show_in(hass, "sensor.sec1000_meter_power", "kW")
    await hass.services.async_call("goodwe_sec1000", "set_export_limit", {"limit": limit}, blocking=True)
    await home.automate(BLUEPRINT, inputs(**BOTH))
    await collapse(hass, sim, meter=(0, meter))
    assert resets(sim) == expected


async def test_mode_changed_a_moment_ago_prevents_reset(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs(**BOTH, collapsed_for={"seconds": 10}))
    await collapse(hass, sim, seconds=5)
    sim.device.mode = ControlMode.RCR
    await asyncio.sleep(7)
    assert home.calls == ["get_export_limit"]
    assert resets(sim) == 0


CHANGES: Final[Mapping[str, tuple[str, str, dict[str, Any]]]] = {
    "limit": ("goodwe_sec1000", "set_export_limit", {"limit": 9}),
    "same limit": ("goodwe_sec1000", "set_export_limit", {"limit": 10}),
    "export on": ("goodwe_sec1000", "export_enable", {}),
    "maximum": ("number", "set_value", {"entity_id": "number.sec1000_maximum_export_limit", "value": 12}),
    "same mode": ("select", "select_option", {"entity_id": "select.sec1000_control_mode", "option": "value"}),
    "reset by hand": ("goodwe_sec1000", "reset_export_watchdog", {}),
}


@pytest.mark.parametrize("change", [*CHANGES, "mode elsewhere", "limit elsewhere", "corrected"])
async def test_change_of_a_setting_prevents_reset_for_three_minutes(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, change: str
) -> None:
    await home.automate(BLUEPRINT, inputs(**BOTH))
    await asyncio.sleep(CALM_S)
    show(hass, 9_000, 0)
    measure(sim, 9_000, 0)
    if change == "mode elsewhere":
        sim.device.mode = ControlMode.RCR
        await asyncio.sleep(65)
        sim.device.mode = ControlMode.VALUE
        await asyncio.sleep(65)
    elif change == "limit elsewhere":
        sim.device.limit = 8_000
        await asyncio.sleep(65)
    elif change == "corrected":
        hass.config_entries.async_update_entry(loaded, options={**loaded.options, "put_back": True})
        sim.device.limit = 12_000
        await asyncio.sleep(65)
        assert sim.device.bound_limit == 10_000
    else:
        domain, service, data = CHANGES[change]
        await hass.services.async_call(domain, service, data, blocking=True)
    done = resets(sim)
    await asyncio.sleep(105)
    show(hass, 900, 8_000)
    await asyncio.sleep(100)
    assert resets(sim) == done
    show(hass, 9_000, 0)
    await asyncio.sleep(20)
    show(hass, 900, 8_000)
    await asyncio.sleep(60)
    assert resets(sim) == done + 1


async def test_command_that_changes_nothing_counts_whatever_the_ids(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    registry = er.async_get(hass)
    for entity in er.async_entries_for_config_entry(registry, loaded.entry_id):
        if entity.entity_id.endswith("_feedback"):
            registry.async_update_entity(entity.entity_id, new_entity_id=f"{entity.entity_id}_of_mine")
    await home.automate(BLUEPRINT, inputs(**BOTH))
    await asyncio.sleep(CALM_S)
    show(hass, 9_000, 0)
    measure(sim, 9_000, 0)
    await asyncio.sleep(30)
    await hass.services.async_call("goodwe_sec1000", "set_export_limit", {"limit": 10}, blocking=True)
    await asyncio.sleep(60)
    show(hass, 900, 8_000)
    await asyncio.sleep(60)
    assert resets(sim) == 0


async def test_command_during_the_last_read_prevents_reset(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    """It is called while the limit is read, and carried out after that."""
    await home.automate(BLUEPRINT, inputs(**BOTH))
    await collapse(hass, sim, seconds=35)
    sim.inject("silence", commands=[READ_SETTINGS])
    await asyncio.sleep(8)
    assert home.calls == ["get_export_limit"]
    sim.clear_faults()
    await hass.services.async_call("goodwe_sec1000", "set_export_limit", {"limit": 10}, blocking=True)
    await asyncio.sleep(60)
    assert home.calls == ["get_export_limit", "set_export_limit"]
    assert get_state(hass, "sensor.sec1000_get_export_limit_feedback").state == "1"
    assert resets(sim) == 0


async def test_both_symptoms_at_once_reset_once(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    """A battery that gives little leaves the rest to the grid."""
    automation = await home.automate(
        BLUEPRINT, inputs(**BOTH, collapsed_for={"seconds": 30}, daily_maximum=1)
    )
    await collapse(hass, sim, battery=(0, 600), inverters=(9_000, 1_500), meter=(0, -7_500), seconds=29)
    assert get_state(hass, "sensor.sec1000_inverter_power").state == "1500"
    assert get_state(hass, automation).attributes["current"] == 1
    await asyncio.sleep(100)
    assert resets(sim) == 1
    assert get_state(hass, automation).attributes["current"] == 1
    assert get_state(hass, "sensor.sec1000_reset_export_watchdog_feedback").state == "1"


@pytest.mark.parametrize(("irradiance", "expected"), [(700, 1), (90, 0)])
async def test_witness_tells_cloud_from_throttling(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, irradiance: int, expected: int
) -> None:
    hass.states.async_set("sensor.irradiance", str(irradiance))
    await home.automate(BLUEPRINT, inputs(**BOTH, sun_sensor="sensor.irradiance"))
    await collapse(hass, sim)
    assert resets(sim) == expected
