"""Drift is shown, and corrected only where the device allows more."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from homeassistant.core import Event, EventStateChangedData, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_state_change_event
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator

from ..states import get_state

type PassTime = Callable[[float], Awaitable[None]]

WRITES = {0x42, 0x40, 0x33, 0x28}


def differs(hass: HomeAssistant) -> bool:
    return get_state(hass, "binary_sensor.sec1000_limit_differs").state == "on"


def choose(hass: HomeAssistant, entry: MockConfigEntry, **options: Any) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, **options})


def writes(sim: Simulator) -> list[int]:
    return [
        request.frame.command for request in sim.requests if request.frame and request.frame.command in WRITES
    ]


async def test_verified_limit_is_baseline(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    assert not differs(hass)
    await hass.services.async_call(DOMAIN, "set_export_limit", {"limit": 4}, blocking=True)
    assert not differs(hass)
    for limit, expected in ((4_040, False), (4_050, True), (3_000, True), (4_000, False)):
        sim.device.limit = limit
        await pass_time(61)
        assert differs(hass) is expected


async def test_message_says_how_the_device_differs(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.device.limit, sim.device.capacity = 0, 20_000
    await pass_time(61)
    shown = get_state(hass, "binary_sensor.sec1000_limit_differs")
    assert shown.attributes["restore_pending"] is False
    assert shown.attributes["message"] == (
        "The device differs from the target: it reports an export limit of 0.00 kW, a total capacity of "
        "20.00 kW and the control mode “Value: Central Europe” instead of 10.00 kW, 30.00 kW and “Value: "
        "Central Europe”. Export is off: the limit is 0.00 kW. Set the limit again, and find out "
        "what changed it."
    )
    await hass.services.async_call(DOMAIN, "export_enable", blocking=True)
    assert get_state(hass, "binary_sensor.sec1000_limit_differs").attributes["message"] is None


async def test_limit_set_here_never_differs(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    changes: list[Event[EventStateChangedData]] = []
    async_track_state_change_event(hass, "binary_sensor.sec1000_limit_differs", changes.append)
    for action in ("export_disable", "export_enable"):
        await hass.services.async_call(DOMAIN, action, blocking=True)
    await hass.async_block_till_done()
    assert changes == []


async def test_baseline_survives_restart(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    await hass.services.async_call(DOMAIN, "set_export_limit", {"limit": 4}, blocking=True)
    assert await hass.config_entries.async_unload(loaded.entry_id)
    sim.device.limit = 8_000
    assert await hass.config_entries.async_setup(loaded.entry_id)
    await hass.async_block_till_done()
    assert differs(hass)


@pytest.mark.promise("R-15")
async def test_drift_is_only_shown_without_the_option(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.device.mode = ControlMode.DEACTIVATED
    sim.requests.clear()
    await pass_time(61)
    assert differs(hass)
    assert writes(sim) == []


@pytest.mark.promise("R-15")
@pytest.mark.parametrize("looser", ["deactivated", "raised"])
async def test_less_strict_device_is_corrected(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, looser: str
) -> None:
    choose(hass, loaded, put_back=True)
    if looser == "deactivated":
        sim.device.mode = ControlMode.DEACTIVATED
    else:
        sim.device.limit = 20_000
    await pass_time(61)
    await hass.async_block_till_done()
    assert sim.device.bound_limit == 10_000
    assert not differs(hass)
    assert get_state(hass, "sensor.sec1000_set_export_limit_feedback").state == "1"


@pytest.mark.promise("R-15")
@pytest.mark.parametrize(("mode", "limit"), [(ControlMode.VALUE, 3_000), (ControlMode.RCR, 10_000)])
async def test_stricter_device_or_receiver_is_only_shown(
    pass_time: PassTime,
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    mode: ControlMode,
    limit: int,
) -> None:
    choose(hass, loaded, put_back=True)
    sim.device.mode = mode
    sim.device.limit = limit
    sim.requests.clear()
    await pass_time(61)
    assert differs(hass)
    assert writes(sim) == []


@pytest.mark.promise("R-14")
async def test_setup_never_corrects(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    choose(hass, loaded, put_back=True)
    assert await hass.config_entries.async_unload(loaded.entry_id)
    sim.device.limit = 20_000
    sim.requests.clear()
    assert await hass.config_entries.async_setup(loaded.entry_id)
    await hass.async_block_till_done()
    assert differs(hass)
    assert writes(sim) == []
    await pass_time(61)
    assert sim.device.bound_limit == 10_000


@pytest.mark.promise("R-15")
async def test_fourth_drift_in_an_hour_raises_issue(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    choose(hass, loaded, put_back=True)
    issues = ir.async_get(hass)
    issue = (DOMAIN, f"limit_keeps_drifting_{loaded.entry_id}")
    for _ in range(3):
        sim.device.limit = 20_000
        await pass_time(61)
        assert sim.device.limit == 10_000
    assert issues.async_get_issue(*issue) is None
    # A reload does not forget them.
    await hass.config_entries.async_reload(loaded.entry_id)
    sim.device.limit = 20_000
    await pass_time(61)
    assert sim.device.limit == 20_000
    assert issues.async_get_issue(*issue) is not None
    await pass_time(3600)
    await pass_time(61)
    assert sim.device.limit == 10_000
    await pass_time(61)
    assert issues.async_get_issue(*issue) is None


async def test_drift_issue_is_cleared_with_the_option(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    choose(hass, loaded, put_back=True)
    issue = (DOMAIN, f"limit_keeps_drifting_{loaded.entry_id}")
    for _ in range(4):
        sim.device.limit = 20_000
        await pass_time(61)
    assert ir.async_get(hass).async_get_issue(*issue) is not None
    choose(hass, loaded, put_back=False)
    await pass_time(61)
    assert ir.async_get(hass).async_get_issue(*issue) is None
    assert differs(hass)


@pytest.mark.promise("R-13")
async def test_reading_does_not_adopt_lost_mode(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    sim.device.mode = ControlMode.DEACTIVATED
    await hass.services.async_call(DOMAIN, "get_export_limit", {}, blocking=True)
    assert loaded.options["export_limit_control_mode"] == "value"
    assert differs(hass)
    choose(hass, loaded, put_back=True)
    await pass_time(61)
    assert (sim.device.mode, sim.device.bound_limit) == (ControlMode.VALUE, 10_000)


@pytest.mark.parametrize(
    ("mode", "capacity", "adopted"),
    [
        (ControlMode.RCR, 30_000, {"export_limit_control_mode": "rcr"}),
        (ControlMode.DRED, 12_000, {"export_limit_control_mode": "dred", "total_capacity": 12.0}),
        (ControlMode.VALUE, 9_000, {}),
        (ControlMode.DEACTIVATED, 12_000, {"total_capacity": 12.0}),
    ],
)
async def test_reading_adopts_mode_and_sufficient_capacity(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    mode: ControlMode,
    capacity: int,
    adopted: dict[str, Any],
) -> None:
    before = dict(loaded.options)
    sim.device.mode = mode
    sim.device.capacity = capacity
    await hass.services.async_call(DOMAIN, "get_export_limit", {}, blocking=True)
    assert dict(loaded.options) == {**before, **adopted}
    assert get_state(hass, "binary_sensor.sec1000_module_started").state == "on"


async def test_reading_adopts_no_capacity_below_zero(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    choose(hass, loaded, min_export_limit=-1.0, max_export_limit=-0.5)
    sim.device.capacity = -300
    await hass.services.async_call(DOMAIN, "get_export_limit", {}, blocking=True)
    assert loaded.options["total_capacity"] == 30


async def test_first_baseline_is_brought_below_maximum(
    pass_time: PassTime, hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    sim.device.limit = 20_000
    choose(hass, entry, put_back=True)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert differs(hass)
    await pass_time(61)
    assert sim.device.bound_limit == 10_000
    assert not differs(hass)


@pytest.mark.parametrize(("limit", "state"), [(0, "off"), (49, "off"), (50, "on")])
async def test_export_is_off_within_tolerance_of_minimum(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, limit: int, state: str
) -> None:
    sim.device.limit = limit
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert get_state(hass, "switch.sec1000_export_to_grid").state == state
    assert get_state(hass, "binary_sensor.sec1000_export_state").state == state


@pytest.mark.promise("R-15")
@pytest.mark.usefixtures("warp")
class TestUnknownOutcome:
    """A command that could not be read back, and the first good read after it."""

    @pytest.fixture(autouse=True)
    async def disabled(self, hass: HomeAssistant, loaded: MockConfigEntry) -> None:
        """Have export disabled, and drift corrected."""
        choose(hass, loaded, put_back=True)
        await hass.services.async_call(DOMAIN, "export_disable", blocking=True)

    async def enable(self, hass: HomeAssistant, sim: Simulator, fault: str, commands: Any) -> None:
        sim.inject(fault, commands=commands)
        with pytest.raises(HomeAssistantError, match="unknown whether"):
            await hass.services.async_call(DOMAIN, "export_enable", blocking=True)
        sim.clear_faults()

    async def test_wish_that_is_read_later_is_not_undone(self, hass: HomeAssistant, sim: Simulator) -> None:
        await self.enable(hass, sim, "silence", (0x43,))
        for _ in range(3):
            await asyncio.sleep(61)
        assert sim.device.bound_limit == 10_000
        assert not differs(hass)

    async def test_wish_is_not_undone_after_a_reload(
        self, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
    ) -> None:
        await self.enable(hass, sim, "silence", (0x43,))
        await hass.config_entries.async_reload(loaded.entry_id)
        for _ in range(3):
            await asyncio.sleep(61)
        assert sim.device.bound_limit == 10_000
        assert not differs(hass)

    async def test_old_limit_is_shown_as_different_and_kept(
        self, hass: HomeAssistant, sim: Simulator
    ) -> None:
        await self.enable(hass, sim, "silence", None)
        for _ in range(3):
            await asyncio.sleep(61)
        assert sim.device.bound_limit == 0
        assert differs(hass)
        await hass.services.async_call(DOMAIN, "set_export_limit", {"limit": 4}, blocking=True)
        assert not differs(hass)

    async def test_third_limit_is_adopted(self, hass: HomeAssistant, sim: Simulator) -> None:
        await self.enable(hass, sim, "silence", None)
        sim.device.limit = 3_000
        await asyncio.sleep(61)
        assert not differs(hass)
        sim.device.limit = 8_000
        await asyncio.sleep(61)
        assert sim.device.bound_limit == 3_000
