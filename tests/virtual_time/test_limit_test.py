"""A test of the limit lowers it, looks at the meter, and leaves all as it was, whatever comes between."""

import asyncio
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import CONF_SCAN_INTERVAL
from homeassistant.core import HomeAssistant, State
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import (
    CONF_CONTROL_MODE,
    CONF_MIN_EXPORT_LIMIT,
    CONF_SUM_OF_PHASES,
    DOMAIN,
)
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import House, Request, Simulator
from simulator.exchange import Answer
from simulator.house import Load
from simulator.protocol import SET_CLOCK, TELEMETRY, WRITE_LIMIT
from tests.calls import Storage, act, control, load, outcomes, requested, suspend_limit, until
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


async def lowered(sim: Simulator) -> None:
    """Return a while after the device holds the lower limit of a test."""
    await until(lambda: sim.device.limit == 5_000, within=60)
    await asyncio.sleep(5)


async def unload(hass: HomeAssistant, entry: MockConfigEntry, end: str) -> None:
    """Reload, disable or remove the entry."""
    match end:
        case "reload":
            await hass.config_entries.async_reload(entry.entry_id)
        case "disable":
            await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
        case _:
            await hass.config_entries.async_remove(entry.entry_id)


def written(sim: Simulator) -> list[int]:
    """Return the limits (W) that were written."""
    return [
        int.from_bytes(data[4:8], signed=True) for command, data in requested(sim) if command == WRITE_LIMIT
    ]


@pytest.mark.promise("R-36")
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


async def refusal(hass: HomeAssistant, sim: Simulator, **data: object) -> str:
    """Return why a test is refused; nothing is written then."""
    before = len(written(sim))
    with pytest.raises(ServiceValidationError) as refused:
        await _test(hass, **data)
    assert len(written(sim)) == before
    assert get_state(hass, RESULT).state == "unknown"
    assert refused.value.translation_key
    return refused.value.translation_key


@pytest.mark.parametrize(
    ("option", "value", "mode", "key"),
    [
        (CONF_CONTROL_MODE, "rcr", ControlMode.RCR, "test_mode"),
        (CONF_CONTROL_MODE, "value", ControlMode.DRED, "test_mode"),
        (CONF_SUM_OF_PHASES, False, ControlMode.VALUE, "test_each_phase"),
        (CONF_MIN_EXPORT_LIMIT, 9.0, ControlMode.VALUE, "test_limit_low"),
    ],
)
async def test_test_is_refused_where_the_meter_proves_nothing(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    option: str,
    value: object,
    mode: ControlMode,
    key: str,
) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, option: value})
    sim.device.mode = mode
    await load(hass, entry)
    assert await refusal(hass, sim) == key


@pytest.mark.usefixtures("settled")
async def test_test_refuses_a_limit_that_proves_nothing(hass: HomeAssistant, sim: Simulator) -> None:
    for limit in (-1, 8.51, 10, True, "five", None):
        assert await refusal(hass, sim, limit=limit) == "invalid_limit"


@pytest.mark.parametrize(("limit", "outcome"), [(-15, "invalid_limit"), (-0.3, "passed")])
async def test_limit_below_zero_is_tested_as_far_as_the_house_uses(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, limit: float, outcome: str
) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_MIN_EXPORT_LIMIT: -20})
    await load(hass, entry)
    await asyncio.sleep(SETTLED_S)
    # With the inverters off, it imports 0.5 kW.
    if outcome == "passed":
        assert (await _test(hass, limit=limit))["result"] == outcome
    else:
        assert await refusal(hass, sim, limit=limit) == outcome


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(("limit", "tested"), [(0, 0), (8.5, 8_500), ("4", 4_000)])
async def test_limit_of_a_test_may_be_chosen(
    hass: HomeAssistant, sim: Simulator, limit: object, tested: int
) -> None:
    assert (await _test(hass, limit=limit))["result"] == "passed"
    assert written(sim)[0] == tested


async def test_test_is_refused_where_little_is_exported(
    hass: HomeAssistant, sim: Simulator, house: House, settled: MockConfigEntry
) -> None:
    house.time_of_day = 6.5
    assert await refusal(hass, sim) == "test_export_low"


async def test_test_is_refused_at_the_minimum(
    hass: HomeAssistant, sim: Simulator, settled: MockConfigEntry
) -> None:
    # Something else exports: the installation disobeys.
    sim.inject("disobedient")
    sim.device.limit = 0
    assert await outcomes(act(hass, "export_disable")) == [1]
    await asyncio.sleep(60)
    with pytest.raises(ServiceValidationError) as refused:
        await _test(hass)
    assert refused.value.translation_key == "test_limit_low"
    # 3 kW are 10 % of the capacity, and the meter stays a little below its limit.
    assert refused.value.translation_placeholders == {"limit": "0.00", "least": "3.60"}


@pytest.mark.usefixtures("settled")
async def test_test_is_refused_without_telemetry(hass: HomeAssistant, sim: Simulator) -> None:
    sim.inject("silence", commands=(TELEMETRY,))
    assert await refusal(hass, sim) == "test_no_telemetry"


@pytest.mark.usefixtures("settled")
async def test_test_is_refused_where_the_device_differs(hass: HomeAssistant, sim: Simulator) -> None:
    sim.device.limit = 9_000
    await outcomes(act(hass, "get_export_limit"))
    assert await refusal(hass, sim) == "test_limit_unknown"


@pytest.mark.usefixtures("settled")
async def test_test_is_refused_while_the_limit_is_suspended(hass: HomeAssistant, sim: Simulator) -> None:
    reset = await suspend_limit(hass, sim)
    assert await refusal(hass, sim) == "reset_under_way"
    assert await outcomes(reset) == [1]


@pytest.mark.usefixtures("settled")
async def test_test_is_refused_shortly_before_a_limit_ends(hass: HomeAssistant, sim: Simulator) -> None:
    await outcomes(act(hass, "set_export_limit", limit=9, duration="00:05:10"))
    await asyncio.sleep(20)
    assert await refusal(hass, sim) == "test_end_near"


@pytest.mark.parametrize("interval", [30, 5])
async def test_test_is_refused_with_few_requests_left(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, interval: int
) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_SCAN_INTERVAL: interval})
    await load(hass, entry)
    await asyncio.sleep(SETTLED_S)
    await outcomes(act(hass, "set_export_limit", limit=9))
    with pytest.raises(ServiceValidationError) as refused:
        await _test(hass)
    assert refused.value.translation_key == "test_budget"
    assert refused.value.translation_placeholders
    # Who does what the message says is not refused again.
    await asyncio.sleep(int(refused.value.translation_placeholders["seconds"]))
    assert (await _test(hass))["result"] == "passed"


@pytest.mark.usefixtures("settled")
async def test_second_test_is_refused_while_one_runs(hass: HomeAssistant, sim: Simulator) -> None:
    first = act(hass, "test_export_limit")
    await lowered(sim)
    assert await refusal(hass, sim) == "test_under_way"
    assert (await first)["result"] == "passed"


@pytest.mark.usefixtures("settled")
async def test_meter_that_is_not_steady_is_not_tested(hass: HomeAssistant, sim: Simulator) -> None:
    steady = sim.telemetry()
    test = act(hass, "test_export_limit")
    for step in range(9):
        sim.hold(replace(steady, meter_power=10_000 - step * 700))
        await asyncio.sleep(6)
    response = await test
    assert (response["result"], response["reason"]) == ("inconclusive", "unsteady")
    assert written(sim) == []


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("fallen", [0, 2_500])
async def test_kettle_is_no_proof(hass: HomeAssistant, sim: Simulator, fallen: int) -> None:
    steady = sim.telemetry()
    assert steady.inverter_power
    test = act(hass, "test_export_limit")
    sim.hold(steady)
    await lowered(sim)
    # The meter falls to the limit; of the inverters none, or one of two.
    sim.hold(replace(steady, meter_power=5_000, inverter_power=steady.inverter_power - fallen))
    response = await test
    assert (response["result"], response["reason"]) == ("inconclusive", "other_cause")
    assert sim.device.limit == 10_000


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(("after", "longest"), [(0, 75), (40, 30)])
async def test_heater_ends_a_test_soon(
    hass: HomeAssistant, sim: Simulator, house: House, after: float, longest: float
) -> None:
    test = act(hass, "test_export_limit")
    await lowered(sim)
    await asyncio.sleep(after)
    house.heater = True
    began = asyncio.get_running_loop().time()
    response = await test
    assert (response["result"], response["reason"]) == ("inconclusive", "other_cause")
    assert asyncio.get_running_loop().time() - began < longest
    assert sim.device.bound_limit == 10_000


def _options(hass: HomeAssistant) -> asyncio.Task[Any]:
    return act(hass, "set_max_export_limit", limit=9.5)


WISHES: dict[str, tuple[Callable[[HomeAssistant], asyncio.Task[Any]], int]] = {
    "limit": (lambda hass: act(hass, "set_export_limit", limit=7), 7_000),
    "same limit": (lambda hass: act(hass, "set_export_limit", limit=5), 5_000),
    "enable": (lambda hass: act(hass, "export_enable"), 10_000),
    "switch": (lambda hass: control(hass, "switch", "turn_off", "export_to_grid"), 0),
    "end": (lambda hass: control(hass, "button", "press", "end_temporary_limit"), 10_000),
    "maximum": (_options, 9_500),
    "higher maximum": (lambda hass: act(hass, "set_max_export_limit", limit=12), 12_000),
    "mode": (
        lambda hass: control(hass, "select", "select_option", "control_mode", option="value"),
        10_000,
    ),
    "reset": (lambda hass: act(hass, "reset_export_watchdog"), 10_000),
}
"""What may be wanted during a test, and the limit (W) in force a while after that."""


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(("wish", "held"), WISHES.values(), ids=WISHES)
async def test_wish_in_between_ends_a_test(
    hass: HomeAssistant, sim: Simulator, wish: Callable[[HomeAssistant], asyncio.Task[Any]], held: int
) -> None:
    test = act(hass, "test_export_limit")
    await lowered(sim)
    assert await outcomes(wish(hass)) in ([1], [None])
    response = await test
    assert (response["result"], response["reason"]) == ("inconclusive", "interrupted")
    await asyncio.sleep(60)
    assert sim.device.bound_limit == held
    assert get_state(hass, ENDS).state == "unknown"


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("pause", [0.0, 3.0])
async def test_wish_before_the_lower_limit_ends_a_test(
    hass: HomeAssistant, sim: Simulator, pause: float
) -> None:
    test = act(hass, "test_export_limit")
    await asyncio.sleep(pause)
    await outcomes(act(hass, "set_export_limit", limit=7))
    assert (await test)["reason"] == "interrupted"
    assert written(sim) == [7_000]


@pytest.mark.usefixtures("settled")
async def test_temporary_limit_goes_on_after_a_test(hass: HomeAssistant, sim: Simulator) -> None:
    await outcomes(act(hass, "set_export_limit", limit=9, duration="00:10", then=2))
    ends = get_state(hass, ENDS).state
    await asyncio.sleep(60)
    test = act(hass, "test_export_limit", limit=5)
    await lowered(sim)
    assert get_state(hass, ENDS).state != ends
    assert (await test)["result"] == "passed"
    shown = get_state(hass, ENDS)
    assert (shown.state, shown.attributes["limit"], shown.attributes["then"]) == (ends, 9.0, 2.0)
    assert sim.device.bound_limit == 9_000
    await asyncio.sleep(600)
    assert sim.device.bound_limit == 2_000


@pytest.mark.parametrize("end", ["reload", "disable", "remove"])
async def test_unload_lifts_the_limit_of_a_test(
    hass: HomeAssistant, sim: Simulator, settled: MockConfigEntry, end: str
) -> None:
    test = act(hass, "test_export_limit")
    await lowered(sim)
    await unload(hass, settled, end)
    assert sim.device.bound_limit == 10_000
    response = await test
    assert (response["result"], response["reason"]) == ("inconclusive", "interrupted")


@pytest.mark.parametrize("end", ["disable", "remove"])
@pytest.mark.parametrize("held", [10_000, 5_000], ids=["before it is written", "before it is read back"])
async def test_unload_lifts_a_limit_that_is_being_lowered(
    hass: HomeAssistant, sim: Simulator, settled: MockConfigEntry, end: str, held: int
) -> None:
    test = act(hass, "test_export_limit")
    # The third reading has shown that the meter is steady.
    await asyncio.sleep(12.1)
    await until(lambda: sim.device.limit == held)
    await unload(hass, settled, end)
    assert sim.device.bound_limit == 10_000
    assert (await test)["reason"] == "interrupted"


@pytest.mark.parametrize("end", ["disable", "remove"])
async def test_unload_lifts_a_limit_that_waits_to_be_lowered(
    hass: HomeAssistant, sim: Simulator, settled: MockConfigEntry, end: str
) -> None:
    sim.inject("silence", count=1, commands=(SET_CLOCK,))
    sent = len(sim.requests)
    test = act(hass, "test_export_limit")
    # The third reading shows that the meter is steady; the clock goes before what follows from it.
    await sim.wait_for_requests(sent + 3)
    clock = act(hass, "set_datetime")
    await asyncio.sleep(1)
    assert get_state(hass, ENDS).state == "unknown"
    await unload(hass, settled, end)
    assert sim.device.bound_limit == 10_000
    assert (await test)["reason"] == "interrupted"
    await outcomes(clock)


async def test_stop_lifts_the_limit_of_a_test(
    hass: HomeAssistant, sim: Simulator, settled: MockConfigEntry
) -> None:
    test = act(hass, "test_export_limit")
    await lowered(sim)
    await settled.runtime_data.export.async_stop()
    assert sim.device.bound_limit == 10_000
    assert (await test)["reason"] == "interrupted"


async def test_limit_of_a_test_ends_by_itself_after_a_silent_unload(
    hass: HomeAssistant, sim: Simulator, settled: MockConfigEntry
) -> None:
    test = act(hass, "test_export_limit")
    await lowered(sim)
    sim.inject("silence")
    assert await hass.config_entries.async_unload(settled.entry_id)
    await outcomes(test)
    assert sim.device.bound_limit == 5_000
    sim.clear_faults()
    await load(hass, settled)
    await asyncio.sleep(240)
    assert (sim.device.bound_limit, get_state(hass, ENDS).state) == (10_000, "unknown")


@pytest.mark.slow
@pytest.mark.promise("R-36")
@pytest.mark.parametrize(("lasts", "held"), [(None, 10_000), (86_000, 9_000), (900, 2_000)])
async def test_test_that_is_killed_leads_back_to_what_stood(
    hass: HomeAssistant,
    sim: Simulator,
    settled: MockConfigEntry,
    hass_storage: Storage,
    lasts: int | None,
    held: int,
) -> None:
    if lasts:
        await outcomes(act(hass, "set_export_limit", limit=9, duration=lasts, then=2))
        await asyncio.sleep(60)
    ends = get_state(hass, ENDS).state if held == 9_000 else "unknown"
    key = f"{DOMAIN}.{settled.entry_id}"
    kills: dict[str, tuple[Any, int, int | None]] = {}

    def keep(_request: Request, _answer: Answer) -> None:
        device = sim.device
        left = deepcopy(hass_storage[key]), device.limit, device.bound_limit
        kills.setdefault(repr(left), left)

    # What a kill after any request would leave.
    sim._on_exchange = keep
    assert (await _test(hass, limit=5))["result"] == "passed"
    sim._on_exchange = None
    assert await hass.config_entries.async_unload(settled.entry_id)
    assert len(kills) >= 7
    await asyncio.sleep(900)
    for left, limit, bound in kills.values():
        hass_storage[key] = deepcopy(left)
        sim.device.limit = limit
        sim.device.bound_limit = bound
        await load(hass, settled)
        await asyncio.sleep(40)
        assert (sim.device.limit, get_state(hass, ENDS).state) == (held, ends), left
        assert await hass.config_entries.async_unload(settled.entry_id)


async def test_device_that_dies_in_a_test_leaves_the_lower_limit(
    hass: HomeAssistant, sim: Simulator, settled: MockConfigEntry
) -> None:
    test = act(hass, "test_export_limit")
    await lowered(sim)
    sim.inject("silence")
    response = await test
    assert (response["result"], response["reason"]) == ("inconclusive", "no_readings")
    assert sim.device.bound_limit == 5_000
    sim.clear_faults()
    await asyncio.sleep(240)
    assert (sim.device.bound_limit, get_state(hass, ENDS).state) == (10_000, "unknown")


async def test_refused_write_is_no_result(
    hass: HomeAssistant, sim: Simulator, settled: MockConfigEntry
) -> None:
    sim.inject("ack-without-effect", commands=(WRITE_LIMIT,))
    response = await _test(hass)
    assert (response["result"], response["reason"]) == ("inconclusive", "not_set")
    assert (sim.device.bound_limit, get_state(hass, ENDS).state) == (10_000, "unknown")


async def test_result_survives_a_restart(
    hass: HomeAssistant, sim: Simulator, settled: MockConfigEntry, hass_storage: Storage
) -> None:
    await _test(hass)
    before = get_state(hass, RESULT)
    key = f"{DOMAIN}.{settled.entry_id}.limit_test"
    assert await hass.config_entries.async_unload(settled.entry_id)
    stored = hass_storage[key]
    await load(hass, settled)
    assert get_state(hass, RESULT).state == "passed"
    assert get_state(hass, RESULT).attributes == before.attributes
    assert await hass.config_entries.async_unload(settled.entry_id)
    for damage in ({"result": "splendid"}, {"at": "9999-12-31T23:59:59-12:00"}):
        hass_storage[key] = {**stored, "data": {**stored["data"], **damage}}
        await load(hass, settled)
        assert get_state(hass, RESULT).state == "unknown"
        assert await hass.config_entries.async_unload(settled.entry_id)
    await hass.config_entries.async_remove(settled.entry_id)
    assert key not in hass_storage


@pytest.mark.usefixtures("settled")
async def test_button_tests_with_half_of_the_export(hass: HomeAssistant, sim: Simulator) -> None:
    await outcomes(control(hass, "button", "press", "test_export_limit"))
    assert (get_state(hass, RESULT).state, written(sim)[0]) == ("passed", 5_000)


@pytest.mark.usefixtures("settled")
async def test_cancelled_caller_does_not_end_a_test(hass: HomeAssistant, sim: Simulator) -> None:
    test = act(hass, "test_export_limit")
    await lowered(sim)
    test.cancel()
    await asyncio.sleep(120)
    assert (get_state(hass, RESULT).state, sim.device.bound_limit) == ("passed", 10_000)


@pytest.mark.usefixtures("settled")
async def test_requests_of_a_test_stay_within_the_budget(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, house: House
) -> None:
    house._obedient_share = 0
    turns = loaded.runtime_data.coordinator.client.transport.turns
    before = len(sim.requests)
    assert (await _test(hass))["result"] == "failed"
    assert len(sim.requests) - before < 40
    assert turns.level > 1
