"""Every blueprint is valid, importable, and describes each of its inputs."""

import json
from pathlib import Path
import re
from typing import Any

from homeassistant.components.automation.helpers import async_get_blueprints
from homeassistant.components.blueprint.importer import fetch_blueprint_from_url
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import selector
from homeassistant.util.yaml import extract_inputs
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from custom_components.goodwe_sec1000.const import DOMAIN

from .files import CHECKOUT, address, blueprint, check_names, each_file, sections
from .home import Home


@pytest.fixture
def text(file: Path) -> str:
    return file.read_text()


@each_file
def test_blueprint_is_valid_for_oldest_home_assistant(file: Path) -> None:
    this = blueprint(file)
    assert this.validate() is None
    oldest = json.loads((CHECKOUT / "hacs.json").read_text())["homeassistant"]
    assert this.metadata["homeassistant"] == {"min_version": oldest}
    assert this.metadata["name"].startswith("GoodWe SEC1000: ")
    assert len(this.metadata["description"]) > 100


@each_file
def test_every_input_is_described_used_and_has_valid_default(file: Path) -> None:
    this = blueprint(file)
    assert extract_inputs(this.data) == set(this.inputs)
    for key, section in sections(file).items():
        assert section["name"], key
        assert section["icon"], key
        assert section["input"], key
    for key, given in this.inputs.items():
        assert given["name"], key
        assert given["description"], key
        choice: Any = selector(given["selector"])
        if "default" in given and given["default"] not in ("", []):
            choice(given["default"])
    names = [given["name"] for given in this.inputs.values()]
    assert len(names) == len(set(names))


@each_file
def test_only_entities_and_devices_are_required_inputs(file: Path) -> None:
    required = [given for given in blueprint(file).inputs.values() if "default" not in given]
    assert all(set(given["selector"]) <= {"entity", "device"} for given in required)


@each_file
def test_selectors_filter_by_integration(file: Path) -> None:
    picked = [
        filters
        for given in blueprint(file).inputs.values()
        for kind in ("entity", "device")
        for filters in given["selector"].get(kind, {}).get("filter", [])
    ]
    assert all(picked)
    assert any(filters.get("integration") == DOMAIN for filters in picked)
    assert all(filters.get("integration") in (DOMAIN, None) for filters in picked)


@each_file
def test_names_in_italics_are_entity_names(file: Path, text: str) -> None:
    """Names in italics are those of entities in Home Assistant."""
    entities = json.loads((CHECKOUT / "custom_components" / DOMAIN / "translations" / "en.json").read_text())[
        "entity"
    ]
    names = {entity["name"] for platform in entities.values() for entity in platform.values()}
    named = set(re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", text))
    assert named <= names


@each_file
def test_source_url_is_the_only_address(file: Path, text: str) -> None:
    assert blueprint(file).metadata["source_url"] == address(file)
    assert set(re.findall(r"https?://\S+", text)) == {address(file)}


@each_file
async def test_blueprint_is_imported_from_source_url(
    hass: HomeAssistant, home: Home, aioclient_mock: AiohttpClientMocker, file: Path, text: str
) -> None:
    """Home Assistant stores its own dump of the blueprint, which must be equal."""
    raw = address(file).replace("//github.com/", "//raw.githubusercontent.com/").replace("/blob/", "/")
    aioclient_mock.get(raw, text=text)
    imported = await fetch_blueprint_from_url(hass, address(file))
    assert imported.raw_data == text
    blueprints = async_get_blueprints(hass)
    path = f"{imported.suggested_filename}.yaml"
    assert not await blueprints.async_add_blueprint(imported.blueprint, path)
    await blueprints.async_reset_cache()
    saved = await blueprints.async_get_blueprint(path)
    assert saved.data == blueprint(file).data


@each_file
async def test_named_actions_and_entities_exist(
    hass: HomeAssistant, loaded: MockConfigEntry, file: Path, text: str
) -> None:
    check_names(hass, text)
