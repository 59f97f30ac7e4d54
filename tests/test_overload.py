"""Simulated devices can be overloaded as real ones, but where a fixture says why not."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parent
BEARING: Final = "device_bearing_"
"""How the name of a fixture begins whose device cannot be overloaded; the reason follows."""
MOST_IN_VIRTUAL_TIME: Final = 20
EXEMPT: Final = (TESTS / "simulator", TESTS / "benchmarks")
"""They measure what is too fast for any device, and the simulator itself."""


def says_of_overload(node: ast.AST) -> Iterator[int]:
    """Yield the lines that say whether a device can be overloaded, outside of a fixture of that name."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(BEARING):
        assert any(ast.unparse(decorator) == "pytest.fixture" for decorator in node.decorator_list)
        return
    if isinstance(node, ast.keyword) and node.arg in ("overload", "patience"):
        yield node.lineno
    for child in ast.iter_child_nodes(node):
        yield from says_of_overload(child)


def test_overload_is_off_only_in_fixtures_that_say_why() -> None:
    found = [
        f"{file.relative_to(TESTS)}:{line}"
        for file in TESTS.rglob("*.py")
        if not any(file.is_relative_to(folder) for folder in EXEMPT)
        for line in says_of_overload(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_few_tests_in_virtual_time_have_overload_off(request: pytest.FixtureRequest) -> None:
    """With all tests collected: as many as there are in this run."""
    found = [
        item.nodeid
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and "warp" in item.fixturenames
        and any(name.startswith(BEARING) for name in item.fixturenames)
    ]
    assert len(found) <= MOST_IN_VIRTUAL_TIME, found
