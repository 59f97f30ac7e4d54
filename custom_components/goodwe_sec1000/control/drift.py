"""Corrects drift: puts the baseline back where something else made the device allow more."""

from collections import deque
from contextlib import suppress
from time import monotonic
from typing import Final

from homeassistant.core import callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util.hass_dict import HassKey

from ..const import CONF_PUT_BACK, DOMAIN, LOGGER
from ..coordinator import Sec1000Coordinator
from ..issues import Issue
from ..messages import format_kw, mode_name
from ..tracking.baseline import Drift, drift
from ..tracking.caller import called_by
from .actions import ExportControl
from .limit_queue import describe

CORRECTIONS_AN_HOUR: Final = 3
HOUR_S: Final = 3600.0
_CORRECTED_AT: Final[HassKey[dict[str, deque[float]]]] = HassKey(f"{DOMAIN}_corrected_at")
"""When (monotonic, in s) drift was last corrected, by entry; a reload does not forget it."""


class DriftCorrection:
    """Looks at what the device holds after each read that no command made."""

    def __init__(self, coordinator: Sec1000Coordinator, control: ExportControl) -> None:
        self._coordinator = coordinator
        self._control = control
        corrected_at = coordinator.hass.data.setdefault(_CORRECTED_AT, {})
        self._corrected_at = corrected_at.setdefault(
            coordinator.config_entry.entry_id, deque(maxlen=CORRECTIONS_AN_HOUR)
        )
        coordinator.config_entry.async_on_unload(coordinator.async_add_settings_listener(self._settings_read))

    @callback
    def _settings_read(self) -> None:
        """Correct what is less strict than the baseline, where the options ask for it.

        At most three times an hour; then Repairs says that something else keeps changing it.
        """
        coordinator = self._coordinator
        snapshot, options = coordinator.data, coordinator.options
        hass, entry = coordinator.hass, coordinator.config_entry
        if snapshot.settings is None or snapshot.proven_limit is None:
            return
        if not self._control.may_correct_drift:
            return
        limit = snapshot.proven_limit
        found = drift(snapshot.settings, options, limit)
        is_wanted = entry.options.get(CONF_PUT_BACK)
        if found is Drift.NONE or not is_wanted:
            Issue.LIMIT_KEEPS_DRIFTING.async_clear(hass, entry.entry_id)
        if found is not Drift.LESS_STRICT or not is_wanted:
            return
        now = monotonic()
        if len(self._corrected_at) == CORRECTIONS_AN_HOUR and now - self._corrected_at[0] < HOUR_S:
            Issue.LIMIT_KEEPS_DRIFTING.async_raise(
                hass,
                entry.entry_id,
                {
                    "name": coordinator.device_name,
                    "mode": mode_name(hass, options.control_mode),
                    "limit": format_kw(hass, limit),
                },
            )
            return
        self._corrected_at.append(now)
        LOGGER.warning(
            "%s: the device reports %s; correcting it", coordinator.name, describe(snapshot.settings)
        )
        entry.async_create_task(hass, self._correct(), f"{coordinator.name} correct drift")

    async def _correct(self) -> None:
        with suppress(HomeAssistantError), called_by(None):
            # The feedback shows how it ended.
            await self._control.restore_baseline()
