"""Each language has every text of English, and entity ids are the same in all of them."""

from collections.abc import Iterator
from itertools import chain
import json
from pathlib import Path
import re
import string
from typing import Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar, device_registry as dr, entity_registry as er
from homeassistant.helpers.translation import async_get_translations
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN

TRANSLATIONS: Final = Path(__file__).parent.parent / "custom_components" / "goodwe_sec1000" / "translations"
LANGUAGES: Final = ("cs", "de", "hu", "nl", "pl", "ro", "sk")

NAME_LENGTHS: Final = {"button": 24, "event": 15, "number": 14, "sensor": 26}
"""Characters beside a button, how long ago, a number's box and a reading, on a device page of 1280 px."""
UNKNOWN_NAME_LENGTH: Final = 24
"""Characters beside Home Assistant's word for a reading that is unknown."""
DOCUMENTED: Final = ("feedback", "export limit")
"""Ends of English names that are documented; they say little where they are cut off."""
MIGRATED: Final = {"export_state", "module_started"}
"""Sensors of the older integration, that say so in their names."""
CUT_NAME_LENGTH: Final = 12
"""Characters that remain beside the longest word of a feedback."""
STATE_LENGTH: Final = 33
"""Of a name together with its longest state."""

ACTIONS_OF_BUTTONS: Final = {
    "disable_export": "export_disable",
    "enable_export": "export_enable",
    "set_date_and_time": "set_datetime",
}
"""Those whose name is short enough for a button."""

MENU_OPTION_LENGTH: Final = 40
"""Characters of an option on a phone 390 px wide, which does not wrap it."""

type Tree = dict[str, str | Tree]


def texts(tree: Tree, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text with the keys that lead to it, in the order of the file."""
    for key, value in tree.items():
        if isinstance(value, str):
            yield f"{path}{key}", value
        else:
            yield from texts(value, f"{path}{key}.")


def read(language: str) -> dict[str, str]:
    """Return all texts of a language by their keys."""
    return dict(texts(json.loads((TRANSLATIONS / f"{language}.json").read_text(encoding="utf-8"))))


def placeholders(text: str) -> list[str]:
    """Return the names in braces, as often as they occur."""
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


ENGLISH: Final = read("en")


def test_languages_are_those_that_are_listed() -> None:
    assert sorted(path.stem for path in TRANSLATIONS.iterdir()) == sorted(("en", *LANGUAGES))


@pytest.mark.parametrize("language", LANGUAGES)
def test_language_has_texts_of_english_in_same_order(language: str) -> None:
    assert list(read(language)) == list(ENGLISH)


@pytest.mark.parametrize("language", LANGUAGES)
def test_language_has_placeholders_of_english(language: str) -> None:
    translated = read(language)
    differing = {
        key: (placeholders(text), placeholders(translated[key]))
        for key, text in ENGLISH.items()
        if placeholders(text) != placeholders(translated[key])
    }
    assert not differing


@pytest.mark.parametrize("language", LANGUAGES)
def test_language_has_code_links_and_lists_of_english(language: str) -> None:
    marks = re.compile(r"`[^`]*`|\]\([^)]*\)|^\d+\.|\n\n|\*\*", re.MULTILINE)
    translated = read(language)
    differing = {
        key: (marks.findall(text), marks.findall(translated[key]))
        for key, text in ENGLISH.items()
        if sorted(marks.findall(text)) != sorted(marks.findall(translated[key]))
    }
    assert not differing


@pytest.mark.parametrize("language", LANGUAGES)
def test_language_leaves_no_sentence_in_english(language: str) -> None:
    translated = read(language)
    english = [key for key, text in ENGLISH.items() if len(text.split()) > 2 and translated[key] == text]
    assert not english


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_no_text_is_empty_or_padded(language: str) -> None:
    odd = [key for key, text in read(language).items() if not text or text != text.strip()]
    assert not odd


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_entity_names_are_distinct(language: str) -> None:
    by_platform: dict[str, list[str]] = {}
    for key, text in read(language).items():
        if match := re.fullmatch(r"entity\.(\w+)\.\w+\.name", key):
            by_platform.setdefault(match[1], []).append(text)
    assert by_platform
    for platform, names in by_platform.items():
        assert len(set(names)) == len(names), platform


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_entity_names_fit_on_the_device_page(language: str) -> None:
    entities = json.loads((TRANSLATIONS / f"{language}.json").read_text(encoding="utf-8"))["entity"]
    too_long = {
        f"{described['name']}: {len(described['name'])} instead of {length} characters at most"
        for platform, length in NAME_LENGTHS.items()
        for key, described in entities[platform].items()
        if len(described["name"]) > length
        and key not in MIGRATED
        and not (language == "en" and described["name"].endswith(DOCUMENTED))
    }
    for key in ("highest_quarter_hour_export", "temporary_limit_ends"):
        if len(name := entities["sensor"][key]["name"]) > UNKNOWN_NAME_LENGTH:
            too_long.add(f"{name}: more than {UNKNOWN_NAME_LENGTH} characters, and often unknown")
    with_states = [*entities["binary_sensor"].values(), entities["sensor"]["last_limit_test"]]
    for described in with_states:
        longest = max(described["state"].values(), key=len)
        if len(described["name"]) + len(longest) > STATE_LENGTH:
            too_long.add(f"{described['name']} and {longest}: more than {STATE_LENGTH} characters together")
    assert too_long == set()


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_feedbacks_differ_where_their_names_are_cut_off(language: str) -> None:
    feedbacks = [
        text
        for key, text in read(language).items()
        if re.fullmatch(r"entity\.sensor\.\w+_feedback\.name", key)
    ]
    assert feedbacks
    assert len({name[:CUT_NAME_LENGTH] for name in feedbacks}) == len(feedbacks)


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_button_has_the_name_of_its_action(language: str) -> None:
    named = read(language)
    differing = {
        button: action
        for button, action in ACTIONS_OF_BUTTONS.items()
        if named[f"entity.button.{button}.name"] != named[f"services.{action}.name"]
    }
    assert not differing


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_menu_options_fit_on_a_phone(language: str) -> None:
    options = {text for key, text in read(language).items() if ".menu_options." in key}
    assert options
    assert {option for option in options if len(option) > MENU_OPTION_LENGTH} == set()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_home_assistant_loads_every_text(hass: HomeAssistant, language: str) -> None:
    """It falls back to English where a text is invalid."""
    translated = read(language)
    categories = {key.partition(".")[0] for key in translated} - {"common"}
    served = dict(
        chain.from_iterable(
            [
                (await async_get_translations(hass, language, category, [DOMAIN])).items()
                for category in sorted(categories)
            ]
        )
    )
    for key, text in translated.items():
        category, _, rest = key.partition(".")
        if category in categories:
            assert served[f"component.{DOMAIN}.{category}.{rest}"] == text


async def test_entity_ids_are_english_in_another_language(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    device_registry: dr.DeviceRegistry,
    area_registry: ar.AreaRegistry,
    entity_registry: er.EntityRegistry,
) -> None:
    hass.config.language = "sk"
    area = area_registry.async_create("Kotolňa")
    device = device_registry.async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={(DOMAIN, entry.entry_id)}, name="SEC1000"
    )
    device_registry.async_update_device(device.id, area_id=area.id)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    for registered in er.async_entries_for_config_entry(entity_registry, entry.entry_id):
        key = registered.unique_id.removeprefix(f"{entry.entry_id}_")
        assert registered.entity_id == f"{registered.domain}.sec1000_{key}"
    power = hass.states.get("sensor.sec1000_meter_power")
    assert power
    assert power.name.removeprefix("SEC1000 ") == read("sk")["entity.sensor.meter_power.name"]
