"""Measure and judge the effect of every fault of the simulated device in a real Home Assistant.

A cell of the table is one fault, one operation and the requests that the fault affects. It is measured in
virtual time with the standard timing. Then it is judged: no wrong value may be shown, nothing may exceed
its deadline, and the export must not stay unlimited.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_component import async_update_entity
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Phases, Telemetry
from simulator import Fault, Request, Simulator
from simulator.faults import Reach
from tests.entries import entry_of
from tests.known import known
from tests.states import get_state
from tests.still_house import StillHouse

from .timewarp import TimeWarp

BEFORE: Final = Telemetry(
    voltage=Phases(232.1, 231.4, 233.7),
    current=Phases(11.72, 12.34, 10.98),
    power=Phases(2_713, 2_841, 2_559),
    meter_power=8_113,
    inverter_power=21_307,
)
"""Telemetry until the fault begins."""
NOW: Final = Telemetry(
    voltage=Phases(234.6, 233.2, 235.9),
    current=Phases(9.86, 10.41, 9.13),
    power=Phases(2_291, 2_407, 2_119),
    meter_power=6_817,
    inverter_power=19_753,
)
"""Telemetry from then on; any other value shown is old or wrong."""

LIMIT_BEFORE: Final = 10_000
LIMIT_ELSEWHERE: Final = 4_560
"""Limit (W) that another program sets before the limit is read."""
LIMIT_WANTED: Final = 3_000
"""Limit (W) that the commands set."""

QUIET_S: Final = 5.0
"""From setup to the operation; nothing is due in between."""
LATER_S: Final = 60.0
"""From the end of the fault until all has recovered."""
READ_DEADLINE_S: Final = 45.1
"""Three attempts of 10 s, 1 s and 3 s between them, one read of the settings, and the pacing before each."""
COMMAND_DEADLINE_S: Final = 45.1
"""With a margin for the rounding of the clocks."""
MAX_REQUESTS_COMMAND: Final = 12
MAX_REQUESTS_READ: Final = 4
"""Three attempts, and one read of the settings beside telemetry that fails."""
TOLERANCE_W: Final = 50
"""A limit that differs by this much was not applied."""
ROUNDING_W: Final = 10
"""Rounding of values by the device."""
CLOCK_TOLERANCE_S: Final = 3.0
"""Largest error of a clock that was set."""


class Operation(StrEnum):
    """What the user does during the fault."""

    TELEMETRY = "Telemetry read"
    READ = "Limit read"
    WRITE = "Limit write"
    MODE = "Mode change"
    RESET = "Watchdog reset"
    CLOCK = "Clock"


TELEMETRY, LIMIT, ARM, DRED_OFF, RCR_OFF, READ, CLOCK = 0x0B, 0x42, 0x40, 0x33, 0x28, 0x43, 0x05
REQUESTS: Final = {
    Operation.TELEMETRY: (TELEMETRY,),
    Operation.READ: (READ,),
    Operation.WRITE: (LIMIT, ARM, READ),
    Operation.MODE: (LIMIT, DRED_OFF, RCR_OFF, ARM, READ),
    Operation.RESET: (READ, DRED_OFF, RCR_OFF, ARM, LIMIT, ARM, READ),
    Operation.CLOCK: (CLOCK,),
}
"""Requests of each operation to a healthy device, in order."""
SUSPENDED_AFTER: Final = 4
"""Requests of a reset that are answered when the limit is suspended; the next is 5 s later."""
ACTIONS: Final = {
    Operation.READ: ("get_export_limit", {}),
    Operation.WRITE: ("set_export_limit", {"limit": LIMIT_WANTED / 1000}),
    Operation.MODE: ("set_export_limit", {"limit": LIMIT_WANTED / 1000}),
    Operation.RESET: ("reset_export_watchdog", {}),
    Operation.CLOCK: ("set_datetime", {}),
}
FEEDBACKS: Final = {
    Operation.TELEMETRY: "get_telemetry_data_feedback",
    Operation.READ: "get_export_limit_feedback",
    Operation.WRITE: "set_export_limit_feedback",
    Operation.MODE: "set_export_limit_feedback",
    Operation.RESET: "reset_export_watchdog_feedback",
    Operation.CLOCK: "set_date_and_time_feedback",
}
TARGETS: Final = {
    Operation.WRITE: LIMIT_WANTED,
    Operation.MODE: LIMIT_WANTED,
    Operation.RESET: LIMIT_BEFORE,
}
"""Limit (W) of the device after each operation that writes one."""
OLD_ANSWER: Final = "an old answer with a right checksum"
NOT_READABLE: Final = "the clock"
ARMING_WITHOUT_EFFECT: Final = "an arming that is acknowledged and has no effect"
OFF_WITHOUT_EFFECT: Final = "an off that is acknowledged and has no effect"
LATE_LIMIT: Final = "a limit that takes effect between arming and read-back"
UNACKNOWLEDGED: Final = "ok, arming not acknowledged"
"""The message states that the limit is stored and that only the meter shows whether it is in force."""
OWN_ERROR: Final = 4
"""Feedback bit of an exception of the integration itself."""


REQUEST_NAMES: Final = {
    TELEMETRY: "telemetry",
    LIMIT: "write",
    ARM: "arm",
    DRED_OFF: "DRED off",
    RCR_OFF: "RCR off",
    READ: "read",
    CLOCK: "clock",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Which requests of the operation the fault affects."""

    command: int | None
    """The affected command; None for all."""
    once: bool
    """Whether only the first such request is affected."""
    suspended: bool = False
    """Whether the fault begins while a reset has the limit suspended."""

    @property
    def when(self) -> str:
        """From when on, and whether once or always."""
        return f"{'while suspended, ' if self.suspended else ''}{'once' if self.once else 'always'}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the table."""

    operation: Operation
    fault: str
    scope: Scope

    @property
    def affected(self) -> str:
        """The name of the affected request."""
        command = self.scope.command
        if command is None:
            return "all"
        if self.operation is Operation.RESET and command == ARM and not self.scope.suspended:
            return "value off"
        return REQUEST_NAMES[command]

    def __str__(self) -> str:
        return f"{self.operation}, {self.fault}, {self.scope.when}: {self.affected}"


@dataclass(frozen=True, slots=True)
class Held:
    """State of the device."""

    mode: ControlMode
    limit: int
    bound_limit: int | None
    clock_right: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """State that Home Assistant shows; None where it is unavailable."""

    telemetry: Telemetry | None
    limit: int | None
    """In W."""
    mode: ControlMode | None


@dataclass(frozen=True, slots=True)
class Measured:
    """Result of one cell."""

    cell: Cell
    result: str
    """"ok", perhaps with a warning, or which error was raised."""
    feedback: int
    flags: tuple[str, ...]
    requests: int
    seconds: float
    held: Held
    seen: Seen
    was_suspended: bool
    """Whether a limit was written while no mode limited the export."""
    exhausted: bool
    """Whether the device was overloaded by requests, not by the injected fault."""
    held_later: Held
    seen_later: Seen

    @property
    def is_ok(self) -> bool:
        """Whether success was reported."""
        return self.result in ("ok", UNACKNOWLEDGED)


def cells(operation: Operation, fault: Fault) -> Iterator[Cell]:
    """Yield the cells of a fault and an operation; none if the operation is not affected."""
    requests = REQUESTS[operation]
    if fault.concerns:
        # No operation of the table sends what such a fault is about.
        return
    if fault.reach is Reach.INVERTERS:
        if operation in TARGETS:
            yield Cell(operation, fault.name, Scope(None, once=False))
    elif operation is Operation.RESET:
        yield from _cells(operation, fault, requests[:SUSPENDED_AFTER], suspended=False)
        yield from _cells(operation, fault, requests[SUSPENDED_AFTER:], suspended=True)
    else:
        yield from _cells(operation, fault, requests, suspended=False)


def _cells(operation: Operation, fault: Fault, requests: Sequence[int], *, suspended: bool) -> Iterator[Cell]:
    def cell(command: int | None, *, once: bool) -> Cell:
        return Cell(operation, fault.name, Scope(command, once=once, suspended=suspended))

    touched = [command for command in requests if command in fault.commands]
    if not touched:
        return
    if fault.reach is Reach.PORT:
        # A port that is closed for a moment is open again before the limit is restored.
        if not suspended:
            yield cell(None, once=True)
        yield cell(None, once=False)
        return
    for command in touched:
        yield cell(command, once=True)
    if fault.reach is Reach.HEALTH:
        return
    if len(touched) > 1:
        for command in touched:
            yield cell(command, once=False)
    yield cell(None, once=False)


async def measure(hass: HomeAssistant, warp: TimeWarp, cell: Cell) -> Measured:
    """Set up the integration with a new device, inject the fault, and return the result."""
    mode = ControlMode.RCR if cell.operation is Operation.MODE else ControlMode.VALUE
    restored: list[Request] = []

    def on_exchange(request: Request, _answer: object) -> None:
        if request.frame and request.frame.command == LIMIT and sim.device.mode is ControlMode.DEACTIVATED:
            restored.append(request)

    async with Simulator(mode=mode, limit=LIMIT_BEFORE, house=StillHouse(), on_exchange=on_exchange) as sim:
        sim.hold(BEFORE)
        entry = await set_up(hass, sim)
        await asyncio.sleep(QUIET_S)
        assert _seen(hass, entry) == Seen(BEFORE, LIMIT_BEFORE, mode)
        measured = await _measure(hass, warp, cell, sim, entry)
        measured = replace(measured, was_suspended=bool(restored))
        assert await hass.config_entries.async_remove(entry.entry_id)
        await hass.async_block_till_done()
    return measured


async def set_up(hass: HomeAssistant, sim: Simulator) -> MockConfigEntry:
    """Set up the integration with this device and return its entry."""
    entry = entry_of(sim)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    return entry


async def _measure(
    hass: HomeAssistant, warp: TimeWarp, cell: Cell, sim: Simulator, entry: MockConfigEntry
) -> Measured:
    sim.hold(NOW)
    if cell.operation is Operation.READ:
        sim.device.limit = LIMIT_ELSEWHERE
    exchanges = entry.runtime_data.coordinator.client.transport.exchanges
    before = list(exchanges)
    began = warp.passed
    scope, sent_before = cell.scope, len(sim.requests)
    operation = asyncio.create_task(_operate(hass, cell.operation))
    if scope.suspended:
        await sim.wait_for_requests(sent_before + SUSPENDED_AFTER)
        await sim.wait_until_idle()
    sim.inject(
        cell.fault,
        count=1 if scope.once else None,
        commands=None if scope.command is None else (scope.command,),
    )
    result = await operation
    seconds = warp.passed - began
    requests = [exchange for exchange in exchanges if exchange not in before]
    if cell.operation is not Operation.TELEMETRY:
        requests = [exchange for exchange in requests if exchange.command != "read telemetry"]
    feedback = get_state(hass, f"sensor.sec1000_{FEEDBACKS[cell.operation]}")
    held, seen = _held(sim), _seen(hass, entry)
    exhausted = sim.overload.exhausted and cell.fault != "exhausted"

    sim.clear_faults()
    if sim.overload.exhausted:
        # Only a power cycle ends it.
        sim.restart()
    await asyncio.sleep(LATER_S)
    return Measured(
        cell=cell,
        result=result,
        feedback=int(feedback.state),
        flags=tuple(feedback.attributes["flags"]),
        requests=len(requests),
        seconds=seconds,
        held=held,
        seen=seen,
        was_suspended=False,
        exhausted=exhausted,
        held_later=_held(sim),
        seen_later=_seen(hass, entry),
    )


async def _operate(hass: HomeAssistant, operation: Operation) -> str:
    """Run the operation and return "ok" or the translation key of the error."""
    if operation is Operation.TELEMETRY:
        await async_update_entity(hass, "sensor.sec1000_meter_power")
        feedback = get_state(hass, f"sensor.sec1000_{FEEDBACKS[operation]}")
        return "ok" if feedback.state == "1" else "unavailable"
    action, data = ACTIONS[operation]
    try:
        response: dict[str, Any] | None = await hass.services.async_call(
            DOMAIN, action, dict(data), blocking=True, return_response=True
        )
    except HomeAssistantError as error:
        return error.translation_key or type(error).__name__
    assert response
    assert response["feedback"] == 1
    return UNACKNOWLEDGED if "did not acknowledge" in response["message"] else "ok"


def _held(sim: Simulator) -> Held:
    device = sim.device
    clock = device.clock
    now = dt_util.now().replace(tzinfo=None)
    return Held(
        device.mode,
        device.limit,
        device.bound_limit,
        clock_right=clock is not None and abs((clock - now).total_seconds()) <= CLOCK_TOLERANCE_S,
    )


def _seen(hass: HomeAssistant, entry: MockConfigEntry) -> Seen:
    def number(key: str) -> float | None:
        state = get_state(hass, f"sensor.sec1000_{key}").state
        return None if state in {STATE_UNAVAILABLE, STATE_UNKNOWN} else float(state)

    keys = [f"{kind}_l{phase}" for kind in ("voltage", "current", "power") for phase in (1, 2, 3)]
    values = [number(key) for key in (*keys, "meter_power", "inverter_power")]
    present = [value for value in values if value is not None]
    assert len(present) in (0, len(values)), "one half of a measurement is shown"
    limit = number("export_limit")
    settings = entry.runtime_data.coordinator.data.held
    return Seen(
        telemetry=Telemetry(
            voltage=Phases(*present[:3]),
            current=Phases(*present[3:6]),
            power=Phases(*(round(watts) for watts in present[6:9])),
            meter_power=round(present[9]),
            inverter_power=round(present[10]),
        )
        if present
        else None,
        limit=None if limit is None else round(limit * 1000),
        mode=None if settings is None else settings.mode,
    )


def judge(measured: Measured) -> list[str]:
    """Return the violations of a cell as text."""
    wrong = [*_exceeded(measured), *_unlimited(measured)]
    if not undetectable_reason(measured.cell):
        wrong += _wrong_reports(measured)
    if not _is_right(measured.seen_later, measured.held_later):
        wrong.append("a minute after the fault something wrong is shown")
    return wrong


def undetectable_reason(cell: Cell) -> str | None:
    """Return why no program can detect this fault; None if it can be detected."""
    command = cell.scope.command
    asked = TELEMETRY if cell.operation is Operation.TELEMETRY else READ
    if cell.fault == "stale-value" and command in (None, asked):
        return OLD_ANSWER
    if cell.operation is Operation.CLOCK and cell.fault in ("ack-without-effect", "late-effect"):
        return NOT_READABLE
    if cell.operation is Operation.WRITE and command == ARM:
        # The mode was on before, so that the arming changes nothing that can be read.
        return ARMING_WITHOUT_EFFECT if cell.fault in ("ack-without-effect", "nak", "late-effect") else None
    if cell.operation is Operation.RESET and command in (None, ARM) and not cell.scope.suspended:
        # A reset reads nothing while the limit is suspended.
        return OFF_WITHOUT_EFFECT if cell.fault in ("ack-without-effect", "nak") else None
    if cell.operation is Operation.MODE and command == LIMIT and cell.fault == "late-effect":
        return LATE_LIMIT
    return None


def _exceeded(measured: Measured) -> Iterator[str]:
    is_write = measured.cell.operation in TARGETS
    if measured.seconds > (COMMAND_DEADLINE_S if is_write else READ_DEADLINE_S):
        yield f"it took {measured.seconds:.1f} s"
    if measured.requests > (MAX_REQUESTS_COMMAND if is_write else MAX_REQUESTS_READ):
        yield f"it took {measured.requests} requests"
    if measured.exhausted:
        yield "the device had enough"
    if measured.feedback & OWN_ERROR:
        yield "an error of the integration's own"
    if measured.is_ok is not (measured.feedback == 1):
        yield f"the feedback {measured.feedback} does not fit"


def _unlimited(measured: Measured) -> Iterator[str]:
    held = measured.held_later
    if held.mode is ControlMode.DEACTIVATED:
        yield "the export stayed unlimited"
    elif held.mode is ControlMode.VALUE and (held.bound_limit is None or held.bound_limit > LIMIT_BEFORE):
        yield f"the export stayed limited to {held.bound_limit} W only"
    elif held.mode is not ControlMode.VALUE and (
        measured.is_ok or measured.cell.operation is not Operation.MODE
    ):
        yield f"the mode stayed {held.mode.key}"


def _wrong_reports(measured: Measured) -> Iterator[str]:
    """Yield what is shown or reported wrongly at the end of the operation."""
    operation, held, seen = measured.cell.operation, measured.held, measured.seen
    if operation is Operation.TELEMETRY:
        if not measured.is_ok and seen.telemetry is not None:
            yield "an old measurement is shown after a poll that failed"
        if measured.is_ok and (
            seen.telemetry is None or not is_measured(seen.telemetry, measured.cell.fault)
        ):
            yield "a wrong measurement is shown"
    elif operation is Operation.CLOCK:
        if measured.is_ok and not held.clock_right:
            yield "the clock is said to be set and is not"
    elif operation is Operation.READ and not measured.is_ok:
        if seen.limit not in (None, LIMIT_BEFORE):
            yield "a limit is shown that was never read"
    else:
        if measured.is_ok and operation in TARGETS:
            yield from _wrong_success(measured)
        if seen.limit is not None and (
            abs(seen.limit - held.limit) > ROUNDING_W or seen.mode is not held.mode
        ):
            yield "a limit is shown that the device does not hold"


def _wrong_success(measured: Measured) -> Iterator[str]:
    is_stored = abs(measured.held.limit - TARGETS[measured.cell.operation]) < TOLERANCE_W
    if not is_applied(measured) and not (measured.result == UNACKNOWLEDGED and is_stored):
        yield "the limit is said to be set and is not in force"
    if measured.cell.operation is Operation.RESET and not measured.was_suspended:
        yield "the limit is said to have been switched off and was not"


def is_applied(measured: Measured) -> bool:
    """Return whether the device obeyed the limit that the operation writes, when it ended."""
    held, target = measured.held, TARGETS[measured.cell.operation]
    return (
        held.mode is ControlMode.VALUE
        and abs(held.limit - target) < TOLERANCE_W
        and held.bound_limit is not None
        and abs(held.bound_limit - target) < TOLERANCE_W
    )


def is_measured(telemetry: Telemetry, fault: str = "") -> bool:
    """Return whether this is NOW; with zero-inverters, the last inverter power may be held."""
    powers = [
        *zip(telemetry.power, NOW.power, strict=True),
        (telemetry.meter_power, NOW.meter_power),
        (
            telemetry.inverter_power,
            BEFORE.inverter_power if fault == "zero-inverters" else NOW.inverter_power,
        ),
    ]
    return (telemetry.voltage, telemetry.current) == (NOW.voltage, NOW.current) and all(
        abs(known(shown) - known(true)) <= ROUNDING_W for shown, true in powers
    )


def _is_right(seen: Seen, held: Held) -> bool:
    """Return whether all that is shown is right; unavailable is not wrong."""
    return (seen.telemetry is None or is_measured(seen.telemetry)) and (
        seen.limit is None or (abs(seen.limit - held.limit) <= ROUNDING_W and seen.mode is held.mode)
    )


def is_undetected(measured: Measured) -> bool:
    """Return whether a fault that no program can detect led to a wrong report."""
    return undetectable_reason(measured.cell) is not None and any(_wrong_reports(measured))
