"""Home Assistant and HACS accept the integration from its files alone: manifest, hacs.json, brand."""

import json
from pathlib import Path
import struct
from typing import Any, Final

from awesomeversion import AwesomeVersion
from homeassistant.components.logger.helpers import get_integration_loggers
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration
import pytest

from custom_components.goodwe_sec1000.const import DOMAIN

CHECKOUT: Final = Path(__file__).parent.parent
FOLDER: Final = CHECKOUT / "custom_components" / DOMAIN
PNG: Final = b"\x89PNG\r\n\x1a\n"


def read(path: Path) -> dict[str, Any]:
    """Return a file of JSON."""
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


MANIFEST: Final = read(FOLDER / "manifest.json")


def test_manifest_keys_are_in_order() -> None:
    keys = list(MANIFEST)
    assert keys[:2] == ["domain", "name"]
    assert keys[2:] == sorted(keys[2:])


def test_manifest_has_keys_of_custom_integration() -> None:
    assert MANIFEST["domain"] == FOLDER.name
    assert MANIFEST["integration_type"] == "device"
    assert MANIFEST["iot_class"] == "local_polling"
    assert MANIFEST["requirements"] == []
    assert all(owner.startswith("@") for owner in MANIFEST["codeowners"])
    assert MANIFEST["codeowners"]
    for address in (MANIFEST["documentation"], MANIFEST["issue_tracker"]):
        assert address.startswith("https://github.com/")


async def test_home_assistant_loads_integration(hass: HomeAssistant) -> None:
    integration = await async_get_integration(hass, DOMAIN)
    assert integration.version == MANIFEST["version"]


async def test_debug_logging_needs_no_loggers_in_manifest(hass: HomeAssistant) -> None:
    """They would name those of packages that it requires; its own is known by its folder."""
    assert "loggers" not in MANIFEST
    assert f"custom_components.{DOMAIN}" in await get_integration_loggers(hass, DOMAIN)


def test_hacs_names_minimum_home_assistant() -> None:
    folders = [path.name for path in FOLDER.parent.iterdir() if (path / "manifest.json").exists()]
    assert folders == [DOMAIN]
    # HACS refuses keys that it does not know.
    offer = read(CHECKOUT / "hacs.json")
    assert offer.keys() - {"zip_release", "filename"} == {"name", "homeassistant"}
    assert offer["name"] == MANIFEST["name"]
    assert AwesomeVersion(offer["homeassistant"]) <= AwesomeVersion(__version__)


@pytest.mark.parametrize("dark", ["", "dark_"])
@pytest.mark.parametrize(("scale", "factor"), [("", 1), ("@2x", 2)])
def test_icon_and_logo_have_sizes_for_frontend(dark: str, scale: str, factor: int) -> None:
    size = {}
    for kind in ("icon", "logo"):
        head = (FOLDER / "brand" / f"{dark}{kind}{scale}.png").read_bytes()[:24]
        assert head.startswith(PNG)
        size[kind] = struct.unpack(">II", head[16:])
    assert size["icon"] == (256 * factor, 256 * factor)
    assert 128 * factor <= min(size["logo"]) <= 256 * factor
