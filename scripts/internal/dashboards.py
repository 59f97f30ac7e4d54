"""Writes the dashboard and its package in every language, from one template each and a table of words.

A word stands in a template as `$word`; what is named by an entity has no word of its own.
"""

from collections.abc import Iterator
import json
from pathlib import Path
from string import Template
import sys
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = Path(__file__).parent / "dashboards"
FOLDER: Final = ROOT / "docs" / "dashboards"
FILES: Final = {"dashboard.yaml": "goodwe_sec1000.yaml", "package.yaml": "goodwe_sec1000_package.yaml"}
"""Each template, and what is made of it."""

type Words = dict[str, dict[str, str]]
"""Each word in every language."""


def words() -> Words:
    """Return the table of words."""
    table: Words = json.loads((SOURCES / "words.json").read_text("utf-8"))
    return table


def made() -> Iterator[tuple[Path, str]]:
    """Yield each file and its content; English has no folder of its own."""
    table = words()
    for language in sorted(set().union(*table.values())):
        in_language = {word: texts[language] for word, texts in table.items()}
        folder = FOLDER if language == "en" else FOLDER / language
        for source, name in FILES.items():
            template = Template((SOURCES / source).read_text("utf-8"))
            yield folder / name, template.substitute(in_language)


def write() -> None:
    """Write all of them."""
    for path, content in made():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, "utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    write()
