"""Migration continues history and long-term statistics, and Repairs has no question about them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder import Recorder, history
from homeassistant.components.recorder.statistics import get_metadata, statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import async_wait_recording_done

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.migration.follow_up import MigrationFollowUp
from simulator import Simulator
from tests.recorded import asked_by_repairs, compiled, in_recorder, validated
from tests.states import get_state

from .older import migrate, older_entry, register
from .older_entities import ENTITIES, FEEDBACKS, OTHER_MEASURED, POWERS

pytestmark = pytest.mark.slow

BEFORE: Final = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
"""The five minutes in which the older integration measured."""
AFTER: Final = BEFORE + timedelta(minutes=5)
"""The five minutes in which this one does."""
FEEDBACK_IDS: Final = {feedback.entity_id() for feedback in FEEDBACKS}


@pytest.fixture
async def older(
    recorder_mock: Recorder, hass: HomeAssistant, freezer: FrozenDateTimeFactory, device: Simulator
) -> MockConfigEntry:
    """Return an entry with statistics of the older integration, which was just stopped."""
    freezer.move_to(BEFORE + timedelta(seconds=1))
    assert await async_setup_component(hass, "sensor", {})
    entry = older_entry()
    entry.add_to_hass(hass)
    register(hass, entry)
    for entity in ENTITIES:
        hass.states.async_set(entity.entity_id(), entity.state, entity.attributes)
    await compiled(hass, BEFORE)
    assert set(await in_recorder(hass, get_metadata, hass)) == {
        entity.entity_id() for entity in ENTITIES if entity.state_class
    }
    for entity in ENTITIES:
        hass.states.async_remove(entity.entity_id())
    await async_wait_recording_done(hass)
    freezer.move_to(AFTER + timedelta(seconds=1))
    return entry


async def test_statistics_of_measurements_continue_in_their_unit(
    older: MockConfigEntry, hass: HomeAssistant
) -> None:
    await migrate(hass, older)
    await compiled(hass, AFTER)
    measured = {entity.entity_id(): entity for entity in (*POWERS, *OTHER_MEASURED)}
    rows = await in_recorder(
        hass, statistics_during_period, hass, BEFORE, None, set(measured), "5minute", None, {"mean"}
    )
    assert rows.keys() == measured.keys()
    for entity_id, entity in measured.items():
        assert [row["start"] for row in rows[entity_id]] == [BEFORE.timestamp(), AFTER.timestamp()]
        assert [row["mean"] for row in rows[entity_id]] == pytest.approx([float(entity.state)] * 2)
    known = await in_recorder(hass, get_metadata, hass)
    units = {entity_id: known[entity_id][1]["unit_of_measurement"] for entity_id in measured}
    assert units == {entity_id: entity.unit for entity_id, entity in measured.items()}


async def test_repairs_has_no_question_about_statistics(older: MockConfigEntry, hass: HomeAssistant) -> None:
    await migrate(hass, older)
    await compiled(hass, AFTER)
    known = await in_recorder(hass, get_metadata, hass)
    assert not FEEDBACK_IDS & known.keys()
    assert await validated(hass) == {}
    assert await asked_by_repairs(hass) == []


async def test_repairs_asks_where_feedback_statistics_are_kept(
    older: MockConfigEntry, hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MigrationFollowUp, "async_schedule_cleanup", lambda _follow_up: None)
    await migrate(hass, older)
    await compiled(hass, AFTER)
    assert (await validated(hass)).keys() == FEEDBACK_IDS
    assert len(await asked_by_repairs(hass)) == len(FEEDBACKS)


async def test_history_of_feedback_stays(older: MockConfigEntry, hass: HomeAssistant) -> None:
    await migrate(hass, older)
    entity_ids = ["sensor.sec1000_device_1_set_export_limit_feedback", "sensor.sec1000_device_1_p1"]
    states = await in_recorder(
        hass, history.get_significant_states, hass, BEFORE, None, entity_ids, None, True, False
    )
    shown_states = {
        entity_id: [getattr(state, "state", None) for state in states[entity_id]] for entity_id in entity_ids
    }
    assert shown_states["sensor.sec1000_device_1_set_export_limit_feedback"][0] == "1"
    assert shown_states["sensor.sec1000_device_1_set_export_limit_feedback"][-1] == "0"
    assert shown_states["sensor.sec1000_device_1_p1"][0] == "0.295"
    assert shown_states["sensor.sec1000_device_1_p1"][-1] == "0.295"


async def test_statistics_continue_where_user_chose_watts(
    older: MockConfigEntry, hass: HomeAssistant
) -> None:
    er.async_get(hass).async_update_entity_options(
        "sensor.sec1000_device_1_p1", "sensor", {"unit_of_measurement": "W"}
    )
    await migrate(hass, older)
    assert float(get_state(hass, "sensor.sec1000_device_1_p1").state) == 295
    await compiled(hass, AFTER)
    rows = await in_recorder(
        hass,
        statistics_during_period,
        hass,
        BEFORE,
        None,
        {"sensor.sec1000_device_1_p1"},
        "5minute",
        {"power": "kW"},
        {"mean"},
    )
    assert [row["mean"] for row in rows["sensor.sec1000_device_1_p1"]] == pytest.approx([0.295, 0.295])
    assert await validated(hass) == {}


async def test_statistics_of_renamed_feedback_are_cleared(
    older: MockConfigEntry, hass: HomeAssistant
) -> None:
    er.async_get(hass).async_update_entity(
        "sensor.sec1000_device_1_set_datetime_feedback", new_entity_id="sensor.clock_outcome"
    )
    await async_wait_recording_done(hass)
    assert "sensor.clock_outcome" in await in_recorder(hass, get_metadata, hass)
    await migrate(hass, older)
    known = await in_recorder(hass, get_metadata, hass)
    assert not (FEEDBACK_IDS | {"sensor.clock_outcome"}) & known.keys()


async def test_statistics_are_cleared_after_outage_at_first_start(
    older: MockConfigEntry, hass: HomeAssistant, device: Simulator
) -> None:
    """Entities that wait for their device still have their former state class, and would be compiled."""
    await device.stop()
    await hass.config_entries.async_setup(older.entry_id)
    assert (await in_recorder(hass, get_metadata, hass)).keys() >= FEEDBACK_IDS
    await device.start()
    assert await hass.config_entries.async_reload(older.entry_id)
    await compiled(hass, AFTER)
    assert not FEEDBACK_IDS & (await in_recorder(hass, get_metadata, hass)).keys()
    assert await validated(hass) == {}


async def test_kill_before_cleanup_repeats_it_at_next_start(
    older: MockConfigEntry, hass: HomeAssistant, hass_storage: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(MigrationFollowUp, "async_schedule_cleanup", lambda _follow_up: None)
        await migrate(hass, older)
    assert (await in_recorder(hass, get_metadata, hass)).keys() >= FEEDBACK_IDS
    assert await hass.config_entries.async_reload(older.entry_id)
    await hass.async_block_till_done()
    assert not FEEDBACK_IDS & (await in_recorder(hass, get_metadata, hass)).keys()


@pytest.mark.parametrize(("minimum", "stays"), [(-120.0, True), (-5.0, False)])
async def test_file_is_removed_unless_report_needs_confirmation(
    older: MockConfigEntry,
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    minimum: float,
    stays: bool,
) -> None:
    hass.config_entries.async_update_entry(older, data={**older.data, "min_export_limit": minimum})
    await migrate(hass, older)
    await async_wait_recording_done(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert (f"{DOMAIN}.{older.entry_id}.moved_in" in hass_storage) is stays
