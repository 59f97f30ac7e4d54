"""Labels and errors that README and docs quote are those of the integration and of the frontend."""

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
import json
from pathlib import Path
import re
from typing import Any, Final

from awesomeversion import AwesomeVersion
from homeassistant.const import __version__
import pytest

from custom_components.goodwe_sec1000.const import DOMAIN
from demo.options import CHECKOUT

from .documents import CODE

DOCS: Final = CHECKOUT / "docs"
OWNERS_DOCUMENTS: Final = (
    CHECKOUT / "README.md",
    DOCS / "dashboards" / "README.md",
    CHECKOUT / "demo" / "simulated_house.yaml",
    *(
        DOCS / f"{page}.md"
        for page in (
            "actions",
            "blueprints",
            "entities",
            "examples",
            "installation",
            "migration",
            "settings",
            "troubleshooting",
        )
    ),
)
TRANSLATIONS: Final = CHECKOUT / "custom_components" / DOMAIN / "translations"
ENGLISH: Final[dict[str, Any]] = json.loads((TRANSLATIONS / "en.json").read_text("utf-8"))
FIRST_STEPS: Final = DOCS / "first-steps"
ELSEWHERE: Final = {"GoodWe SEC1000/S", "Custom repositories", "Code", "Download ZIP"}
"""The name in manifest.json, and labels of HACS and GitHub."""
REWORDED: Final = {"ro": {"Remedieri": "Reparații"}}
"""Labels of 2026.11, in a language, and what 2026.10 has in their place."""
ENERGY_FIELDS: Final = (
    "grid.dialog.header",
    "grid.dialog.energy_from_grid",
    "grid.dialog.energy_to_grid",
    "grid.dialog.sensor_type",
    "grid.dialog.power",
    "solar.dialog.header",
    "solar.dialog.solar_production_energy",
    "solar.dialog.solar_production_power",
)
"""Keys of the windows and fields of the Energy dashboard, as they are shown once *Inverted* is selected."""
_BOLD: Final = r"\*\*([^*\n]+)\*\*"
_ITALIC: Final = re.compile(r"(?<!\*)\*([^*]+)\*(?!\*)")
_PATH: Final = re.compile(r"\*{1,2}([^*\n]+ > [^*\n]+)\*{1,2}")
_CHOSEN: Final = re.compile(rf"\b[Cc]hoose {_BOLD}|\b[Ss]elect {_BOLD}|\b[Pp]ress {_BOLD}")
_ROW: Final = re.compile(r"^\| ([^|]+) \|", re.MULTILINE)
_ISSUE: Final = re.compile(r"^\| … (.+) \(`(\w+)`\) \|(.*)$", re.MULTILINE)

each_document: Final = pytest.mark.parametrize(
    "document", OWNERS_DOCUMENTS, ids=[str(document.relative_to(CHECKOUT)) for document in OWNERS_DOCUMENTS]
)


newest_frontend: Final = pytest.mark.skipif(
    AwesomeVersion(__version__) < AwesomeVersion("2026.10"), reason="The docs show Home Assistant 2026.10."
)


def texts(tree: dict[str, Any]) -> Iterator[str]:
    """Yield every text."""
    for value in tree.values():
        if isinstance(value, dict):
            yield from texts(value)
        else:
            yield value


@cache
def frontend(language: str) -> dict[str, str]:
    """Return the texts of the installed frontend by their keys."""
    found: dict[str, str] = {}
    package = find_spec("hass_frontend")
    assert package
    assert package.origin
    for file in (Path(package.origin).parent / "static" / "translations").rglob(f"{language}-*.json"):
        found.update(json.loads(file.read_text("utf-8")))
    return found


@cache
def labels(language: str = "en") -> frozenset[str]:
    """Return the texts of the integration and of the installed frontend."""
    own = json.loads((TRANSLATIONS / f"{language}.json").read_text("utf-8"))
    return frozenset({*texts(own), *ELSEWHERE, *frontend(language).values()})


def first_cells(document: Path, header: str) -> list[str]:
    """Return the first cells of each table whose header begins like this."""
    tables = document.read_text().split("\n\n")
    return [cell for table in tables if table.startswith(header) for cell in _ROW.findall(table)[1:]]


@newest_frontend
@each_document
def test_menus_and_buttons_have_labels_of_frontend(document: Path) -> None:
    prose = CODE.sub("", document.read_text())
    paths = [*_PATH.findall(prose), *("".join(groups) for groups in _CHOSEN.findall(prose))]
    quoted = [label for path in paths for label in re.split(r"\s>\s", path)]
    assert [label for label in quoted if label not in labels()] == []


@newest_frontend
def test_energy_dashboard_has_quoted_fields() -> None:
    table = (DOCS / "entities.md").read_text().partition("| window | field |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:3]] for row in table.splitlines()[2:]]
    shown = frontend("en")
    # The frontend also has labels that it shows nowhere.
    assert [cell for row in rows for cell in row if cell] == [
        shown[f"ui.panel.config.energy.{field}"] for field in ENERGY_FIELDS
    ]


@newest_frontend
@pytest.mark.parametrize("language", [file.stem for file in sorted(TRANSLATIONS.glob("*.json"))])
def test_first_steps_have_labels_of_their_language(language: str) -> None:
    page = FIRST_STEPS / f"{'README' if language == 'en' else language}.md"
    quoted = [" ".join(label.split()) for label in _ITALIC.findall(page.read_text("utf-8"))]
    assert len(quoted) > 12
    parts = [part for label in quoted for part in label.split(" > ")]
    known = labels(language)
    both = {
        label for pair in REWORDED.get(language, {}).items() if not known.isdisjoint(pair) for label in pair
    }
    assert [part for part in parts if part not in known | both] == []


def test_settings_page_quotes_errors_of_setup() -> None:
    cells = first_cells(DOCS / "settings.md", "| error |")
    assert len(cells) > 5
    shown = [*ENGLISH["config"]["error"].values(), *ENGLISH["config"]["abort"].values()]
    assert [cell for cell in cells if not any(text.startswith(cell) for text in shown)] == []


def test_settings_page_has_fields_of_flows() -> None:
    cells = first_cells(DOCS / "settings.md", "| field")
    steps = [step for flow in ("config", "options") for step in ENGLISH[flow]["step"].values()]
    fields = {label for step in steps if "description" in step for label in step.get("data", {}).values()}
    ways_back = {label for label in fields if label.startswith("Go back")}
    assert set(cells) == fields - ways_back


def test_troubleshooting_page_quotes_repair_issues() -> None:
    rows = _ISSUE.findall((DOCS / "troubleshooting.md").read_text())
    titles = {key: issue["title"] for key, issue in ENGLISH["issues"].items()}
    quoted = {key: title for title, key, _ in rows}
    assert quoted == {key: re.sub(r"^\{name\}:? ", "", title) for key, title in titles.items()}
    for _, key, row in rows:
        shown = {re.sub(r"\{\w+\}", "…", text) for text in texts(ENGLISH["issues"][key])}
        buttons = {label for label in re.findall(_BOLD, row) if not label.startswith("http")}
        assert buttons <= shown, key
