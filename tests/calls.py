"""Actions and controls, called as automations and dashboards do, and what came of them."""

import asyncio
from collections.abc import Callable
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import Simulator

from .states import get_state

type Storage = dict[str, Any]
"""The fixture `hass_storage`."""


def act(hass: HomeAssistant, action: str, **data: object) -> asyncio.Task[Any]:
    """Call an action as an automation would, and do not wait for it."""
    return asyncio.create_task(
        hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)
    )


def control(hass: HomeAssistant, domain: str, service: str, entity: str, **data: object) -> asyncio.Task[Any]:
    """Use a control as a dashboard would, and do not wait for it."""
    target = {"entity_id": f"{domain}.sec1000_{entity}", **data}
    return asyncio.create_task(hass.services.async_call(domain, service, target, blocking=True))


async def outcomes(*calls: asyncio.Task[Any]) -> list[object]:
    """Return what came of each call: the feedback of an action, None of a control, or the error."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    return [result["feedback"] if isinstance(result, dict) else result for result in results]


async def keep_busy(hass: HomeAssistant, sim: Simulator) -> asyncio.Task[Any]:
    """Return a call of the clock that is not acknowledged at first; the commands after it wait."""
    sim.inject("silence", count=1)
    clock = act(hass, "set_datetime")
    await sim.wait_for_requests(len(sim.requests) + 1)
    return clock


async def suspend_limit(hass: HomeAssistant, sim: Simulator) -> asyncio.Task[Any]:
    """Return a call of a watchdog reset that has just switched off every control mode."""
    reset = act(hass, "reset_export_watchdog")
    # One read, and one "off" for each mode.
    await sim.wait_for_requests(len(sim.requests) + 4)
    await sim.wait_until_idle()
    return reset


def requested(sim: Simulator, since: int = 0) -> list[tuple[int, bytes]]:
    """Return command and data of each request, without so many of the first."""
    return [(request.frame.command, request.frame.data) for request in sim.requests[since:] if request.frame]


async def until(condition: Callable[[], object], *, within: float = 10) -> None:
    """Return once this is so, within so many s."""
    async with asyncio.timeout(within):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


async def load(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Set the entry up."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


def is_off(hass: HomeAssistant, entity: str) -> bool:
    """Return whether a binary sensor is off."""
    return get_state(hass, f"binary_sensor.sec1000_{entity}").state == "off"


def issue(hass: HomeAssistant, entry: MockConfigEntry, name: str = "limit_is_off") -> ir.IssueEntry | None:
    """Return the repair issue of this name; None where there is none."""
    return ir.async_get(hass).async_get_issue(DOMAIN, f"{name}_{entry.entry_id}")
