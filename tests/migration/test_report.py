"""The report of a migration is in Repairs until the user confirms it."""

from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.translation import async_get_translations
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.issues import Issue
from custom_components.goodwe_sec1000.migration.follow_up import MigrationFollowUp
from simulator import Simulator

from .older import migrate, older_entry


def issue_of(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    """Return the issue with the report on a migrated entry."""
    return ir.async_get(hass).async_get_issue(DOMAIN, Issue.MOVED_IN.issue_id(entry.entry_id))


@pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")
async def test_confirmed_report_is_gone_for_good(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, device: Simulator
) -> None:
    assert await async_setup_component(hass, "repairs", {})
    entry = older_entry(min_export_limit=-120.0, scan_interval=1)
    await migrate(hass, entry)
    client = await hass_client()
    body = {"handler": DOMAIN, "issue_id": Issue.MOVED_IN.issue_id(entry.entry_id)}
    step = await (await client.post("/api/repairs/issues/fix", json=body)).json()
    assert step["step_id"] == "confirm"
    texts = await async_get_translations(hass, "en", "issues", {DOMAIN})
    read = texts[f"component.{DOMAIN}.issues.moved_in.fix_flow.step.confirm.description"].format(
        **step["description_placeholders"]
    )
    assert "Device 1" in read
    assert "127.0.0.1" not in read
    assert "- Refresh interval: `1` → 5 s\n- Minimum export limit: `-120.0` → -100.00 kW" in read
    url = f"/api/repairs/issues/fix/{step['flow_id']}"
    assert (await (await client.post(url, json={})).json())["type"] == "create_entry"
    assert issue_of(hass, entry) is None
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert issue_of(hass, entry) is None


async def test_report_is_raised_again_until_it_is_confirmed(hass: HomeAssistant, device: Simulator) -> None:
    """Home Assistant writes its issues minutes later, and may be killed before."""
    await device.stop()
    entry = older_entry(min_export_limit=-120.0)
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    first = issue_of(hass, entry)
    assert first
    ir.async_delete_issue(hass, DOMAIN, Issue.MOVED_IN.issue_id(entry.entry_id))
    await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    again = issue_of(hass, entry)
    assert again
    assert again.translation_placeholders == first.translation_placeholders


async def test_failed_migration_leaves_entry_unchanged(
    hass: HomeAssistant, device: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = older_entry(min_export_limit=-120.0)
    entry.add_to_hass(hass)
    before = entry.as_dict()

    async def fail(_follow_up: MigrationFollowUp, _corrections: str) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(MigrationFollowUp, "save", fail)
        assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.MIGRATION_ERROR
    assert entry.as_dict() == before
    assert issue_of(hass, entry) is None


async def test_report_is_logged(
    hass: HomeAssistant, device: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    await migrate(hass, older_entry(max_export_limit=50.0))
    assert "Maximum export limit: `50.0` → 30.00 kW" in caplog.text


async def test_new_entry_has_no_report_and_no_file(
    hass: HomeAssistant, hass_storage: dict[str, Any], loaded: MockConfigEntry
) -> None:
    assert issue_of(hass, loaded) is None
    assert f"{DOMAIN}.{loaded.entry_id}.moved_in" not in hass_storage
