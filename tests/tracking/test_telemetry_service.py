"""Firmware without telemetry is asked hourly; a device that serves it is not taken for one."""

import asyncio
from collections.abc import Iterable

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.tracking.telemetry_service import TelemetryService
from simulator import Simulator

from ..calls import Storage, load
from ..entries import entry_at
from ..states import get_state

READ, TELEMETRY = 0x43, 0x0B
METER = "sensor.sec1000_meter_power"


def commands(sim: Simulator, since: int = 0) -> list[int]:
    return [request.frame.command for request in sim.requests[since:] if request.frame]


def is_shown(hass: HomeAssistant) -> bool:
    return get_state(hass, METER).state != "unavailable"


@pytest.mark.usefixtures("warp")
class TestDeviceThatServes:
    @pytest.mark.promise("R-29")
    @pytest.mark.parametrize("closed", [1, 2, 3, 5])
    async def test_closed_requests_after_power_cycle_cost_no_hour(
        self, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, closed: int
    ) -> None:
        await asyncio.sleep(31)
        assert is_shown(hass)
        sim.inject("refused", count=10)
        sim.inject("no-telemetry", count=closed)
        await asyncio.sleep(160)
        assert is_shown(hass)
        assert loaded.runtime_data.coordinator.serves_telemetry

    async def test_restart_does_not_forget_that_it_served(
        self, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
    ) -> None:
        assert await hass.config_entries.async_unload(loaded.entry_id)
        sim.inject("no-telemetry")
        await load(hass, loaded)
        await asyncio.sleep(300)
        assert not is_shown(hass)
        sim.clear_faults()
        await asyncio.sleep(31)
        assert is_shown(hass)

    async def test_first_measurement_is_stored_at_once(
        self, loaded: MockConfigEntry, hass_storage: Storage
    ) -> None:
        await asyncio.sleep(1)
        assert f"{DOMAIN}.{loaded.entry_id}.energy" in hass_storage

    @pytest.mark.slow
    async def test_new_firmware_without_telemetry_is_found_after_a_day(
        self, hass: HomeAssistant, sim: Simulator
    ) -> None:
        entry = entry_at(sim.host, sim.port, scan_interval=3_600)
        entry.add_to_hass(hass)
        await load(hass, entry)
        coordinator = entry.runtime_data.coordinator
        sim.inject("no-telemetry")
        await asyncio.sleep(23 * 3_600)
        assert coordinator.serves_telemetry
        await asyncio.sleep(4 * 3_600)
        assert not coordinator.serves_telemetry
        assert get_state(hass, "sensor.sec1000_export_limit").state == "10.0"
        assert get_state(hass, "sensor.sec1000_energy_exported").state != "unavailable"

    @pytest.mark.parametrize("fault", ["silence", "six-byte-answer", "wrong-checksum", "garbage", "nak"])
    async def test_faults_of_telemetry_alone_start_no_back_off(
        self, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, fault: str
    ) -> None:
        sim.inject(fault, commands=[TELEMETRY])
        for _ in range(60):
            await asyncio.sleep(10)
            assert not loaded.runtime_data.coordinator.backing_off
            assert get_state(hass, "sensor.sec1000_export_limit").state == "10.0"
        assert not is_shown(hass)
        assert ir.async_get(hass).async_get_issue(DOMAIN, f"device_silent_{loaded.entry_id}") is None
        sim.clear_faults()
        await asyncio.sleep(45)
        assert is_shown(hass)


@pytest.mark.usefixtures("warp")
class TestDeviceThatNeverServed:
    @pytest.mark.promise("R-29")
    async def test_it_is_asked_hourly_after_three_polls(
        self, hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        sim.inject("no-telemetry")
        await load(hass, entry)
        coordinator = entry.runtime_data.coordinator
        assert coordinator.serves_telemetry
        await asyncio.sleep(65)
        assert not coordinator.serves_telemetry
        assert "Error fetching" not in caplog.text
        before = len(sim.requests)
        await asyncio.sleep(3_400)
        assert TELEMETRY not in commands(sim, before)
        await asyncio.sleep(300)
        assert commands(sim, before).count(TELEMETRY) == 1
        assert get_state(hass, "sensor.sec1000_export_limit").state == "10.0"
        sim.clear_faults()
        await asyncio.sleep(3_700)
        assert is_shown(hass)
        assert coordinator.serves_telemetry

    async def test_check_now_asks_for_telemetry(
        self, hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
    ) -> None:
        sim.inject("no-telemetry")
        await load(hass, entry)
        await asyncio.sleep(65)
        coordinator = entry.runtime_data.coordinator
        assert not coordinator.serves_telemetry
        sim.clear_faults()
        await coordinator.async_probe()
        assert is_shown(hass)
        assert coordinator.serves_telemetry

    async def test_refusal_counts_only_beside_an_answer(
        self, hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
    ) -> None:
        """A device that falls silent while its telemetry was refused once, at its first setup."""
        sim.inject("no-telemetry")
        await load(hass, entry)
        sim.inject("close-before-answer", commands=[READ])
        await asyncio.sleep(200)
        assert entry.runtime_data.coordinator.serves_telemetry
        sim.clear_faults()
        await asyncio.sleep(60)
        assert is_shown(hass)


def believed(polls: Iterable[tuple[float, str]], *, has_served: bool) -> bool:
    """Return whether these polls (s, what came of them) show firmware without telemetry."""
    service = TelemetryService()
    service.has_served = has_served
    for at, outcome in polls:
        if outcome == "refused":
            service.record_refused(at)
        else:
            service.record_failed()
    return not service.is_served


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["refused"] * 2, False),
        (["refused"] * 3, True),
        (["refused", "refused", "failed", "refused", "refused"], False),
        (["refused", "refused", "failed", "refused", "refused", "refused"], True),
    ],
)
def test_refusals_count_in_a_row(outcomes: list[str], expected: bool) -> None:
    polls = [(30.0 * step, outcome) for step, outcome in enumerate(outcomes)]
    assert believed(polls, has_served=False) is expected
    assert not believed(polls, has_served=True)


@pytest.mark.parametrize(("interrupted_at", "expected"), [(None, True), (43_200.0, False)])
def test_day_of_refusals_shows_new_firmware(interrupted_at: float | None, expected: bool) -> None:
    polls = [(30.0 * step, "refused") for step in range(2_881)]
    if interrupted_at is not None:
        polls[round(interrupted_at / 30)] = (interrupted_at, "failed")
    assert believed(polls, has_served=True) is expected
    assert not believed(polls[:-1], has_served=True)
