"""Commands that the entities of one device were given, and what each has to do with the others."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Final

from homeassistant.core import Context

SAME_SCENE_S: Final = 5.0
"""How long after a number was set the switch counts as part of the same scene, in the same context."""


@dataclass(eq=False, slots=True)
class EntityCommand:
    """One command of one entity, which runs until its block is left."""

    key: str
    context: Context | None
    limit: int | None
    """The export limit (W) that a number sets; None for anything else."""
    decides_limit: bool
    """Whether the export limit after it is its own, whatever it was before."""
    ended_at: float | None = None
    """On the monotonic clock, in s; None while it runs."""
    is_replaced: bool = False
    """Whether a newer command of the same entity came, or one in the same context."""

    def is_in(self, context: Context | None) -> bool:
        """Return whether it was given in this context, as by the same scene or run of a script."""
        return context is not None and self.context is not None and self.context.id == context.id

    @property
    def is_recent(self) -> bool:
        """Whether it runs, or ended less than `SAME_SCENE_S` ago."""
        return self.ended_at is None or monotonic() - self.ended_at < SAME_SCENE_S


class EntityCommands:
    """The commands of all entities of one device that run, or ended a few seconds ago."""

    def __init__(self) -> None:
        self._commands: list[EntityCommand] = []

    @contextmanager
    def begin(
        self, key: str, context: Context | None, limit: int | None = None, *, decides_limit: bool = False
    ) -> Iterator[EntityCommand]:
        """Keep a command of the entity with this key; it runs until the block is left."""
        self._commands = [command for command in self._commands if command.is_recent]
        for older in self._commands:
            older.is_replaced |= older.key == key or older.is_in(context)
        command = EntityCommand(key, context, limit, decides_limit or limit is not None)
        self._commands.append(command)
        try:
            yield command
        finally:
            command.ended_at = monotonic()

    def limit_set_in(self, context: Context | None) -> int | None:
        """Return the export limit (W) that a number has set in this context, where that is recent.

        None where the switch was used after it.
        """
        limits = [
            command.limit
            for command in self._commands
            if command.decides_limit and command.is_in(context) and command.is_recent
        ]
        return limits[-1] if limits else None
