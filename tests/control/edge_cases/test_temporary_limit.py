"""A limit that ends by itself leads to a stated limit, whatever happens before, at and after its end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator
from simulator.protocol import READ_LIMIT, TELEMETRY, VALUE, WRITE_LIMIT
from tests.calls import (
    Storage,
    act,
    control,
    is_off,
    issue,
    keep_busy,
    load,
    outcomes,
    requested,
    suspend_limit,
)
from tests.entries import entry_of
from tests.repair_flow import Repair
from tests.states import get_state

from .test_full_disk import full_disk

pytestmark = pytest.mark.usefixtures("warp")
ENDS = "sensor.sec1000_temporary_limit_ends"
NOT_ENDED = "temporary_limit_not_ended"
FIVE_MINUTES = 300


async def call(hass: HomeAssistant, action: str, **data: Any) -> dict[str, Any]:
    """Call an action as a script would, and return its response."""
    response = await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)
    assert response is not None
    return response


def ends(hass: HomeAssistant) -> str:
    """Return when the limit ends by itself, as it is shown."""
    return get_state(hass, ENDS).state


def writes(sim: Simulator, since: int = 0) -> int:
    """Return how many requests have written a limit."""
    return sum(command == WRITE_LIMIT for command, _ in requested(sim, since))


@contextmanager
def clock_set(by: timedelta) -> Iterator[None]:
    """Let the time of day be another one, but not the time that passes."""
    with patch.object(dt_util, "utcnow", lambda real=dt_util.utcnow: real() + by):
        yield


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("action", "data", "limit", "then"),
    [
        ("set_export_limit", {"limit": 3, "then": 8}, 3_000, 8_000),
        ("set_export_limit", {"limit": "3", "then": "{{ 8 }}"}, 3_000, 8_000),
        ("export_disable", {"then": 8}, 0, 8_000),
        ("export_disable", {}, 0, 10_000),
        ("export_enable", {"then": 0}, 10_000, 0),
    ],
)
async def test_limit_holds_for_its_duration_and_then_ends(
    hass: HomeAssistant, sim: Simulator, action: str, data: dict[str, Any], limit: int, then: int
) -> None:
    response = await call(hass, action, duration="00:05", **data)
    assert response["feedback"] == 1
    assert response["then"] == then / 1000
    assert response["ends"] == ends(hass)
    assert get_state(hass, ENDS).attributes["then"] == then / 1000
    await asyncio.sleep(FIVE_MINUTES - 3)
    assert sim.device.bound_limit == limit
    await asyncio.sleep(30)
    assert sim.device.bound_limit == then
    assert ends(hass) == "unknown"
    assert is_off(hass, "limit_differs")
    assert writes(sim) == 2


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"duration": 0}, "0 is not a duration of 1 minute to 24 hours"),
        ({"duration": "00:00:59"}, "is not a duration of 1 minute"),
        ({"duration": {"hours": 24, "seconds": 1}}, "is not a duration of 1 minute"),
        ({"duration": "soon"}, "'soon' is not a duration"),
        ({"duration": True}, "True is not a duration"),
        ({"duration": float("inf")}, "inf is not a duration"),
        ({"duration": None}, "is not a duration"),
        ({"duration": "-00:05"}, "is not a duration of 1 minute"),
        ({"duration": "24:00:01"}, "is not a duration of 1 minute"),
        ({"duration": {"hours": 0, "minutes": 0, "seconds": 0}}, "is not a duration of 1 minute"),
        ({"duration": {}}, "is not a duration of 1 minute"),
        ({"duration": "{{ none }}"}, "'None' is not a duration"),
        ({"duration": "00:05", "then": "much"}, "'much' is not a valid number"),
        ({"duration": "00:05", "then": None}, "None is not a valid number"),
        ({"duration": "00:05", "then": True}, "True is not a valid number"),
        ({"then": 5}, "requires a duration"),
    ],
)
async def test_end_that_is_none_is_refused_and_not_ignored(
    hass: HomeAssistant, sim: Simulator, data: dict[str, Any], message: str
) -> None:
    with pytest.raises(ServiceValidationError, match=message):
        await call(hass, "set_export_limit", limit=3, **data)
    assert writes(sim) == 0
    assert ends(hass) == "unknown"
    assert get_state(hass, "sensor.sec1000_set_export_limit_feedback").state == "128"


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    "duration",
    ["00:05", "00:05:00", 300, "300", {"minutes": 5}, {"minutes": "4", "seconds": 60}, "{{ 5 * 60 }}"],
    ids=str,
)
async def test_duration_is_taken_in_any_usual_form(hass: HomeAssistant, duration: object) -> None:
    response = await call(hass, "set_export_limit", limit=3, duration=duration, then=8)
    until = dt_util.parse_datetime(response["ends"])
    assert until
    assert FIVE_MINUTES - 5 < (until - dt_util.utcnow()).total_seconds() <= FIVE_MINUTES


@pytest.mark.usefixtures("loaded")
async def test_then_outside_of_the_range_is_corrected(hass: HomeAssistant, sim: Simulator) -> None:
    response = await call(hass, "set_export_limit", limit=12, duration=60, then=-1)
    assert (response["feedback"], response["then"]) == (129, 0.0)
    assert response["message"].count("was adjusted to") == 2
    await asyncio.sleep(90)
    assert sim.device.bound_limit == 0


@pytest.mark.usefixtures("entry")
async def test_end_without_a_proven_limit_asks_for_then(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("silence", commands=(READ_LIMIT,))
    await load(hass, entry)
    sim.clear_faults()
    with pytest.raises(ServiceValidationError, match="Limit afterwards"):
        await call(hass, "set_export_limit", limit=3, duration="00:05")
    assert writes(sim) == 0
    assert (await call(hass, "set_export_limit", limit=3, duration="00:05", then=1))["then"] == 1.0


@pytest.mark.usefixtures("loaded")
async def test_then_is_what_was_proven_before_the_first_of_a_row(hass: HomeAssistant, sim: Simulator) -> None:
    await call(hass, "set_export_limit", limit=6)
    await call(hass, "set_export_limit", limit=2, duration="01:00", then=4)
    response = await call(hass, "set_export_limit", limit=1, duration="00:02")
    assert response["then"] == 6.0
    await asyncio.sleep(150)
    assert sim.device.bound_limit == 6_000


@pytest.mark.usefixtures("loaded")
async def test_then_is_never_beyond_a_limit_that_was_replaced(hass: HomeAssistant, sim: Simulator) -> None:
    """A limit that was to stand gives way before it is written: what ends leads to no more than that."""
    clock = await keep_busy(hass, sim)
    standing = act(hass, "set_export_limit", limit=2)
    temporary = act(hass, "set_export_limit", limit=1, duration="00:01")
    _, error, feedback = await outcomes(clock, standing, temporary)
    assert isinstance(error, HomeAssistantError)
    assert feedback == 1
    assert get_state(hass, ENDS).attributes["then"] == 2.0
    await asyncio.sleep(90)
    assert sim.device.bound_limit == 2_000


@pytest.mark.promise("R-35")
@pytest.mark.usefixtures("loaded")
async def test_renewals_move_the_end_and_send_nothing(hass: HomeAssistant, sim: Simulator) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    first = ends(hass)
    for _ in range(4):
        await asyncio.sleep(100)
        since = len(sim.requests)
        response = await call(hass, "set_export_limit", limit=3, duration="00:05", then=7)
        assert sim.requests[since:] == []
        assert response["feedback"] == 1
        assert response["message"].startswith("Extended until ")
    assert ends(hass) > first
    assert writes(sim) == 1
    await asyncio.sleep(FIVE_MINUTES + 30)
    assert sim.device.bound_limit == 7_000


@pytest.mark.parametrize("why", ["drift", "silence", "unread"])
async def test_renewal_is_written_where_the_limit_may_not_hold(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, why: str
) -> None:
    if why == "unread":
        hass.config_entries.async_update_entry(loaded, pref_disable_polling=True)
        await hass.config_entries.async_reload(loaded.entry_id)
    await call(hass, "set_export_limit", limit=3, duration="00:05")
    if why == "drift":
        sim.device.limit = 5_000
    if why == "silence":
        sim.inject("silence")
    await asyncio.sleep(200)
    sim.clear_faults()
    before = writes(sim)
    assert (await call(hass, "set_export_limit", limit=3, duration="00:05"))["feedback"] == 1
    assert writes(sim) == before + 1


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    "command",
    [
        ("action", "set_export_limit", {"limit": 3}),
        ("action", "export_toggle", {}),
        ("switch", "turn_on", "export_to_grid", {}),
        ("number", "set_value", "export_limit", {"value": 5}),
        ("select", "select_option", "control_mode", {"option": "value"}),
        ("button", "press", "enable_export", {}),
    ],
    ids=lambda command: command[1],
)
async def test_limit_without_duration_stands(hass: HomeAssistant, sim: Simulator, command: Any) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    if command[0] == "action":
        await outcomes(act(hass, command[1], **command[2]))
    else:
        await control(hass, *command[:3], **command[3])
    assert ends(hass) == "unknown"
    held = sim.device.bound_limit
    await asyncio.sleep(2 * FIVE_MINUTES)
    assert sim.device.bound_limit == held


@pytest.mark.usefixtures("loaded")
async def test_bounds_keep_the_end_and_bring_both_into_range(hass: HomeAssistant, sim: Simulator) -> None:
    await call(hass, "set_export_limit", limit=6, duration="00:05", then=8)
    await call(hass, "set_max_export_limit", limit=5)
    assert get_state(hass, ENDS).attributes["limit"] == 5.0
    assert get_state(hass, ENDS).attributes["then"] == 5.0
    await call(hass, "set_max_export_limit", limit=4)
    await asyncio.sleep(FIVE_MINUTES + 30)
    assert sim.device.bound_limit == 4_000
    assert ends(hass) == "unknown"


@pytest.mark.usefixtures("loaded")
async def test_raised_minimum_keeps_the_end_and_raises_both(hass: HomeAssistant, sim: Simulator) -> None:
    await call(hass, "set_export_limit", limit=1, duration="00:05", then=2)
    await call(hass, "set_min_export_limit", limit=3)
    assert (sim.device.bound_limit, get_state(hass, ENDS).attributes["then"]) == (3_000, 3.0)


@pytest.mark.usefixtures("loaded")
async def test_then_from_before_is_told_within_the_options(hass: HomeAssistant) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:05")
    await call(hass, "set_max_export_limit", limit=5)
    assert (await call(hass, "set_export_limit", limit=2, duration="00:05"))["then"] == 5.0


async def test_then_is_brought_into_the_options_of_the_end(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    hass.config_entries.async_update_entry(loaded, options={**loaded.options, "max_export_limit": 7.0})
    await asyncio.sleep(FIVE_MINUTES + 30)
    assert sim.device.bound_limit == 7_000


@pytest.mark.usefixtures("loaded")
async def test_button_ends_a_temporary_limit_at_once(hass: HomeAssistant, sim: Simulator) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    await control(hass, "button", "press", "end_temporary_limit")
    assert sim.device.bound_limit == 8_000
    assert ends(hass) == "unknown"
    with pytest.raises(ServiceValidationError, match="does not end by itself"):
        await control(hass, "button", "press", "end_temporary_limit")


@pytest.mark.usefixtures("loaded")
async def test_button_ends_a_temporary_limit_that_waits(hass: HomeAssistant, sim: Simulator) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    clock = await keep_busy(hass, sim)
    newer = act(hass, "set_export_limit", limit=5, duration="00:05", then=4)
    _, error, ended = await outcomes(clock, newer, control(hass, "button", "press", "end_temporary_limit"))
    assert isinstance(error, HomeAssistantError)
    assert (ended, sim.device.bound_limit, ends(hass)) == (None, 4_000, "unknown")


@pytest.mark.promise("R-32")
@pytest.mark.usefixtures("hass_storage", "loaded")
async def test_limit_is_not_set_where_its_end_cannot_be_stored(hass: HomeAssistant, sim: Simulator) -> None:
    with full_disk(), pytest.raises(HomeAssistantError, match="could not be saved to disk"):
        await call(hass, "set_export_limit", limit=3, duration="00:05")
    assert writes(sim) == 0
    assert ends(hass) == "unknown"


@pytest.mark.usefixtures("hass_storage", "loaded")
async def test_full_disk_keeps_no_limit_from_standing(hass: HomeAssistant, sim: Simulator) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:05")
    with full_disk():
        assert (await call(hass, "export_disable"))["feedback"] == 1
    await asyncio.sleep(FIVE_MINUTES + 60)
    assert sim.device.bound_limit == 0


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("fault", ["nak", "silence", "ack-without-effect"])
async def test_end_stays_where_the_limit_could_not_be_set(
    hass: HomeAssistant, sim: Simulator, fault: str
) -> None:
    sim.inject(fault, commands=(WRITE_LIMIT, VALUE, READ_LIMIT))
    [error] = await outcomes(act(hass, "set_export_limit", limit=3, duration="00:05", then=8))
    assert isinstance(error, HomeAssistantError)
    sim.clear_faults()
    assert ends(hass) != "unknown"
    await asyncio.sleep(FIVE_MINUTES + 60)
    assert sim.device.bound_limit == 8_000


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("fault", ["nak", "silence", "ack-without-effect"])
async def test_failed_limit_lets_the_end_allow_no_more(
    hass: HomeAssistant, sim: Simulator, fault: str
) -> None:
    """A limit that was to stand and is not proven: what ends then, leads to no more than that."""
    await call(hass, "export_disable", duration="00:05")
    sim.inject(fault, commands=(WRITE_LIMIT, VALUE, READ_LIMIT))
    [error] = await outcomes(act(hass, "set_export_limit", limit=2))
    assert isinstance(error, HomeAssistantError)
    sim.clear_faults()
    await asyncio.sleep(FIVE_MINUTES + 60)
    assert sim.device.bound_limit in {0, 2_000}


@pytest.mark.promise("R-33")
@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("fault", ["refused", "silence", "ack-without-effect"])
async def test_failed_limit_keeps_an_end_that_allows_less(
    hass: HomeAssistant, sim: Simulator, fault: str
) -> None:
    """The device may still hold the limit before, whose end is as near as it was."""
    await call(hass, "set_export_limit", limit=10, duration="00:05", then=1)
    sim.inject(fault)
    [error] = await outcomes(act(hass, "set_export_limit", limit=5, duration="10:00", then=8))
    assert isinstance(error, HomeAssistantError)
    sim.clear_faults()
    await asyncio.sleep(FIVE_MINUTES + 60)
    assert (sim.device.bound_limit, ends(hass)) == (1_000, "unknown")


@pytest.mark.usefixtures("loaded")
async def test_failed_renewal_keeps_a_stricter_limit_for_longer(hass: HomeAssistant, sim: Simulator) -> None:
    await call(hass, "set_export_limit", limit=1, duration="00:05", then=10)
    sim.inject("ack-without-effect")
    [error] = await outcomes(act(hass, "set_export_limit", limit=2, duration="00:10", then=10))
    assert isinstance(error, HomeAssistantError)
    sim.clear_faults()
    await asyncio.sleep(FIVE_MINUTES + 60)
    assert sim.device.bound_limit == 1_000
    await asyncio.sleep(FIVE_MINUTES)
    assert sim.device.bound_limit == 10_000


@pytest.mark.usefixtures("loaded")
async def test_superseded_limit_leaves_no_end(hass: HomeAssistant, sim: Simulator) -> None:
    clock = await keep_busy(hass, sim)
    first = act(hass, "set_export_limit", limit=3, duration="00:05")
    second = act(hass, "set_export_limit", limit=5)
    _, error, feedback = await outcomes(clock, first, second)
    assert isinstance(error, HomeAssistantError)
    assert feedback == 1
    assert ends(hass) == "unknown"


@pytest.mark.promise("R-34")
@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("data", "held"),
    [({"limit": 5}, 5_000), ({"limit": 3, "duration": "00:05"}, 3_000)],
    ids=["newer", "renewal"],
)
async def test_command_at_the_end_takes_its_place(
    hass: HomeAssistant, sim: Simulator, data: dict[str, Any], held: int
) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    await asyncio.sleep(FIVE_MINUTES - 3)
    clock = await keep_busy(hass, sim)
    newer = act(hass, "set_export_limit", **data)
    assert await outcomes(clock, newer) == [1, 1]
    await asyncio.sleep(120)
    assert sim.device.bound_limit == held
    limits = [int.from_bytes(data[4:8]) for command, data in requested(sim) if command == WRITE_LIMIT]
    assert 8_000 not in limits


@pytest.mark.usefixtures("loaded")
async def test_newer_limit_supersedes_an_end_that_waits(hass: HomeAssistant, sim: Simulator) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    await asyncio.sleep(FIVE_MINUTES - 3)
    clock = await keep_busy(hass, sim)
    await asyncio.sleep(4)
    assert await outcomes(clock, act(hass, "set_export_limit", limit=5)) == [1, 1]
    await asyncio.sleep(120)
    assert (sim.device.bound_limit, ends(hass)) == (5_000, "unknown")
    assert get_state(hass, "sensor.sec1000_set_export_limit_feedback").state == "1"


@pytest.mark.usefixtures("loaded")
async def test_end_waits_for_no_reads_and_clocks(hass: HomeAssistant, sim: Simulator) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:01", then=8)
    is_over = False

    async def call_again_and_again(action: str) -> None:
        while not is_over:
            await outcomes(act(hass, action))

    calls = [
        asyncio.create_task(call_again_and_again(action)) for action in ("get_export_limit", "set_datetime")
    ]
    await asyncio.sleep(120)
    assert sim.device.bound_limit == 8_000
    is_over = True
    await asyncio.gather(*calls)


@pytest.mark.promise("R-33")
@pytest.mark.parametrize("fault", ["silence", "nak", "ack-without-effect"])
async def test_end_that_fails_is_reported_and_tried_again(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, fault: str
) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    await asyncio.sleep(FIVE_MINUTES - 3)
    commands = None if fault == "silence" else (WRITE_LIMIT, VALUE)
    sim.inject(fault, commands=commands)
    await asyncio.sleep(170)
    assert issue(hass, loaded, NOT_ENDED) is None
    await asyncio.sleep(30)
    assert issue(hass, loaded, NOT_ENDED)
    since = len(sim.requests)
    await asyncio.sleep(300)
    assert len(sim.requests) - since < 300 * 0.23
    sim.clear_faults()
    await asyncio.sleep(60)
    assert sim.device.bound_limit == 8_000
    assert issue(hass, loaded, NOT_ENDED) is None
    assert ends(hass) == "unknown"


@pytest.mark.promise("R-33")
async def test_end_on_a_device_that_is_power_cycled_is_carried_out(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:01", then=8)
    await asyncio.sleep(55)
    sim.inject("exhausted")
    await asyncio.sleep(600)
    assert issue(hass, loaded, NOT_ENDED)
    sim.clear_faults()
    sim.restart()
    await asyncio.sleep(60)
    assert (sim.device.bound_limit, ends(hass)) == (8_000, "unknown")
    assert issue(hass, loaded, NOT_ENDED) is None


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("fault", ["stale-value", "stale-answer", "late-effect", "effect-then-silence"])
async def test_lying_device_ends_a_limit_in_the_end(hass: HomeAssistant, sim: Simulator, fault: str) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:01", then=8)
    await asyncio.sleep(55)
    sim.inject(fault)
    await asyncio.sleep(120)
    sim.clear_faults()
    await asyncio.sleep(60)
    assert (sim.device.bound_limit, ends(hass)) == (8_000, "unknown")


@pytest.mark.parametrize("after", [-0.3, 0.3, 0.9, 2.0])
async def test_reload_at_the_end_loses_no_end(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, after: float
) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:01", then=8)
    until = dt_util.parse_datetime(ends(hass))
    assert until
    await asyncio.sleep((until - dt_util.utcnow()).total_seconds() + after)
    await hass.config_entries.async_reload(loaded.entry_id)
    await asyncio.sleep(60)
    assert (sim.device.bound_limit, ends(hass)) == (8_000, "unknown")
    assert is_off(hass, "limit_differs")


@pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")
@pytest.mark.parametrize("choice", ["end_now", "keep"])
async def test_repair_ends_the_limit_or_lets_it_stand(
    hass: HomeAssistant,
    sim: Simulator,
    loaded: MockConfigEntry,
    hass_client: ClientSessionGenerator,
    choice: str,
) -> None:
    assert await async_setup_component(hass, REPAIRS, {})
    client = await hass_client()
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    await asyncio.sleep(FIVE_MINUTES - 5)
    sim.inject("ack-without-effect", commands=(WRITE_LIMIT,))
    await asyncio.sleep(200)
    repair = await Repair(hass, client, f"{NOT_ENDED}_{loaded.entry_id}").start()
    await repair.choose(choice)
    if choice == "end_now":
        await repair.submit()
        assert repair.error
        sim.clear_faults()
    await repair.submit()
    assert repair.result["type"] == "create_entry", repair.error
    assert repair.success_text
    await asyncio.sleep(60)
    sim.clear_faults()
    assert sim.device.bound_limit == (8_000 if choice == "end_now" else 3_000)
    assert ends(hass) == "unknown"
    assert issue(hass, loaded, NOT_ENDED) is None


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("passed", [10, 58], ids=["before its end", "across its end"])
async def test_reset_restores_the_temporary_limit_or_then(
    hass: HomeAssistant, sim: Simulator, passed: int
) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:01", then=8)
    await asyncio.sleep(passed)
    assert await outcomes(await suspend_limit(hass, sim)) == [1]
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 3_000)
    await asyncio.sleep(90)
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 8_000)


async def test_end_passes_while_a_limit_is_being_restored(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    await call(hass, "set_export_limit", limit=8, duration="00:02", then=3)
    reset = await suspend_limit(hass, sim)
    sim.inject("silence")
    await outcomes(reset)
    await asyncio.sleep(150)
    sim.clear_faults()
    await asyncio.sleep(120)
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 3_000)
    assert ends(hass) == "unknown"


async def test_drift_is_corrected_to_the_temporary_limit_until_its_end(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(loaded, options={**loaded.options, "put_back": True})
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    sim.device.limit = sim.device.bound_limit = 10_000
    await asyncio.sleep(90)
    assert sim.device.bound_limit == 3_000
    assert ends(hass) != "unknown"
    await asyncio.sleep(FIVE_MINUTES)
    assert sim.device.bound_limit == 8_000
    sim.device.limit = sim.device.bound_limit = 10_000
    await asyncio.sleep(90)
    assert sim.device.bound_limit == 8_000


async def test_end_goes_on_with_polling_disabled(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(loaded, pref_disable_polling=True)
    await hass.config_entries.async_reload(loaded.entry_id)
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    since = len(sim.requests)
    await asyncio.sleep(FIVE_MINUTES + 30)
    assert sim.device.bound_limit == 8_000
    assert TELEMETRY not in {command for command, _ in requested(sim, since)}


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("hours", [-30, -1, 1, 30])
async def test_limit_lasts_as_long_whatever_the_clock_does(
    hass: HomeAssistant, sim: Simulator, hours: int
) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    with clock_set(timedelta(hours=hours)):
        await asyncio.sleep(FIVE_MINUTES - 5)
        assert sim.device.bound_limit == 3_000
        await asyncio.sleep(60)
        assert sim.device.bound_limit == 8_000


@pytest.mark.usefixtures("loaded")
async def test_reset_after_a_clock_jump_restores_what_holds(hass: HomeAssistant, sim: Simulator) -> None:
    await call(hass, "set_export_limit", limit=8, duration="00:05", then=3)
    with clock_set(timedelta(hours=30)):
        await call(hass, "reset_export_watchdog")
        assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 8_000)
        assert is_off(hass, "limit_differs")


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("warp", ["2026-10-25 00:58:00", "2026-03-29 00:58:00"], indirect=True)
async def test_limit_lasts_as_long_across_summer_time(hass: HomeAssistant, sim: Simulator) -> None:
    await hass.config.async_set_time_zone("Europe/Prague")
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    await asyncio.sleep(FIVE_MINUTES - 5)
    assert sim.device.bound_limit == 3_000
    await asyncio.sleep(60)
    assert sim.device.bound_limit == 8_000


@pytest.mark.promise("R-32")
async def test_reload_keeps_the_end(hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    shown = ends(hass)
    await asyncio.sleep(100)
    await hass.config_entries.async_reload(loaded.entry_id)
    assert ends(hass) == shown
    assert writes(sim) == 1
    await asyncio.sleep(190)
    assert sim.device.bound_limit == 3_000
    await asyncio.sleep(90)
    assert sim.device.bound_limit == 8_000


async def test_each_entry_has_an_end_of_its_own(
    hass: HomeAssistant, sim: Simulator, other: Simulator, loaded: MockConfigEntry
) -> None:
    second = entry_of(other, "Barn")
    second.add_to_hass(hass)
    await load(hass, second)
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8, config_entry_id=loaded.entry_id)
    await call(hass, "set_export_limit", limit=2, config_entry_id=second.entry_id)
    await asyncio.sleep(FIVE_MINUTES + 30)
    assert (sim.device.bound_limit, other.device.bound_limit) == (8_000, 2_000)


@pytest.mark.parametrize("is_removed", [False, True])
async def test_end_of_limit_set_during_unload_waits_for_next_setup(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, is_removed: bool
) -> None:
    clock = await keep_busy(hass, sim)
    limit = act(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    await asyncio.sleep(1)
    if is_removed:
        await hass.config_entries.async_remove(loaded.entry_id)
    else:
        await hass.config_entries.async_unload(loaded.entry_id)
    assert await outcomes(clock, limit) == [1, 1]
    seen = len(sim.requests)
    await asyncio.sleep(2 * FIVE_MINUTES)
    assert len(sim.requests) == seen
    assert issue(hass, loaded, NOT_ENDED) is None


async def test_removal_leaves_no_end(
    hass: HomeAssistant,
    hass_storage: Storage,
    sim: Simulator,
    loaded: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await call(hass, "set_export_limit", limit=3, duration="00:05", then=8)
    await hass.config_entries.async_remove(loaded.entry_id)
    assert f"{DOMAIN}.{loaded.entry_id}" not in hass_storage
    assert "the temporary limit of 3.00 kW stays in the device" in caplog.text
    await asyncio.sleep(2 * FIVE_MINUTES)
    assert sim.device.bound_limit == 3_000
