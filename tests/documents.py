"""The YAML in README, CONTRIBUTING and docs."""

from pathlib import Path
import re
from textwrap import dedent
from typing import Any, Final

from homeassistant.util.yaml import parse_yaml

CODE: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def examples(document: Path) -> list[Any]:
    """Return the parsed blocks of YAML in a document."""
    blocks = [dedent(code) for language, code in CODE.findall(document.read_text()) if language == "yaml"]
    return [parse_yaml(block) for block in blocks]


def example(document: Path, heading: str) -> dict[str, Any]:
    """Return the only YAML below a heading, up to the next one."""
    [text] = re.findall(
        rf"^#+ {re.escape(heading)}$(.*?)(?=^## |\Z)", document.read_text(), re.DOTALL | re.MULTILINE
    )
    [block] = [dedent(code) for language, code in CODE.findall(text) if language == "yaml"]
    parsed = parse_yaml(block)
    assert isinstance(parsed, dict)
    return parsed
