"""The dashboards to copy: all that they show exists, and their buttons show the outcome of a command."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.template import Template
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict, parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.number import Sec1000Number
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator

from .entries import entry_of
from .states import get_state, show_in

FOLDER: Final = Path(__file__).parent.parent / "docs" / "dashboards"
DASHBOARD: Final = FOLDER / "goodwe_sec1000.yaml"
PACKAGE: Final = FOLDER / "goodwe_sec1000_package.yaml"
BUTTON_CARD: Final = FOLDER / "goodwe_sec1000_button_card.yaml"
FILES: Final = (PACKAGE, DASHBOARD, BUTTON_CARD)
OWN_CARDS: Final = {
    "gauge",
    "glance",
    "grid",
    "heading",
    "history-graph",
    "markdown",
    "statistics-graph",
    "tile",
}
PARTS_OF_CARDS: Final = {"entity", "numeric-input", "sections", "trend-graph"}
STATUSES: Final = ("Ready", "Waiting", "Done", "Failed", "unavailable")
APPLY_STATUS: Final = "sensor.sec1000_apply_export_limit_status"
NEW_LIMIT: Final = "number.sec1000_new_export_limit"
LIMIT_IN_WATTS: Final = "sensor.sec1000_export_limit_in_watts"


@pytest.fixture
async def package(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    """Set up the device and the package."""
    await set_up_package(hass, load_yaml_dict(PACKAGE))


async def set_up_package(hass: HomeAssistant, config: dict[str, Any]) -> None:
    assert config.keys() == {"template"}
    assert await async_setup_component(hass, "template", config)
    await hass.async_block_till_done()


def cards(node: object) -> Iterator[dict[str, Any]]:
    """Yield everything that has a type in a dashboard, at any depth."""
    if isinstance(node, list):
        for item in node:
            yield from cards(item)
    elif isinstance(node, dict):
        if "type" in node:
            yield node
        for item in node.values():
            yield from cards(item)


def named(text: str, prefix: str = "sec1000") -> set[str]:
    """Return the entity ids in a file."""
    return set(re.findall(rf"\b(?:binary_sensor|button|number|select|sensor|switch)\.{prefix}_\w+", text))


async def press(hass: HomeAssistant, button: str) -> None:
    await hass.services.async_call(
        "button", "press", {"entity_id": f"button.sec1000_{button}"}, blocking=True
    )
    await hass.async_block_till_done()


def in_words(hass: HomeAssistant) -> str:
    """Return what the dashboard says about the last command."""
    [card] = [card for card in cards(load_yaml_dict(DASHBOARD)) if card["type"] == "markdown"]
    return str(Template(card["content"], hass).async_render(parse_result=False))


@pytest.mark.parametrize("text", [file.read_text() for file in FILES], ids=[file.stem for file in FILES])
@pytest.mark.usefixtures("package")
async def test_every_entity_exists(hass: HomeAssistant, text: str) -> None:
    entities = named(text)
    assert len(entities) >= 10
    assert entities == {entity for entity in entities if hass.states.get(entity)}
    assert not [entity for entity in entities if get_state(hass, entity).state == "unavailable"]


async def test_every_entity_exists_for_another_device_name(hass: HomeAssistant, sim: Simulator) -> None:
    entry = entry_of(sim, "Garage roof")
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    files = [
        file.read_text().replace("sec1000_", "garage_roof_").replace("SEC1000 ", "Garage roof ")
        for file in FILES
    ]
    package = parse_yaml(files[0])
    assert isinstance(package, dict)
    await set_up_package(hass, package)
    for text in files:
        entities = named(text, "garage_roof")
        assert len(entities) >= 10
        assert not named(text)
        assert entities == {entity for entity in entities if hass.states.get(entity)}
    async with Simulator() as other:
        second = entry_of(other)
        second.add_to_hass(hass)
        assert await hass.config_entries.async_setup(second.entry_id)
        await hass.services.async_call(
            "button", "press", {"entity_id": "button.garage_roof_apply_export_limit"}, blocking=True
        )
        assert await hass.config_entries.async_unload(second.entry_id)
    assert get_state(hass, "sensor.garage_roof_set_export_limit_feedback").state == "1"


@pytest.mark.parametrize("file", [DASHBOARD, BUTTON_CARD], ids=lambda file: file.stem)
@pytest.mark.usefixtures("package")
async def test_every_action_exists_and_only_reset_asks_first(hass: HomeAssistant, file: Path) -> None:
    taps = [card["tap_action"] for card in cards(load_yaml_dict(file)) if "tap_action" in card]
    calls = [tap for tap in taps if "perform_action" in tap]
    assert {call["target"]["entity_id"] for call in calls} == {
        f"button.sec1000_{button}"
        for button in (
            "apply_export_limit",
            "disable_export",
            "enable_export",
            "read_export_limit",
            "reset_export_watchdog",
            "set_date_and_time",
        )
    }
    for call in calls:
        assert hass.services.has_service(*call["perform_action"].split("."))
        asks = call["target"]["entity_id"] == "button.sec1000_reset_export_watchdog"
        assert ("confirmation" in call) == asks


def test_dashboard_needs_no_custom_card() -> None:
    types = {card["type"] for card in cards(load_yaml_dict(DASHBOARD))}
    assert types <= OWN_CARDS | PARTS_OF_CARDS
    others = {card["type"] for card in cards(load_yaml_dict(BUTTON_CARD))} - OWN_CARDS - PARTS_OF_CARDS
    assert others == {"custom:button-card"}


def test_files_are_valid_for_home_assistant(caplog: pytest.LogCaptureFixture) -> None:
    for file in FOLDER.glob("*.yaml"):
        assert load_yaml_dict(file)
    assert not caplog.records


def test_each_button_has_one_look_for_each_status() -> None:
    looks = [card for card in cards(load_yaml_dict(DASHBOARD)) if card.get("entity", "").endswith("_status")]
    buttons = {look["entity"] for look in looks}
    assert len(buttons) == 6
    for button in buttons:
        conditions = [look["visibility"] for look in looks if look["entity"] == button]
        assert all(condition["entity"] == button for [condition] in conditions)
        for status in STATUSES:
            visible = [
                status == condition["state"] if "state" in condition else status not in condition["state_not"]
                for [condition] in conditions
            ]
            assert visible.count(True) == 1, (button, status)


@pytest.mark.usefixtures("package")
async def test_button_shows_ready_then_waiting_then_outcome(hass: HomeAssistant, sim: Simulator) -> None:
    status = "sensor.sec1000_disable_export_status"
    assert get_state(hass, status).state == "Ready"
    sim.requests.clear()
    pressed = asyncio.create_task(press(hass, "disable_export"))
    await sim.wait_for_requests(1)
    assert get_state(hass, status).state == "Waiting"
    assert "Disable export: waiting" in in_words(hass)
    await pressed
    assert get_state(hass, status).state == "Done"
    sim.inject("refused")
    with pytest.raises(HomeAssistantError):
        await press(hass, "disable_export")
    assert get_state(hass, status).state == "Failed"


@pytest.mark.usefixtures("package")
async def test_slider_sends_nothing_and_apply_sends_its_value(hass: HomeAssistant, sim: Simulator) -> None:
    assert get_state(hass, NEW_LIMIT).state == "10.0"
    sim.requests.clear()
    await hass.services.async_call(
        "number", "set_value", {"entity_id": NEW_LIMIT, "value": 6.5}, blocking=True
    )
    assert get_state(hass, NEW_LIMIT).state == "6.5"
    assert not sim.requests
    assert sim.device.bound_limit == 10_000
    await press(hass, "apply_export_limit")
    assert sim.device.bound_limit == 6_500
    assert get_state(hass, APPLY_STATUS).state == "Done"
    assert "Set export limit: done" in in_words(hass)


@pytest.mark.parametrize("unit", ["W", "MW"])
@pytest.mark.parametrize("entity_id", ["number.sec1000_export_limit", "sensor.sec1000_export_limit"])
@pytest.mark.usefixtures("package")
async def test_slider_is_in_kilowatts_whatever_is_shown(
    hass: HomeAssistant, sim: Simulator, entity_id: str, unit: str
) -> None:
    await show_in(hass, entity_id, unit)
    assert get_state(hass, NEW_LIMIT).state == "10.0"
    assert get_state(hass, NEW_LIMIT).attributes["max"] == 10
    assert get_state(hass, LIMIT_IN_WATTS).state == "10000"
    await hass.services.async_call(
        "number", "set_value", {"entity_id": NEW_LIMIT, "value": 6.5}, blocking=True
    )
    await press(hass, "apply_export_limit")
    assert sim.device.bound_limit == 6_500
    assert get_state(hass, LIMIT_IN_WATTS).state == "6500"
    assert get_state(hass, APPLY_STATUS).state == "Done"
    await hass.services.async_call("goodwe_sec1000", "set_min_export_limit", {"limit": 2}, blocking=True)
    await hass.async_block_till_done()
    assert get_state(hass, NEW_LIMIT).attributes["min"] == 2


async def test_package_reads_first_version_without_kilowatts(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sec1000Number, "extra_state_attributes", None)
    await hass.services.async_call("goodwe_sec1000", "set_export_limit", {"limit": 7}, blocking=True)
    await set_up_package(hass, load_yaml_dict(PACKAGE))
    slider = get_state(hass, NEW_LIMIT)
    assert (slider.state, slider.attributes["min"], slider.attributes["max"]) == ("7.0", 0, 10)
    assert get_state(hass, LIMIT_IN_WATTS).state == "7000"


@pytest.mark.usefixtures("package")
async def test_package_does_without_the_sensor_of_the_limit(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    er.async_get(hass).async_update_entity(
        "sensor.sec1000_export_limit", disabled_by=er.RegistryEntryDisabler.USER
    )
    await hass.async_block_till_done()
    for button, watts in (("disable_export", "0"), ("enable_export", "10000")):
        await press(hass, button)
        assert get_state(hass, LIMIT_IN_WATTS).state == watts
        assert float(get_state(hass, NEW_LIMIT).state) == float(watts) / 1000


@pytest.mark.usefixtures("package")
async def test_slider_reaches_below_zero_where_allowed(hass: HomeAssistant, sim: Simulator) -> None:
    await hass.services.async_call("goodwe_sec1000", "set_min_export_limit", {"limit": -1}, blocking=True)
    await hass.async_block_till_done()
    assert get_state(hass, NEW_LIMIT).attributes["min"] == -1
    await hass.services.async_call(
        "number", "set_value", {"entity_id": NEW_LIMIT, "value": -0.5}, blocking=True
    )
    await press(hass, "apply_export_limit")
    assert sim.device.bound_limit == -500
    assert get_state(hass, LIMIT_IN_WATTS).state == "-500"


@pytest.mark.usefixtures("package")
async def test_slider_follows_device_and_its_bounds(hass: HomeAssistant) -> None:
    await press(hass, "disable_export")
    assert get_state(hass, NEW_LIMIT).state == "0.0"
    await hass.services.async_call(
        "number",
        "set_value",
        {"entity_id": "number.sec1000_maximum_export_limit", "value": 12},
        blocking=True,
    )
    await hass.async_block_till_done()
    attributes = get_state(hass, NEW_LIMIT).attributes
    assert (attributes["min"], attributes["max"]) == (0, 12)


@pytest.mark.usefixtures("package")
async def test_graph_has_one_unit_and_only_a_binding_limit(hass: HomeAssistant, sim: Simulator) -> None:
    [graph] = [card for card in cards(load_yaml_dict(DASHBOARD)) if card["type"] == "history-graph"]
    states = [get_state(hass, entity["entity"]) for entity in graph["entities"]]
    assert {state.attributes["unit_of_measurement"] for state in states} == {"W"}
    assert get_state(hass, LIMIT_IN_WATTS).state == "10000"
    sim.device.mode = ControlMode.RCR
    await press(hass, "read_export_limit")
    assert get_state(hass, LIMIT_IN_WATTS).state == "unavailable"


@pytest.mark.usefixtures("package")
async def test_last_command_is_shown_in_words(
    hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator
) -> None:
    assert "No command since Home Assistant started" in in_words(hass)
    await press(hass, "disable_export")
    await press(hass, "enable_export")
    words = in_words(hass)
    assert 'alert-type="success" title="Enable export: done"' in words
    assert "up to 10.00 kW" in words
    assert re.search(r"^\d\d:\d\d Disable export: done \(1\)$", words, re.MULTILINE)
    sim.inject("refused")
    with pytest.raises(HomeAssistantError):
        await press(hass, "set_date_and_time")
    words = in_words(hass)
    assert 'alert-type="error" title="Set clock: failed"' in words
    assert "Check the address, port and power supply of the device" in words
    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert "The integration is not loaded" in in_words(hass)


@pytest.mark.usefixtures("package")
async def test_corrected_limit_is_shown_as_warning(hass: HomeAssistant) -> None:
    await hass.services.async_call("goodwe_sec1000", "set_export_limit", {"limit": 20}, blocking=True)
    assert 'alert-type="warning" title="Set export limit: done"' in in_words(hass)
    assert "feedback 129" in in_words(hass)
