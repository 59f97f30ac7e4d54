"""The export by quarter hours: exact boundaries, honest gaps, the highest of each month kept."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
import os
from pathlib import Path
import re
from statistics import fmean
from typing import Any, Final
from unittest.mock import patch
from zoneinfo import ZoneInfo

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.persistent_notification import async_register_callback
from homeassistant.const import CONF_SCAN_INTERVAL, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from hypothesis import given, settings, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from custom_components.goodwe_sec1000.tracking.quarter_hour import (
    QUARTER_HOUR_S,
    FullQuarterHour,
    QuarterHourMeter,
    QuarterHours,
)
from simulator import CAPTURED, House, Simulator
from simulator.device import Restriction
from simulator.house import HOUR_S, ExportConstraint

from ..calls import load
from ..documents import example
from ..entries import entry_at
from ..states import get_state

type PassTime = Callable[[float], Awaitable[None]]
type Sample = tuple[float, int | None]

PRAGUE: Final = ZoneInfo("Europe/Prague")
QUARTER_HOUR: Final = "sensor.sec1000_quarter_hour_export"
HIGHEST: Final = "sensor.sec1000_highest_quarter_hour_export"
POLL_S: Final = 300
PAGE: Final = Path(__file__).parents[2] / "docs" / "entities.md"
TABLE: Final = re.compile(r"(?<=<!-- quarter-hour errors -->\n).*?(?=<!-- end -->)", re.DOTALL)


@pytest.fixture
def prague() -> Iterator[None]:
    """Let the local time be that of Prague."""
    before = dt_util.DEFAULT_TIME_ZONE
    dt_util.set_default_time_zone(PRAGUE)
    yield
    dt_util.set_default_time_zone(before)


def known(*samples: Sample, interval: float = 30, start: QuarterHours | None = None) -> QuarterHours:
    """Return what is known after these samples of time (s) and meter power (W)."""
    meter = QuarterHourMeter(start)
    for at, power in samples:
        meter.add(power, at, interval)
    return meter.quarter_hours


def steady(begin: float, end: float, power: int, step: int = 30) -> list[Sample]:
    return [(begin + seconds, power) for seconds in range(0, int(end - begin) + 1, step)]


def test_mean_is_of_time_since_quarter_hour_began() -> None:
    current = known(*steady(600, 900, 9_000), *steady(930, 1_200, 6_000)).current
    assert current is not None
    # From 9 to 6 kW within the first 30 s.
    assert current.mean == pytest.approx(6_000 + 3_000 * 15 / 300)
    assert (current.start, current.covered) == (900, 1)


def test_import_is_not_subtracted() -> None:
    current = known(*steady(900, 1_200, 9_000), *steady(1_201, 1_501, -9_000)).current
    assert current is not None
    assert current.mean == pytest.approx(4_500, rel=0.01)
    assert current.projected == pytest.approx(3_000, rel=0.01)


def test_power_between_two_polls_is_split_at_boundary() -> None:
    [ended] = known((0, 10_000), *steady(30, 870, 10_000), (930, 0)).highest
    assert ended == FullQuarterHour(0, round((10_000 * 870 + 7_500 * 30) / 900))


def test_steady_power_is_projected_from_first_minute() -> None:
    current = known(*steady(890, 950, 8_000)).current
    assert current is not None
    assert current.projected == pytest.approx(8_000)


def test_projection_adds_present_power_for_the_rest() -> None:
    current = known(*steady(900, 1_500, 3_000), (1_500.001, 9_000)).current
    assert current is not None
    assert current.projected == pytest.approx((3_000 * 600 + 9_000 * 300) / 900, rel=0.001)


@pytest.mark.parametrize(("gap", "counts"), [(150, True), (210, False)])
def test_quarter_hour_counts_from_80_percent_covered(gap: int, counts: bool) -> None:
    samples = (*steady(0, 300, 5_000), *steady(300 + gap, 870, 5_000))
    current = known(*samples).current
    assert current is not None
    assert current.covered == pytest.approx(1 - gap / 870)
    assert current.mean == pytest.approx(5_000)
    assert (current.projected is not None) is counts
    assert bool(known(*samples, (900, 5_000)).highest) is counts


def test_no_reading_for_half_a_quarter_hour_is_a_gap() -> None:
    assert not known((0, 5_000), (900, 5_000), (1_800, 5_000), interval=900).highest
    assert known((0, 5_000), (450, 5_000), (900, 5_000), interval=450).highest


def test_unknown_power_is_a_gap() -> None:
    current = known((0, 5_000), (30, None), (60, 5_000)).current
    assert current is not None
    assert current.covered == 1
    current = known((0, 5_000), *((at, None) for at in range(30, 300, 30)), (300, 5_000)).current
    assert current is not None
    assert (current.covered, current.mean) == (0, None)


def test_quarter_hour_of_before_is_not_shown_while_power_is_unknown() -> None:
    unknown = [(float(at), None) for at in range(900, 1_050, 30)]
    still = known(*steady(0, 870, 5_000), *unknown[:3])
    assert still.current is not None
    assert still.highest == ()
    over = known(*steady(0, 870, 5_000), *unknown)
    assert (over.current, over.highest) == (None, (FullQuarterHour(0, 5_000),))


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from([*[31, 60, 90, 104, 105] * 4, 106, 150]), st.integers(-9_000, 9_000)),
        min_size=10,
        max_size=40,
    )
)
def test_any_readings_are_integrated_second_by_second(readings: list[tuple[int, int]]) -> None:
    """Where two are at most 105 s apart, which is the longest gap at 30 s."""
    samples: list[Sample] = []
    watt_hours: dict[int, float] = defaultdict(float)
    seconds: dict[int, int] = defaultdict(int)
    at, before = 840, 0
    for step, power in readings:
        if samples and step <= 105:
            for second in range(step):
                first, last = (before + (power - before) * (second + each) / step for each in (0, 1))
                start = (at + second) // QUARTER_HOUR_S * QUARTER_HOUR_S
                seconds[start] += 1
                watt_hours[start] += (max(first, 0) + max(last, 0)) / 2 / 3_600
        at, before = at + step, power
        samples.append((at, power))
    quarter_hours = known(*samples)
    current = quarter_hours.current
    assert current is not None
    assert current.measured == pytest.approx(seconds[current.start])
    assert current.exported == pytest.approx(watt_hours[current.start], rel=0.01, abs=0.5)
    counted = [
        watt_hours[start] * 3_600 / seconds[start]
        for start in seconds
        if start < current.start and seconds[start] >= 720
    ]
    assert [each.mean for each in quarter_hours.highest] == [
        pytest.approx(max(counted), rel=0.01, abs=2) for _ in counted[:1]
    ]


def test_clock_set_back_never_covers_more_than_all() -> None:
    current = known(*steady(0, 600, 5_000), *steady(300, 870, 5_000)).current
    assert current is not None
    assert current.covered == 1
    assert current.mean == pytest.approx(5_000)
    earlier = known(*steady(3_600, 4_470, 5_000), *steady(0, 600, 7_000))
    assert earlier.highest == (FullQuarterHour(3_600, 5_000),)
    assert earlier.current is not None
    assert earlier.current.mean == pytest.approx(7_000)


def at_local(*when: int) -> float:
    return datetime(*when, tzinfo=PRAGUE).timestamp()  # type: ignore[misc,arg-type]


@pytest.mark.usefixtures("prague")
@pytest.mark.parametrize(("year", "month"), [(2026, 2), (2026, 3), (2026, 10), (2026, 12), (2028, 2)])
def test_quarter_hour_at_end_of_month_belongs_to_it(year: int, month: int) -> None:
    following = (year, month + 1) if month < 12 else (year + 1, 1)
    midnight = at_local(*following, 1)
    day_before = midnight - 86_400
    quarter_hours = known(
        *steady(day_before, day_before + 870, 6_000),
        *steady(midnight - 900, midnight - 30, 9_000),
        *steady(midnight, midnight + 870, 7_000),
        (midnight + 900, 0),
    )
    last, first = quarter_hours.highest_of((year, month)), quarter_hours.highest_of(following)
    assert last is not None
    assert last.start == midnight - 900
    assert first is not None
    assert first.start == midnight
    assert first.mean == pytest.approx(7_000, abs=150)


@pytest.mark.usefixtures("prague")
@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25)])
def test_day_of_time_change_has_each_quarter_hour_once(day: tuple[int, int, int], hours: int) -> None:
    begin = at_local(*day)
    meter = QuarterHourMeter()
    starts = []
    for at, power in steady(begin, begin + hours * HOUR_S, 5_000):
        current = meter.add(power, at, 30).current
        assert current is not None
        starts.append(current.start)
    assert len(set(starts)) == hours * 4 + 1
    assert dt_util.as_local(dt_util.utc_from_timestamp(starts[-1])).strftime("%H:%M") == "00:00"


@pytest.mark.usefixtures("prague")
def test_highest_of_two_months_that_became_one_is_the_greater() -> None:
    first_of_may = FullQuarterHour(int(at_local(2026, 5, 1)), 9_000)
    quarter_hours = QuarterHours(highest=(FullQuarterHour(int(at_local(2026, 4, 15)), 5_000), first_of_may))
    assert quarter_hours.highest_of((2026, 5)) == first_of_may
    dt_util.set_default_time_zone(UTC)
    assert quarter_hours.highest_of((2026, 4)) == first_of_may
    assert quarter_hours.highest_of((2026, 5)) is None


@pytest.mark.usefixtures("prague")
def test_only_this_month_and_the_one_before_are_kept() -> None:
    quarter_hours = QuarterHours()
    for month in (3, 4, 5):
        begin = at_local(2026, month, 15, 12)
        quarter_hours = known(*steady(begin, begin + 900, month * 1_000), start=quarter_hours)
    assert [each.month for each in quarter_hours.highest] == [(2026, 4), (2026, 5)]
    # The clock was wrong for an hour.
    begin = at_local(2030, 1, 15, 12)
    quarter_hours = known(*steady(begin, begin + 900, 9_000), start=quarter_hours)
    begin = at_local(2026, 5, 16, 12)
    quarter_hours = known(*steady(begin, begin + 900, 4_000), start=quarter_hours)
    assert [(each.month, each.mean) for each in quarter_hours.highest] == [((2026, 5), 5_000)]


@pytest.fixture
async def polled(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    pass_time: PassTime,
    entry: MockConfigEntry,
    sim: Simulator,
    entity_registry_enabled_by_default: None,
) -> MockConfigEntry:
    """Return the entry, set up at half past eleven, with 12 kW to the grid."""
    hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_SCAN_INTERVAL: POLL_S})
    await hass.config.async_set_time_zone("Europe/Prague")
    freezer.move_to("2026-06-30T09:30:00+00:00")
    sim.hold(replace(CAPTURED, meter_power=12_000))
    await load(hass, entry)
    return entry


async def test_sensors_show_mean_projection_and_highest(
    hass: HomeAssistant, pass_time: PassTime, polled: MockConfigEntry
) -> None:
    assert get_state(hass, HIGHEST).state == STATE_UNKNOWN
    for _ in range(2):
        await pass_time(POLL_S + 1)
    state = get_state(hass, QUARTER_HOUR)
    assert (state.state, state.attributes["projected"], state.attributes["covered"]) == ("12.0", 12.0, 100)
    await pass_time(POLL_S + 1)
    highest = get_state(hass, HIGHEST)
    assert highest.state == "12.0"
    assert highest.attributes["when"].isoformat() == "2026-06-30T11:30:00+02:00"
    assert highest.attributes["last_month"] is None


async def test_quarter_hour_is_disabled_by_default(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    entity = er.async_get(hass).async_get(QUARTER_HOUR)
    assert entity is not None
    assert entity.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    assert get_state(hass, HIGHEST).state == STATE_UNKNOWN


async def test_silent_device_makes_quarter_hour_unavailable(
    hass: HomeAssistant, pass_time: PassTime, polled: MockConfigEntry, sim: Simulator
) -> None:
    await pass_time(POLL_S + 1)
    sim.inject("reset")
    await pass_time(POLL_S + 1)
    assert get_state(hass, QUARTER_HOUR).state == STATE_UNAVAILABLE
    assert get_state(hass, HIGHEST).state == STATE_UNKNOWN


async def test_reload_within_a_quarter_hour_loses_nothing(
    hass: HomeAssistant, pass_time: PassTime, polled: MockConfigEntry
) -> None:
    for _ in range(2):
        await pass_time(POLL_S + 1)
    assert await hass.config_entries.async_reload(polled.entry_id)
    await hass.async_block_till_done()
    for _ in range(2):
        await pass_time(POLL_S + 1)
    assert get_state(hass, HIGHEST).state == "12.0"


async def test_highest_is_that_of_last_month_after_midnight(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    pass_time: PassTime,
    polled: MockConfigEntry,
    sim: Simulator,
) -> None:
    for _ in range(4):
        await pass_time(POLL_S + 1)
    sim.inject("reset")
    await pass_time((23 - 11) * HOUR_S + (59 - 50) * 60 + 55)
    assert get_state(hass, HIGHEST).state == "12.0"
    await pass_time(62)
    highest = get_state(hass, HIGHEST)
    assert highest.state == STATE_UNKNOWN
    assert (highest.attributes["when"], highest.attributes["last_month"]) == (None, 12.0)


async def test_automation_of_the_page_warns_of_the_projection(
    hass: HomeAssistant, pass_time: PassTime, polled: MockConfigEntry, sim: Simulator
) -> None:
    notifications: list[Any] = []

    @callback
    def add(_kind: Any, changed: dict[str, Any]) -> None:
        notifications.extend(changed.values())

    async_register_callback(hass, add)
    sim.hold(replace(CAPTURED, meter_power=9_000))
    await pass_time(POLL_S + 1)
    assert await async_setup_component(hass, "persistent_notification", {})
    assert await async_setup_component(hass, "automation", {"automation": example(PAGE, "The quarter hour")})
    for _ in range(2):
        await pass_time(POLL_S + 1)
    assert notifications == []
    sim.hold(replace(CAPTURED, meter_power=12_000))
    for _ in range(4):
        await pass_time(POLL_S + 1)
    [warning] = notifications
    assert re.search(r"about to end at 1[01]\.\d+ kW", warning["message"])


async def test_quarter_hours_are_saved_within_five_minutes(
    pass_time: PassTime, polled: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    for _ in range(2):
        await pass_time(POLL_S + 1)
    stored = hass_storage[f"{DOMAIN}.{polled.entry_id}.quarter_hour"]["data"]
    assert stored["current"]["measured"] >= 60
    assert stored["highest"] == []


async def test_highest_quarter_hour_survives_restart(
    hass: HomeAssistant, entry: MockConfigEntry, hass_storage: dict[str, Any], sim: Simulator
) -> None:
    sim.inject("no-telemetry")
    start = int(dt_util.utcnow().timestamp())
    key = f"{DOMAIN}.{entry.entry_id}.quarter_hour"
    data = {"current": None, "highest": [{"start": start, "mean": 12_345}]}
    hass_storage[key] = {"version": 1, "minor_version": 1, "key": key, "data": data}
    await load(hass, entry)
    assert get_state(hass, HIGHEST).state == "12.345"


CURRENT: Final = {"start": 0, "until": 1, "power": 1, "exported": 1, "measured": 1}


@pytest.mark.parametrize(
    ("version", "data"),
    [
        (99, {"current": None, "highest": []}),
        (1, [1]),
        (1, {"highest": []}),
        (1, {"current": None, "highest": 5}),
        (1, {"current": None, "highest": [{"start": 10**20, "mean": 1}]}),
        (1, {"current": None, "highest": [{"start": 0, "mean": 0x7FFFFFFF}]}),
        (1, {"current": CURRENT | {"exported": "x"}, "highest": []}),
        (1, {"current": CURRENT | {"power": -(2**31)}, "highest": []}),
        (1, {"current": CURRENT | {"measured": -1}, "highest": []}),
    ],
)
async def test_damaged_or_newer_file_counts_as_absent(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    version: int,
    data: Any,
) -> None:
    key = f"{DOMAIN}.{entry.entry_id}.quarter_hour"
    hass_storage[key] = {"version": version, "minor_version": 1, "key": key, "data": data}
    await load(hass, entry)
    assert caplog.text.count("quarter_hour cannot be read and is ignored") == 1
    assert get_state(hass, HIGHEST).state == STATE_UNKNOWN


async def test_removed_entry_leaves_no_quarter_hour_file(
    hass: HomeAssistant, pass_time: PassTime, polled: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    for _ in range(2):
        await pass_time(POLL_S + 1)
    assert await hass.config_entries.async_unload(polled.entry_id)
    assert f"{DOMAIN}.{polled.entry_id}.quarter_hour" in hass_storage
    await hass.config_entries.async_remove(polled.entry_id)
    assert not [key for key in hass_storage if polled.entry_id in key]


async def test_poll_that_ends_during_an_unload_leaves_nothing_to_be_saved(
    hass: HomeAssistant, pass_time: PassTime, polled: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    coordinator, unload = polled.runtime_data.coordinator, hass.config_entries.async_unload_platforms

    async def poll_and_unload(*args: Any) -> bool:
        await coordinator.async_refresh()
        return await unload(*args)

    await pass_time(60)
    with patch.object(hass.config_entries, "async_unload_platforms", poll_and_unload):
        await hass.config_entries.async_remove(polled.entry_id)
    await pass_time(2 * POLL_S)
    assert not [key for key in hass_storage if polled.entry_id in key]


@pytest.mark.usefixtures("warp", "entity_registry_enabled_by_default")
async def test_quarter_hour_is_written_once_a_minute(hass: HomeAssistant, sim: Simulator) -> None:
    sim.hold(replace(CAPTURED, meter_power=12_000))
    entry = entry_at(sim.host, sim.port, scan_interval=5)
    entry.add_to_hass(hass)
    await load(hass, entry)
    reported = set()
    for _ in range(60):
        await asyncio.sleep(10)
        reported.add(get_state(hass, QUARTER_HOUR).last_reported)
    assert 9 <= len(reported) <= 12


def measured_errors() -> str:
    """Return the rows of the table on the page: three cloudy days of a system of 30 kW, from 8 to 18."""
    errors: dict[int, list[float]] = {interval: [] for interval in (5, 30, 60, 300)}
    of_highest: dict[int, list[float]] = {interval: [] for interval in errors}
    constraint = ExportConstraint(Restriction(30_000, sum_of_phases=True), ControlMode.VALUE)
    begin, end = 8 * HOUR_S, 18 * HOUR_S
    for seed in (1, 2, 3):
        house = House(start=8, seed=seed)
        power = []
        for second in range(end - begin + 1):
            house.advance(second, constraint)
            power.append(house.meter_power)
        exact = [
            fmean(max(each, 0) for each in power[at : at + QUARTER_HOUR_S])
            for at in range(0, end - begin, QUARTER_HOUR_S)
        ]
        for interval, found in errors.items():
            # Off the boundaries, as polls are.
            polls = range(interval // 2, end - begin, interval)
            shown = [
                known(
                    *(
                        (at, round(power[at]))
                        for at in polls
                        if -interval < at - start < QUARTER_HOUR_S + interval
                    ),
                    interval=interval,
                )
                .highest[-1]
                .mean
                for start in range(QUARTER_HOUR_S, end - begin - QUARTER_HOUR_S, QUARTER_HOUR_S)
            ]
            found += [abs(mean - true) for mean, true in zip(shown, exact[1:-1], strict=True)]
            of_highest[interval].append(abs(max(shown) - max(exact[1:-1])))
    return "".join(
        f"| {interval} s | {fmean(found):.0f} W | {max(found):.0f} W | {max(of_highest[interval]):.0f} W |\n"
        for interval, found in errors.items()
    )


@pytest.mark.slow
def test_page_shows_measured_errors() -> None:
    """WRITE_EXPECTED=1 in the environment writes the table."""
    page = PAGE.read_text(encoding="utf-8")
    columns = "| refresh interval | mean error | largest error | largest error of the highest of a day |\n"
    updated = TABLE.sub(f"{columns}|---|---|---|---|\n{measured_errors()}", page)
    assert TABLE.search(page)
    if os.environ.get("WRITE_EXPECTED"):
        PAGE.write_text(updated, encoding="utf-8")
    assert page == updated, "run it with WRITE_EXPECTED=1; read what changed"
