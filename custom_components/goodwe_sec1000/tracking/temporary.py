"""A temporary limit: when it ends, and which limit holds then."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from ..limit import LONGEST, SHORTEST
from ..options import ExportOptions
from ..sec1000.errors import Sec1000Error
from ..sec1000.plausibility import MAX_SETTING_W


class EndNotStoredError(Sec1000Error):
    """The end of a limit could not be kept on disk, so the limit was not written."""


@dataclass(frozen=True, slots=True)
class TemporaryLimit:
    """A limit that ends by itself; limits in W."""

    limit: int
    then: int
    """What is to hold at the end, brought into the options of that moment."""
    before: int | None
    """What was proven before the first of the temporary limits in a row; None where nothing was."""
    ends: datetime
    """UTC."""
    duration: timedelta
    is_test: bool = False
    """Whether it only interrupts what stood before, so that nothing but its end may be left of it."""
    interrupted: TemporaryLimit | None = None
    """The temporary limit before, which goes on at the end, unless its own has come; None: `then` stands."""

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Return what was stored; raises KeyError, TypeError, ValueError where it is damaged."""
        before, interrupted = stored["before"], stored.get("interrupted")
        temporary = cls(
            int(stored["limit"]),
            int(stored["then"]),
            None if before is None else int(before),
            datetime.fromisoformat(stored["ends"]).astimezone(UTC),
            timedelta(seconds=float(stored["duration"])),
            stored.get("is_test", False) is True,
            None if interrupted is None else cls.from_dict(interrupted),
        )
        if any(abs(limit) > MAX_SETTING_W for limit in (temporary.limit, temporary.then, before or 0)):
            raise ValueError(f"limit {temporary.limit} W, then {temporary.then} W: out of range")
        if not SHORTEST <= temporary.duration <= LONGEST:
            raise ValueError(f"for {temporary.duration}: out of range")
        return temporary

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain values."""
        return {
            "limit": self.limit,
            "then": self.then,
            "before": self.before,
            "ends": self.ends.isoformat(),
            "duration": self.duration.total_seconds(),
            **({"is_test": True} if self.is_test else {}),
            **({"interrupted": self.interrupted.as_dict()} if self.interrupted else {}),
        }

    def remaining(self, now: datetime) -> timedelta:
        """Return how long it is to last; less than zero once its end has passed.

        Where the clock was set back since, that is no longer than it was to last in all.
        """
        return min(self.ends - now, self.duration)

    def then_within(self, options: ExportOptions) -> int:
        """Return the limit (W) that is to hold at the end under these options."""
        return min(max(self.then, options.min_export_limit), options.max_export_limit)

    def following(self, options: ExportOptions, now: datetime) -> tuple[int, TemporaryLimit | None]:
        """Return the limit (W) that is to hold at the end under these options, and its own end, if any."""
        limit, interrupted = self.then_within(options), self.interrupted
        if interrupted is None:
            return limit, None
        if interrupted.remaining(now) <= timedelta():
            return interrupted.then_within(options), None
        return limit, interrupted.moved_to(limit, options)

    def moved_to(self, limit: int, options: ExportOptions) -> Self:
        """Return it with the limit (W) that it has become under these options, which bound `then` as well."""
        return replace(self, limit=limit, then=self.then_within(options))

    def until_proven(self, running: Self, held: int) -> Self:
        """Return how it is to end as long as it is not proven to have taken the place of the running one.

        The device may still hold that one, or what was proven before (`held`, W): an end that leads to less
        than those comes as soon, and this one leads to no more.
        """
        if running.then >= max(running.limit, held):
            return self
        return replace(self, then=min(self.then, running.then), ends=min(self.ends, running.ends))

    def at_most(self, limit: int) -> Self:
        """Return it with an end that leads to no more than this limit (W)."""
        before = None if self.before is None else min(self.before, limit)
        interrupted = self.interrupted.at_most(limit) if self.interrupted else None
        return replace(self, then=min(self.then, limit), before=before, interrupted=interrupted)
