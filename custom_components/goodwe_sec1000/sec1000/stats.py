"""What a read or a command cost so far."""

from dataclasses import dataclass, field

from .errors import Sec1000Error


@dataclass(slots=True)
class RequestStats:
    """The account of one read or command, filled in while it runs, whatever its end."""

    requests: int = 0
    recovered_errors: list[Sec1000Error] = field(default_factory=list)
    """Faults on the way that did not end it."""
    arming_unacknowledged: bool = False
    """Whether no arming was acknowledged although all agrees: only the meter tells whether it holds."""
