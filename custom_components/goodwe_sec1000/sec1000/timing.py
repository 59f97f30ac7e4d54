"""How gently a device is treated: every pause and deadline, in one place.

A device that gets many packets, or packets in quick succession, stops answering until somebody
power-cycles it (docs/protocol.md, "What goes wrong on real devices").
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Pauses and deadlines in seconds."""

    pacing: float = 0.5
    """From the end of one request to the start of the next."""
    deadline: float = 10
    """Of one request: connecting, sending and reading together."""
    unlimited_deadline: float = 4
    """Of one write while nothing limits the export: a lost answer must not keep the limit off."""
    malformed_answer_drain: float = 0.2
    """How long the rest of an answer of the wrong length is waited for, to show it in diagnostics."""
    retry_pauses: tuple[float, ...] = (1, 3)
    """Before the second and the third try of a read."""
    read_back_pause: float = 2
    """Before the setting is read once more; some devices take this long to show it."""
    command_deadline: float = 45
    """Of one whole change of the setting."""
    limit_interval: float = 5
    """For each change of the limit, in the long run."""
    limit_burst: int = 3
    """Changes of the limit that pass at once after a quiet time."""
    manual_retry_interval: float = 5
    """Between two requests that somebody asks for by hand, one after the other."""
    watchdog_pause: float = 5
    """How long the limit stays off to reset the watchdog."""


STANDARD = Timing()
