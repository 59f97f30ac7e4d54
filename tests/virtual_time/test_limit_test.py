"""A test of the limit lowers it, looks at the meter, and leaves all as it was, whatever comes between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant, State
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator import House, Simulator
from simulator.house import Load
from simulator.protocol import WRITE_LIMIT
from tests.calls import act, requested
from tests.states import get_state

from .timewarp import TimeWarp

RESULT, ENDS = "sensor.sec1000_last_limit_test", "sensor.sec1000_temporary_limit_ends"
SETTLED_S = 40


@pytest.fixture
def house() -> House:
    """Return a sunny house of 30 kW whose inverters follow after 5 s."""
    return House(start=12.0, clouds=False, reaction=5.0, load=Load(appliances=()))


@pytest.fixture
async def device(warp: TimeWarp, house: House) -> AsyncIterator[Simulator]:
    """Run the device of this house: limit 10 kW, capacity 30 kW."""
    async with Simulator(house=house) as simulator:
        yield simulator


@pytest.fixture
async def settled(loaded: MockConfigEntry) -> MockConfigEntry:
    """Return the entry once it has been polled."""
    await asyncio.sleep(SETTLED_S)
    return loaded


async def _test(hass: HomeAssistant, **data: object) -> dict[str, Any]:
    """Test the limit, and return the response."""
    response = await act(hass, "test_export_limit", **data)
    assert isinstance(response, dict)
    return response


def result(hass: HomeAssistant) -> State:
    """Return how the last test ended."""
    return get_state(hass, RESULT)


def written(sim: Simulator) -> list[int]:
    """Return the limits (W) that were written."""
    return [
        int.from_bytes(data[4:8], signed=True) for command, data in requested(sim) if command == WRITE_LIMIT
    ]


@pytest.mark.usefixtures("settled")
async def test_installation_that_obeys_passes(hass: HomeAssistant, sim: Simulator) -> None:
    began = asyncio.get_running_loop().time()
    response = await _test(hass)
    assert asyncio.get_running_loop().time() - began < 110
    assert (response["feedback"], response["result"], response["message"]) == (1, "passed", "Passed.")
    assert written(sim) == [5_000, 7_500, 10_000]
    assert (sim.device.bound_limit, get_state(hass, ENDS).state) == (10_000, "unknown")
    shown = result(hass)
    assert (shown.state, shown.attributes["limit"], shown.attributes["reason"]) == ("passed", 5.0, None)
    assert 4 < shown.attributes["seconds_until_moved"] <= shown.attributes["seconds_until_at_limit"] < 13
    assert 4 < shown.attributes["seconds_until_back"] < 25
    assert shown.attributes["excess"] == 0
    assert dt_util.utcnow() - shown.attributes["tested_at"] < timedelta(seconds=10)
    assert response["seconds_until_back"] == shown.attributes["seconds_until_back"]


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(("obedient", "excess"), [(0, 23_000), (1, 12_000)])
async def test_installation_that_disobeys_fails(
    hass: HomeAssistant, sim: Simulator, house: House, obedient: int, excess: int
) -> None:
    house._obedient_share = obedient / 2
    await asyncio.sleep(SETTLED_S)
    response = await _test(hass)
    assert (response["result"], response["excess"]) == ("failed", pytest.approx(excess, abs=1_000))
    assert sim.device.limit == 10_000
    assert get_state(hass, ENDS).state == "unknown"


@pytest.mark.usefixtures("settled")
async def test_limit_that_is_stored_and_never_armed_fails(hass: HomeAssistant, sim: Simulator) -> None:
    # The device acknowledges and stores; what its inverters follow stays as it was.
    sim.device._arm = lambda: None  # type: ignore[method-assign]
    response = await _test(hass)
    assert (response["result"], response["excess"]) == ("failed", pytest.approx(5_000, abs=100))
    assert sim.device.limit == 10_000
