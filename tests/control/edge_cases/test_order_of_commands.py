"""What overlaps: what is told OK holds, the latest command wins, and no option is lost."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator
from tests.calls import act, control, is_off, load, outcomes
from tests.test_options_flow import changing

DELAYS: Final = (0, 0.02, 0.05, 0.2, 0.5, 0.8, 1.3, 1.8)
"""How long (s) the second of two commands comes after the first."""


@pytest.mark.promise("R-07", "R-08")
@pytest.mark.parametrize("delay", DELAYS)
class TestChangeOfOptions:
    async def test_enable_after_lower_maximum_stays_below_it(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, delay: float
    ) -> None:
        first = act(hass, "set_max_export_limit", limit=3)
        await asyncio.sleep(delay)
        second = act(hass, "export_enable")
        assert await outcomes(first, second) == [1, 1]
        assert sim.device.bound_limit == 3_000
        assert loaded.options["max_export_limit"] == 3
        assert is_off(hass, "limit_differs")

    @pytest.mark.usefixtures("loaded")
    async def test_limit_above_lowered_maximum_is_corrected(
        self, hass: HomeAssistant, sim: Simulator, delay: float
    ) -> None:
        first = act(hass, "set_max_export_limit", limit=4)
        await asyncio.sleep(delay)
        second = act(hass, "set_export_limit", limit=9)
        assert await outcomes(first, second) == [1, 129]
        assert sim.device.bound_limit == 4_000

    async def test_mode_change_in_options_survives_a_limit(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, delay: float
    ) -> None:
        walk = await changing(hass, loaded)
        await walk.submit()
        submitted = asyncio.create_task(walk.submit(export_limit_control_mode="rcr", scan_three_phases=False))
        await asyncio.sleep(delay)
        limit = act(hass, "set_export_limit", limit=2)
        await outcomes(submitted, limit)
        assert walk.outcome == "saved"
        assert (sim.device.mode, sim.device.limit) == (ControlMode.RCR, 2_000)
        assert sim.device.sum_of_phases is False
        assert loaded.options["export_limit_control_mode"] == "rcr"
        assert is_off(hass, "limit_differs")

    async def test_measurement_change_survives_a_reset(
        self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, delay: float
    ) -> None:
        walk = await changing(hass, loaded)
        await walk.submit()
        submitted = asyncio.create_task(walk.submit(scan_three_phases=False))
        await asyncio.sleep(delay)
        reset = act(hass, "reset_export_watchdog")
        await outcomes(submitted, reset)
        assert sim.device.sum_of_phases is False
        assert sim.device.bound_limit == 10_000

    @pytest.mark.promise("R-13")
    async def test_chosen_mode_of_deactivated_device_survives_a_limit(
        self, hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, delay: float
    ) -> None:
        sim.device.mode = ControlMode.DEACTIVATED
        hass.config_entries.async_update_entry(
            entry, options={**entry.options, "export_limit_control_mode": "deactivated"}
        )
        await load(hass, entry)
        mode = control(hass, "select", "select_option", "control_mode", option="value")
        await asyncio.sleep(delay)
        limit = act(hass, "set_export_limit", limit=2)
        results = await outcomes(mode, limit)
        assert not any(isinstance(result, BaseException) for result in results)
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 2_000)


@pytest.mark.promise("R-07")
@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize(
    ("domain", "service", "entity", "data"),
    [
        ("number", "set_value", "maximum_export_limit", {"value": 9}),
        ("select", "select_option", "control_mode", {"option": "value"}),
    ],
)
async def test_disable_after_change_of_options_wins(
    hass: HomeAssistant,
    sim: Simulator,
    loaded: MockConfigEntry,
    delay: float,
    domain: str,
    service: str,
    entity: str,
    data: Mapping[str, object],
) -> None:
    first = control(hass, domain, service, entity, **data)
    await asyncio.sleep(delay)
    second = act(hass, "export_disable")
    _, answer = await outcomes(first, second)
    assert answer == 1
    assert sim.device.bound_limit == 0
    assert hass.states.get("switch.sec1000_export_to_grid").state == "off"  # type: ignore[union-attr]


@pytest.mark.promise("R-07")
async def test_disable_after_a_dragged_maximum_wins(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    sim.requests.clear()
    dragged = []
    for step in range(60):
        dragged.append(control(hass, "number", "set_value", "maximum_export_limit", value=10 - step / 20))
        await asyncio.sleep(0.05)
    disable = act(hass, "export_disable")
    *ended, answer = await outcomes(*dragged, disable)
    # A value that a newer one of the same number superseded is no failure.
    assert ended == [None] * 60
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert answer == 1
    assert sim.device.bound_limit == 0
    assert loaded.options["max_export_limit"] == 10 - 59 / 20
    assert len(sim.requests) <= 30


@pytest.mark.usefixtures("loaded")
class TestToggle:
    @pytest.fixture
    async def busy(self, hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry) -> AsyncIterator[None]:
        """Have commands wait behind a clock that is not acknowledged."""
        assert loaded.state is ConfigEntryState.LOADED
        sim.inject("silence", count=1)
        clock = act(hass, "set_datetime")
        await sim.wait_for_requests(len(sim.requests) + 1)
        yield
        await clock

    @pytest.mark.usefixtures("busy")
    async def test_two_toggles_at_once_cancel_out(self, hass: HomeAssistant, sim: Simulator) -> None:
        first, second = await outcomes(act(hass, "export_toggle"), act(hass, "export_toggle"))
        assert isinstance(first, HomeAssistantError)
        assert second == 1
        assert sim.device.bound_limit == 10_000

    @pytest.mark.usefixtures("busy")
    async def test_toggle_after_waiting_enable_disables(self, hass: HomeAssistant, sim: Simulator) -> None:
        sim.device.limit = 0
        first, second = await outcomes(act(hass, "export_enable"), act(hass, "export_toggle"))
        assert isinstance(first, HomeAssistantError)
        assert second == 1
        assert sim.device.bound_limit == 0

    @pytest.mark.usefixtures("busy")
    async def test_limit_supersedes_waiting_toggle(self, hass: HomeAssistant, sim: Simulator) -> None:
        first, second = await outcomes(act(hass, "export_toggle"), act(hass, "set_export_limit", limit=3))
        assert isinstance(first, HomeAssistantError)
        assert second == 1
        assert sim.device.bound_limit == 3_000

    async def test_toggle_goes_by_what_the_device_holds_now(
        self, hass: HomeAssistant, sim: Simulator
    ) -> None:
        sim.device.limit = 0
        assert await outcomes(act(hass, "export_toggle")) == [1]
        assert sim.device.bound_limit == 10_000
        states = {
            action: hass.states.get(f"sensor.sec1000_export_{action}_feedback").state  # type: ignore[union-attr]
            for action in ("disable", "enable")
        }
        assert states == {"disable": "0", "enable": "1"}

    async def test_toggle_of_a_limit_within_tolerance_enables(
        self, hass: HomeAssistant, sim: Simulator
    ) -> None:
        sim.device.limit = 40
        assert await outcomes(act(hass, "export_toggle")) == [1]
        assert sim.device.bound_limit == 10_000
