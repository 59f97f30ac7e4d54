"""Everything that a user sees has a name and an icon, in texts that Home Assistant can show."""

from collections.abc import Iterator
import json
from pathlib import Path
import string
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.helpers.template import Template
from homeassistant.util.yaml import load_yaml_dict
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sensor import (
    FEEDBACK_SENSORS,
    LEGACY_SENSORS,
    FeedbackSensorDescription,
)
from custom_components.goodwe_sec1000.tracking.feedback import Action, Feedback
from simulator import Simulator

from .calls import load
from .states import get_state

FOLDER: Final = Path(__file__).parent.parent / "custom_components" / DOMAIN


def read(path: Path) -> dict[str, Any]:
    """Return a file of JSON."""
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


ENGLISH: Final = read(FOLDER / "translations" / "en.json")
ICONS: Final = read(FOLDER / "icons.json")
ACTIONS: Final = load_yaml_dict(str(FOLDER / "services.yaml"))
LANGUAGES: Final = sorted((FOLDER / "translations").glob("*.json"))


def texts(tree: dict[str, Any], *keys: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every text with the keys that lead to it."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from texts(value, *keys, key)
        else:
            yield (*keys, key), value


def placeholders(text: str) -> list[str]:
    """Return the names in braces."""
    return [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]


def in_sections(described: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Return the fields of an action, those in sections too, and the sections."""
    sections = {name for name, field in described.items() if "fields" in field}
    inner = {name for section in sections for name in described[section]["fields"]}
    return described.keys() - sections | inner, sections


async def test_every_action_and_field_is_described(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    assert set(ACTIONS) == set(hass.services.async_services_for_domain(DOMAIN))
    assert set(ACTIONS) == set(ENGLISH["services"]) == set(ICONS["services"])
    for action, described in ACTIONS.items():
        text = ENGLISH["services"][action]
        assert text["name"]
        assert text["description"]
        fields, sections = in_sections(described["fields"])
        assert fields == set(text["fields"])
        assert sections == set(text.get("sections", {}))
        for field in text["fields"].values():
            assert field["name"]
            assert field["description"]
        for section in text.get("sections", {}).values():
            assert section["name"]


async def test_every_entity_has_a_translated_name_and_an_icon(
    hass: HomeAssistant, loaded: MockConfigEntry, entity_registry: er.EntityRegistry
) -> None:
    entities = er.async_entries_for_config_entry(entity_registry, loaded.entry_id)
    assert entities
    met: dict[str, set[str]] = {}
    for entity in entities:
        assert entity.translation_key
        met.setdefault(entity.domain, set()).add(entity.translation_key)
        # A device class brings an icon with it.
        assert (
            entity.translation_key in ICONS["entity"].get(entity.domain, {}) or entity.original_device_class
        )
    # Only migrated installations have these.
    met["sensor"].update(sensor.key for sensor in LEGACY_SENSORS)
    named = {
        platform: {key for key, text in entities.items() if text["name"]}
        for platform, entities in ENGLISH["entity"].items()
    }
    assert named == met
    for platform, icons in ICONS["entity"].items():
        assert icons.keys() <= met[platform]


@pytest.mark.parametrize("sensor", FEEDBACK_SENSORS, ids=lambda sensor: sensor.key)
def test_every_feedback_of_an_action_has_a_word(sensor: FeedbackSensorDescription) -> None:
    outcomes = {feedback for feedback in Feedback if feedback is not Feedback.INVALID_INPUT} | {Feedback(0)}
    if sensor.action in {Action.EXPORT_DISABLE, Action.RESET_EXPORT_WATCHDOG, Action.SET_EXPORT_LIMIT}:
        outcomes.add(Feedback.INVALID_INPUT)
    if sensor.action is Action.SET_EXPORT_LIMIT:
        # What was out of range is adjusted, and then carried out or not.
        outcomes |= {Feedback.INVALID_INPUT | outcome for outcome in outcomes}
    words = ENGLISH["entity"]["sensor"][sensor.key]["state"]
    assert set(words) == {str(int(outcome)) for outcome in outcomes}


async def test_feedback_is_a_number_and_shown_as_a_word(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    await hass.config.async_update(language="sk")
    await load(hass, entry)
    await hass.services.async_call(DOMAIN, "set_export_limit", {"limit": 50}, blocking=True)
    sensor = "sensor.sec1000_set_export_limit_feedback"
    assert get_state(hass, sensor).state == "129"
    word = Template(f"{{{{ state_translated('{sensor}') }}}}", hass).async_render()
    assert word == "OK, upravené"


def test_icon_of_a_state_differs_from_the_default() -> None:
    for entities in ICONS["entity"].values():
        for key, icons in entities.items():
            assert icons["default"] not in icons.get("state", {}).values(), key


@pytest.mark.parametrize("file", [*LANGUAGES, FOLDER / "icons.json"], ids=lambda file: file.stem)
def test_keys_are_in_alphabetical_order(file: Path) -> None:
    content = read(file)
    # Dictionaries are equal in any order; their text is not.
    assert json.dumps(content) == json.dumps(content, sort_keys=True)


@pytest.mark.parametrize("file", LANGUAGES, ids=[file.stem for file in LANGUAGES])
def test_every_text_has_valid_placeholders(file: Path) -> None:
    """Addresses belong into placeholders, and a placeholder in single quotes is not filled in."""
    for keys, text in texts(read(file)):
        assert cv.string_with_no_html(text) == text
        assert "://" not in text, keys
        assert "www." not in text, keys
        names = placeholders(text)
        assert all(name.isidentifier() for name in names), keys
        assert not [name for name in names if f"'{{{name}}}'" in text], keys
        if keys[0] == "entity" and "name" not in keys[-1:]:
            assert not names, keys
