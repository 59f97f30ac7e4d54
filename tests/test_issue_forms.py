"""The issue forms are valid for GitHub, which hides an invalid one, and ask for what a report needs."""

from collections.abc import Iterator
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.util.yaml import load_yaml_dict
import pytest

CHECKOUT: Final = Path(__file__).parent.parent
FOLDER: Final = CHECKOUT / ".github" / "ISSUE_TEMPLATE"
FORMS: Final = {
    file.stem: load_yaml_dict(file) for file in sorted(FOLDER.glob("*.yml")) if file.stem != "config"
}
KEYS: Final = {"name", "description", "title", "labels", "assignees", "projects", "type", "body"}
ATTRIBUTES: Final[dict[str, tuple[set[str], set[str]]]] = {
    "markdown": ({"value"}, set()),
    "input": ({"label"}, {"description", "placeholder", "value"}),
    "textarea": ({"label"}, {"description", "placeholder", "value", "render"}),
    "dropdown": ({"label", "options"}, {"description", "multiple", "default"}),
    "checkboxes": ({"label", "options"}, {"description"}),
}
"""For each type of element: the attributes that it needs, and others that it may have."""

each_form: Final = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def questions(form: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the elements that a user fills in."""
    yield from (element for element in form["body"] if element["type"] != "markdown")


def is_required(element: dict[str, Any]) -> bool:
    """Return whether a form cannot be sent without this element."""
    return bool(element.get("validations", {}).get("required"))


def texts(node: object) -> Iterator[str]:
    """Yield every text of a form."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        yield from (text for value in node.values() for text in texts(value))
    elif isinstance(node, list):
        yield from (text for value in node for text in texts(value))


@each_form
def test_form_has_keys_of_github(form: dict[str, Any]) -> None:
    assert {"name", "description", "body"} <= form.keys() <= KEYS
    assert all(isinstance(label, str) for label in form.get("labels", []))


@each_form
def test_every_element_has_keys_of_its_type(form: dict[str, Any]) -> None:
    for element in form["body"]:
        needed, allowed = ATTRIBUTES[element["type"]]
        assert needed <= element["attributes"].keys() <= needed | allowed, element
        assert element.keys() <= {"type", "id", "attributes", "validations"}
        assert element.get("validations", {}).keys() <= {"required"}
        assert "id" in element or element["type"] == "markdown"


@each_form
def test_ids_and_labels_of_a_form_are_distinct(form: dict[str, Any]) -> None:
    ids = [element["id"] for element in questions(form)]
    labels = [element["attributes"]["label"] for element in questions(form)]
    assert len(set(ids)) == len(ids)
    assert len(set(labels)) == len(labels)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", key) for key in ids)


@each_form
def test_no_text_of_a_form_is_empty(form: dict[str, Any]) -> None:
    assert all(text.strip() for text in texts(form))


@each_form
def test_form_needs_at_least_one_answer(form: dict[str, Any]) -> None:
    assert any(is_required(element) for element in questions(form))


def test_every_file_that_is_named_exists() -> None:
    named = {
        file
        for form in FORMS.values()
        for text in texts(form)
        for file in re.findall(r"\b(?:(?:docs|scripts)/[\w./-]*\w|[A-Z]+\.md\b)", text)
    }
    assert {"docs/troubleshooting.md", "scripts/probe", "SECURITY.md"} <= named
    assert {file for file in named if not (CHECKOUT / file).is_file()} == set()


def test_names_of_forms_are_distinct() -> None:
    names = [form["name"] for form in FORMS.values()]
    assert set(FORMS) == {"bug_report", "feature_request", "other_device"}
    assert len(set(names)) == len(names)


def test_issues_without_a_form_are_not_offered() -> None:
    assert load_yaml_dict(FOLDER / "config.yml") == {"blank_issues_enabled": False}


@pytest.mark.parametrize(
    ("form", "file", "required"),
    [("bug_report", "diagnostics", True), ("bug_report", "log", False), ("other_device", "probe", True)],
)
def test_file_can_be_attached(form: str, file: str, required: bool) -> None:
    [element] = [element for element in questions(FORMS[form]) if element["id"] == file]
    assert element["type"] == "textarea"
    # What is rendered as code takes no attachment.
    assert "render" not in element["attributes"]
    assert is_required(element) is required
