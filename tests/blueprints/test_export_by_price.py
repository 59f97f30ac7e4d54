"""The price blueprint disables export while the price is low."""

import asyncio
from typing import Any, Final

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator
from tests.states import get_state, show_in

from .home import Home, add_helpers

BLUEPRINT: Final = "export_by_price"
SWITCH: Final = "switch.sec1000_export_to_grid"
PRICE: Final = "sensor.price"
NONE: Final = {"hours": 0, "minutes": 0, "seconds": 0}
WRITE_LIMIT: Final = 0x42


def inputs(**changed: Any) -> dict[str, Any]:
    return {"export_switch": SWITCH, "price": PRICE, **changed}


def price(hass: HomeAssistant, value: object, attribute: object = None) -> None:
    attributes = {} if attribute is None else {"now": attribute}
    hass.states.async_set(PRICE, str(value), attributes)


async def settle() -> None:
    """Wait for a command to finish."""
    await asyncio.sleep(20)


async def test_negative_price_disables_export(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, 0.1)
    automation = await home.automate(BLUEPRINT, inputs())
    await asyncio.sleep(300)
    assert home.calls == []
    assert get_state(hass, automation).attributes["last_triggered"] is None
    price(hass, -0.01)
    await settle()
    assert (sim.device.bound_limit, get_state(hass, SWITCH).state) == (0, "off")
    for value in (-0.02, -0.5, -0.01):
        price(hass, value)
        await asyncio.sleep(900)
    assert home.calls == ["export_disable"]
    price(hass, 0)
    await settle()
    assert (sim.device.bound_limit, get_state(hass, SWITCH).state) == (10_000, "on")
    assert home.calls == ["export_disable", "export_enable"]


async def test_high_price_keeps_manual_limit(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, 1)
    await home.automate(BLUEPRINT, inputs())
    await hass.services.async_call("goodwe_sec1000", "set_export_limit", {"limit": 4}, blocking=True)
    for value in (2, 3, 4):
        price(hass, value)
        await asyncio.sleep(120)
    assert home.calls == ["set_export_limit"]
    assert sim.device.bound_limit == 4_000


async def test_threshold_and_hysteresis_inputs_are_used(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, 30)
    await home.automate(BLUEPRINT, inputs(threshold=20, hysteresis=5, pause=NONE))
    for value, limit in ((20, 10_000), (19.9, 0), (20, 0), (24.9, 0), (25, 10_000), (20.5, 10_000), (5, 0)):
        price(hass, value)
        await settle()
        assert sim.device.bound_limit == limit, value


async def test_price_within_hysteresis_keeps_export_over_restart(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, -1)
    await home.automate(BLUEPRINT, inputs(hysteresis=5))
    await settle()
    price(hass, 3)
    await asyncio.sleep(120)
    await home.restart(loaded)
    await asyncio.sleep(600)
    assert sim.device.bound_limit == 0
    assert home.calls == ["export_disable"]


async def test_price_is_read_from_attribute(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, "-5", 0.2)
    await home.automate(BLUEPRINT, inputs(price_attribute="now"))
    await asyncio.sleep(120)
    assert sim.device.bound_limit == 10_000
    price(hass, "-5", -0.2)
    await settle()
    assert sim.device.bound_limit == 0
    price(hass, "a new quarter of an hour", 0.1)
    await asyncio.sleep(120)
    assert sim.device.bound_limit == 10_000


async def test_low_for_counts_from_attribute_change(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, "today", 0.2)
    await home.automate(BLUEPRINT, inputs(price_attribute="now", low_for={"minutes": 5}))
    await asyncio.sleep(600)
    price(hass, "today", -0.2)
    await asyncio.sleep(290)
    assert home.calls == []
    await settle()
    assert home.calls == ["export_disable"]


@pytest.mark.parametrize("five_minutes", [{"minutes": 5}, "00:05:00"])
async def test_low_for_delays_disabling(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, five_minutes: object
) -> None:
    price(hass, 1)
    await home.automate(BLUEPRINT, inputs(low_for=five_minutes))
    for _ in range(4):
        price(hass, -1)
        await asyncio.sleep(280)
        price(hass, 1)
        await asyncio.sleep(30)
    assert home.calls == []
    price(hass, -1)
    await asyncio.sleep(200)
    price(hass, -2)
    await asyncio.sleep(90)
    assert home.calls == []
    await settle()
    assert home.calls == ["export_disable"]
    assert sim.device.bound_limit == 0


async def test_export_disabled_during_low_for_is_not_repeated(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, -1)
    await home.automate(BLUEPRINT, inputs(low_for={"minutes": 5}))
    await asyncio.sleep(100)
    await hass.services.async_call("switch", "turn_off", {"entity_id": SWITCH}, blocking=True)
    await asyncio.sleep(600)
    assert home.calls == []


async def test_device_lost_during_low_for_is_commanded_on_return(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, -1)
    await home.automate(BLUEPRINT, inputs(low_for={"minutes": 10}))
    await sim.stop()
    await asyncio.sleep(900)
    assert home.calls == []
    await sim.start()
    await asyncio.sleep(400)
    assert home.calls == ["export_disable"]
    assert sim.device.bound_limit == 0


async def test_high_for_delays_enabling(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, -1)
    await home.automate(BLUEPRINT, inputs(high_for={"minutes": 5}))
    await settle()
    price(hass, 1)
    await asyncio.sleep(295)
    assert sim.device.bound_limit == 0
    await settle()
    assert sim.device.bound_limit == 10_000


async def test_low_for_counts_time_before_automation(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, -1)
    await asyncio.sleep(400)
    await home.automate(BLUEPRINT, inputs(low_for={"minutes": 5}))
    await settle()
    assert sim.device.bound_limit == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("choice", "limit"), [("export_off", 0), ("export_on", 10_000), ("limit", 2_500), ("nothing", 6_000)]
)
@pytest.mark.parametrize("restarted", [False, True])
async def test_unknown_does_input_is_used(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    choice: str,
    limit: int,
    restarted: bool,
) -> None:
    await hass.services.async_call("goodwe_sec1000", "set_export_limit", {"limit": 6}, blocking=True)
    if choice == "export_on":
        await hass.services.async_call("goodwe_sec1000", "export_disable", blocking=True)
    home.calls.clear()
    price(hass, "unavailable")
    await home.automate(
        BLUEPRINT,
        inputs(
            unknown_after={"minutes": 10},
            unknown_does=choice,
            unknown_limit=2.5,
            export_limit="number.sec1000_export_limit",
        ),
    )
    await asyncio.sleep(300)
    if restarted:
        # The delay starts again, since fetching a price takes time.
        hass.states.async_remove(PRICE)
        await home.restart(loaded)
        price(hass, "unavailable")
        await asyncio.sleep(580)
        assert home.calls == []
    await asyncio.sleep(700)
    assert sim.device.bound_limit == limit
    await asyncio.sleep(3600)
    assert len(home.calls) == (choice != "nothing")


async def test_fallback_limit_is_lifted_when_price_returns(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, 5)
    await home.automate(
        BLUEPRINT,
        inputs(
            hysteresis=2,
            unknown_does="limit",
            unknown_limit=2.5,
            export_limit="number.sec1000_export_limit",
            unknown_after={"minutes": 10},
        ),
    )
    price(hass, "unknown")
    await asyncio.sleep(700)
    assert sim.device.bound_limit == 2_500
    await home.restart(loaded)
    price(hass, 1)
    await asyncio.sleep(300)
    assert sim.device.bound_limit == 2_500
    price(hass, 2)
    await settle()
    assert sim.device.bound_limit == 10_000
    await asyncio.sleep(600)
    assert home.calls == ["set_export_limit", "export_enable"]


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["W", "kW", "MW"])
async def test_fallback_limit_out_of_range_is_set_once(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, unit: str
) -> None:
    await show_in(hass, "number.sec1000_export_limit", unit)
    await hass.services.async_call("goodwe_sec1000", "set_export_limit", {"limit": 1}, blocking=True)
    price(hass, "unknown")
    await home.automate(
        BLUEPRINT,
        inputs(
            unknown_does="limit",
            unknown_limit=50,
            export_limit="number.sec1000_export_limit",
            unknown_after=NONE,
        ),
    )
    await asyncio.sleep(1200)
    assert sim.device.bound_limit == 10_000
    price(hass, 1)
    await asyncio.sleep(1200)
    assert home.calls == ["set_export_limit", "set_export_limit"]


@pytest.mark.parametrize("unit", ["W", "MW"])
async def test_fallback_limit_is_in_kilowatts_whatever_is_shown(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, unit: str
) -> None:
    await show_in(hass, "number.sec1000_export_limit", unit)
    await hass.services.async_call("goodwe_sec1000", "set_min_export_limit", {"limit": 2}, blocking=True)
    home.calls.clear()
    price(hass, "unknown")
    await home.automate(
        BLUEPRINT,
        inputs(
            unknown_does="limit",
            unknown_limit=1.5,
            export_limit="number.sec1000_export_limit",
            unknown_after=NONE,
            retry_after={"minutes": 5},
        ),
    )
    await asyncio.sleep(1200)
    assert sim.device.bound_limit == 2_000
    price(hass, 1)
    await asyncio.sleep(1200)
    assert sim.device.bound_limit == 10_000
    assert home.calls == ["set_export_limit", "export_enable"]


async def test_fallback_limit_without_number_disables_export(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, "unknown")
    await home.automate(BLUEPRINT, inputs(unknown_does="limit", unknown_limit=5, unknown_after=NONE))
    await asyncio.sleep(120)
    assert sim.device.bound_limit == 0


@pytest.mark.slow
async def test_price_arriving_late_after_start_is_followed(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    await home.automate(BLUEPRINT, inputs())
    await home.restart(loaded)
    await asyncio.sleep(200)
    assert home.calls == []
    price(hass, -1)
    await settle()
    assert sim.device.bound_limit == 0


@pytest.mark.slow
async def test_flapping_price_is_followed_once_a_minute(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, 1)
    await home.automate(BLUEPRINT, inputs())
    for number in range(360):
        price(hass, -1 if number % 2 else 1)
        await asyncio.sleep(5)
    assert 10 < len(home.calls) <= 31
    assert not sim.overload.exhausted
    price(hass, -1)
    await asyncio.sleep(90)
    assert sim.device.bound_limit == 0


async def test_price_flapping_within_hysteresis_changes_nothing(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, 1)
    await home.automate(BLUEPRINT, inputs(hysteresis=3))
    price(hass, -1)
    for number in range(100):
        await asyncio.sleep(5)
        price(hass, -1 if number % 2 else 2.9)
    assert home.calls == ["export_disable"]


async def test_pause_between_commands_is_kept(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, -1)
    await home.automate(BLUEPRINT, inputs(pause={"minutes": 10}))
    await settle()
    price(hass, 1)
    await asyncio.sleep(560)
    assert home.calls == ["export_disable"]
    await asyncio.sleep(40)
    assert home.calls == ["export_disable", "export_enable"]


async def test_failed_command_is_retried(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, 1)
    await home.automate(BLUEPRINT, inputs())
    await asyncio.sleep(30)
    sim.inject("ack-without-effect", count=6, commands=[WRITE_LIMIT])
    price(hass, -1)
    await asyncio.sleep(300)
    assert sim.device.bound_limit == 0
    assert home.calls == ["export_disable"] * 3


@pytest.mark.slow
async def test_price_recovery_ends_attempts(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, 1)
    await home.automate(BLUEPRINT, inputs())
    await asyncio.sleep(30)
    sim.inject("ack-without-effect")
    price(hass, -1)
    await asyncio.sleep(30)
    price(hass, 1)
    await asyncio.sleep(1800)
    assert home.calls == ["export_disable"]


@pytest.mark.slow
async def test_flapping_price_does_not_flood_failing_device(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    price(hass, 1)
    await home.automate(BLUEPRINT, inputs())
    sim.inject("ack-without-effect")
    for number in range(360):
        price(hass, -1 if number % 2 else 1)
        await asyncio.sleep(5)
    assert len(home.calls) <= 31


async def test_rcr_mode_does_not_repeat_command_endlessly(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    """In this mode export counts as on, whatever limit is stored."""
    sim.device.mode = ControlMode.RCR
    hass.config_entries.async_update_entry(
        entry, options={**entry.options, "export_limit_control_mode": "rcr"}
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    price(hass, -1)
    await home.automate(BLUEPRINT, inputs())
    await asyncio.sleep(3600)
    assert len(home.calls) <= 4


async def test_conditions_failing_during_low_for_prevent_command(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    hass.states.async_set("input_boolean.allowed", "on")
    condition = {"condition": "state", "entity_id": "input_boolean.allowed", "state": "on"}
    price(hass, -1)
    await home.automate(BLUEPRINT, inputs(only_if=[condition], low_for={"minutes": 5}))
    await asyncio.sleep(100)
    hass.states.async_set("input_boolean.allowed", "off")
    await asyncio.sleep(600)
    assert home.calls == []


async def test_minimum_rounded_up_by_device_is_sent_once(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> None:
    sim.device.limit_step = 100
    await hass.services.async_call("goodwe_sec1000", "set_min_export_limit", {"limit": 0.06}, blocking=True)
    home.calls.clear()
    price(hass, -1)
    await home.automate(BLUEPRINT, inputs(retry_after={"minutes": 5}))
    await asyncio.sleep(3600)
    assert sim.device.bound_limit == 100
    assert home.calls == ["export_disable"]


@pytest.mark.parametrize(("fallback", "held"), [(0.06, 100), (9.96, 10_000)])
async def test_fallback_limit_rounded_up_by_device_is_sent_once(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home, fallback: float, held: int
) -> None:
    sim.device.limit_step = 100
    await hass.services.async_call("goodwe_sec1000", "set_export_limit", {"limit": 1}, blocking=True)
    home.calls.clear()
    price(hass, "unknown")
    await home.automate(
        BLUEPRINT,
        inputs(
            unknown_does="limit",
            unknown_limit=fallback,
            export_limit="number.sec1000_export_limit",
            unknown_after=NONE,
            retry_after={"minutes": 5},
        ),
    )
    await asyncio.sleep(1200)
    assert sim.device.bound_limit == held
    assert home.calls == ["set_export_limit"]
    home.calls.clear()
    price(hass, 1)
    await asyncio.sleep(1200)
    assert sim.device.bound_limit == 10_000
    assert home.calls == ["export_enable"] * (held < 10_000)


@pytest.mark.parametrize(
    ("without_price", "after"),
    [
        ({"unknown_does": "export_off"}, 0),
        ({"unknown_does": "export_on"}, 10_000),
        ({"unknown_does": "limit", "unknown_limit": 2, "export_limit": "number.sec1000_export_limit"}, 2_000),
        ({"unknown_does": "nothing"}, 10_000),
    ],
)
@pytest.mark.parametrize(("now", "limit"), [(-1, 0), (1, 10_000)])
async def test_state_is_renewed_and_ends_without_the_automation(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    home: Home,
    without_price: dict[str, Any],
    after: int,
    now: int,
    limit: int,
) -> None:
    price(hass, now)
    await add_helpers(hass, loaded)
    automation = await home.automate(BLUEPRINT, inputs(ends_after={"minutes": 6}, **without_price))
    await asyncio.sleep(900)
    assert sim.device.bound_limit == limit
    assert len(home.calls) > 5
    writes = [request for request in sim.requests if request.frame and request.frame.command == WRITE_LIMIT]
    assert len(writes) == 1
    await hass.services.async_call("automation", "turn_off", {"entity_id": automation}, blocking=True)
    await asyncio.sleep(420)
    assert sim.device.bound_limit == after
    assert get_state(hass, "sensor.sec1000_set_export_limit_feedback").state == "1"
