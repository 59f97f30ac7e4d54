"""What no installation can have is never shown, added up or stored, and costs nothing else."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
import logging

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.diagnostics import async_get_config_entry_diagnostics
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Phases, Telemetry
from simulator import CAPTURED, Simulator

from ..calls import Storage, issue, load
from ..states import get_state

type PassTime = Callable[[float], Awaitable[None]]

NO_VALUE = 0x7FFFFFFF
LOWEST = -0x80000000
HOUSE = replace(CAPTURED, meter_power=3_000, inverter_power=5_000)
FEEDBACK = "sensor.sec1000_get_telemetry_data_feedback"


def value(hass: HomeAssistant, key: str) -> str:
    return get_state(hass, f"sensor.sec1000_{key}").state


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "impossible value (" in record.getMessage()]


@pytest.mark.promise("R-02")
@pytest.mark.parametrize(
    "impossible",
    [
        replace(HOUSE, meter_power=NO_VALUE),
        replace(HOUSE, inverter_power=LOWEST),
        replace(HOUSE, inverter_power=2_000_001),
        replace(HOUSE, power=Phases(295, -10_000_001, -532)),
    ],
)
async def test_single_impossible_power_is_never_shown(
    pass_time: PassTime,
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    caplog: pytest.LogCaptureFixture,
    impossible: Telemetry,
) -> None:
    sim.hold(HOUSE)
    await pass_time(31)
    for _ in range(2):
        sim.hold(impossible)
        await pass_time(31)
        assert value(hass, "meter_power") == "unavailable"
        assert value(hass, FEEDBACK.removeprefix("sensor.sec1000_")) == "16"
        sim.hold(HOUSE)
        await pass_time(31)
        assert (value(hass, "meter_power"), value(hass, "load_power")) == ("3000", "2000")
        assert get_state(hass, FEEDBACK).state == "1"
    assert len(warnings(caplog)) == 1
    assert float(value(hass, "energy_exported")) == pytest.approx(0.129, abs=0.03)
    assert float(value(hass, "energy_consumed")) < 0.2


async def test_impossible_answer_is_asked_for_again(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    for _ in range(20):
        sim.inject("impossible-value", count=1, commands=[0x0B])
        await pass_time(31)
        assert value(hass, "meter_power") not in {"unavailable", "unknown"}
        assert get_state(hass, FEEDBACK).state == "1"


@pytest.mark.parametrize(
    ("reported", "unknown"),
    [
        (replace(HOUSE, inverter_power=NO_VALUE), {"inverter_power", "load_power"}),
        (replace(HOUSE, meter_power=LOWEST), {"meter_power", "load_power"}),
        (replace(HOUSE, power=Phases(NO_VALUE, -114, -532)), {"power_l1"}),
    ],
)
async def test_lasting_impossible_power_costs_only_its_sensor(
    pass_time: PassTime,
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    caplog: pytest.LogCaptureFixture,
    reported: Telemetry,
    unknown: set[str],
) -> None:
    keys = ("meter_power", "inverter_power", "load_power", "power_l1", "power_l2", "voltage_l1")
    await pass_time(31)
    sim.hold(reported)
    for _ in range(2):
        await pass_time(31)
        assert {value(hass, key) for key in keys} == {"unavailable"}
    for _ in range(4):
        await pass_time(31)
        assert {key for key in keys if value(hass, key) == "unknown"} == unknown
        assert not [key for key in keys if value(hass, key) == "unavailable"]
    feedback = get_state(hass, FEEDBACK)
    assert feedback.state == "1"
    assert "impossible" in feedback.attributes["message"]
    assert len(warnings(caplog)) == 1
    assert loaded.runtime_data.coordinator.backing_off is False
    sim.hold(HOUSE)
    await pass_time(31)
    assert not [key for key in keys if value(hass, key) in {"unknown", "unavailable"}]
    assert get_state(hass, FEEDBACK).attributes["message"] == "Telemetry was read."


async def test_phase_that_is_not_connected_is_unknown(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    """All of its values read 0xFFFFFFFF; a current and a power of one step below zero can be."""
    sim.hold(
        replace(
            HOUSE,
            voltage=Phases(231.0, 229.5, -0.1),
            current=Phases(4.8, -3.9, -0.01),
            power=Phases(295, -114, -1),
        )
    )
    await pass_time(31)
    assert [value(hass, f"voltage_l{phase}") for phase in (1, 2, 3)] == ["231.0", "229.5", "unknown"]
    assert [value(hass, f"current_l{phase}") for phase in (1, 2, 3)] == ["4.8", "-3.9", "-0.01"]
    assert value(hass, "power_l3") == "-1"
    assert value(hass, "meter_power") == "3000"
    assert get_state(hass, FEEDBACK).state == "1"
    assert len(sim.requests) == 3


async def test_site_of_four_megawatts_is_shown(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.hold(
        Telemetry(
            Phases(400.0, 401.0, 402.0),
            Phases(1_900.0, 1_900.0, 1_900.0),
            Phases(-1_300_000, -1_300_000, -1_400_000),
            -4_000_000,
            1_900_000,
        )
    )
    for _ in range(3):
        await pass_time(61)
    assert (value(hass, "meter_power"), value(hass, "load_power")) == ("-4000000", "5900000")
    assert value(hass, "current_l1") == "1900.0"
    assert float(value(hass, "energy_imported")) == pytest.approx(4_000 * (61 / 2 + 122) / 3_600, rel=0.02)


@pytest.mark.parametrize("limit", [NO_VALUE, LOWEST, 1_000_001])
async def test_impossible_limit_is_unknown_and_can_be_overwritten(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, limit: int
) -> None:
    sim.device.limit = limit
    await pass_time(61)
    for entity in ("sensor.sec1000_export_limit", "number.sec1000_export_limit"):
        assert get_state(hass, entity).state == "unknown"
    for entity in ("switch.sec1000_export_to_grid", "binary_sensor.sec1000_export_state"):
        assert get_state(hass, entity).state == "unknown"
    assert get_state(hass, "binary_sensor.sec1000_limit_differs").state == "unknown"
    assert loaded.runtime_data.coordinator.data.proven_limit == 10_000
    response = await hass.services.async_call(
        DOMAIN, "get_export_limit", {}, blocking=True, return_response=True
    )
    assert response is not None
    assert response["export_limit"] is None
    await hass.services.async_call(
        "number", "set_value", {"entity_id": "number.sec1000_export_limit", "value": 4}, blocking=True
    )
    assert get_state(hass, "sensor.sec1000_export_limit").state == "4.0"
    assert sim.device.limit == 4_000


async def test_impossible_limit_becomes_no_baseline(
    hass: HomeAssistant, entry: MockConfigEntry, hass_storage: Storage, sim: Simulator
) -> None:
    sim.device.limit = LOWEST
    await load(hass, entry)
    assert entry.runtime_data.coordinator.data.proven_limit is None
    assert f"{DOMAIN}.{entry.entry_id}" not in hass_storage


async def test_impossible_baseline_on_disk_is_ignored(
    hass: HomeAssistant, entry: MockConfigEntry, hass_storage: Storage
) -> None:
    """Of an earlier version, which took over what it read."""
    key = f"{DOMAIN}.{entry.entry_id}"
    hass_storage[key] = {"version": 1, "minor_version": 1, "key": key, "data": {"limit": LOWEST}}
    await load(hass, entry)
    assert entry.runtime_data.coordinator.data.proven_limit == 10_000


async def test_device_that_was_never_configured_works(
    pass_time: PassTime, hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    sim.device.capacity = NO_VALUE
    await load(hass, entry)
    assert get_state(hass, "sensor.sec1000_export_limit").state == "10.0"
    assert get_state(hass, "binary_sensor.sec1000_limit_differs").state == "off"
    await hass.services.async_call(DOMAIN, "get_export_limit", {}, blocking=True)
    assert entry.options["total_capacity"] == 30.0
    await hass.services.async_call(DOMAIN, "reset_export_watchdog", {}, blocking=True)
    assert (sim.device.capacity, sim.device.limit) == (30_000, 10_000)
    await hass.services.async_call(DOMAIN, "export_disable", {}, blocking=True)
    assert (sim.device.capacity, sim.device.limit) == (30_000, 0)


async def test_reset_puts_no_impossible_limit_in_force(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.device.limit = NO_VALUE
    await hass.services.async_call(DOMAIN, "reset_export_watchdog", {}, blocking=True)
    assert (sim.device.mode, sim.device.limit) == (ControlMode.VALUE, 10_000)
    assert issue(hass, loaded) is None


async def test_maximum_brings_an_impossible_limit_to_the_proven_one(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await hass.services.async_call(DOMAIN, "set_export_limit", {"limit": 3}, blocking=True)
    sim.device.limit = LOWEST
    await hass.services.async_call(DOMAIN, "set_max_export_limit", {"limit": 8}, blocking=True)
    assert sim.device.limit == 3_000


async def test_impossible_read_back_is_not_applied(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("impossible-value", count=1, commands=[0x43])
    response = await hass.services.async_call(
        DOMAIN, "set_export_limit", {"limit": 3}, blocking=True, return_response=True
    )
    assert response is not None
    assert (response["feedback"], response["export_limit"]) == (1, 3.0)


async def test_diagnostics_keep_what_cannot_be(
    pass_time: PassTime,
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    sim.hold(replace(HOUSE, meter_power=NO_VALUE))
    await pass_time(31)
    sim.hold(HOUSE)
    sim.device.limit = LOWEST
    await pass_time(61)
    diagnostics = await async_get_config_entry_diagnostics(hass, loaded)
    kept = diagnostics["impossible_values"]
    assert {name: (report["count"], report["raw"]) for name, report in kept.items()} == {
        "meter_power": (3, NO_VALUE),
        "limit": (1, LOWEST),
    }
    assert len(warnings(caplog)) == 2
