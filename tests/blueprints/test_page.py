"""docs/blueprints.md lists every input with its default, and links to import each blueprint."""

from collections.abc import Mapping
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .files import CHECKOUT, FILES, address, blueprint, check_names, each_file, repository

PAGE: Final = (CHECKOUT / "docs" / "blueprints.md").read_text()
IMPORT: Final = "https://my.home-assistant.io/redirect/blueprint_import/?blueprint_url="
UNITS: Final = {"hours": "h", "minutes": "min", "seconds": "s"}


def part(file: Path) -> str:
    """Return the section of a blueprint."""
    name = blueprint(file).name.removeprefix("GoodWe SEC1000: ")
    heading = f"\n## {name[0].upper()}{name[1:]}\n"
    assert PAGE.count(heading) == 1, heading
    return PAGE.partition(heading)[2].partition("\n## ")[0]


def format_default(given: Mapping[str, Any]) -> str:
    """Return the default of an input in the notation of the page."""
    default = given.get("default", "")
    (kind, choice), *_ = given["selector"].items()
    if default in ("", []):
        return "–"
    if kind == "boolean":
        return "on" if default else "off"
    if kind == "duration":
        parts = [f"{number} {UNITS[unit]}" for unit, number in default.items() if number]
        return " ".join(parts) or "0 s"
    if kind == "select":
        labels: dict[str, str] = {option["value"]: option["label"] for option in choice["options"]}
        return labels[default]
    if kind == "number" and "unit_of_measurement" in choice:
        return f"{default} {choice['unit_of_measurement']}"
    return ", ".join(f"`{entity_id}`" for entity_id in default) if isinstance(default, list) else str(default)


@each_file
def test_page_lists_inputs_with_defaults_in_form_order(file: Path) -> None:
    table = part(file).partition("| input | default |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines()[2:]]
    assert [(name.strip(), default.strip()) for name, default in rows] == [
        (given["name"], format_default(given)) for given in blueprint(file).inputs.values()
    ]


@each_file
def test_page_has_import_button_for_blueprint(file: Path) -> None:
    assert f"]({IMPORT}{address(file)})" in part(file)


def test_page_names_repository_in_buttons_only() -> None:
    assert PAGE.count(repository()) == PAGE.count(IMPORT) == len(FILES)
    others = set(re.findall(r"https?://([^/\s]+)", PAGE.replace(repository(), "")))
    assert others == {"my.home-assistant.io"}


async def test_named_actions_and_entities_exist(hass: HomeAssistant, loaded: MockConfigEntry) -> None:
    check_names(hass, PAGE)
