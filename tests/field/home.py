"""Home Assistant with one device, for as long as a report took."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import Simulator
from tests.entries import entry_of

from .report import Call, Expected

_STATES: Final = (
    *(f"sensor.sec1000_{key}_l1" for key in ("voltage", "current", "power")),
    *(f"sensor.sec1000_{key}_power" for key in ("meter", "inverter", "load")),
    "sensor.sec1000_export_limit",
    *(f"binary_sensor.sec1000_{key}" for key in ("export_state", "limit_differs", "limit_exceeded")),
    "select.sec1000_control_mode",
    "switch.sec1000_export_to_grid",
)
_FEEDBACK: Final = (
    *("export_disable", "export_enable", "set_export_limit", "get_export_limit"),
    *("get_telemetry_data", "reset_export_watchdog", "set_date_and_time"),
)
_SETTLE_S: Final = 0.5
"""From the end of the last exchange until all is shown."""

type Timeline = Mapping[float, Callable[[], object]]
"""What happens to the device, by the seconds after the beginning."""


def entry_for(sim: Simulator, recorded: Mapping[str, Any]) -> MockConfigEntry:
    """Return an entry with the options of the recorded one, where there was one."""
    if not recorded:
        return entry_of(sim)
    return MockConfigEntry(
        domain=DOMAIN,
        version=2,
        title="SEC1000",
        data={CONF_NAME: "SEC1000", CONF_HOST: sim.host, CONF_PORT: sim.port},
        options=dict(recorded["options"]),
        pref_disable_polling=recorded.get("polling_disabled", False),
    )


async def live(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    calls: tuple[Call, ...],
    seconds: float,
    timeline: Timeline | None = None,
) -> Expected:
    """Set up the entry, call what is to be called, and return what is shown after so many seconds."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def call_later(call: Call) -> Call:
        await asyncio.sleep(began + call.at - loop.time())
        return replace(call, outcome=await _outcome(hass, call))

    async def happen_later(at: float, happen: Callable[[], object]) -> None:
        await asyncio.sleep(began + at - loop.time())
        happen()

    entry.add_to_hass(hass)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hass.config_entries.async_setup(entry.entry_id))
        called = [tasks.create_task(call_later(call)) for call in calls]
        for at, happen in (timeline or {}).items():
            tasks.create_task(happen_later(at, happen))
    await asyncio.sleep(began + seconds + _SETTLE_S - loop.time())
    return Expected(
        seconds=seconds,
        entry=entry.state.value,
        calls=tuple(call.result() for call in called),
        states={entity_id: _state(hass, entity_id) for entity_id in _STATES},
        feedback={action: _state(hass, f"sensor.sec1000_{action}_feedback") for action in _FEEDBACK},
        issues=tuple(
            sorted(
                issue.issue_id.removesuffix(f"_{entry.entry_id}")
                for issue in ir.async_get(hass).issues.values()
                if issue.domain == DOMAIN and issue.active
            )
        ),
    )


async def _outcome(hass: HomeAssistant, call: Call) -> int | str:
    try:
        response = await hass.services.async_call(
            DOMAIN, call.action, dict(call.data), blocking=True, return_response=True
        )
    except HomeAssistantError as error:
        return error.translation_key or type(error).__name__
    assert response is not None
    feedback = response["feedback"]
    assert isinstance(feedback, int)
    return feedback


def _state(hass: HomeAssistant, entity_id: str) -> str | None:
    state = hass.states.get(entity_id)
    return None if state is None else state.state
