"""The blueprint files: their content, addresses and the names in them."""

import json
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.core import HomeAssistant
from homeassistant.util.yaml import load_yaml_dict
import pytest

from custom_components.goodwe_sec1000.const import DOMAIN

from .home import BLUEPRINTS

CHECKOUT: Final = BLUEPRINTS.parent
FILES: Final = sorted(BLUEPRINTS.rglob("*.yaml"))

each_file: Final = pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])


def blueprint(file: Path) -> Blueprint:
    """Load a file as Home Assistant does."""
    return Blueprint(load_yaml_dict(file), expected_domain="automation", schema=AUTOMATION_BLUEPRINT_SCHEMA)


def sections(file: Path) -> dict[str, dict[str, Any]]:
    """Return the sections of its form."""
    inputs: dict[str, dict[str, Any]] = blueprint(file).metadata["input"]
    return {key: given for key, given in inputs.items() if "input" in given}


def repository() -> str:
    """Return the public address of the repository, from the manifest."""
    manifest = json.loads((CHECKOUT / "custom_components" / DOMAIN / "manifest.json").read_text())
    address: str = manifest["documentation"]
    return address


def address(file: Path) -> str:
    """Return the address from which a blueprint is imported."""
    return f"{repository()}/blob/main/{file.relative_to(CHECKOUT)}"


def check_names(hass: HomeAssistant, text: str) -> None:
    """Check that the actions and entities of the integration named in a text exist."""
    actions = set(re.findall(rf"\b{DOMAIN}\.(\w+)", text))
    assert actions <= set(hass.services.async_services()[DOMAIN])
    domains = "sensor|binary_sensor|switch|number|select|button"
    entities = set(re.findall(rf"\b(?:{domains})\.sec1000_\w+", text))
    assert entities <= set(hass.states.async_entity_ids())
