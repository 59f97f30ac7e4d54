"""What the blueprints that follow a value promise alike: the price and the limit from elsewhere."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator import Simulator
from tests.entries import entry_of
from tests.states import get_state, show_in

from .home import Home, add_helpers

pytestmark = pytest.mark.slow

FREE: Final = 10_000
"""W; the limit while the value asks for nothing less."""
ALLOWED: Final = "input_boolean.allowed"
ONLY_IF: Final = {"condition": "state", "entity_id": ALLOWED, "state": "on"}
NONE: Final = {"hours": 0, "minutes": 0, "seconds": 0}


@dataclass(frozen=True, slots=True)
class Follower:
    """A blueprint that follows a value."""

    blueprint: str
    inputs: Mapping[str, str]
    """The entity that it controls, and the one that it follows."""
    source: str
    attributes: Mapping[str, str]
    free: float
    """A value that asks for FREE, the limit of the device as new."""
    strict: float
    """A value that asks for a lower limit."""
    stricter: float
    """Another one that asks for `other_limit`."""
    limit: int
    """W; what the strict value asks for."""
    other_limit: int
    action: str
    """What is called where the strict value comes."""
    override: tuple[str, str, Mapping[str, object]]
    """What a user does by hand to have 9 kW or more again."""
    unknown_after_s: int
    """The default delay without a value until the limit is 0."""


PRICE: Final = Follower(
    "export_by_price",
    {"export_switch": "switch.sec1000_export_to_grid", "price": "sensor.price"},
    "sensor.price",
    {},
    free=1,
    strict=-1,
    stricter=-2,
    limit=0,
    other_limit=0,
    action="export_disable",
    override=("switch", "turn_on", {"entity_id": "switch.sec1000_export_to_grid"}),
    unknown_after_s=3600,
)
LIMIT: Final = Follower(
    "follow_limit",
    {"export_limit": "number.sec1000_export_limit", "source": "sensor.signal"},
    "sensor.signal",
    {"unit_of_measurement": "kW"},
    free=10,
    strict=4,
    stricter=3.5,
    limit=4_000,
    other_limit=3_500,
    action="set_export_limit",
    override=("number", "set_value", {"entity_id": "number.sec1000_export_limit", "value": 9}),
    unknown_after_s=600,
)


@dataclass(frozen=True, slots=True)
class Scene:
    """One of them in a Home Assistant with a device."""

    follower: Follower
    hass: HomeAssistant
    sim: Simulator
    entry: MockConfigEntry
    home: Home

    async def automate(self, **changed: Any) -> str:
        """Make the automation; return its entity id."""
        return await self.home.automate(self.follower.blueprint, {**self.follower.inputs, **changed})

    def give(self, value: float | str) -> None:
        """Let the value be this."""
        self.hass.states.async_set(self.follower.source, str(value), self.follower.attributes)

    @property
    def bound(self) -> int | None:
        """To how much (W) the inverters are held."""
        return self.sim.device.bound_limit

    @property
    def calls(self) -> list[str]:
        """The actions that were called."""
        return self.home.calls


@pytest.fixture(params=[PRICE, LIMIT], ids=lambda follower: follower.blueprint)
def scene(
    request: pytest.FixtureRequest, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, home: Home
) -> Scene:
    return Scene(request.param, hass, sim, loaded, home)


async def settle() -> None:
    """Wait for a command to finish."""
    await asyncio.sleep(20)


async def test_nothing_is_sent_without_change(scene: Scene) -> None:
    scene.give(scene.follower.free)
    automation = await scene.automate()
    await asyncio.sleep(300)
    assert scene.calls == []
    assert get_state(scene.hass, automation).attributes["last_triggered"] is None


async def test_helpers_on_device_and_units_shown_do_not_matter(scene: Scene) -> None:
    await add_helpers(scene.hass, scene.entry)
    for entity_id in ("number.sec1000_export_limit", "sensor.sec1000_export_limit"):
        await show_in(scene.hass, entity_id, "W")
    scene.give(scene.follower.free)
    await scene.automate()
    await asyncio.sleep(60)
    scene.give(scene.follower.strict)
    await settle()
    assert scene.bound == scene.follower.limit
    scene.give(scene.follower.free)
    await asyncio.sleep(90)
    assert scene.bound == FREE
    assert len(scene.calls) == 2


@pytest.mark.parametrize("unknown", ["unavailable", "unknown", "nan", "inf", "a lot", None])
async def test_missing_value_falls_back_after_default_delay(scene: Scene, unknown: str | None) -> None:
    scene.give(scene.follower.free)
    await scene.automate()
    await asyncio.sleep(60)
    if unknown is None:
        scene.hass.states.async_remove(scene.follower.source)
    else:
        scene.give(unknown)
    await asyncio.sleep(scene.follower.unknown_after_s - 10)
    assert scene.calls == []
    await asyncio.sleep(80)
    assert scene.calls == [scene.follower.action]
    assert scene.bound == 0
    scene.give(scene.follower.free)
    await settle()
    assert scene.bound == FREE
    assert len(scene.calls) == 2


@pytest.mark.parametrize("ten_minutes", [{"minutes": 10}, "00:10:00"])
async def test_short_gap_changes_nothing(scene: Scene, ten_minutes: object) -> None:
    scene.give(scene.follower.free)
    await scene.automate(unknown_after=ten_minutes)
    await asyncio.sleep(60)
    for _ in range(5):
        scene.give("unavailable")
        await asyncio.sleep(590)
        scene.give(scene.follower.free)
        await asyncio.sleep(10)
    assert scene.calls == []
    assert scene.bound == FREE


@pytest.mark.parametrize("enforce", [True, False])
async def test_value_changed_before_start_is_followed(scene: Scene, enforce: bool) -> None:
    scene.give(scene.follower.free)
    await scene.automate(enforce=enforce)
    await asyncio.sleep(60)
    await scene.home.stop()
    scene.give(scene.follower.strict)
    await scene.home.restart(scene.entry)
    await settle()
    assert scene.bound == scene.follower.limit
    await scene.home.restart(scene.entry)
    await asyncio.sleep(600)
    assert scene.calls == [scene.follower.action]


@pytest.mark.parametrize("enforce", [True, False])
async def test_value_changed_while_device_offline_is_followed(scene: Scene, enforce: bool) -> None:
    scene.give(scene.follower.free)
    await scene.automate(enforce=enforce)
    await scene.sim.stop()
    await asyncio.sleep(300)
    controlled = next(iter(scene.follower.inputs.values()))
    assert get_state(scene.hass, controlled).state == "unavailable"
    scene.give(scene.follower.strict)
    await asyncio.sleep(1800)
    assert scene.calls == []
    await scene.sim.start()
    await asyncio.sleep(400)
    assert scene.bound == scene.follower.limit
    assert scene.calls == [scene.follower.action]


async def test_external_change_is_corrected(scene: Scene) -> None:
    scene.give(scene.follower.strict)
    await scene.automate()
    await asyncio.sleep(120)
    scene.sim.device.limit = 7_000
    await asyncio.sleep(90)
    assert scene.bound == scene.follower.limit
    assert scene.calls == [scene.follower.action] * 2


async def test_without_enforce_manual_change_lasts_until_value_change(scene: Scene) -> None:
    scene.give(scene.follower.strict)
    await scene.automate(enforce=False)
    await asyncio.sleep(120)
    domain, service, data = scene.follower.override
    await scene.hass.services.async_call(domain, service, dict(data), blocking=True)
    overridden = scene.bound
    assert overridden is not None
    assert overridden >= 9_000
    await asyncio.sleep(3600)
    assert scene.bound == overridden
    scene.give(scene.follower.stricter)
    await settle()
    assert scene.bound == scene.follower.other_limit


async def test_value_recovering_during_command_is_followed(scene: Scene) -> None:
    scene.give(scene.follower.free)
    await scene.automate(enforce=False)
    await asyncio.sleep(30)
    scene.sim.requests.clear()
    scene.give(scene.follower.strict)
    await scene.sim.wait_for_requests(2)
    scene.give(scene.follower.free)
    await asyncio.sleep(120)
    assert scene.bound == FREE
    assert len(scene.calls) == 2


@pytest.mark.parametrize("fault", ["ack-without-effect", "garbage"])
async def test_attempts_at_failing_device_are_limited(scene: Scene, fault: str) -> None:
    """With garbage, the export state is unknown for a while after each attempt."""
    scene.give(scene.follower.free)
    await scene.automate(attempts=2, attempt_pause={"minutes": 5}, retry_after={"minutes": 30}, pause=NONE)
    await asyncio.sleep(30)
    scene.sim.inject(fault)
    scene.give(scene.follower.strict)
    await asyncio.sleep(280)
    assert len(scene.calls) == 1
    await asyncio.sleep(120)
    assert len(scene.calls) == 2
    await asyncio.sleep(1650)
    assert len(scene.calls) == 2
    scene.sim.clear_faults()
    await asyncio.sleep(700)
    assert len(scene.calls) == 3
    assert scene.bound == scene.follower.limit


async def test_pause_of_zero_still_keeps_15_s(scene: Scene) -> None:
    await scene.automate(pause=NONE)
    for number in range(150):
        scene.give(scene.follower.strict if number % 2 else scene.follower.free)
        await asyncio.sleep(1)
    assert 5 <= len(scene.calls) <= 10


@pytest.mark.parametrize("none", [NONE, "00:00:00"])
async def test_attempt_pause_of_zero_still_keeps_15_s(scene: Scene, none: object) -> None:
    await scene.automate(attempts=5, attempt_pause=none)
    await asyncio.sleep(10)
    scene.sim.inject("refused")
    scene.give(scene.follower.strict)
    await asyncio.sleep(40)
    assert 2 <= len(scene.calls) <= 3
    await asyncio.sleep(120)
    assert len(scene.calls) == 5


async def test_only_chosen_device_is_controlled(scene: Scene) -> None:
    async with Simulator() as other:
        second = entry_of(other, "Barn")
        second.add_to_hass(scene.hass)
        assert await scene.hass.config_entries.async_setup(second.entry_id)
        scene.give(scene.follower.strict)
        key, controlled = next(iter(scene.follower.inputs.items()))
        await scene.automate(**{key: controlled.replace("sec1000", "barn")})
        await settle()
        assert (scene.bound, other.device.bound_limit) == (FREE, scene.follower.limit)
        await scene.hass.config_entries.async_unload(second.entry_id)


async def test_conditions_not_met_prevent_commands(scene: Scene) -> None:
    scene.hass.states.async_set(ALLOWED, "off")
    scene.give(scene.follower.strict)
    await scene.automate(only_if=[ONLY_IF])
    await asyncio.sleep(300)
    assert scene.calls == []
    scene.hass.states.async_set(ALLOWED, "on")
    await asyncio.sleep(90)
    assert scene.calls == [scene.follower.action]
    scene.give(scene.follower.free)
    await asyncio.sleep(90)
    assert len(scene.calls) == 2
    scene.give("unknown")
    await asyncio.sleep(300)
    scene.hass.states.async_set(ALLOWED, "off")
    await asyncio.sleep(scene.follower.unknown_after_s)
    assert len(scene.calls) == 2
