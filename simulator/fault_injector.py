"""Which faults are injected now, and which of them befall a request."""

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from random import Random

from .faults import FAULTS, Fault, Reach


@dataclass(slots=True)
class _Injection:
    fault: Fault
    remaining: int | None
    chance: float
    commands: frozenset[int] | None

    def matches(self, command: int) -> bool:
        return command in self.fault.commands and (self.commands is None or command in self.commands)


class FaultInjector:
    """The injected faults, in the order in which they were injected."""

    def __init__(self, random: Random) -> None:
        """Draw chances from this generator."""
        self._random = random
        self._injections: list[_Injection] = []

    def inject(
        self,
        name: str,
        *,
        count: int | None = None,
        chance: float = 1.0,
        commands: Collection[int] | None = None,
    ) -> Fault:
        """Let a fault befall the next `count` matching requests (None: until cleared).

        `chance` is that of each matching request (0 < chance ≤ 1); only requests that it befalls
        are counted. Raises ValueError for a name that is none and for values out of range.
        """
        fault = find_fault(name)
        if count is not None and count < 1:
            raise ValueError(f"count is {count}; it has to be 1 or more")
        if not 0 < chance <= 1:
            raise ValueError(f"chance is {chance}; it has to be above 0 and at most 1")
        if commands is not None and not all(command in range(0x100) for command in commands):
            raise ValueError("a command is one byte, 0x00 to 0xff")
        if fault.reach is Reach.INVERTERS and (count is not None or chance < 1 or commands is not None):
            raise ValueError(f"{name} befalls the inverters, not requests: it stands until it is cleared")
        self._injections.append(
            _Injection(fault, count, chance, None if commands is None else frozenset(commands)),
        )
        return fault

    def clear(self, name: str | None = None) -> None:
        """Forget the faults of that name, or all."""
        self._injections = [
            injection for injection in self._injections if name is not None and injection.fault.name != name
        ]

    def is_active(self, name: str) -> bool:
        """Return whether a fault of that name is injected."""
        return any(injection.fault.name == name for injection in self._injections)

    def names(self) -> tuple[str, ...]:
        """Return the names of what is injected."""
        return tuple(injection.fault.name for injection in self._injections)

    def apply(self, command: int) -> list[Fault]:
        """Return the faults that befall this request, and count them."""
        applied = [injection for injection in self._injections if self._applies(injection, command)]
        for injection in applied:
            if injection.remaining is not None:
                injection.remaining -= 1
        self._injections = [injection for injection in self._injections if injection.remaining != 0]
        return [injection.fault for injection in applied]

    def _applies(self, injection: _Injection, command: int) -> bool:
        return injection.matches(command) and (
            injection.chance == 1 or self._random.random() < injection.chance
        )


def find_fault(name: str) -> Fault:
    """Return the fault of that name; raises ValueError, with the nearest names, where there is none."""
    try:
        return FAULTS[name]
    except KeyError:
        near = get_close_matches(name, FAULTS, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(f"{name!r} is no fault{hint}") from None
