"""The dashboards to copy: all that they show exists, in every language, and they tell the truth."""

import asyncio
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
import re
from string import Template as Words
from types import ModuleType
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.template import Template
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict, parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.number import Sec1000Number
from simulator import Simulator

from .calls import act, outcomes, suspend_limit
from .entries import entry_of
from .states import get_state, show_in
from .test_languages import LANGUAGES

ROOT: Final = Path(__file__).parent.parent
FOLDER: Final = ROOT / "docs" / "dashboards"
DASHBOARD: Final = FOLDER / "goodwe_sec1000.yaml"
PACKAGE: Final = FOLDER / "goodwe_sec1000_package.yaml"
BUTTON_CARD: Final = FOLDER / "goodwe_sec1000_button_card.yaml"
TEXTS: Final = {file: file.read_text("utf-8") for file in (PACKAGE, DASHBOARD, BUTTON_CARD)}
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
PARTS_OF_CARDS: Final = {"device", "entity", "numeric-input", "sections", "text", "trend-graph"}
NEW_LIMIT: Final = "number.sec1000_new_export_limit"
SILENT: Final = "does not answer"
NOT_MEASURED: Final = "No measurements"
SUSPENDED: Final = "Limit suspended, being restored"


def script() -> ModuleType:
    """Return the script that makes the files."""
    spec = spec_from_file_location("dashboards", ROOT / "scripts" / "internal" / "dashboards.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def last_commands(file: Path = DASHBOARD) -> str:
    """Return the template of the card about the last commands."""
    *_, card = (card for card in cards(load_yaml_dict(file)) if card["type"] == "markdown")
    return str(card["content"])


def in_words(hass: HomeAssistant, file: Path = DASHBOARD) -> str:
    """Return what the dashboard says about the last commands."""
    return str(Template(last_commands(file), hass).async_render(parse_result=False))


def is_visible(hass: HomeAssistant, card: dict[str, Any]) -> bool:
    """Return whether the frontend shows a card, by its conditions on states."""
    for condition in card.get("visibility", ()):
        assert condition["condition"] == "state"
        [kind] = {"state", "state_not"} & condition.keys()
        state = get_state(hass, condition["entity"]).state
        listed = condition[kind] if isinstance(condition[kind], list) else [condition[kind]]
        if (state in listed) != (kind == "state"):
            return False
    return True


def is_alarm(card: dict[str, Any]) -> bool:
    """Return whether a card is shown only in trouble."""
    is_of_trouble = card.get("color") == "red" or "feedback" in card.get("entity", "")
    return is_of_trouble and "visibility" in card


def alarms(hass: HomeAssistant) -> list[str]:
    """Return the names of the tiles that are shown only in trouble, or the entities they are named by."""
    shown = []
    for card in cards(load_yaml_dict(DASHBOARD)):
        if is_alarm(card) and is_visible(hass, card):
            name = card["name"]
            parts = name if isinstance(name, list) else [name]
            texts = [part["text"] for part in parts if isinstance(part, dict) and "text" in part]
            shown.append(texts[0] if texts else name if isinstance(name, str) else card["entity"])
    return shown


def test_files_are_what_the_script_makes() -> None:
    made = dict(script().made())
    assert {path for path in made if path.read_text("utf-8") != made[path]} == set()
    assert set(FOLDER.rglob("*.yaml")) == {*made, BUTTON_CARD}
    assert {path.parent.name for path in made} == {"dashboards", *LANGUAGES}


def test_every_word_is_used_and_in_every_language() -> None:
    module = script()
    words = module.words()
    templates = [(module.SOURCES / name).read_text("utf-8") for name in module.FILES]
    assert {name for text in templates for name in Words(text).get_identifiers()} == words.keys()
    for texts in words.values():
        assert sorted(texts) == sorted(("en", *LANGUAGES))
        assert all(text and text == text.strip() for text in texts.values())
    english = [word for word, texts in words.items() for each in LANGUAGES if texts[each] == texts["en"]]
    assert english == []


@pytest.mark.parametrize("file", [DASHBOARD, BUTTON_CARD], ids=lambda file: file.stem)
@pytest.mark.usefixtures("loaded")
async def test_every_entity_is_of_the_integration(hass: HomeAssistant, file: Path) -> None:
    entities = named(TEXTS[file])
    assert len(entities) >= 10
    assert {entity for entity in entities if not hass.states.get(entity)} == set()


@pytest.mark.usefixtures("package")
async def test_every_entity_of_the_package_exists(hass: HomeAssistant) -> None:
    entities = named(TEXTS[PACKAGE])
    assert len(entities) == 4
    assert not [entity for entity in entities if get_state(hass, entity).state == "unavailable"]


async def test_another_name_needs_one_replacement(hass: HomeAssistant, sim: Simulator) -> None:
    entry = entry_of(sim, "Garage roof")
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    texts = [text.replace("sec1000_", "garage_roof_") for text in TEXTS.values()]
    package = parse_yaml(texts[0])
    assert isinstance(package, dict)
    await set_up_package(hass, package)
    for text in texts:
        entities = named(text, "garage_roof")
        assert len(entities) >= 4
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
@pytest.mark.usefixtures("loaded")
async def test_every_action_exists_and_only_reset_asks_first(hass: HomeAssistant, file: Path) -> None:
    taps = [card["tap_action"] for card in cards(load_yaml_dict(file)) if "tap_action" in card]
    calls = [tap for tap in taps if "perform_action" in tap]
    assert {call["target"]["entity_id"] for call in calls} >= {
        f"button.sec1000_{button}"
        for button in (
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
    shapes = {str(load_yaml_dict(file).keys()) for file in FOLDER.rglob("*.yaml")}
    assert len(shapes) == 3
    assert not caplog.records


def test_gauge_has_a_color_below_any_minimum() -> None:
    [gauge] = [card for card in cards(load_yaml_dict(DASHBOARD)) if card["type"] == "gauge"]
    assert gauge["segments"][0]["from"] <= -1_000_000


def test_alarms_are_on_top_of_the_first_section() -> None:
    """On a phone, one section is below the other."""
    [view] = load_yaml_dict(DASHBOARD)["views"]
    heading, *first = view["sections"][0]["cards"]
    assert heading["type"] == "heading"
    shown = [card for card in first if is_alarm(card)]
    assert first[1 : 1 + len(shown)] == shown
    assert [card for card in cards(view) if is_alarm(card)] == shown


@pytest.mark.usefixtures("loaded")
async def test_healthy_device_has_no_alarm(hass: HomeAssistant) -> None:
    assert alarms(hass) == []


@pytest.mark.usefixtures("warp", "loaded")
async def test_silent_device_is_a_red_tile(hass: HomeAssistant, sim: Simulator) -> None:
    sim.inject("silence")
    await asyncio.sleep(90)
    assert alarms(hass) == [NOT_MEASURED]
    await asyncio.sleep(180)
    assert alarms(hass) == [SILENT]
    gauges = [card for card in cards(load_yaml_dict(DASHBOARD)) if card["type"] == "gauge"]
    assert [is_visible(hass, gauge) for gauge in gauges] == [False]
    sim.clear_faults()
    await asyncio.sleep(400)
    assert alarms(hass) == []


async def test_unloaded_integration_is_said(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    reason, _ = (card for card in cards(load_yaml_dict(DASHBOARD)) if card["type"] == "markdown")
    assert not is_visible(hass, reason)
    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert is_visible(hass, reason)
    assert alarms(hass) == []


@pytest.mark.usefixtures("warp", "loaded")
async def test_suspended_limit_is_a_red_tile(hass: HomeAssistant, sim: Simulator) -> None:
    reset = await suspend_limit(hass, sim)
    sim.inject("refused")
    await outcomes(reset)
    await asyncio.sleep(30)
    assert SUSPENDED in alarms(hass)
    sim.clear_faults()
    await asyncio.sleep(90)
    assert alarms(hass) == []


async def test_drift_is_a_red_tile(hass: HomeAssistant, loaded: MockConfigEntry, sim: Simulator) -> None:
    sim.device.limit = 20_000
    await loaded.runtime_data.coordinator.read_settings()
    await hass.async_block_till_done()
    assert alarms(hass) == ["binary_sensor.sec1000_limit_differs"]


@pytest.mark.usefixtures("loaded")
async def test_only_newest_command_is_green(hass: HomeAssistant, sim: Simulator) -> None:
    assert "No command since the integration started" in in_words(hass)
    await press(hass, "disable_export")
    await press(hass, "enable_export")
    words = in_words(hass)
    [newest] = re.findall(r'alert-type="(\w+)" title="\d\d:\d\d ([^"]+)"', words)
    assert newest == ("success", "Enable export: done")
    assert "up to 10.00 kW" in words
    assert re.search(r"^\d\d:\d\d Disable export: done$", words, re.MULTILINE)
    sim.inject("refused")
    with pytest.raises(HomeAssistantError):
        await press(hass, "set_date_and_time")
    assert re.search(r'"error" title="\d\d:\d\d Set date and time: not confirmed"', in_words(hass))


@pytest.mark.usefixtures("loaded")
async def test_running_command_is_shown(hass: HomeAssistant, sim: Simulator) -> None:
    sim.requests.clear()
    pressed = asyncio.create_task(press(hass, "disable_export"))
    await sim.wait_for_requests(1)
    assert re.search(r'"info" title="\d\d:\d\d Disable export: waiting"', in_words(hass))
    await pressed


@pytest.mark.usefixtures("loaded")
async def test_adjusted_limit_is_a_warning(hass: HomeAssistant) -> None:
    await act(hass, "set_export_limit", limit=20)
    assert re.search(r'"warning" title="\d\d:\d\d Export limit: done"', in_words(hass))


async def test_time_of_command_survives_rename(
    hass: HomeAssistant, loaded: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to("2026-11-29 10:05:00+00:00")
    await hass.config.async_set_time_zone("UTC")
    await press(hass, "disable_export")
    freezer.move_to("2026-11-29 11:30:00+00:00")
    registry = dr.async_get(hass)
    [device] = dr.async_entries_for_config_entry(registry, loaded.entry_id)
    registry.async_update_device(device.id, name_by_user="Garage")
    er.async_get(hass).async_update_entity("button.sec1000_disable_export", name="Stop export")
    await hass.async_block_till_done()
    assert 'title="10:05 Stop export: done"' in in_words(hass)
    freezer.move_to("2026-11-30 11:30:00+00:00")
    assert 'title="2026-11-29 10:05 Stop export: done"' in in_words(hass)


@pytest.mark.usefixtures("loaded")
async def test_time_and_order_of_commands_survive_new_entity_id(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to("2026-11-29 10:05:00+00:00")
    await hass.config.async_set_time_zone("UTC")
    await press(hass, "disable_export")
    freezer.move_to("2026-11-29 10:10:00+00:00")
    await press(hass, "enable_export")
    freezer.move_to("2026-11-29 11:30:00+00:00")
    former, new = "sensor.sec1000_export_disable_feedback", "sensor.off_feedback"
    er.async_get(hass).async_update_entity(former, new_entity_id=new)
    await hass.async_block_till_done()
    content = last_commands().replace(former, new)
    words = str(Template(content, hass).async_render(parse_result=False))
    assert 'title="10:10 Enable export: done"' in words
    assert re.search(r"^10:05 Disable export: done$", words, re.MULTILINE)


@pytest.mark.usefixtures("loaded")
async def test_commands_of_version_without_their_time_are_shown(hass: HomeAssistant) -> None:
    await press(hass, "disable_export")
    await press(hass, "enable_export")
    for state in hass.states.async_all("sensor"):
        attributes = {name: value for name, value in state.attributes.items() if name != "when"}
        hass.states.async_set(state.entity_id, state.state, attributes)
    assert re.search(r'title="\d\d:\d\d Enable export: done"', in_words(hass))


async def test_commands_have_names_of_the_language(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    hass.config.language = "de"
    assert await hass.config_entries.async_setup(entry.entry_id)
    await press(hass, "disable_export")
    assert "Einspeisung sperren: ausgeführt" in in_words(hass, FOLDER / "de" / DASHBOARD.name)


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
    assert "Export limit: done" in in_words(hass)


@pytest.mark.parametrize("unit", ["W", "MW"])
@pytest.mark.parametrize("entity_id", ["number.sec1000_export_limit", "sensor.sec1000_export_limit"])
@pytest.mark.usefixtures("package")
async def test_slider_is_in_kilowatts_whatever_is_shown(
    hass: HomeAssistant, sim: Simulator, entity_id: str, unit: str
) -> None:
    await show_in(hass, entity_id, unit)
    assert get_state(hass, NEW_LIMIT).state == "10.0"
    assert get_state(hass, NEW_LIMIT).attributes["max"] == 10
    await hass.services.async_call(
        "number", "set_value", {"entity_id": NEW_LIMIT, "value": 6.5}, blocking=True
    )
    await press(hass, "apply_export_limit")
    assert sim.device.bound_limit == 6_500
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


@pytest.mark.usefixtures("package")
async def test_package_does_without_the_sensor_of_the_limit(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    er.async_get(hass).async_update_entity(
        "sensor.sec1000_export_limit", disabled_by=er.RegistryEntryDisabler.USER
    )
    await hass.async_block_till_done()
    for button, limit in (("disable_export", "0.0"), ("enable_export", "10.0")):
        await press(hass, button)
        assert get_state(hass, NEW_LIMIT).state == limit


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
