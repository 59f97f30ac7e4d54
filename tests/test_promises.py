"""docs/RELIABILITY.md: each promise is held by a test that names it."""

import ast
from collections.abc import Iterator
from pathlib import Path
import re
from typing import Final

TESTS: Final = Path(__file__).parent
PAGE: Final = TESTS.parent / "docs" / "RELIABILITY.md"


def promised() -> list[str]:
    """Return the numbers of the promises, in the order of the page."""
    return re.findall(r"^- \*\*(R-\d+)\*\* ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def named(file: Path) -> Iterator[str]:
    """Yield the numbers that tests of a file name, by `@pytest.mark.promise` at a test or its class."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.promise":
                assert node.name.startswith(("test_", "Test")), f"{file.name}: {node.name} is no test"
                yield from (ast.literal_eval(number) for number in decorator.args)


def test_promises_are_numbered_in_order() -> None:
    numbers = promised()
    assert numbers == [f"R-{number:02}" for number in range(1, 1 + len(numbers))]


def test_every_promise_is_held_by_a_test() -> None:
    held = {number for file in TESTS.rglob("test_*.py") for number in named(file)}
    assert held
    assert held == set(promised())
