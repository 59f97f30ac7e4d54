"""The cross-check of the limit by the meter."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.options import ExportOptions
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, ExportSettings
from custom_components.goodwe_sec1000.tracking.meter_watch import MeterWatch
from simulator import CAPTURED, Simulator

from ..calls import act, issue, outcomes
from ..states import get_state

type PassTime = Callable[[float], Awaitable[None]]

EXCEEDED = "binary_sensor.sec1000_limit_exceeded"


def export(sim: Simulator, watts: int) -> None:
    sim.hold(replace(CAPTURED, meter_power=watts, inverter_power=watts + 1_000))


def exceeded(
    *polls: tuple[float, int, int],
    interval: int = 30,
    capacity: int = 30_000,
    own_capacity: int | None = 30_000,
    inverters: int | None = 3_386,
) -> list[bool | None]:
    """Return what is judged at these polls of time (s), limit read before, and meter (W)."""
    watch = MeterWatch()
    options = ExportOptions(interval, 0, 10_000, capacity, ControlMode.VALUE, sum_of_phases=True)
    judged = []
    for at, limit, meter in polls:
        settings = ExportSettings(ControlMode.VALUE, own_capacity, 200, limit)
        telemetry = replace(CAPTURED, meter_power=meter, inverter_power=inverters)
        watch.judge(telemetry, settings, options, at)
        judged.append(watch.is_exceeded(at))
    return judged


def test_measurement_is_judged_by_limits_of_its_time() -> None:
    watch = MeterWatch()
    options = ExportOptions(30, 0, 10_000, 30_000, ControlMode.VALUE, sum_of_phases=True)
    low, high = (ExportSettings(ControlMode.VALUE, 30_000, 200, limit) for limit in (5_000, 10_000))
    export_of_8_kw = replace(CAPTURED, meter_power=8_000)
    for at in (0, 30, 60):
        watch.judge(export_of_8_kw, low, options, at)
    watch.record_limit(high, options, 70)
    # Taken before the limit was raised, and judged after it.
    watch.judge(export_of_8_kw, high, options, 65)
    assert watch.exceeded == 5_000


@pytest.mark.promise("R-16")
async def test_limit_exceeded_is_on_after_a_minute(
    pass_time: PassTime,
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    sim: Simulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    export(sim, 10_601)
    await pass_time(31)
    await pass_time(31)
    assert get_state(hass, EXCEEDED).state == "off"
    caplog.clear()
    for _ in range(3):
        await pass_time(31)
        assert get_state(hass, EXCEEDED).state == "on"
    assert sum("flow to the grid" in record.message for record in caplog.records) == 1
    export(sim, 10_599)
    await pass_time(31)
    assert get_state(hass, EXCEEDED).state == "off"


@pytest.mark.promise("R-16")
@pytest.mark.parametrize("ends", ["obeys", "cannot be judged", "is unloaded", "is removed"])
async def test_issue_is_raised_after_five_minutes_and_goes(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, ends: str
) -> None:
    export(sim, 12_000)
    for _ in range(3):
        await pass_time(31)
    assert get_state(hass, EXCEEDED).state == "on"
    for _ in range(9):
        await pass_time(31)
        assert issue(hass, loaded, "limit_exceeded") is None
    await pass_time(31)
    raised = issue(hass, loaded, "limit_exceeded")
    assert raised
    assert raised.translation_placeholders == {"name": "SEC1000", "limit": "10.00"}
    match ends:
        case "obeys":
            export(sim, 9_000)
        case "cannot be judged":
            sim.device.mode = ControlMode.RCR
            await loaded.runtime_data.coordinator.read_settings()
        case "is unloaded":
            await hass.config_entries.async_unload(loaded.entry_id)
        case _:
            await hass.config_entries.async_remove(loaded.entry_id)
    await pass_time(31)
    assert issue(hass, loaded, "limit_exceeded") is None


async def test_issue_waits_for_five_minutes_in_a_row(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    for power in (12_000, 9_000, 12_000):
        export(sim, power)
        for _ in range(10):
            await pass_time(31)
            assert issue(hass, loaded, "limit_exceeded") is None
        assert get_state(hass, EXCEEDED).state == ("on" if power == 12_000 else "off")


async def test_message_says_what_to_check(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    assert get_state(hass, EXCEEDED).attributes["message"] is None
    export(sim, 12_000)
    for _ in range(3):
        await pass_time(31)
    message = get_state(hass, EXCEEDED).attributes["message"]
    assert message.startswith("More is exported than the limit of 10.00 kW allows. ")
    assert message.endswith("then set the limit again.")
    assert await outcomes(act(hass, "set_export_limit", limit=4)) == [1]
    # The newer limit is judged with the next poll.
    assert get_state(hass, EXCEEDED).attributes["message"] == message


async def test_limit_exceeded_is_off_within_the_margin(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    export(sim, 10_600)
    for _ in range(5):
        await pass_time(31)
        assert get_state(hass, EXCEEDED).state == "off"


@pytest.mark.parametrize("case", ["each phase on its own", "a receiver decides", "nothing limits"])
async def test_limit_exceeded_is_unknown_where_meter_cannot_judge(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, case: str
) -> None:
    export(sim, 20_000)
    for _ in range(3):
        await pass_time(31)
    assert get_state(hass, EXCEEDED).state == "on"
    if case == "each phase on its own":
        hass.config_entries.async_update_entry(loaded, options={**loaded.options, "scan_three_phases": False})
    else:
        sim.device.mode = ControlMode.RCR if case == "a receiver decides" else ControlMode.DEACTIVATED
        await loaded.runtime_data.coordinator.read_settings()
    for _ in range(5):
        await pass_time(31)
        assert get_state(hass, EXCEEDED).state == "off"
    await pass_time(31)
    assert get_state(hass, EXCEEDED).state == "unknown"


async def test_lower_limit_gives_inverters_a_minute(
    pass_time: PassTime, hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    export(sim, 9_000)
    await pass_time(31)
    await pass_time(31)
    await hass.services.async_call(DOMAIN, "set_export_limit", {"limit": 5}, blocking=True)
    await pass_time(31)
    assert get_state(hass, EXCEEDED).state == "off"
    await pass_time(31)
    assert get_state(hass, EXCEEDED).state == "on"


@pytest.mark.promise("R-16")
@pytest.mark.usefixtures("warp")
async def test_limit_that_changes_often_does_not_hide_disobedience(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    export(sim, 9_000)
    seen = []
    for step in range(6):
        limit = 3.01 if step % 2 else 3.0
        await hass.services.async_call(DOMAIN, "set_export_limit", {"limit": limit}, blocking=True)
        await asyncio.sleep(50)
        seen.append(get_state(hass, EXCEEDED).state)
    assert seen[2:] == ["on"] * 4


def test_highest_limit_of_the_last_minute_counts() -> None:
    """A limit that follows a signal, and inverters that follow the limit, within half a minute."""
    polls = [(30.0 * step, 8_000 if step // 2 % 2 else 3_000, 7_500) for step in range(20)]
    assert not any(exceeded(*polls))
    assert exceeded(*((at, limit, 9_000) for at, limit, _ in polls))[-1]


@pytest.mark.parametrize(
    ("limit", "capacity", "own_capacity", "margin"),
    [
        (3_000, 30_000, 30_000, 600),
        (3_000, 4_000, 30_000, 100),
        (3_000, 30_000, 10_000, 200),
        (3_000, 30_000, 1_000_000, 600),
        (3_000, 30_000, None, 600),
        (3_000, 30_000, 0, 100),
        (0, 4_000, 4_000, 100),
        (-1_000, 4_000, 4_000, 200),
        (-1_000, 30_000, 30_000, 600),
    ],
)
def test_margin_is_of_smaller_capacity(
    limit: int, capacity: int, own_capacity: int | None, margin: int
) -> None:
    for above, expected in ((margin, False), (margin + 1, True)):
        polls = ((30.0 * step, limit, limit + above) for step in range(3))
        assert exceeded(*polls, capacity=capacity, own_capacity=own_capacity)[-1] is expected


@pytest.mark.parametrize(("inverters", "expected"), [(0, False), (600, False), (601, True), (None, True)])
def test_idle_inverters_do_not_exceed_a_limit_below_zero(inverters: int | None, expected: bool) -> None:
    """The house uses 900 W, and is to import 2 kW."""
    polls = ((30.0 * step, -2_000, -900) for step in range(3))
    assert exceeded(*polls, inverters=inverters)[-1] is expected


def test_export_above_zero_needs_no_inverter_power() -> None:
    """The device tells it late, and a false zero for one reading."""
    polls = ((30.0 * step, 3_000, 9_000) for step in range(3))
    assert exceeded(*polls, inverters=0)[-1]


@pytest.mark.usefixtures("warp")
async def test_night_below_zero_is_no_problem_and_export_is(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    hass.config_entries.async_update_entry(loaded, options={**loaded.options, "min_export_limit": -2.0})
    await hass.services.async_call(DOMAIN, "export_disable", {}, blocking=True)
    sim.hold(replace(CAPTURED, meter_power=-400, inverter_power=0))
    await asyncio.sleep(300)
    assert get_state(hass, EXCEEDED).state == "off"
    sim.hold(replace(CAPTURED, meter_power=2_600, inverter_power=3_000))
    await asyncio.sleep(60)
    sim.inject("zero-inverters", count=1)
    await asyncio.sleep(65)
    assert get_state(hass, EXCEEDED).state == "on"


@pytest.mark.parametrize("interval", [5, 30, 59, 61, 300, 3_600])
def test_excess_is_judged_after_a_minute_at_any_interval(interval: int) -> None:
    polls = [(float(at), 3_000, 9_000) for at in range(0, 4 * max(interval, 60), interval)]
    judged = exceeded(*polls, interval=interval)
    assert judged == [at >= 60 for at, _, _ in polls]


@pytest.mark.usefixtures("warp")
async def test_lost_poll_neither_hides_nor_ends_the_excess(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    export(sim, 20_000)
    await asyncio.sleep(31)
    sim.inject("silence", count=3, commands=[0x0B])
    await asyncio.sleep(95)
    assert get_state(hass, EXCEEDED).state == "on"
    sim.inject("silence", count=3, commands=[0x0B])
    await asyncio.sleep(35)
    assert get_state(hass, EXCEEDED).state == "on"


@pytest.mark.usefixtures("warp")
async def test_excess_before_an_outage_is_forgotten(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    export(sim, 20_000)
    await asyncio.sleep(95)
    assert get_state(hass, EXCEEDED).state == "on"
    sim.inject("silence")
    await asyncio.sleep(600)
    assert get_state(hass, EXCEEDED).state == "unavailable"
    sim.clear_faults()
    for _ in range(400):
        await asyncio.sleep(1)
        if get_state(hass, EXCEEDED).state not in {"unavailable", "unknown"}:
            break
    assert get_state(hass, EXCEEDED).state == "off"


async def test_firmware_without_telemetry_raises_no_silence_issue(
    pass_time: PassTime, hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    sim.inject("no-telemetry")
    assert await hass.config_entries.async_setup(entry.entry_id)
    for _ in range(8):
        await pass_time(61)
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"device_silent_{entry.entry_id}") is None
    assert get_state(hass, "sensor.sec1000_export_limit").state == "10.0"
