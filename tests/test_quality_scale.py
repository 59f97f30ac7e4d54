"""Every rule of Home Assistant's quality scale is done or exempt, and its evidence exists."""

from pathlib import Path
import re
from typing import Any, Final

from homeassistant import components
from homeassistant.util import slugify
from homeassistant.util.yaml import load_yaml_dict
import pytest

from custom_components.goodwe_sec1000.const import DOMAIN

CHECKOUT: Final = Path(__file__).parent.parent
FOLDER: Final = CHECKOUT / "custom_components" / DOMAIN
DOCUMENT: Final = CHECKOUT / "docs" / "quality-scale.md"

RULES: Final = {
    "Bronze": {
        "action-setup",
        "appropriate-polling",
        "brands",
        "common-modules",
        "config-flow",
        "config-flow-test-coverage",
        "dependency-transparency",
        "docs-actions",
        "docs-conditions",
        "docs-high-level-description",
        "docs-installation-instructions",
        "docs-removal-instructions",
        "docs-triggers",
        "entity-event-setup",
        "entity-unique-id",
        "has-entity-name",
        "runtime-data",
        "test-before-configure",
        "test-before-setup",
        "unique-config-entry",
    },
    "Silver": {
        "action-exceptions",
        "config-entry-unloading",
        "docs-configuration-parameters",
        "docs-installation-parameters",
        "entity-unavailable",
        "integration-owner",
        "log-when-unavailable",
        "parallel-updates",
        "reauthentication-flow",
        "test-coverage",
    },
    "Gold": {
        "devices",
        "diagnostics",
        "discovery",
        "discovery-update-info",
        "docs-data-update",
        "docs-examples",
        "docs-known-limitations",
        "docs-supported-devices",
        "docs-supported-functions",
        "docs-troubleshooting",
        "docs-use-cases",
        "dynamic-devices",
        "entity-category",
        "entity-device-class",
        "entity-disabled-by-default",
        "entity-translations",
        "exception-translations",
        "icon-translations",
        "reconfiguration-flow",
        "repair-issues",
        "stale-devices",
    },
    "Platinum": {"async-dependency", "inject-websession", "strict-typing"},
}
"""By tier."""


def rules_of(folder: Path) -> dict[str, Any]:
    """Return the status of each rule."""
    rules: dict[str, Any] = load_yaml_dict(str(folder / "quality_scale.yaml"))["rules"]
    return rules


def pointed_at() -> dict[str, dict[str, str]]:
    """Return the evidence of each rule in the document, by tier."""
    _, *sections = re.split(r"^## ", DOCUMENT.read_text("utf-8"), flags=re.MULTILINE)
    return {
        section.splitlines()[0]: dict(
            re.findall(r"^\| (?!rule )([a-z-]+) \| (.+) \|$", section, re.MULTILINE)
        )
        for section in sections
        if section.splitlines()[0] != "Deliberate departures"
    }


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {slugify(heading, separator="-") for heading in headings}


OURS: Final = rules_of(FOLDER)


def test_quality_scale_has_every_rule_and_no_other() -> None:
    rules = set().union(*RULES.values())
    assert len(rules) == 54
    assert set(OURS) == rules


def test_quality_scale_rules_are_those_of_home_assistant() -> None:
    # Not imported: what it needs beyond Home Assistant is not installed.
    peer = Path(components.__path__[0]) / "peblar"
    assert rules_of(peer).keys() <= OURS.keys()


@pytest.mark.parametrize("rule", OURS)
def test_each_rule_is_done_or_exempt_with_reason(rule: str) -> None:
    said = OURS[rule]
    if said != "done":
        assert said.keys() == {"status", "comment"}
        assert said["status"] in {"done", "exempt"}
        assert said["comment"].strip()


def test_each_rule_names_its_evidence() -> None:
    shown = pointed_at()
    assert {tier: set(rules) for tier, rules in shown.items()} == RULES
    for rules in shown.values():
        for rule, where in rules.items():
            exempt = OURS[rule] != "done" and OURS[rule]["status"] == "exempt"
            assert (where == "exempt") is exempt, rule


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)]+)\)", DOCUMENT.read_text("utf-8")))))
def test_evidence_of_rules_exists(target: str) -> None:
    if target.startswith("https://"):
        return
    path, _, anchor = target.partition("#")
    document = (DOCUMENT.parent / path).resolve()
    assert document.exists()
    if anchor:
        assert anchor in anchors(document)


def test_named_function_is_in_named_file() -> None:
    named = re.findall(r"`(\w+)` in \[[^]]+\]\(([^)]+)\)", DOCUMENT.read_text("utf-8"))
    assert named
    for name, path in named:
        assert name in (DOCUMENT.parent / path).read_text("utf-8"), name
