"""What Home Assistant's recorder holds, and what it asks about."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.statistics import update_statistics_issues, validate_statistics
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)


async def in_recorder[T](hass: HomeAssistant, function: Callable[..., T], *arguments: Any) -> T:
    """Query the database as Home Assistant does, once all is written."""
    await async_wait_recording_done(hass)
    return await get_instance(hass).async_add_executor_job(function, *arguments)


async def compiled(hass: HomeAssistant, start: datetime) -> None:
    """Let the recorder compile the five minutes from then on."""
    await async_wait_recording_done(hass)
    do_adhoc_statistics(hass, start=start)
    await async_wait_recording_done(hass)


async def validated(hass: HomeAssistant) -> dict[str, list[Any]]:
    """Return the problems on the page on statistics."""
    return await in_recorder(hass, validate_statistics, hass)


async def asked_by_repairs(hass: HomeAssistant) -> list[str]:
    """Return the issues about statistics."""
    await in_recorder(hass, update_statistics_issues, hass)
    await hass.async_block_till_done()
    return [issue.issue_id for issue in ir.async_get(hass).issues.values() if issue.domain == "sensor"]
