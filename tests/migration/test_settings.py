"""Every setting is migrated; an invalid one is corrected and reported."""

import math
from pathlib import Path
from typing import Any

from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components import goodwe_sec1000
from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.migration.report import async_format_report
from custom_components.goodwe_sec1000.migration.settings import settings_from
from simulator import Simulator

from .older import STATE_FILE, migrate, older_entry, stored

READS = {0x0B, 0x43}
LANGUAGES = sorted(
    file.stem for file in (Path(goodwe_sec1000.__file__).parent / "translations").glob("*.json")
)


def report(hass: HomeAssistant, entry_id: str) -> list[str]:
    """Return the sentences of the report on a migrated entry."""
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"moved_in_{entry_id}")
    if issue is None:
        return []
    assert issue.is_fixable
    assert issue.is_persistent
    assert issue.translation_key == "moved_in"
    placeholders = issue.translation_placeholders
    assert placeholders
    return [line.removeprefix("- ") for line in placeholders["corrections"].splitlines()]


async def test_valid_entry_migrates_without_report(hass: HomeAssistant, device: Simulator) -> None:
    entry = older_entry()
    await migrate(hass, entry)
    assert (entry.version, entry.minor_version, entry.unique_id) == (2, 1, None)
    assert entry.title == "GoodWe SEC1000 - Device 1 - host:127.0.0.1"
    assert entry.data == {"name": "Device 1", "host": "127.0.0.1", "port": device.port}
    assert entry.options == {
        "scan_interval": 10,
        "min_export_limit": 0.0,
        "max_export_limit": 10.0,
        "total_capacity": 30.0,
        "export_limit_control_mode": "value",
        "scan_three_phases": True,
        "put_back": False,
        "allow_deactivating": False,
    }
    assert report(hass, entry.entry_id) == []


async def test_entry_of_later_version_is_refused(hass: HomeAssistant, device: Simulator) -> None:
    entry = MockConfigEntry(domain=DOMAIN, version=3, data={"new": True})
    entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.MIGRATION_ERROR
    assert (entry.version, entry.data) == (3, {"new": True})


@pytest.mark.promise("R-14")
async def test_migration_writes_nothing_to_device(hass: HomeAssistant, device: Simulator) -> None:
    await migrate(hass, older_entry(max_export_limit=5.0))
    assert {request.frame.command for request in device.requests if request.frame} == READS


async def test_migrated_port_is_default(hass: HomeAssistant) -> None:
    entry = older_entry(host="192.0.2.1")
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.data["port"] == 1234
    assert entry.state is ConfigEntryState.SETUP_RETRY


async def test_older_options_override_data(hass: HomeAssistant, device: Simulator) -> None:
    entry = older_entry(
        {
            "device_name": "Device 1",
            "include_device_name_in_entity": False,
            "host": "127.0.0.1",
            "scan_interval": 60,
            "min_export_limit": 0.5,
            "max_export_limit": 8.25,
            "total_capacity": 40,
            "export_limit_control_mode": 2,
            "scan_three_phases": False,
        },
        host="192.0.2.1",
    )
    await migrate(hass, entry)
    assert entry.data["host"] == "127.0.0.1"
    assert dict(entry.options) == {
        "scan_interval": 60,
        "min_export_limit": 0.5,
        "max_export_limit": 8.25,
        "total_capacity": 40.0,
        "export_limit_control_mode": "rcr",
        "scan_three_phases": False,
        "put_back": False,
        "allow_deactivating": False,
    }
    assert report(hass, entry.entry_id) == []


@pytest.mark.parametrize(("number", "key"), [(1, "dred"), (2, "rcr"), (3, "value")])
async def test_control_mode_is_kept(hass: HomeAssistant, device: Simulator, number: int, key: str) -> None:
    entry = older_entry(export_limit_control_mode=number)
    await migrate(hass, entry)
    assert entry.options["export_limit_control_mode"] == key
    assert report(hass, entry.entry_id) == []


async def test_deactivated_is_kept_and_reported(hass: HomeAssistant, device: Simulator) -> None:
    entry = older_entry(export_limit_control_mode=0)
    await migrate(hass, entry)
    assert entry.options["export_limit_control_mode"] == "deactivated"
    assert entry.options["allow_deactivating"] is False
    [sentence] = report(hass, entry.entry_id)
    assert "nothing limits the export" in sentence


@pytest.mark.parametrize(
    ("older", "options", "sentences"),
    [
        ({"min_export_limit": -0.1}, {"min_export_limit": -0.1}, []),
        (
            {"min_export_limit": -120.0},
            {"min_export_limit": -100.0},
            ["Minimum export limit: `-120.0` → -100.00 kW"],
        ),
        (
            {"min_export_limit": -5, "max_export_limit": -2},
            {"min_export_limit": -5.0, "max_export_limit": -2.0},
            [],
        ),
        (
            {"min_export_limit": 8.0, "max_export_limit": 3.0},
            {"min_export_limit": 3.0, "max_export_limit": 3.0},
            ["Minimum export limit: `8.0` → 3.00 kW"],
        ),
        (
            {"max_export_limit": 50.0},
            {"max_export_limit": 30.0},
            ["Maximum export limit: `50.0` → 30.00 kW"],
        ),
        (
            {"min_export_limit": 60.0, "max_export_limit": 50.0, "total_capacity": 20.0},
            {"min_export_limit": 20.0, "max_export_limit": 20.0, "total_capacity": 20.0},
            ["Maximum export limit: `50.0` → 20.00 kW", "Minimum export limit: `60.0` → 20.00 kW"],
        ),
        (
            {"total_capacity": 120.0, "max_export_limit": 110.0},
            {"total_capacity": 100.0, "max_export_limit": 100.0},
            ["Total capacity: `120.0` → 100.00 kW", "Maximum export limit: `110.0` → 100.00 kW"],
        ),
        (
            {"max_export_limit": 7.126},
            {"max_export_limit": 7.13},
            ["Maximum export limit: `7.126` → 7.13 kW"],
        ),
        ({"scan_interval": 4}, {"scan_interval": 5}, ["Refresh interval: `4` → 5 s"]),
        ({"scan_interval": 0}, {"scan_interval": 5}, ["Refresh interval: `0` → 5 s"]),
        ({"scan_interval": 86_400}, {"scan_interval": 3_600}, ["Refresh interval: `86400` → 3600 s"]),
        ({"scan_interval": 7.5}, {"scan_interval": 8}, ["Refresh interval: `7.5` → 8 s"]),
        ({"scan_interval": None}, {"scan_interval": 10}, ["Refresh interval: – → 10 s"]),
        ({"scan_interval": True}, {"scan_interval": 10}, ["Refresh interval: `True` → 10 s"]),
        ({"max_export_limit": "9,5"}, {"max_export_limit": 10.0}, ["Maximum export limit: `9,5` → 10.00 kW"]),
        ({"max_export_limit": "9.5"}, {"max_export_limit": 9.5}, ["Maximum export limit: `9.5` → 9.50 kW"]),
        ({"max_export_limit": None}, {"max_export_limit": 10.0}, ["Maximum export limit: – → 10.00 kW"]),
        ({"max_export_limit": True}, {"max_export_limit": 10.0}, ["Maximum export limit: `True` → 10.00 kW"]),
        ({"max_export_limit": [7]}, {"max_export_limit": 10.0}, ["Maximum export limit: `[7]` → 10.00 kW"]),
        (
            {"min_export_limit": math.nan},
            {"min_export_limit": 0.0},
            ["Minimum export limit: `nan` → 0.00 kW"],
        ),
        ({"total_capacity": math.inf}, {"total_capacity": 20.0}, ["Total capacity: `inf` → 20.00 kW"]),
        (
            {"min_export_limit": 10**400},
            {"min_export_limit": 0.0},
            [f"Minimum export limit: `{10**400}` → 0.00 kW"],
        ),
        (
            {"export_limit_control_mode": 7},
            {"export_limit_control_mode": "value"},
            ["Control mode: `7` → Value: Central Europe"],
        ),
        (
            {"export_limit_control_mode": "2"},
            {"export_limit_control_mode": "rcr"},
            ["Control mode: `2` → RCR: Germany"],
        ),
        (
            {"export_limit_control_mode": True},
            {"export_limit_control_mode": "value"},
            ["Control mode: `True` → Value: Central Europe"],
        ),
        (
            {"export_limit_control_mode": None},
            {"export_limit_control_mode": "value"},
            ["Control mode: – → Value: Central Europe"],
        ),
        (
            {"scan_three_phases": "off"},
            {"scan_three_phases": False},
            ["Sum measurement of all three phases: `off` → Off"],
        ),
        (
            {"scan_three_phases": "perhaps"},
            {"scan_three_phases": True},
            ["Sum measurement of all three phases: `perhaps` → On"],
        ),
        (
            {"scan_three_phases": None},
            {"scan_three_phases": True},
            ["Sum measurement of all three phases: – → On"],
        ),
    ],
)
async def test_invalid_setting_is_corrected_and_reported(
    hass: HomeAssistant,
    device: Simulator,
    older: dict[str, Any],
    options: dict[str, Any],
    sentences: list[str],
) -> None:
    entry = older_entry(**older)
    await migrate(hass, entry)
    assert {key: entry.options[key] for key in options} == options
    assert report(hass, entry.entry_id) == sentences


@pytest.mark.parametrize(
    ("older", "name", "sentences"),
    [
        ("  Garáž  ", "Garáž", ["Name: `  Garáž  ` → `Garáž`"]),
        ("", "Device 1", ["Name: `` → `Device 1`"]),
        ("---", "Device 1", ["Name: `---` → `Device 1`"]),
        (None, "Device 1", ["Name: – → `Device 1`"]),
        (17, "Device 1", ["Name: `17` → `Device 1`"]),
        ("x" * 101, "x" * 100, [f"Name: `{'x' * 101}` → `{'x' * 100}`"]),
    ],
)
async def test_invalid_name_is_corrected_and_reported(
    hass: HomeAssistant, device: Simulator, older: Any, name: str, sentences: list[str]
) -> None:
    entry = older_entry(device_name=older)
    await migrate(hass, entry)
    assert entry.data["name"] == name
    assert report(hass, entry.entry_id) == sentences


@pytest.mark.parametrize("host", [None, "", 7])
async def test_missing_host_becomes_default(hass: HomeAssistant, host: Any) -> None:
    entry = older_entry(host=host)
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.data["host"] == "192.168.1.200"
    [sentence] = report(hass, entry.entry_id)
    assert sentence.startswith("Host: ")


async def test_host_that_form_refuses_is_kept(hass: HomeAssistant, device: Simulator) -> None:
    entry = older_entry(host="127.0.0.1 ")
    await migrate(hass, entry)
    assert entry.data["host"] == "127.0.0.1"
    odd = older_entry(device_name="Device 2", host="sec_1000..invalid")
    odd.add_to_hass(hass)
    await hass.config_entries.async_setup(odd.entry_id)
    assert odd.data["host"] == "sec_1000..invalid"
    assert odd.state is ConfigEntryState.SETUP_RETRY


async def test_missing_settings_become_older_defaults(hass: HomeAssistant, device: Simulator) -> None:
    entry = older_entry()
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, data={"host": "127.0.0.1"})
    await migrate(hass, entry)
    assert entry.data["name"] == "Device 1"
    assert entry.options["scan_interval"] == 10
    assert entry.options["max_export_limit"] == 10.0
    assert entry.options["total_capacity"] == 20.0
    assert entry.options["export_limit_control_mode"] == "value"
    assert len(report(hass, entry.entry_id)) == 7


@pytest.mark.parametrize(
    ("limits", "expected", "sentences"),
    [
        ({}, (0.5, 10.0), []),
        ({"export_state": True}, (0.5, 10.0), []),
        ({"min_export_limit": 1.5}, (1.5, 10.0), []),
        ({"max_export_limit": 12.0, "export_state": False}, (0.5, 12.0), []),
        ({"min_export_limit": 0, "max_export_limit": 7}, (0.0, 7.0), []),
        ({"min_export_limit": -20.0}, (-20.0, 10.0), []),
        ({"min_export_limit": 11.0}, (10.0, 10.0), ["Minimum export limit: `11.0` → 10.00 kW"]),
        ({"max_export_limit": 99.0}, (0.5, 30.0), ["Maximum export limit: `99.0` → 30.00 kW"]),
        ({"max_export_limit": "much"}, (0.5, 10.0), ["Maximum export limit: `much` → 10.00 kW"]),
        ({"max_export_limit": None}, (0.5, 10.0), ["Maximum export limit: – → 10.00 kW"]),
    ],
)
async def test_stored_limits_override_those_of_entry(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    device: Simulator,
    limits: dict[str, Any],
    expected: tuple[float, float],
    sentences: list[str],
) -> None:
    hass_storage[STATE_FILE] = stored(**limits)
    entry = older_entry(min_export_limit=0.5)
    await migrate(hass, entry)
    assert (entry.options["min_export_limit"], entry.options["max_export_limit"]) == expected
    assert report(hass, entry.entry_id) == sentences


@pytest.mark.parametrize(
    "content",
    [
        stored() | {"version": 9},
        stored() | {"data": [1, 2]},
        stored() | {"data": None},
        stored() | {"data": "limits"},
        stored() | {"version": "1"},
    ],
)
async def test_damaged_stored_limits_do_not_block_migration(
    hass: HomeAssistant, hass_storage: dict[str, Any], device: Simulator, content: dict[str, Any]
) -> None:
    hass_storage[STATE_FILE] = content
    entry = older_entry()
    await migrate(hass, entry)
    assert (entry.options["min_export_limit"], entry.options["max_export_limit"]) == (0.0, 10.0)
    assert len(report(hass, entry.entry_id)) == (0 if content["data"] is None else 1)
    assert hass_storage[STATE_FILE] == content


async def test_two_entries_take_lower_of_stored_and_own_limit(
    hass: HomeAssistant, hass_storage: dict[str, Any], device: Simulator
) -> None:
    hass_storage[STATE_FILE] = stored(min_export_limit=0.5, max_export_limit=8.0)
    house = older_entry()
    barn = older_entry(device_name="Barn", host="192.0.2.7", min_export_limit=1, max_export_limit=5.0)
    barn.add_to_hass(hass)
    await migrate(hass, house)
    assert (house.options["min_export_limit"], house.options["max_export_limit"]) == (0.0, 8.0)
    assert (barn.options["min_export_limit"], barn.options["max_export_limit"]) == (0.5, 5.0)
    assert report(hass, house.entry_id)[:2] == [
        "Maximum export limit: `10.0` → 8.00 kW",
        "Minimum export limit: `0.5` → 0.00 kW",
    ]
    assert "once for all devices" in report(hass, house.entry_id)[2]
    assert report(hass, barn.entry_id)[:2] == [
        "Maximum export limit: `8.0` → 5.00 kW",
        "Minimum export limit: `1.0` → 0.50 kW",
    ]


async def test_two_entries_equal_to_stored_limits_have_no_report(
    hass: HomeAssistant, hass_storage: dict[str, Any], device: Simulator
) -> None:
    hass_storage[STATE_FILE] = stored(min_export_limit=0, max_export_limit=10, export_state=True)
    entry, other = older_entry(), older_entry(device_name="Device 2", host="192.0.2.7")
    other.add_to_hass(hass)
    await migrate(hass, entry)
    assert report(hass, entry.entry_id) == []


async def test_stored_limits_are_kept_for_disabled_entry(
    hass: HomeAssistant, hass_storage: dict[str, Any], device: Simulator
) -> None:
    hass_storage[STATE_FILE] = stored(max_export_limit=8.0)
    entry = older_entry()
    later = older_entry(device_name="Later", host="127.0.0.1")
    later.add_to_hass(hass)
    await hass.config_entries.async_set_disabled_by(later.entry_id, ConfigEntryDisabler.USER)
    await migrate(hass, entry)
    assert STATE_FILE in hass_storage
    assert later.version == 1
    await hass.config_entries.async_set_disabled_by(later.entry_id, None)
    await hass.async_block_till_done()
    assert later.version == 2
    assert later.options["max_export_limit"] == 8.0


async def test_stored_limits_are_removed_with_last_entry(
    hass: HomeAssistant, hass_storage: dict[str, Any], device: Simulator
) -> None:
    hass_storage[STATE_FILE] = stored(max_export_limit=8.0)
    first, last = older_entry(), older_entry(device_name="Device 2")
    await migrate(hass, first)
    await migrate(hass, last)
    await hass.config_entries.async_remove(first.entry_id)
    assert STATE_FILE in hass_storage
    assert report(hass, first.entry_id) == []
    await hass.config_entries.async_remove(last.entry_id)
    await hass.async_block_till_done()
    assert [key for key in hass_storage if key.startswith(DOMAIN)] == []
    assert [issue for issue in ir.async_get(hass).issues.values() if issue.domain == DOMAIN] == []


async def test_two_entries_for_one_device_are_reported(hass: HomeAssistant, device: Simulator) -> None:
    one, other = older_entry(), older_entry(device_name="Twin", host="127.0.0.1")
    other.add_to_hass(hass)
    await migrate(hass, one)
    assert other.version == 2
    [of_one], [of_other] = report(hass, one.entry_id), report(hass, other.entry_id)
    assert "are also used by: Twin." in of_one
    assert "are also used by: Device 1." in of_other


async def test_report_is_translated(hass: HomeAssistant, device: Simulator) -> None:
    hass.config.language = "de"
    entry = older_entry(scan_three_phases="off")
    await migrate(hass, entry)
    [sentence] = report(hass, entry.entry_id)
    assert sentence.endswith("`off` → Aus")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_sentence_of_report_is_in_every_language(hass: HomeAssistant, language: str) -> None:
    hass.config.language = language
    settings = settings_from(
        {"export_limit_control_mode": 0, "max_export_limit": 9}, {"max_export_limit": 8}, shared_store=True
    )
    text = await async_format_report(hass, settings, stored_damaged=True, same_address=["Barn", "Attic"])
    lines = text.splitlines()
    assert len(lines) == 7 + 4
    assert all(line.startswith("- ") for line in lines)
    assert "{" not in text
    assert "Barn, Attic" in lines[-1]
