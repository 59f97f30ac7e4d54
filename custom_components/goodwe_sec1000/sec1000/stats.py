"""Statistics of one read or command."""

from dataclasses import dataclass, field

from .errors import Sec1000Error


@dataclass(slots=True)
class RequestStats:
    """Filled in while a read or command runs, and complete however it ends."""

    is_under_way: bool = False
    """Whether its turn has come."""
    requests: int = 0
    """Sent so far."""
    recovered_errors: list[Sec1000Error] = field(default_factory=list)
    """Errors after which it went on."""
    arming_unacknowledged: bool = False
    """The read-back agrees but no arming was acknowledged: only the meter shows whether the limit binds."""

    def add(self, other: RequestStats) -> None:
        """Add what another read or command cost, which also served this one."""
        self.requests += other.requests
        self.recovered_errors += other.recovered_errors
        self.arming_unacknowledged |= other.arming_unacknowledged
