"""Checks what a release needs, writes its zip and prints its notes."""

from collections.abc import Iterator
from datetime import date
import json
from pathlib import Path
import re
import subprocess
import sys
import tomllib
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

CHECKOUT: Final = Path(__file__).parents[2]
INTEGRATION: Final = CHECKOUT / "custom_components" / "goodwe_sec1000"
ZIP_NAME: Final = "goodwe_sec1000.zip"
OFFER: Final = {"zip_release": True, "filename": ZIP_NAME}
"""What hacs.json has from the commit of the first tag on; before, HACS would find nothing to install."""
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_SECTION: Final = re.compile(
    r"^## \[(Unreleased|\d+\.\d+\.\d+)\](?: - (\S+))?\n(.*?)(?=^## \[|\Z)", re.MULTILINE | re.DOTALL
)


_WRAPPED: Final = re.compile(r"(?<!\n)\n(?!\n|- |#) *")
_LINK: Final = re.compile(r"\]\((?![a-z]+:|#)([^)]+)\)")


def read_json(path: Path) -> dict[str, Any]:
    """Return a file of JSON."""
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def changes() -> dict[str, tuple[str, str]]:
    """Return the date and the text of each version in CHANGELOG.md, newest first."""
    text = (CHECKOUT / "CHANGELOG.md").read_text("utf-8")
    return {version: (released_on, body.strip()) for version, released_on, body in _SECTION.findall(text)}


def problems(tag: str | None) -> Iterator[str]:
    """Yield what is to be corrected before the release; without a tag, less is expected."""
    version = read_json(INTEGRATION / "manifest.json").get("version", "")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"].get("version")
    if not _VERSION.fullmatch(version):
        yield f"manifest.json has version {version or 'none'}: it has to be of the form 1.2.3"
    if project != version:
        yield f"manifest.json has version {version}, but pyproject.toml {project}"
    yield from problems_of_changelog(version)
    offer = read_json(CHECKOUT / "hacs.json")
    offered = {key: offer[key] for key in OFFER if key in offer}
    if offered not in ({}, OFFER) or (tag and not offered):
        yield f"hacs.json has to have {json.dumps(OFFER)[1:-1]}"
    if tag is None:
        return
    if tag != f"v{version}":
        yield f"the tag is {tag}, but the version is {version}: it has to be v{version}"
    if changes().get("Unreleased", ("", ""))[1]:
        yield f"CHANGELOG.md has changes under Unreleased: move them to {version}"
    command = ("git", "-C", CHECKOUT, "status", "--porcelain")
    status = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    if changed := (status.stdout or status.stderr).rstrip():
        yield f"the tag is of a commit without what is changed here:\n{changed}"


def problems_of_changelog(version: str) -> Iterator[str]:
    """Yield what is to be corrected in CHANGELOG.md before this version is released."""
    sections = _SECTION.findall((CHECKOUT / "CHANGELOG.md").read_text("utf-8"))
    versions = [name for name, _, _ in sections if name != "Unreleased"]
    if versions[:1] != [version]:
        yield f"CHANGELOG.md has no section '## [{version}] - DATE' above those of earlier versions"
        return
    numbers = [tuple(map(int, name.split("."))) for name in versions]
    if numbers != sorted(set(numbers), reverse=True):
        yield f"CHANGELOG.md has versions that are not in order, newest first: {', '.join(versions)}"
    released_on, body = changes()[version]
    if not is_date(released_on):
        yield f"CHANGELOG.md has no date such as 2026-11-29 for {version}"
    if not body:
        yield f"CHANGELOG.md says nothing about {version}"


def is_date(text: str) -> bool:
    """Return whether this is a day, written as 2026-11-29."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def check(tags: list[str]) -> None:
    """Print what is wrong and exit with 1, or print what is ready."""
    found = [problem for tag in tags or [None] for problem in problems(tag)]
    if found:
        sys.exit("\n".join(f"release: {problem}" for problem in dict.fromkeys(found)))
    if tags:
        print(f"{', '.join(tags)} can be released.")
    else:
        print("This can become a release. This commit has no tag yet.")
        if OFFER.items() - read_json(CHECKOUT / "hacs.json").items():
            print(f"The commit that gets the first tag also has {json.dumps(OFFER)[1:-1]} in hacs.json.")


def write_zip(path: Path) -> None:
    """Write the files of the integration; HACS unpacks them into its folder, so there is none in the zip.

    The same files make the same zip.
    """
    path.parent.mkdir(exist_ok=True)
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for file in sorted(INTEGRATION.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                info = ZipInfo(file.relative_to(INTEGRATION).as_posix())
                info.external_attr = 0o644 << 16
                archive.writestr(info, file.read_bytes(), ZIP_DEFLATED)


def notes(version: str) -> str:
    """Return what CHANGELOG.md says of a version, as GitHub and HACS show it.

    There, a line ends where it ends in the text, and links lead nowhere that are relative.
    """
    address = read_json(INTEGRATION / "manifest.json")["documentation"]
    text = _WRAPPED.sub(" ", changes()[version][1])
    return _LINK.sub(rf"]({address}/blob/v{version}/\1)", text)


def main(option: str = "", *arguments: str) -> None:
    """Do what the option says."""
    if option == "--check":
        check([*arguments])
    elif option == "--zip" and not arguments:
        path = CHECKOUT / ".artefacts" / ZIP_NAME
        write_zip(path)
        print(path.relative_to(CHECKOUT))
    elif option == "--notes" and not arguments:
        version = read_json(INTEGRATION / "manifest.json")["version"]
        if version not in changes():
            sys.exit(f"release: CHANGELOG.md has no section for {version}")
        print(notes(version))
    else:
        sys.exit("release: the options are --check [TAG], --zip and --notes")


if __name__ == "__main__":
    main(*sys.argv[1:])
