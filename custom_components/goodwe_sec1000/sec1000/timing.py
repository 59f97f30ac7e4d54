"""Pacing and deadlines: every pause between requests and every time limit.

A device that receives many packets, or packets in quick succession, stops responding until it is
power-cycled (docs/protocol.md, "What goes wrong on real devices").
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Pauses and deadlines in seconds."""

    pacing: float = 0.5
    """From the end of one request to the start of the next, except inside a burst of writes."""
    deadline: float = 10
    """Of one request: connecting, sending and receiving together."""
    write_deadline: float = 2
    """Of one write of a burst; then its connection is closed and the next write is sent."""
    unlimited_deadline: float = 4
    """Of a read-back while the limit may be off, so that a lost answer does not keep it off for long."""
    malformed_answer_drain: float = 0.2
    """Time to receive the rest of an answer of the wrong length, for diagnostics."""
    retry_pauses: tuple[float, ...] = (1, 3)
    """Before the second and third attempt of a read."""
    read_back_pause: float = 2
    """Before a setting is read back again; some devices take this long to show it."""
    command_deadline: float = 45
    """Of one change of the settings, all its requests together."""
    budget: int = 12
    """Requests that a device gets at once after a pause."""
    refill: float = 4.4
    """Until it gets one more; devices are known to bear one in 4.3 s for any time."""
    restore_debt: int = 20
    """Requests beyond the budget that go out to restore a limit that is off."""
    poll_patience: float = 60
    """How long a poll waits for commands, before every second turn is a poll's."""
    command_patience: float = 13.5
    """How long a command waits before it goes with one request missing: a poll may have gone before it."""
    reread_interval: float = 5
    """Between two equal reads."""
    manual_retry_interval: float = 5
    """Between two manual retries."""
    late_effect: float = 2.5
    """After an "off" before a read-back proves that it does not take effect late."""
    reset_read_deadline: float = 25
    """Of the reads before a watchdog reset; what is left of its time is for suspending and restoring."""
    watchdog_pause: float = 5
    """How long a watchdog reset suspends the limit."""


STANDARD = Timing()
