"""The active faults, and which of them apply to a request."""

from collections.abc import Collection
from dataclasses import dataclass
from random import Random

from custom_components.goodwe_sec1000.sec1000.frame import Frame

from .faults import FAULTS, Fault, Reach
from .lookup import find


@dataclass(slots=True)
class Injection:
    """An active fault, and the requests to which it applies."""

    fault: Fault
    remaining: int | None
    chance: float
    commands: frozenset[int] | None

    def applies_to(self, request: Frame, since_read: float, random: Random) -> bool:
        """Return whether this request is affected; the generator draws the chance.

        `since_read`: seconds since the last read.
        """
        fault, command = self.fault, request.command
        matches = command in fault.commands and (self.commands is None or command in self.commands)
        if not matches or (fault.concerns and not fault.concerns(request)):
            return False
        if fault.within_s_of_read is not None and since_read >= fault.within_s_of_read:
            return False
        return self.chance == 1 or random.random() < self.chance


def create_injection(
    name: str,
    *,
    count: int | None = None,
    chance: float = 1.0,
    commands: Collection[int] | None = None,
) -> Injection:
    """Return an injection for the next `count` matching requests (None: until it is cleared).

    `chance` is the probability per matching request (0 < chance ≤ 1); only affected requests
    count. Raises ValueError for an unknown name and for values out of range.
    """
    fault = find(FAULTS, name, "fault")
    if count is not None and count < 1:
        raise ValueError(f"count is {count}; it has to be 1 or more")
    if not 0 < chance <= 1:
        raise ValueError(f"chance is {chance}; it has to be above 0 and at most 1")
    if commands is not None and not all(command in range(0x100) for command in commands):
        raise ValueError("a command is one byte, 0x00 to 0xff")
    if fault.reach is Reach.INVERTERS and (count is not None or chance < 1 or commands is not None):
        raise ValueError(f"{name} affects the inverters, not requests: it is active until it is cleared")
    return Injection(fault, count, chance, None if commands is None else frozenset(commands))


class FaultInjector:
    """The active faults, in the order of their injection."""

    def __init__(self, random: Random) -> None:
        """Draw chances from this generator."""
        self._random = random
        self._injections: list[Injection] = []

    def inject(self, injection: Injection) -> None:
        """Activate a fault."""
        self._injections.append(injection)

    def clear(self, name: str | None = None) -> None:
        """Clear the faults of that name, or all."""
        self._injections = [
            injection for injection in self._injections if name is not None and injection.fault.name != name
        ]

    def is_active(self, name: str) -> bool:
        """Return whether a fault of that name is active."""
        return any(injection.fault.name == name for injection in self._injections)

    def names(self) -> tuple[str, ...]:
        """Return the names of the active faults."""
        return tuple(injection.fault.name for injection in self._injections)

    def apply(self, request: Frame, since_read: float) -> list[Fault]:
        """Return the faults that apply to this request, and count them.

        `since_read`: seconds since the last read.
        """
        applied = [
            injection
            for injection in self._injections
            if injection.applies_to(request, since_read, self._random)
        ]
        for injection in applied:
            if injection.remaining is not None:
                injection.remaining -= 1
        self._injections = [injection for injection in self._injections if injection.remaining != 0]
        return [injection.fault for injection in applied]
