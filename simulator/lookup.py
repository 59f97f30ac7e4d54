"""Look something up by the name that a user typed, and suggest similar names."""

from collections.abc import Mapping
from difflib import get_close_matches


def find[T](table: Mapping[str, T], name: str, kind: str) -> T:
    """Return the entry of that name; raises ValueError, with suggestions, if there is none."""
    try:
        return table[name]
    except KeyError:
        near = get_close_matches(name, table, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(table)}"
        raise ValueError(f"unknown {kind} {name!r}; {hint}") from None
