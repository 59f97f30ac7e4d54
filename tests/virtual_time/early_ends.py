"""Measure and judge what an early end of a reset or a mode change leads to in a real Home Assistant.

A case is one command that suspends the limit, the requests of it that are answered before it is interrupted,
what interrupts it, and whether the device falls silent at that moment. It is measured in virtual time with
the standard timing. Then it is judged: what is reported must be so, nothing may exceed its deadline, a limit
that is off is stored and reported, and once the device responds it is restored.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import frame, issue_registry as ir
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_test_home_assistant

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from simulator import Simulator
from tests.entries import entry_of
from tests.still_house import StillHouse

from .timewarp import TimeWarp

LIMIT_BEFORE: Final = 10_000
LIMIT_WANTED: Final = 3_000
"""Limit (W) that the mode change sets."""
LIMIT_NEWER: Final = 2_000
"""Limit (W) that a newer command sets."""

QUIET_S: Final = 5.0
"""From setup to the command; nothing is due in between."""
SILENT_S: Final = 60.0
"""From the end until a silent device responds again."""
LATER_S: Final = 75.0
"""From then on: an attempt to restore that runs, the longest pause between two, and the writes."""
RESPONSIVE_END_S: Final = 15.0
"""Longest end with a device that responds."""
LONGEST_S: Final = {
    "unload": 75.0,
    "reload": 75.0,
    "disable": 75.0,
    "stop": 16.0,
    "removal": 90.0,
    "newer limit": 95.0,
}
"""Longest end with a silent device; a newer limit waits for the command that runs."""


class Command(StrEnum):
    """A command that suspends the limit."""

    RESET = "Watchdog reset"
    MODE = "Mode change"


class End(StrEnum):
    """What interrupts the command."""

    UNLOAD = "unload"
    RELOAD = "reload"
    DISABLE = "disable"
    STOP = "stop"
    REMOVAL = "removal"
    CRASH = "crash"
    NEWER = "newer limit"


REQUESTS: Final = {
    Command.RESET: ("read", "DRED off", "RCR off", "value off", "write", "arm"),
    Command.MODE: ("write", "DRED off", "RCR off", "arm"),
}
"""Requests of each command, in order; the read-back that follows is not a moment to be interrupted at."""
TARGETS: Final = {Command.RESET: LIMIT_BEFORE, Command.MODE: LIMIT_WANTED}
ACTIONS: Final = {
    Command.RESET: ("reset_export_watchdog", {}),
    Command.MODE: ("set_export_limit", {"limit": LIMIT_WANTED / 1000}),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One early end."""

    command: Command
    end: End
    answered: int
    """How many requests of the command are answered before."""
    is_silent: bool
    """Whether the device falls silent then, until SILENT_S after the end."""

    def __str__(self) -> str:
        silent = ", device silent" if self.is_silent else ""
        return f"{self.command}, {self.end} after {REQUESTS[self.command][self.answered - 1]}{silent}"


ALL_CASES: Final = [
    Case(command, end, answered, is_silent)
    for command in Command
    for end in End
    for is_silent in (False, True)
    for answered in range(1, 1 + len(REQUESTS[command]))
]


@dataclass(frozen=True, slots=True)
class State:
    """What the device holds, and what says that its limit is off."""

    mode: ControlMode
    bound_limit: int | None
    is_pending: bool
    """Whether a pending restore is on disk."""
    issues: tuple[str, ...]
    """Repair issues of the entry; after a stop those that are stored."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Result of one case."""

    case: Case
    outcome: str
    """How the command ended: "ok" or the translation key of its error; "–" after a crash."""
    newer_outcome: str | None
    """How the newer command ended."""
    seconds: float | None
    """How long the end took; None for a crash."""
    then: State
    """When it was over."""
    later: State
    """When the entry was loaded again where that can be, and the device has responded for LATER_S."""


async def measure(warp: TimeWarp, storage: dict[str, Any], case: Case) -> Measured:
    """Run the case with a new device and a new Home Assistant."""
    storage.clear()
    mode = ControlMode.VALUE if case.command is Command.RESET else ControlMode.RCR
    async with Simulator(mode=mode, limit=LIMIT_BEFORE, house=StillHouse()) as sim, _home_assistant() as hass:
        entry = await _load(hass, entry_of(sim))
        await asyncio.sleep(QUIET_S)
        answered = len(sim.requests) + case.answered
        command = _call(hass, *ACTIONS[case.command])
        await sim.wait_for_requests(answered)
        await sim.wait_until_idle()
        if REQUESTS[case.command][case.answered - 1] == "read":
            # What should hold is stored then; the "off" follows after the pause.
            await asyncio.sleep(0.1)
        if case.is_silent:
            sim.inject("silence")
        scene = _Scene(warp, storage, sim, hass, entry)
        return await scene.end(case, command)


@dataclass(frozen=True, slots=True)
class _Scene:
    warp: TimeWarp
    storage: dict[str, Any]
    sim: Simulator
    hass: HomeAssistant
    entry: MockConfigEntry

    async def end(self, case: Case, command: asyncio.Task[str]) -> Measured:
        hass, entry_id = self.hass, self.entry.entry_id
        began = self.warp.passed
        newer: str | None = None
        match case.end:
            case End.UNLOAD:
                assert await hass.config_entries.async_unload(entry_id)
            case End.RELOAD:
                await hass.config_entries.async_reload(entry_id)
            case End.DISABLE:
                await hass.config_entries.async_set_disabled_by(entry_id, ConfigEntryDisabler.USER)
            case End.REMOVAL:
                await hass.config_entries.async_remove(entry_id)
            case End.STOP:
                await hass.async_stop()
            case End.NEWER:
                newer = await _call(hass, "set_export_limit", {"limit": LIMIT_NEWER / 1000})
            case End.CRASH:
                await self._crash()
        seconds = self.warp.passed - began
        outcome = await command
        then = self._state(hass, from_disk=case.end is End.STOP)
        if case.end in (End.STOP, End.CRASH):
            async with _home_assistant() as second:
                _copy(self.entry).add_to_hass(second)
                later = await self._later(second, case)
        else:
            later = await self._later(hass, case)
        is_crash = case.end is End.CRASH
        return Measured(case, "–" if is_crash else outcome, newer, None if is_crash else seconds, then, later)

    async def _crash(self) -> None:
        """Let nothing more reach the device or the disk from this Home Assistant."""
        stored = deepcopy(self.storage)
        await self.sim.stop()
        await self.hass.async_stop()
        self.storage.clear()
        self.storage.update(stored)
        issues = ir.async_get(self.hass)
        for domain, issue_id in list(issues.issues):
            issues.async_delete(domain, issue_id)
        await self.sim.start()

    async def _later(self, hass: HomeAssistant, case: Case) -> State:
        if case.end in (End.STOP, End.CRASH, End.UNLOAD):
            await hass.config_entries.async_setup(self.entry.entry_id)
        elif case.end is End.DISABLE:
            await hass.config_entries.async_set_disabled_by(self.entry.entry_id, None)
        if case.is_silent:
            await asyncio.sleep(SILENT_S)
            self.sim.clear_faults()
        await asyncio.sleep(LATER_S)
        await hass.async_block_till_done()
        return self._state(hass)

    def _state(self, hass: HomeAssistant, *, from_disk: bool = False) -> State:
        device, entry_id = self.sim.device, self.entry.entry_id
        stored: list[Mapping[str, Any]] = (
            self.storage.get("repairs.issue_registry", {"data": {"issues": []}})["data"]["issues"]
            if from_disk
            else [
                {"issue_id": issue.issue_id, "domain": issue.domain}
                for issue in ir.async_get(hass).issues.values()
                if issue.active
            ]
        )
        issues = [issue["issue_id"] for issue in stored if issue["domain"] == DOMAIN]
        return State(
            device.mode,
            device.bound_limit,
            f"{DOMAIN}.{entry_id}.note" in self.storage,
            tuple(sorted(issue.removesuffix(f"_{entry_id}") for issue in issues)),
        )


def _copy(entry: MockConfigEntry) -> MockConfigEntry:
    return MockConfigEntry(
        domain=DOMAIN,
        version=entry.version,
        entry_id=entry.entry_id,
        title=entry.title,
        data=entry.data,
        options=entry.options,
    )


@asynccontextmanager
async def _home_assistant() -> AsyncIterator[HomeAssistant]:
    async with async_test_home_assistant() as hass:
        hass.data.pop(DATA_CUSTOM_COMPONENTS)
        frame.async_setup(hass)
        try:
            yield hass
        finally:
            await hass.async_stop(force=True)


async def _load(hass: HomeAssistant, entry: MockConfigEntry) -> MockConfigEntry:
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


def _call(hass: HomeAssistant, action: str, data: Mapping[str, Any]) -> asyncio.Task[str]:
    async def call() -> str:
        try:
            await hass.services.async_call(DOMAIN, action, dict(data), blocking=True, return_response=True)
        except HomeAssistantError as error:
            return error.translation_key or type(error).__name__
        return "ok"

    return asyncio.create_task(call())


def judge(measured: Measured) -> list[str]:
    """Return the violations of a case as text."""
    return [*_exceeded(measured), *_wrong_claims(measured), *_unreported(measured), *_unrestored(measured)]


def _exceeded(measured: Measured) -> Iterator[str]:
    case, seconds = measured.case, measured.seconds
    longest = LONGEST_S.get(case.end, 0) if case.is_silent else RESPONSIVE_END_S
    if seconds is not None and seconds > longest:
        yield f"it took {seconds:.1f} s"


def _wrong_claims(measured: Measured) -> Iterator[str]:
    limit = measured.then.bound_limit
    if measured.newer_outcome == "ok":
        if limit != LIMIT_NEWER:
            yield "the newer limit is said to be set and is not in force"
    elif measured.outcome == "ok" and limit != TARGETS[measured.case.command]:
        yield "the command is said to have succeeded and its limit is not in force"


def _unreported(measured: Measured) -> Iterator[str]:
    case, then = measured.case, measured.then
    if then.mode is ControlMode.DEACTIVATED:
        if not case.is_silent and case.end is not End.CRASH:
            yield "the limit is off although the device responds"
        if case.end is not End.REMOVAL and not then.is_pending:
            yield "the limit is off and nothing on disk says what should hold"
        if case.end is not End.CRASH and not then.issues:
            yield "the limit is off and no repair issue says so"
    elif not case.is_silent and case.end is not End.CRASH:
        # An "off" that was sent just before the newer limit may take effect late.
        is_pending = then.is_pending and not (case.command is Command.RESET and case.end is End.NEWER)
        if is_pending or then.issues:
            yield "the limit is in force and something says it is off"


def _unrestored(measured: Measured) -> Iterator[str]:
    case, later = measured.case, measured.later
    if case.end is End.REMOVAL and case.is_silent:
        # Nothing is left that could restore the limit; its issue stays until the user acts.
        if not later.issues:
            yield "the repair issue of the removed entry is gone"
        return
    allowed: set[tuple[ControlMode, int | None]] = {(ControlMode.VALUE, TARGETS[case.command])}
    if measured.newer_outcome:
        allowed.add((ControlMode.VALUE, LIMIT_NEWER))
    if case.command is Command.MODE and measured.outcome != "ok":
        allowed.add((ControlMode.RCR, None))
    if measured.newer_outcome == "ok":
        allowed = {(ControlMode.VALUE, LIMIT_NEWER)}
    if (later.mode, later.bound_limit) not in allowed:
        yield f"later the device has mode {later.mode.key} and limit {later.bound_limit} W"
    if later.is_pending or later.issues:
        yield "later something still says that the limit is off"
