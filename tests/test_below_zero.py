"""Export limits below zero, an import floor: entered, written, proven, shown and kept."""

from typing import Final

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator

from .calls import Storage, act, is_off, load, outcomes, until
from .pending_restore import store_pending
from .states import get_state
from .test_config_flow import connected
from .test_options_flow import changing
from .test_scenes import set_limit, turn_on

UNPROVEN: Final = "not been tested on any device known to this project"


async def set_range(hass: HomeAssistant, entry: MockConfigEntry, minimum: float, maximum: float) -> None:
    """Change the range without sending anything."""
    hass.config_entries.async_update_entry(
        entry, options={**entry.options, "min_export_limit": minimum, "max_export_limit": maximum}
    )


async def test_limit_below_zero_is_set_and_proven(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await set_range(hass, loaded, -1, 10)
    response = await act(hass, "set_export_limit", limit=-0.1)
    assert (response["feedback"], response["export_limit"]) == (1, -0.1)
    assert sim.device.bound_limit == -100
    assert get_state(hass, "sensor.sec1000_export_limit").state == "-0.1"
    assert get_state(hass, "number.sec1000_export_limit").state == "-0.1"
    assert is_off(hass, "export_state")
    assert is_off(hass, "limit_differs")


async def test_first_limit_below_zero_is_told_to_be_unproven(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    await set_range(hass, loaded, -1, 10)
    assert UNPROVEN in (await act(hass, "export_disable"))["message"]
    assert UNPROVEN not in (await act(hass, "set_export_limit", limit=-0.5))["message"]
    assert UNPROVEN not in (await act(hass, "export_enable"))["message"]
    assert UNPROVEN in (await act(hass, "set_export_limit", limit=-0.5))["message"]


async def test_refused_limit_below_zero_is_not_applied(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await set_range(hass, loaded, -1, 10)
    sim.inject("below-zero-refused")
    assert await outcomes(act(hass, "set_export_limit", limit=5)) == [1]
    with pytest.raises(HomeAssistantError, match=r"-1\.00 kW"):
        await act(hass, "export_disable")
    assert sim.device.bound_limit == 5_000


async def test_limit_below_the_minimum_of_zero_is_corrected(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    assert await outcomes(act(hass, "set_export_limit", limit=-5)) == [129]
    assert sim.device.bound_limit == 0


async def test_action_sets_a_minimum_below_zero(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.device.limit = 0
    assert await outcomes(act(hass, "set_min_export_limit", limit=-2.5)) == [1]
    assert loaded.options["min_export_limit"] == -2.5
    assert sim.device.bound_limit == -2_500
    with pytest.raises(ServiceValidationError, match=r"-100\.00"):
        await act(hass, "set_min_export_limit", limit=-100.01)


async def test_numbers_reach_below_zero_where_asked_for(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    assert get_state(hass, "number.sec1000_minimum_export_limit").attributes["min"] == -100
    assert get_state(hass, "number.sec1000_export_limit").attributes["min"] == 0
    await set_range(hass, loaded, -1, -0.5)
    await outcomes(act(hass, "get_export_limit"))
    attributes = get_state(hass, "number.sec1000_export_limit").attributes
    assert (attributes["min"], attributes["max"]) == (-1, -0.5)


async def test_turning_on_beside_a_limit_below_zero_enables(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await set_range(hass, loaded, -1, 10)
    script = Context()
    await set_limit(hass, -0.5, script)
    await turn_on(hass, script)
    assert sim.device.bound_limit == 10_000


@pytest.mark.parametrize(("limit", "shown"), [(-1_000, "off"), (-500, "off"), (0, "off"), (60, "on")])
async def test_export_is_off_at_or_below_zero(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, limit: int, shown: str
) -> None:
    await set_range(hass, loaded, -1, 10)
    sim.device.limit = limit
    await outcomes(act(hass, "get_export_limit"))
    assert get_state(hass, "binary_sensor.sec1000_export_state").state == shown


@pytest.mark.parametrize(("found", "corrected"), [(-440, True), (0, True), (-460, False), (-900, False)])
async def test_drift_below_zero_is_corrected_only_towards_import(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, found: int, corrected: bool
) -> None:
    await set_range(hass, loaded, -1, 10)
    assert await outcomes(act(hass, "set_export_limit", limit=-0.5)) == [1]
    hass.config_entries.async_update_entry(loaded, options={**loaded.options, "put_back": True})
    sim.device.limit = found
    await loaded.runtime_data.coordinator.read_settings()
    await hass.async_block_till_done()
    assert sim.device.bound_limit == (-500 if corrected else found)
    assert is_off(hass, "limit_differs") is (corrected or found == -460)


async def test_reset_restores_a_limit_below_zero(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await set_range(hass, loaded, -1, 10)
    assert await outcomes(act(hass, "set_export_limit", limit=-0.5)) == [1]
    assert await outcomes(act(hass, "reset_export_watchdog")) == [1]
    assert sim.device.bound_limit == -500


async def test_pending_limit_below_zero_is_restored_at_start(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, hass_storage: Storage
) -> None:
    await set_range(hass, entry, -1, 10)
    store_pending(hass_storage, entry, sim, limit=-500)
    sim.device.mode = ControlMode.DEACTIVATED
    await load(hass, entry)
    await until(lambda: sim.device.bound_limit == -500)


async def test_toggle_goes_between_minimum_below_zero_and_maximum(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await set_range(hass, loaded, -1, 10)
    for limit in (-1_000, 10_000):
        assert await outcomes(act(hass, "export_toggle")) == [1]
        assert sim.device.bound_limit == limit


async def test_limit_follows_a_maximum_that_was_below_zero(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await set_range(hass, loaded, -1, -0.2)
    assert await outcomes(act(hass, "export_enable")) == [1]
    assert sim.device.bound_limit == -200
    assert is_off(hass, "export_state")
    assert await outcomes(act(hass, "set_max_export_limit", limit=5)) == [1]
    assert sim.device.bound_limit == 5_000


async def test_limit_below_zero_of_another_tool_suggests_no_maximum(
    hass: HomeAssistant, sim: Simulator
) -> None:
    sim.device.limit = -300
    walk = await connected(hass, sim)
    assert (walk.defaults["min_export_limit"], walk.defaults["max_export_limit"]) == (0, 30)
    assert "-0.30 kW" in walk.text


async def test_setup_takes_a_minimum_below_zero(hass: HomeAssistant, sim: Simulator) -> None:
    walk = await connected(hass, sim)
    assert walk.defaults["min_export_limit"] == 0
    await walk.submit(min_export_limit=-100.5)
    assert walk.errors == {"min_export_limit": "invalid_limit"}
    await walk.submit(min_export_limit=-0.1)
    assert walk.step == "control"


async def test_setup_asks_about_a_maximum_below_zero(hass: HomeAssistant, sim: Simulator) -> None:
    walk = await connected(hass, sim)
    await walk.submit(min_export_limit=-1, max_export_limit=-0.2)
    assert walk.step == "confirm_below_zero"
    assert "-0.20 kW" in walk.text
    assert "0.20 kW" in walk.text
    await walk.choose("export_limits")
    assert walk.step == "export_limits"
    await walk.submit(min_export_limit=-1, max_export_limit=-0.2)
    assert walk.step == "confirm_below_zero"
    await walk.choose("below_zero")
    assert walk.step == "control"
    await walk.submit()
    [entry] = hass.config_entries.async_entries(DOMAIN)
    assert (entry.options["min_export_limit"], entry.options["max_export_limit"]) == (-1, -0.2)


async def test_options_do_not_ask_about_the_same_maximum_again(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await set_range(hass, loaded, -1, -0.2)
    walk = await changing(hass, loaded)
    await walk.submit()
    assert walk.step == "control"


async def test_negative_zero_is_stored_as_zero(hass: HomeAssistant, sim: Simulator) -> None:
    walk = await connected(hass, sim)
    await walk.submit(min_export_limit=-0.0)
    await walk.submit()
    [entry] = hass.config_entries.async_entries(DOMAIN)
    assert str(entry.options["min_export_limit"]) == "0.0"
