"""A release is refused where something does not fit; its zip installs into an empty Home Assistant."""

import asyncio
import json
from pathlib import Path
import shutil
import subprocess
import sys
from typing import Final
from zipfile import ZipFile

import pytest

from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import Simulator

from . import empty_home

CHECKOUT: Final = Path(__file__).parents[2]
SCRIPT: Final = Path("scripts") / "internal" / "release.py"
MANIFEST: Final = Path("custom_components") / DOMAIN / "manifest.json"
CHANGELOG: Final = """\
# Changelog

## If you installed before the first release

Something.

## [Unreleased]

## [1.2.3] - 2026-12-01

### Added

- One thing.

## [1.2.2] - 2026-11-30

- Another one.
"""


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, checkout / SCRIPT, *arguments], check=False, capture_output=True, text=True
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout whose version 1.2.3 can be released."""
    for file in (SCRIPT, MANIFEST):
        (tmp_path / file).parent.mkdir(parents=True)
        shutil.copy(CHECKOUT / file, tmp_path / file)
    manifest = json.loads((CHECKOUT / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps(manifest | {"version": "1.2.3"}))
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    offer = {"name": "SEC1000", "zip_release": True, "filename": "goodwe_sec1000.zip"}
    (tmp_path / "hacs.json").write_text(json.dumps(offer))
    for command in (
        ("init", "--quiet"),
        ("add", "."),
        ("-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "--quiet", "--message=1.2.3"),
    ):
        subprocess.run(("git", "-C", tmp_path, *command), check=True)  # noqa: S603, S607
    return tmp_path


@pytest.mark.parametrize("tag", [(), ("v1.2.3",)], ids=["without tag", "with tag"])
def test_release_that_fits_is_accepted(checkout: Path, tag: tuple[str, ...]) -> None:
    result = run(checkout, "--check", *tag)
    assert (result.returncode, result.stderr) == (0, "")


def test_commit_before_first_tag_is_told_of_hacs(checkout: Path) -> None:
    (checkout / "hacs.json").write_text('{"name": "SEC1000"}')
    result = run(checkout, "--check")
    assert result.returncode == 0
    assert '"zip_release": true, "filename": "goodwe_sec1000.zip" in hacs.json' in result.stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "tag", "reason"),
    [
        ("hacs.json", "SEC", "SEC", "v1.2.4", "the tag is v1.2.4, but the version is 1.2.3"),
        ("hacs.json", "SEC", "SEC", "1.2.3", "it has to be v1.2.3"),
        ("pyproject.toml", "1.2.3", "1.2.4", "", "manifest.json has version 1.2.3, but pyproject.toml 1.2.4"),
        (str(MANIFEST), "1.2.3", "1.2.3b1", "", "has to be of the form 1.2.3"),
        ("CHANGELOG.md", "1.2.3", "1.2.4", "", "CHANGELOG.md has no section '## [1.2.3] - DATE'"),
        (str(MANIFEST), '"version": "1.2.3"', '"ver": "1.2.3"', "", "manifest.json has version none"),
        ("CHANGELOG.md", "1.2.2", "1.3.0", "", "not in order, newest first: 1.2.3, 1.3.0"),
        ("CHANGELOG.md", "1.2.2", "1.2.3", "", "not in order, newest first: 1.2.3, 1.2.3"),
        ("CHANGELOG.md", " - 2026-12-01", "", "", "no date"),
        ("CHANGELOG.md", "2026-12-01", "2026-12-32", "", "no date"),
        ("hacs.json", "{", "{ ", "v1.2.3", "what is changed here:\n M hacs.json"),
        ("CHANGELOG.md", "\n### Added\n\n- One thing.\n", "", "", "CHANGELOG.md says nothing about 1.2.3"),
        ("CHANGELOG.md", "[Unreleased]\n", "[Unreleased]\n\n- New.\n", "v1.2.3", "move them to 1.2.3"),
        ("hacs.json", '"zip_release": true, ', "", "", 'has to have "zip_release": true'),
        ("hacs.json", '"filename": "goodwe_sec1000.zip"', '"filename": "x.zip"', "", '"goodwe_sec1000.zip"'),
        (
            "hacs.json",
            ', "zip_release": true, "filename": "goodwe_sec1000.zip"',
            "",
            "v1.2.3",
            'hacs.json has to have "zip_release": true, "filename": "goodwe_sec1000.zip"',
        ),
    ],
)
def test_release_that_does_not_fit_is_refused(
    checkout: Path, file: str, old: str, new: str, tag: str, reason: str
) -> None:
    text = (checkout / file).read_text()
    assert old in text
    (checkout / file).write_text(text.replace(old, new, 1))
    result = run(checkout, "--check", *([tag] if tag else []))
    assert result.returncode == 1
    assert reason in result.stderr


def test_version_of_this_checkout_can_be_released() -> None:
    result = run(CHECKOUT, "--check")
    assert (result.returncode, result.stderr) == (0, "")


def test_untracked_file_is_told_before_a_release(checkout: Path) -> None:
    (checkout / MANIFEST.parent / "copy.py").touch()
    result = run(checkout, "--check", "v1.2.3")
    assert result.returncode == 1
    assert f"?? {MANIFEST.parent / 'copy.py'}" in result.stderr


def test_notes_are_those_of_the_version(checkout: Path) -> None:
    assert run(checkout, "--notes").stdout == "### Added\n\n- One thing.\n"


def test_notes_have_whole_links_and_paragraphs(checkout: Path) -> None:
    """A release on GitHub, and HACS, break each line and know no file beside it."""
    text = (
        "- [One](docs/a.md#b)\n  thing, as [others](https://example.com).\n- Two.\n\n"
        "### Fixed\n\n- [It](#1).\n"
    )
    changelog = checkout / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("- One thing.\n", text))
    address = json.loads((checkout / MANIFEST).read_text())["documentation"]
    assert run(checkout, "--notes").stdout == (
        f"### Added\n\n- [One]({address}/blob/v1.2.3/docs/a.md#b) thing, as [others](https://example.com).\n"
        "- Two.\n\n### Fixed\n\n- [It](#1).\n"
    )


def test_unknown_option_is_refused(checkout: Path) -> None:
    result = run(checkout, "--publish")
    assert (result.returncode, result.stdout) == (1, "")
    assert "--check [TAG], --zip and --notes" in result.stderr


@pytest.mark.slow
async def test_zip_installs_into_empty_home_assistant(tmp_path: Path, sim: Simulator) -> None:
    assert run(CHECKOUT, "--zip").returncode == 0
    folder = tmp_path / "custom_components" / DOMAIN
    with ZipFile(CHECKOUT / ".artefacts" / f"{DOMAIN}.zip") as archive:
        assert {"manifest.json", "translations/de.json", "brand/icon.png"} <= set(archive.namelist())
        assert not [name for name in archive.namelist() if name.startswith("/") or "__pycache__" in name]
        archive.extractall(folder)
    process = await asyncio.create_subprocess_exec(
        sys.executable, empty_home.__file__, tmp_path, str(sim.port), stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    result = json.loads(output)
    assert (result["from"], result["entry"]) == (str(folder), "loaded")
    assert result["states"]["sensor.sec1000_export_limit"] == "10.0"
    assert result["states"]["binary_sensor.sec1000_module_started"] == "on"
