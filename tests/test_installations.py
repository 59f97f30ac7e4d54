"""Installations that 0.1.0 has written start unchanged, and what is written stays readable for it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
import json
import logging
import lzma
from pathlib import Path
import shutil
from typing import Any, Final

from awesomeversion import AwesomeVersion
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder import Recorder
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_OFF, STATE_ON, __version__
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    category_registry as cr,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    issue_registry as ir,
    label_registry as lr,
    restore_state,
)
from homeassistant.setup import async_setup_component
import pytest

from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import CAPTURED, Simulator

from .known import known
from .recorded import asked_by_repairs, compiled, in_recorder, validated
from .states import get_state

pytestmark = pytest.mark.skipif(
    AwesomeVersion(__version__) < "2026.10", reason="the files were written by Home Assistant 2026.10"
)

DOMAIN: Final = "goodwe_sec1000"
INSTALLATIONS: Final = Path(__file__).parent / "data" / "installations"
HEALTHY: Final = "healthy"
KILLED: Final = "killed_during_reset"
JUST_MIGRATED: Final = "just_migrated"
MIGRATED: Final = "migrated"
OTHERS: Final = (KILLED, JUST_MIGRATED, MIGRATED)
IDENTITY: Final = (
    *("entity_id", "unique_id", "platform", "device_id", "name", "icon", "disabled_by", "hidden_by"),
    *("has_entity_name", "translation_key", "aliases_v2"),
)
"""What of an entity a user has chosen or rests on."""

type PassTime = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Installation:
    """The files of an installation, as they were written and as they are now."""

    storage: Path
    written: Mapping[str, Any]
    """What each file held before the start, by its name."""

    @property
    def stored(self) -> Mapping[str, Any]:
        """What each file holds now."""
        return _read(self.storage)

    @property
    def entry(self) -> dict[str, Any]:
        """The config entry as it was written."""
        [entry] = self.written["core.config_entries"]["data"]["entries"]
        return dict(entry)

    @property
    def prefix(self) -> str:
        """What the names of the entry's own files begin with; the name of the one with the proven limit."""
        return f"{DOMAIN}.{self.entry['entry_id']}"

    @property
    def pending(self) -> str:
        """The name of the file with the pending restore."""
        return f"{self.prefix}.note"

    @property
    def limit(self) -> int:
        """The limit that was last proven, W."""
        return int(self.written[self.prefix]["data"]["limit"])

    @property
    def entities(self) -> list[dict[str, Any]]:
        """The entities as they were written."""
        return list(self.written["core.entity_registry"]["data"]["entities"])

    @property
    def energy(self) -> dict[str, float]:
        """The energy where the sensors stood, kWh by key."""
        return dict(self.written[f"{self.prefix}.energy"]["data"])

    @property
    def issues(self) -> set[str]:
        """The ids of the repair issues that were there."""
        file = self.written.get("repairs.issue_registry", {"data": {"issues": ()}})
        return {issue["issue_id"] for issue in file["data"]["issues"]}

    def entity_id(self, key: str) -> str:
        """Return the id of the one entity with this key."""
        unique_id = f"{self.entry['entry_id']}_{key}"
        [entity_id] = [entity["entity_id"] for entity in self.entities if entity["unique_id"] == unique_id]
        return str(entity_id)


def _read(storage: Path) -> dict[str, Any]:
    return {path.name: json.loads(path.read_text("utf-8")) for path in storage.iterdir()}


@pytest.fixture(params=[HEALTHY, *(pytest.param(each, marks=pytest.mark.slow) for each in OTHERS)])
async def installation(request: pytest.FixtureRequest, tmp_path: Path, sim: Simulator) -> Installation:
    """Copy an installation; the device stands as it was left, at another port."""
    storage = tmp_path / ".storage"
    shutil.copytree(INSTALLATIONS / request.param / ".storage", storage)
    written = _read(storage)
    for name, content in written.items():
        for data in (content["data"], *(entry["data"] for entry in _entries(content))):
            if "port" in data:
                data.update(host=sim.host, port=sim.port)
        (storage / name).write_text(json.dumps(content), "utf-8")
    installation = Installation(storage, written)
    sim.device.capacity = round(installation.entry["options"]["total_capacity"] * 1000)
    sim.device.limit = installation.limit
    if installation.pending in written:
        sim.device.mode = ControlMode.DEACTIVATED
    return installation


def _entries(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    return content["data"]["entries"] if content["key"] == "core.config_entries" else []


@pytest.fixture
def hass_config_dir(installation: Installation) -> str:
    """Run Home Assistant from the installation."""
    return str(installation.storage.parent)


@pytest.fixture
def hass_storage() -> dict[str, Any]:
    """Let Home Assistant read and write its files."""
    return {}


@pytest.fixture
def recorder_db_url(tmp_path: Path) -> str:
    """Give the recorder the database that the healthy installation's wrote."""
    database = tmp_path / "home-assistant_v2.db"
    database.write_bytes(lzma.decompress((INSTALLATIONS / HEALTHY / f"{database.name}.xz").read_bytes()))
    return f"sqlite:///{database}"


@pytest.fixture
def load_registries() -> bool:
    """Leave the registries to `start`."""
    return False


async def start(hass: HomeAssistant) -> None:
    """Start from what is on disk, as far as Home Assistant's bootstrap does it with entries and entities."""
    dr.async_setup(hass)
    for registry in (ar, cr, dr, er, fr, ir, lr, restore_state):
        await registry.async_load(hass)
    await hass.config_entries.async_initialize()
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done(wait_background_tasks=True)
    [entry] = hass.config_entries.async_entries(DOMAIN)
    assert entry.state is ConfigEntryState.LOADED


def shown_energy(hass: HomeAssistant, installation: Installation) -> dict[str, float]:
    """Return where the energy sensors stand, kWh by key."""
    return {key: float(get_state(hass, installation.entity_id(key)).state) for key in installation.energy}


async def test_entry_stays_as_it_was_written(hass: HomeAssistant, installation: Installation) -> None:
    await start(hass)
    await hass.async_stop()
    assert _entries(installation.stored["core.config_entries"]) == [installation.entry]


async def test_entities_keep_ids_names_and_choices(hass: HomeAssistant, installation: Installation) -> None:
    await start(hass)
    for entity in installation.entities:
        is_shown = hass.states.get(entity["entity_id"]) is not None
        assert is_shown is (entity["disabled_by"] is None), entity["entity_id"]
    await hass.async_stop()
    now = {entity["id"]: entity for entity in installation.stored["core.entity_registry"]["data"]["entities"]}
    for entity in installation.entities:
        assert {key: now[entity["id"]][key] for key in IDENTITY} == {key: entity[key] for key in IDENTITY}


@pytest.mark.parametrize("installation", [HEALTHY], indirect=True)
async def test_states_have_the_name_and_unit_chosen(hass: HomeAssistant, installation: Installation) -> None:
    await start(hass)
    assert get_state(hass, "sensor.grid").name.endswith("Grid")
    assert get_state(hass, "sensor.sec1000_load_power").attributes["unit_of_measurement"] == "kW"


async def test_device_keeps_id_and_name(hass: HomeAssistant, installation: Installation) -> None:
    await start(hass)
    await hass.async_stop()
    before, now = (
        [
            {key: device[key] for key in ("id", "identifiers", "config_entry_id", "name", "name_by_user")}
            for device in files["core.device_registry"]["data"]["devices"]
        ]
        for files in (installation.written, installation.stored)
    )
    assert now == before


async def test_energy_goes_on_from_where_it_stood(
    pass_time: PassTime, hass: HomeAssistant, installation: Installation, sim: Simulator
) -> None:
    sim.hold(replace(CAPTURED, meter_power=1_000))
    await start(hass)
    assert shown_energy(hass, installation) == installation.energy
    for _ in range(3):
        await pass_time(installation.entry["options"]["scan_interval"] + 1)
    before, now = installation.energy, shown_energy(hass, installation)
    assert now.pop("energy_imported") == before.pop("energy_imported")
    for key, total in now.items():
        # kW for three intervals of 5 to 30 s.
        assert before[key] < total < before[key] + 0.2, key


async def test_device_that_holds_the_proven_limit_does_not_differ(
    hass: HomeAssistant, installation: Installation
) -> None:
    await start(hass)
    assert get_state(hass, installation.entity_id("limit_differs")).state == STATE_OFF


@pytest.mark.parametrize("installation", [HEALTHY], indirect=True)
async def test_energy_sums_grow_by_what_flowed_in_the_first_hour(
    recorder_mock: Recorder,
    pass_time: PassTime,
    hass: HomeAssistant,
    installation: Installation,
    sim: Simulator,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Although three of the sensors are total_increasing now, and were total."""
    compiled_before = datetime(2026, 11, 28, 22, 0, tzinfo=UTC)
    first_hour = datetime(2026, 11, 29, 0, 0, tzinfo=UTC)
    freezer.move_to(first_hour + timedelta(seconds=1))
    assert await async_setup_component(hass, "sensor", {})
    sim.hold(replace(CAPTURED, meter_power=12_000, inverter_power=20_000))
    await start(hass)
    for period in range(12):
        for _ in range(6):
            await pass_time(50)
        await compiled(hass, first_hour + timedelta(minutes=5 * period))
    flowed = {"energy_exported": 12, "energy_imported": 0, "energy_produced": 20, "energy_consumed": 8}
    entity_ids = {key: installation.entity_id(key) for key in flowed}
    found = await in_recorder(
        hass,
        statistics_during_period,
        hass,
        compiled_before,
        None,
        set(entity_ids.values()),
        "hour",
        None,
        {"state", "sum"},
    )
    for key, entity_id in entity_ids.items():
        rows = {row["start"]: row for row in found[entity_id]}
        before, after = rows[compiled_before.timestamp()], rows[first_hour.timestamp()]
        state_before, state_after, sum_before, sum_after = (
            known(value) for value in (before["state"], after["state"], before["sum"], after["sum"])
        )
        assert state_after - installation.energy[key] == pytest.approx(flowed[key], rel=0.03), key
        assert sum_after - sum_before == pytest.approx(state_after - state_before), key
    assert await validated(hass) == {}
    assert await asked_by_repairs(hass) == []


@pytest.mark.parametrize("installation", [HEALTHY, JUST_MIGRATED, MIGRATED], indirect=True)
async def test_device_that_was_changed_meanwhile_differs(
    hass: HomeAssistant, installation: Installation, sim: Simulator
) -> None:
    sim.device.limit += 1_000
    await start(hass)
    assert get_state(hass, installation.entity_id("limit_differs")).state == STATE_ON


@pytest.mark.parametrize("installation", [HEALTHY], indirect=True)
async def test_proven_limit_is_put_back_where_that_was_chosen(
    pass_time: PassTime, hass: HomeAssistant, installation: Installation, sim: Simulator
) -> None:
    sim.device.limit += 1_000
    await start(hass)
    await pass_time(61)
    assert sim.device.limit == installation.limit


@pytest.mark.promise("R-19")
@pytest.mark.parametrize("installation", [KILLED], indirect=True)
async def test_pending_restore_is_finished(
    hass: HomeAssistant, installation: Installation, sim: Simulator
) -> None:
    target = installation.written[installation.pending]["data"]
    await start(hass)
    assert sim.device.mode is ControlMode.VALUE
    assert (sim.device.limit, sim.device.capacity) == (target["limit"], target["capacity"])
    assert installation.pending not in installation.stored


async def test_start_logs_no_error(
    hass: HomeAssistant, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    await start(hass)
    await hass.async_stop()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_repair_issues_stay_the_same(hass: HomeAssistant, installation: Installation) -> None:
    await start(hass)
    issues = {
        issue.issue_id
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == DOMAIN and issue.active
    }
    assert issues == installation.issues


async def test_files_keep_names_versions_and_keys(
    pass_time: PassTime, hass: HomeAssistant, installation: Installation, sim: Simulator
) -> None:
    await start(hass)
    await hass.services.async_call(DOMAIN, "set_export_limit", {"limit": 3.21}, blocking=True)
    for _ in range(3):
        await pass_time(installation.entry["options"]["scan_interval"] + 1)
    await hass.async_stop()
    energy = shown_energy(hass, installation)
    written, stored = dict(installation.written), installation.stored
    written.pop(installation.pending, None)
    assert written.keys() <= stored.keys()
    assert stored[installation.prefix]["data"]["limit"] == 3_210
    assert energy != installation.energy
    assert stored[f"{installation.prefix}.energy"]["data"] == energy
    for name, content in written.items():
        assert stored[name]["key"] == name
        if name.startswith(DOMAIN):
            assert_readable(stored[name], content)


@pytest.mark.parametrize("installation", [HEALTHY], indirect=True)
async def test_pending_restore_keeps_name_version_and_keys(
    hass: HomeAssistant, installation: Installation, sim: Simulator
) -> None:
    await start(hass)
    call = hass.services.async_call(DOMAIN, "reset_export_watchdog", {}, blocking=True)
    reset = hass.async_create_task(call)
    # The settings are read, then the three modes are switched off.
    await sim.wait_for_requests(len(sim.requests) + 4)
    assert sim.device.mode is ControlMode.DEACTIVATED
    [pending] = (INSTALLATIONS / KILLED / ".storage").glob("*.note")
    assert_readable(installation.stored[installation.pending], json.loads(pending.read_text("utf-8")))
    await reset
    assert installation.pending not in installation.stored


def assert_readable(stored: Mapping[str, Any], written: Mapping[str, Any]) -> None:
    """See that a file can be read by the version that wrote the other."""
    assert (stored["version"], stored["minor_version"]) == (written["version"], written["minor_version"])
    assert stored["data"].keys() >= written["data"].keys()
