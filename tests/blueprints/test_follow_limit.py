"""The follow-limit blueprint: units, fallback without a value, retries."""

import asyncio
from typing import Any, Final

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.number import Sec1000Number
from simulator import Simulator
from tests.states import get_state, show_in

from .home import Home, add_helpers

BLUEPRINT: Final = "follow_limit"
NUMBER: Final = "number.sec1000_export_limit"
SIGNAL: Final = "sensor.signal"
NONE: Final = {"hours": 0, "minutes": 0, "seconds": 0}
WRITE_LIMIT: Final = 0x42


def inputs(**changed: Any) -> dict[str, Any]:
    return {"export_limit": NUMBER, "source": SIGNAL, **changed}


def signal(hass: HomeAssistant, value: object, unit: str | None = "kW", **attributes: object) -> None:
    if unit is not None:
        attributes["unit_of_measurement"] = unit
    hass.states.async_set(SIGNAL, str(value), attributes)


async def settle() -> None:
    """Wait for a command to finish."""
    await asyncio.sleep(20)


async def test_limit_follows_and_is_not_sent_twice(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    signal(hass, 10)
    automation = await home.automate(BLUEPRINT, inputs())
    await asyncio.sleep(300)
    assert home.calls == []
    assert get_state(hass, automation).attributes["last_triggered"] is None
    for value in (7, 0, 3.21, 9.99):
        signal(hass, value)
        await settle()
        assert sim.device.bound_limit == round(value * 1000)
        await asyncio.sleep(600)
    assert home.calls == ["set_export_limit"] * 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "unit", "limit"),
    [
        (4200, "W", 4_200),
        (4.2, "kW", 4_200),
        (0.0042, "MW", 4_200),
        (42, "%", 4_200),
        (7.299, "kW", 7_290),
        (0.29, "kW", 290),
        (-3, "kW", 0),
        (300, "%", 10_000),
    ],
)
@pytest.mark.parametrize("given_by", ["the entity", "the user"])
async def test_unit_of_entity_or_input_is_used(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    value: float,
    unit: str,
    limit: int,
    given_by: str,
) -> None:
    sim.device.limit = 5_000
    await asyncio.sleep(70)
    if given_by == "the entity":
        signal(hass, value, unit)
        await home.automate(BLUEPRINT, inputs())
    else:
        signal(hass, value, "widgets")
        await home.automate(BLUEPRINT, inputs(source_unit=unit))
    await asyncio.sleep(300)
    assert sim.device.bound_limit == limit
    assert home.calls == ["set_export_limit"]
    assert get_state(hass, "sensor.sec1000_set_export_limit_feedback").state == "1"


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["mW", "W", "kW", "MW", "BTU/h"])
async def test_number_shown_in_another_unit_is_understood(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, unit: str
) -> None:
    await show_in(hass, NUMBER, unit)
    await hass.services.async_call("goodwe_sec1000", "set_min_export_limit", {"limit": 1}, blocking=True)
    home.calls.clear()
    await home.automate(BLUEPRINT, inputs(retry_after={"minutes": 5}))
    for value, limit in ((50, 5_000), (53, 5_300), (0, 1_000), (300, 10_000)):
        signal(hass, value, "%")
        await asyncio.sleep(1200)
        assert sim.device.bound_limit == limit
    assert home.calls == ["set_export_limit"] * 4


@pytest.mark.parametrize(
    ("value", "unit", "limit"),
    [(-0.1, "kW", -100), (-0.105, "kW", -110), (-300, "W", -300), (-3, "kW", -1_000)],
)
async def test_value_below_zero_is_followed_where_allowed(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    value: float,
    unit: str,
    limit: int,
) -> None:
    await hass.services.async_call("goodwe_sec1000", "set_min_export_limit", {"limit": -1}, blocking=True)
    signal(hass, value, unit)
    await home.automate(BLUEPRINT, inputs())
    await asyncio.sleep(300)
    assert sim.device.bound_limit == limit


async def test_zero_percent_is_zero_with_a_minimum_below_zero(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await hass.services.async_call("goodwe_sec1000", "set_min_export_limit", {"limit": -1}, blocking=True)
    signal(hass, 0, "%")
    await home.automate(BLUEPRINT, inputs())
    await asyncio.sleep(300)
    assert sim.device.bound_limit == 0


async def test_limit_below_zero_replaces_an_unknown_value(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await hass.services.async_call("goodwe_sec1000", "set_min_export_limit", {"limit": -1}, blocking=True)
    signal(hass, "unknown")
    await home.automate(BLUEPRINT, inputs(unknown_after=NONE, unknown_limit=-0.5))
    await asyncio.sleep(300)
    assert sim.device.bound_limit == -500


async def test_number_without_kilowatts_is_in_kilowatts(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first version of the integration did not have the attributes."""
    monkeypatch.setattr(Sec1000Number, "extra_state_attributes", None)
    await hass.services.async_call("goodwe_sec1000", "set_min_export_limit", {"limit": 1}, blocking=True)
    home.calls.clear()
    assert "kilowatts" not in get_state(hass, NUMBER).attributes
    await home.automate(BLUEPRINT, inputs(retry_after={"minutes": 5}))
    for value, limit in ((50, 5_000), (0, 1_000), (300, 10_000)):
        signal(hass, value, "%")
        await asyncio.sleep(1200)
        assert sim.device.bound_limit == limit
    assert home.calls == ["set_export_limit"] * 3


async def test_percent_of_rated_power_is_used(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    signal(hass, 30, "%")
    await home.automate(BLUEPRINT, inputs(percent_of=20))
    await settle()
    assert sim.device.bound_limit == 6_000


async def test_value_is_read_from_attribute(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    signal(hass, "reduced", None, allowed=6)
    await home.automate(BLUEPRINT, inputs(source_attribute="allowed", source_unit="kW"))
    await settle()
    assert sim.device.bound_limit == 6_000
    signal(hass, "reduced", None, allowed=3)
    await asyncio.sleep(60)
    assert sim.device.bound_limit == 3_000
    await asyncio.sleep(600)
    signal(hass, "reduced", None, allowed="?")
    await asyncio.sleep(590)
    assert sim.device.bound_limit == 3_000
    await settle()
    assert sim.device.bound_limit == 0


async def test_minimum_change_applies_only_to_raising(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    signal(hass, 5)
    await home.automate(BLUEPRINT, inputs(minimum_change=0.5, pause=NONE))
    await settle()
    for value, limit in ((5.49, 5_000), (4.95, 4_950), (4.91, 4_950), (5.44, 4_950), (5.45, 5_450), (0, 0)):
        signal(hass, value)
        await settle()
        assert sim.device.bound_limit == limit, value


async def test_new_maximum_is_used_at_once(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    signal(hass, 15)
    await home.automate(BLUEPRINT, inputs())
    await asyncio.sleep(120)
    assert home.calls == []
    await hass.services.async_call("goodwe_sec1000", "set_max_export_limit", {"limit": 20}, blocking=True)
    await asyncio.sleep(90)
    assert sim.device.bound_limit == 15_000


@pytest.mark.parametrize(
    ("choice", "fallback", "limit"), [("limit", 2.5, 2_500), ("limit", 50, 10_000), ("nothing", 2.5, 8_000)]
)
async def test_unknown_does_input_is_used(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    choice: str,
    fallback: float,
    limit: int,
) -> None:
    signal(hass, 8)
    await home.automate(
        BLUEPRINT, inputs(unknown_after={"minutes": 5}, unknown_does=choice, unknown_limit=fallback)
    )
    await asyncio.sleep(60)
    signal(hass, "unavailable")
    await asyncio.sleep(295)
    assert sim.device.bound_limit == 8_000
    await settle()
    assert sim.device.bound_limit == limit
    await asyncio.sleep(3600)
    assert len(home.calls) == 1 + (choice == "limit")


async def test_value_without_unit_is_unknown(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    signal(hass, 8000, None)
    await home.automate(BLUEPRINT, inputs(unknown_limit=1))
    await asyncio.sleep(700)
    assert sim.device.bound_limit == 1_000


async def test_limit_set_during_unknown_after_is_not_repeated(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    signal(hass, "unknown")
    await home.automate(BLUEPRINT, inputs(unknown_limit=3))
    await asyncio.sleep(100)
    await hass.services.async_call("number", "set_value", {"entity_id": NUMBER, "value": 3}, blocking=True)
    await asyncio.sleep(900)
    assert home.calls == []


async def test_device_lost_during_unknown_after_is_commanded_on_return(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    signal(hass, "unknown")
    await home.automate(BLUEPRINT, inputs(unknown_limit=3))
    await sim.stop()
    await asyncio.sleep(900)
    assert home.calls == []
    await sim.start()
    await asyncio.sleep(400)
    assert home.calls == ["set_export_limit"]
    assert sim.device.bound_limit == 3_000


@pytest.mark.slow
async def test_changing_value_does_not_flood_failing_device(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    signal(hass, 10)
    await home.automate(BLUEPRINT, inputs(pause={"minutes": 2}))
    sim.inject("ack-without-effect")
    for number in range(300):
        signal(hass, (number * 37 % 90) / 10)
        await asyncio.sleep(2)
    assert 3 <= len(home.calls) <= 6


@pytest.mark.slow
async def test_value_lost_before_start_falls_back_in_time(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    signal(hass, 8)
    await home.automate(BLUEPRINT, inputs())
    await asyncio.sleep(60)
    hass.states.async_remove(SIGNAL)
    await home.restart(loaded)
    await asyncio.sleep(580)
    assert sim.device.bound_limit == 8_000
    await asyncio.sleep(100)
    assert sim.device.bound_limit == 0


@pytest.mark.slow
async def test_changing_value_is_followed_at_pause_interval(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    signal(hass, 10)
    await home.automate(BLUEPRINT, inputs(pause={"minutes": 1}))
    for number in range(600):
        signal(hass, (number * 37 % 100) / 10)
        await asyncio.sleep(2)
    assert 10 <= len(home.calls) <= 21
    signal(hass, 4.2)
    await asyncio.sleep(70)
    assert sim.device.bound_limit == 4_200
    assert not sim.overload.exhausted


@pytest.mark.slow
async def test_noise_below_minimum_change_is_ignored(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    signal(hass, 5)
    await home.automate(BLUEPRINT, inputs())
    for number in range(300):
        signal(hass, 5 + (number * 37 % 9) / 100)
        await asyncio.sleep(3)
    assert len(home.calls) == 1


async def test_value_changing_during_command_is_followed(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    signal(hass, 10)
    await home.automate(BLUEPRINT, inputs(enforce=False))
    await asyncio.sleep(30)
    sim.requests.clear()
    signal(hass, 4)
    await sim.wait_for_requests(2)
    signal(hass, 6)
    await asyncio.sleep(120)
    assert sim.device.bound_limit == 6_000


async def test_failed_command_is_retried_with_newer_value(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    signal(hass, 10)
    await home.automate(BLUEPRINT, inputs())
    await asyncio.sleep(30)
    sim.inject("ack-without-effect", count=3, commands=[WRITE_LIMIT])
    signal(hass, 4)
    await asyncio.sleep(30)
    signal(hass, 6)
    await asyncio.sleep(120)
    assert sim.device.bound_limit == 6_000
    assert len(home.calls) == 2


@pytest.mark.parametrize(("value", "held"), [(0.06, 100), (4.97, 5_000)])
async def test_limit_rounded_up_by_device_is_sent_once(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, value: float, held: int
) -> None:
    sim.device.limit_step = 100
    signal(hass, value)
    await home.automate(BLUEPRINT, inputs(retry_after={"minutes": 5}, minimum_change=0.05))
    await asyncio.sleep(3600)
    assert sim.device.bound_limit == held
    assert home.calls == ["set_export_limit"]


async def test_minimum_change_below_tolerance_is_raised_to_it(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    """The form does not take it, YAML does."""
    signal(hass, 5)
    await home.automate(BLUEPRINT, inputs(minimum_change=0.01))
    await asyncio.sleep(60)
    for value, limit in ((5.04, 5_000), (5.05, 5_050)):
        signal(hass, value)
        await asyncio.sleep(120)
        assert sim.device.bound_limit == limit


@pytest.mark.parametrize("percent", [40, 300])
async def test_attempts_for_percentage_are_limited(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, percent: float
) -> None:
    sim.device.limit = 5_000
    await asyncio.sleep(70)
    sim.inject("ack-without-effect")
    signal(hass, percent, "%")
    await home.automate(
        BLUEPRINT, inputs(attempts=2, attempt_pause={"minutes": 5}, retry_after={"minutes": 30})
    )
    await asyncio.sleep(1500)
    assert home.calls == ["set_export_limit"] * 2


@pytest.mark.parametrize(
    ("without_value", "after"), [({"unknown_limit": 1}, 1_000), ({"unknown_does": "nothing"}, 10_000)]
)
async def test_limit_is_renewed_and_ends_without_the_automation(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    without_value: dict[str, Any],
    after: int,
) -> None:
    signal(hass, 4)
    await add_helpers(hass, loaded)
    automation = await home.automate(BLUEPRINT, inputs(ends_after={"minutes": 6}, **without_value))
    await asyncio.sleep(1_800)
    assert sim.device.bound_limit == 4_000
    assert len(home.calls) > 10
    writes = [request for request in sim.requests if request.frame and request.frame.command == WRITE_LIMIT]
    assert len(writes) == 1
    await hass.services.async_call("automation", "turn_off", {"entity_id": automation}, blocking=True)
    await asyncio.sleep(420)
    assert sim.device.bound_limit == after
