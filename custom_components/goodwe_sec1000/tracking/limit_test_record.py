"""How the last test of the limit ended, also after a restart."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from ..const import DOMAIN, LOGGER
from ..sec1000.model import kilowatts
from .limit_test import Finding, LimitTestReason, LimitTestResult
from .storage import async_load_lenient

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class LimitTestRecord:
    """What a test has found, with this limit (W), and when it ended, UTC."""

    finding: Finding
    limit: int
    at: datetime

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Return what was stored; raises where it is damaged."""
        reason, excess = stored["reason"], stored["excess"]
        finding = Finding(
            LimitTestResult(stored["result"]),
            None if reason is None else LimitTestReason(reason),
            _seconds(stored["moved_s"]),
            _seconds(stored["at_limit_s"]),
            None if excess is None else int(excess),
            _seconds(stored["back_s"]),
        )
        return cls(finding, int(stored["limit"]), datetime.fromisoformat(stored["at"]).astimezone(UTC))

    @property
    def attributes(self) -> dict[str, str | float | None]:
        """What is shown beside the result: limit and powers in kW and W, times in s."""
        finding = self.finding
        return {
            "limit": kilowatts(self.limit),
            "reason": finding.reason.value if finding.reason else None,
            "seconds_until_moved": _rounded(finding.moved_s),
            "seconds_until_at_limit": _rounded(finding.at_limit_s),
            "excess": finding.excess,
            "seconds_until_back": _rounded(finding.back_s),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return it in plain values."""
        return {**asdict(self.finding), "limit": self.limit, "at": self.at.isoformat()}


def _seconds(stored: Any) -> float | None:
    return None if stored is None else float(stored)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


class LimitTestStore:
    """The record of the last test on disk."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        self._store = Store[dict[str, Any]](
            hass, _VERSION, f"{DOMAIN}.{entry_id}.limit_test", atomic_writes=True
        )

    async def load(self) -> LimitTestRecord | None:
        """Return what is on disk; None where there was no test yet."""
        return await async_load_lenient(self._store, LimitTestRecord.from_dict)

    async def save(self, record: LimitTestRecord) -> None:
        """Save this record now; one that cannot be saved is shown until the next start."""
        try:
            await self._store.async_save(record.as_dict())
        except (HomeAssistantError, OSError) as error:
            LOGGER.warning("%s cannot be written: %s", self._store.path, error)

    async def remove(self) -> None:
        """Remove the file, with its entry."""
        await self._store.async_remove()
