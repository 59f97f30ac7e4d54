"""The last energy total in the recorder's database: after a power cut it is newer than the file."""

import asyncio
from datetime import datetime
from typing import Final

from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, UnitOfEnergy
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers.recorder import DATA_INSTANCE
from homeassistant.util.unit_conversion import EnergyConverter

from ..const import LOGGER
from .energy import SECONDS_PER_HOUR
from .storage import SAVE_INTERVAL_S

_TIMEOUT_S: Final = 10.0
_MAX_STATES: Final = 20
"""How many of the last states are looked at: some of them may be no number."""
MOST_SINCE_SAVED_WH: Final = round(10_000_000 * SAVE_INTERVAL_S / SECONDS_PER_HOUR)
"""What can have flowed since the file was saved; a state that is further off is of another sensor."""


async def async_recorded_total(
    hass: HomeAssistant, entity_id: str, since: datetime, saved: int
) -> int | None:
    """Return the total (Wh) that the sensor showed last since this moment, in whichever unit.

    `saved` is what is on disk, in Wh. None where nothing was recorded, or where the recorder cannot tell.
    """
    if (recorder := hass.data.get(DATA_INSTANCE)) is None:
        return None
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            states = await recorder.async_add_executor_job(_last_states, hass, entity_id, since)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the database, the file has a total
        LOGGER.warning("The last state of %s cannot be read from the recorder: %r", entity_id, error)
        return None
    for state in states:
        try:
            unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
            total = round(EnergyConverter.convert(float(state.state), unit, UnitOfEnergy.WATT_HOUR))
        except Exception:  # noqa: BLE001, S112 - unknown, unavailable, or of another unit
            continue
        return total if abs(total - saved) <= MOST_SINCE_SAVED_WH else None
    return None


def _last_states(hass: HomeAssistant, entity_id: str, since: datetime) -> list[State]:
    # The recorder's requirements are not there where it is not set up.
    from homeassistant.components.recorder.history import state_changes_during_period  # noqa: PLC0415

    found = state_changes_during_period(
        hass, since, entity_id=entity_id, descending=True, limit=_MAX_STATES, include_start_time_state=False
    )
    return found.get(entity_id, [])
