"""README, CONTRIBUTING, SECURITY and docs: links have targets, what they name exists, examples run."""

from collections.abc import Iterator
import json
from pathlib import Path
import re
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from demo.options import CHECKOUT, parse

from .documents import CODE, examples
from .screenshots.camera import MAX_BYTES
from .screenshots.pictures import NAMES

README: Final = CHECKOUT / "README.md"
DOCS: Final = CHECKOUT / "docs"
CONTRIBUTING: Final = CHECKOUT / "CONTRIBUTING.md"
ARCHITECTURE: Final = DOCS / "architecture.md"
DOCUMENTS: Final = (
    README,
    CONTRIBUTING,
    *(CHECKOUT / name for name in ("CHANGELOG.md", "SECURITY.md")),
    *sorted(DOCS.rglob("*.md")),
)
MANIFEST: Final[dict[str, Any]] = json.loads(
    (CHECKOUT / "custom_components" / DOMAIN / "manifest.json").read_text()
)
REPOSITORY: Final = MANIFEST["documentation"].removeprefix("https://github.com/")
README_TEXT: Final = README.read_text()
ACTIONS_TEXT: Final = (DOCS / "actions.md").read_text()
_LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_SIZED: Final = re.compile(r'<img src="([^"]+)" width="\d+"(?: align="top")? alt="([^"]*)">')
_PATH: Final = re.compile(r"`([\w.-]+/[\w./-]*|[\w-]+\.(?:py|md|json|toml|txt|yaml))[` ]")
_ENTITY: Final = re.compile(r"\b(?:binary_sensor|button|number|select|sensor|switch)\.sec1000_\w+")

each_document: Final = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[str(document.relative_to(CHECKOUT)) for document in DOCUMENTS]
)


def prose(document: Path) -> str:
    """Return a document without its code."""
    return CODE.sub("", document.read_text())


def links(text: str) -> Iterator[tuple[bool, str, str]]:
    """Yield each link, those of pictures that are links included: whether it is a picture, text, target."""
    for target, name in _SIZED.findall(text):
        yield True, name, target
    for mark, name, target in _LINK.findall(text):
        yield bool(mark), name, target
        yield from links(name)


def in_hacs(text: str, version: str) -> str:
    """Return the README as the page of HACS rewrites it before it renders the Markdown.

    HACS looks at each line alone. Whatever is relative counts as one only where no address with a scheme
    follows in its line, and the first parenthesis of the match is taken for that of the target; of several
    links to headings of the page itself in one line, only the first is rewritten.
    """

    def from_repository(match: re.Match[str]) -> str:
        link = match.group()
        host, blob = ("github.com", "/blob") if ".md" in link.lower() else ("raw.githubusercontent.com", "")
        return link.replace("(/", "(", 1).replace("(", f"(https://{host}/{REPOSITORY}{blob}/{version}/", 1)

    text = re.sub(r"\[.*?\]\((?!#).(?!.*://).*?\)", from_repository, text)
    return re.sub(
        r"\[.*\]\(#.*\)", lambda match: match.group().replace("(#", "(/hacs/repository/1#", 1), text
    )


def relative_targets(document: Path) -> list[str]:
    """Return the targets in the same repository."""
    return [target for _, _, target in links(document.read_text()) if not urlsplit(target).scheme]


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE):
        anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        again = sum(anchor == re.sub(r"-\d+$", "", other) for other in found)
        found.add(f"{anchor}-{again}" if anchor in found else anchor)
    return found


def told_entities() -> Iterator[str]:
    """Yield the entity ids in the tables of docs/entities.md."""
    for cell in re.findall(r"^\| ([^|]+) \|", (DOCS / "entities.md").read_text(), re.MULTILINE):
        whole = ""
        for name in re.findall(r"`(\w+\.sec1000_\w+|_\w+)`", cell):
            # What begins with _ stands for as many last words of the id before it.
            whole = whole.rsplit("_", name.count("_"))[0] + name if name.startswith("_") else name
            yield whole


@pytest.fixture
def text(document: Path) -> str:
    return document.read_text()


@each_document
def test_every_link_has_a_target(document: Path) -> None:
    lost = []
    for _, _, target in links(prose(document)):
        path, _, anchor = target.partition("#")
        if urlsplit(target).scheme:
            continue
        file = (document.parent / path).resolve() if path else document
        if not file.is_relative_to(CHECKOUT) or not file.exists() or (anchor and anchor not in anchors(file)):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("document", [CONTRIBUTING, ARCHITECTURE])
def test_every_path_for_contributors_exists(document: Path) -> None:
    named = set(_PATH.findall(prose(document)))
    assert "scripts/setup" in named or "scripts/lint" in named
    roots = (CHECKOUT, CHECKOUT / "custom_components" / DOMAIN)
    assert {path for path in named if not any((root / path).exists() for root in roots)} == set()


@each_document
def test_every_script_that_is_named_exists(text: str) -> None:
    named = set(re.findall(r"(?<![\w/])scripts/[\w/-]*\w", text))
    assert {script for script in named if not (CHECKOUT / script).exists()} == set()


@each_document
def test_external_links_are_encrypted(document: Path) -> None:
    schemes = {urlsplit(target).scheme for _, _, target in links(prose(document))}
    assert schemes <= {"", "https"}


def test_every_document_is_linked_from_readme() -> None:
    reached, ahead = set(), {README}
    while ahead:
        document = ahead.pop()
        reached.add(document)
        targets = {target.partition("#")[0] for _, _, target in links(prose(document))}
        files = {(document.parent / target).resolve() for target in targets if target.endswith(".md")}
        ahead |= files - reached
    assert set(DOCUMENTS) <= reached


@each_document
def test_every_picture_has_an_alternative_text(document: Path) -> None:
    shown = [name for is_picture, name, _ in links(prose(document)) if is_picture]
    assert all(len(name) > 10 for name in shown)


def test_pictures_are_from_the_script_small_and_shown() -> None:
    pictures = {picture.stem: picture for picture in (DOCS / "images").glob("*.png")}
    assert set(pictures) == set(NAMES)
    shown = {
        (document.parent / target).resolve()
        for document in DOCUMENTS
        for is_picture, _, target in links(prose(document))
        if is_picture and not urlsplit(target).scheme
    }
    assert set(pictures.values()) <= shown
    assert all(picture.stat().st_size <= MAX_BYTES for picture in pictures.values())


def test_documents_are_linked_from_beginning_of_readme() -> None:
    assert len(README_TEXT.splitlines()) <= 200
    beginning = README_TEXT.partition("\n## ")[0]
    assert "You use this at your own risk" in beginning
    assert {target for _, _, target in links(beginning)} >= {
        f"docs/{page}.md" for page in ("settings", "entities", "actions", "examples", "troubleshooting")
    }


def test_hacs_button_opens_this_repository() -> None:
    [button] = [target for _, _, target in links(README_TEXT) if "/redirect/hacs_repository/" in target]
    owner, name = REPOSITORY.split("/")
    assert parse_qs(urlsplit(button).query) == {
        "owner": [owner],
        "repository": [name],
        "category": ["integration"],
    }


def test_readme_names_commands_for_newcomers() -> None:
    assert re.findall(r"^scripts/(\w+)$", README_TEXT, re.MULTILINE) == ["demo", "test"]


def test_readme_reads_well_in_hacs() -> None:
    # Of what is relative, HACS rewrites links and pictures of Markdown only.
    assert re.findall(r"<(?:img|a)\b", README_TEXT) == []
    files, raw = (
        f"{MANIFEST['documentation']}/blob/1.0.0",
        f"https://raw.githubusercontent.com/{REPOSITORY}/1.0.0",
    )
    expected = [
        (
            is_picture,
            name,
            target if urlsplit(target).scheme else f"{files if '.md' in target.lower() else raw}/{target}",
        )
        for is_picture, name, target in links(README_TEXT)
    ]
    assert sum("/blob/1.0.0/docs/" in target for _, _, target in expected) > 20
    assert list(links(in_hacs(README_TEXT, "1.0.0"))) == expected
    assert all((CHECKOUT / target.partition("#")[0]).is_file() for target in relative_targets(README))


def test_blueprints_page_has_import_button_of_every_blueprint() -> None:
    imported = {
        parse_qs(urlsplit(target).query)["blueprint_url"][0]
        for _, _, target in links((DOCS / "blueprints.md").read_text())
        if "/redirect/blueprint_import/" in target
    }
    files = (CHECKOUT / "blueprints").rglob("*.yaml")
    assert imported == {
        f"{MANIFEST['documentation']}/blob/main/{file.relative_to(CHECKOUT)}" for file in files
    }


def test_repository_is_named_only_where_architecture_says() -> None:
    folders = ("blueprints", "custom_components", "demo", "docs", "scripts", "simulator", "tests", ".github")
    files = [file for folder in folders for file in (CHECKOUT / folder).rglob("*") if file.is_file()]
    files += [file for file in CHECKOUT.iterdir() if file.suffix in {".md", ".json", ".toml", ".txt"}]
    owner, name = REPOSITORY.split("/")
    marks = (f"/{REPOSITORY}".encode(), f"owner={owner}&repository={name}".encode())
    naming = {
        file.relative_to(CHECKOUT)
        for file in files
        if "__pycache__" not in file.parts and any(mark in file.read_bytes() for mark in marks)
    }
    blueprints = {file.relative_to(CHECKOUT) for file in (CHECKOUT / "blueprints").rglob("*.yaml")}
    others = {"README.md", "docs/blueprints.md", f"custom_components/{DOMAIN}/manifest.json"}
    assert naming == blueprints | {Path(other) for other in others}


def test_demo_page_has_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    options = set(re.findall(r"^ +(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    assert options >= {"--port", "--speed"}
    of_script = {"--home-assistant", "--oldest"}
    named = set(re.findall(r"`(?:[^`]* )?(--[a-z-]+)", (DOCS / "demo.md").read_text()))
    assert options - {"--help"} == named - of_script


@each_document
async def test_every_named_action_and_entity_exists(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    entity_registry: er.EntityRegistry,
    document: Path,
    text: str,
) -> None:
    # The other names are those of files.
    named = set(re.findall(rf"(?:`|: ){DOMAIN}\.(?!yaml|state)(\w+)", text))
    assert named <= set(hass.services.async_services()[DOMAIN])
    entities = {
        entity.entity_id for entity in er.async_entries_for_config_entry(entity_registry, loaded.entry_id)
    }
    # The package of the dashboard has more; tests/test_dashboards.py knows them.
    if document.parent != DOCS / "dashboards":
        assert set(_ENTITY.findall(text)) <= entities


async def test_every_entity_and_action_is_documented(
    hass: HomeAssistant, loaded: MockConfigEntry, entity_registry: er.EntityRegistry
) -> None:
    entities = er.async_entries_for_config_entry(entity_registry, loaded.entry_id)
    assert set(told_entities()) == {entity.entity_id for entity in entities}
    actions = set(hass.services.async_services()[DOMAIN])
    assert set(re.findall(rf"^\| `{DOMAIN}\.(\w+)` \|", ACTIONS_TEXT, re.MULTILINE)) == actions


async def test_every_example_is_valid_for_home_assistant(
    hass: HomeAssistant, loaded: MockConfigEntry
) -> None:
    found = [example for document in DOCUMENTS for example in examples(document) if isinstance(example, dict)]
    automations = [example for example in found if "triggers" in example]
    scripts = [example for example in found if "sequence" in example]
    assert len(automations) >= 4
    assert scripts
    assert await async_setup_component(hass, "automation", {"automation": automations})
    assert await async_setup_component(hass, "persistent_notification", {})
    named = {f"copied_{number}": script for number, script in enumerate(scripts)}
    assert await async_setup_component(hass, "script", {"script": named})
    await hass.async_block_till_done()
    states = hass.states.async_all(("automation", "script"))
    assert len(states) == len(automations) + len(scripts)
    assert {state.state for state in states} == {"on", "off"}
    assert {state.state for state in hass.states.async_all("automation")} == {"on"}
    for script in named:
        await hass.services.async_call("script", script, blocking=True)
    copied = hass.states.get("script.copied_0")
    assert copied
    assert copied.attributes["last_triggered"]
    # Their triggers would outlive the test.
    await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)
