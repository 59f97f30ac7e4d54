"""The judge: what was told, against what the device held; and what is left at the end."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN

from . import user
from .device import Moment, WatchedDevice, Writer
from .home import Said
from .model import (
    CAPACITY,
    DEACTIVATED,
    EQUAL,
    MAXIMUM,
    MINIMUM,
    MODE,
    SUM,
    LimitWish,
    OptionsWish,
    Outcome,
    ReadWish,
    ResetWish,
    Wish,
    expected,
    in_force,
    limits_meant,
    watts,
)
from .world import OFF_ISSUES, SLOW, World, is_ours

LIARS: Final = frozenset(
    {"ack-without-effect", "stale-value", "stale-answer", "late-effect", "disobedient", "nak", "rounded"}
)
"""Faults by which a device says what is not so; a read-back cannot prove more than it is told."""
SHOWN_FOR: Final = 185.0
"""s that what was read may be shown."""
LONG_ENOUGH: Final = 70.0
LONGEST: Final = 1_000.0
"""s that all may take to come to rest, once the device is well."""
STORAGE: Final = ("homeassistant.util.json", "homeassistant.helpers.storage")
"""Home Assistant's own words on a file that was damaged on purpose."""
OUR_ERRORS: Final = ("Error fetching",)


def claims(world: World, wish: Wish, device: WatchedDevice) -> list[str]:
    """Return what was told by a wish's outcome and was not so."""
    if wish.outcome is not Outcome.OK or not wish.is_command:
        return []
    start = world._start + wish.called - 1e-6
    during = [moment for moment in device.moments if moment.at >= start]
    earlier = [moment for moment in device.moments if moment.at < start]
    # What is told beside is what was read last, which may be a while ago.
    reads_itself = isinstance(wish, LimitWish | OptionsWish | ReadWish | ResetWish)
    before = (
        earlier[-1:] if reads_itself else [m for m in earlier if m.at >= start - SHOWN_FOR] or earlier[-1:]
    )
    lied = (
        "did not acknowledge" in str(wish.response.get("message"))
        or any(LIARS.intersection(moment.faults) for moment in during)
        or world.lying
    )
    found: list[str] = []
    reads = [moment for moment in during if moment.asked == "read"]
    if wish.response.get("export_limit") is not None and not lied:
        told = (wish.response["control_mode"], wish.response["export_limit"])
        if not any(
            moment.setting.mode == told[0] and abs(moment.setting.limit - watts(told[1])) < EQUAL
            for moment in (*before, *during)
        ):
            found.append(f"it told {told}, which {device.name} never held")
    if isinstance(wish, LimitWish) and not lied:
        limits = limits_meant(world.state, world.events, wish)
        earlier_state = expected(world.state, world.events, before=wish.order)
        sums = world.expected().options[SUM] | earlier_state.options[SUM]
        entry = user.the_entry(world.hass)
        if entry is not None and not any(proves(moment, limits, sums) for moment in reads):
            found.append(f"no read-back shows {sorted(limits)} W armed, measured as {sorted(sums)}")
    if isinstance(wish, OptionsWish) and not lied and wish.changed:
        entry = user.the_entry(world.hass)
        newer = any(other.order > wish.order for other in world.wishes if other is not wish)
        foreign = device.last_writer is Writer.FOREIGN
        if entry is not None and not newer:
            wrong = [key for key, value in wish.changed.items() if entry.options[key] != value]
            if wrong:
                found.append(f"told OK, and the options are not saved: {wrong}")
            if not foreign and not wrong and entry.options[MODE] != DEACTIVATED:
                setting = device.setting
                low, high = watts(entry.options[MINIMUM]), watts(entry.options[MAXIMUM])
                if setting.mode != entry.options[MODE]:
                    found.append(f"told OK, and {device.name} is in {setting.mode}")
                if not low - EQUAL < setting.limit < high + EQUAL:
                    found.append(f"told OK, and {device.name} holds {setting.limit} W")
                if setting.sum_of_phases != entry.options[SUM]:
                    found.append(f"told OK, and {device.name} measures {setting.sum_of_phases}")
    if (
        isinstance(wish, ResetWish)
        and not lied
        and not any(moment.setting.mode == DEACTIVATED for moment in during)
    ):
        found.append("the limit was never off")
    return found


def proves(moment: Moment, limits: set[int], sums: frozenset[Any]) -> bool:
    """Tell whether at this read-back one of these limits (W) was in force."""
    setting = moment.setting
    if not any(abs(setting.limit - limit) < EQUAL for limit in limits):
        return False
    armed = setting.mode != "value" or moment.in_force == setting.limit
    return armed and setting.sum_of_phases in sums


async def judge(world: World, said: Said) -> None:
    """Let all come to rest on a device that is well, and look at what is left."""
    world.tell("-- the end begins")
    world.heal()
    for wish in [*world.in_flight]:
        deadline = world.now + SLOW
        while wish.told is None and world.now < deadline:
            await world.pass_time(1)
        if wish.told is None:
            world.violated("c", f"{wish.what}: no answer came for {SLOW:g} s")
    entry = user.the_entry(world.hass)
    if entry is not None and entry.disabled_by is ConfigEntryDisabler.USER:
        if not world.crashed_disabled:
            world.check_left_off("disabled")
        world.enable()
    began = world.now
    await world.pass_time(LONG_ENOUGH)
    while (problems := at_rest(world)) and world.now < began + LONGEST:
        await world.pass_time(60)
    for rule, what in problems:
        world.violated(rule, what)
    await take_leave(world)
    for record in said.errors:
        text = record.getMessage()
        if record.name in STORAGE and world.damaged:
            continue
        if record.name == "homeassistant.core" and text.startswith("Task "):
            # A call that failed at the end of a stop; its caller was told.
            continue
        if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
            # Home Assistant was stopped while it started.
            continue
        if not text.startswith(OUR_ERRORS) and not is_told_by_an_issue(text):
            world.violated("e", f"{record.name}: {text.splitlines()[0][:300]}{_raised(record)}")


def _raised(record: Any) -> str:
    return f" ({record.exc_info[1]!r})" if record.exc_info and record.exc_info[1] else ""


def is_told_by_an_issue(text: str) -> bool:
    """Tell whether an error in the log is one for which an issue stands, or stood."""
    return "limit" in text and ("limited" in text or "cannot be read" in text or "off" in text)


def at_rest(world: World) -> list[tuple[str, str]]:
    """Return what is not as it should be, each with the rule."""
    found: list[tuple[str, str]] = []
    state = world.expected()
    entry = user.the_entry(world.hass)
    issues = [issue.issue_id for issue in world.issues()]
    device = world.device
    for each in world.devices:
        if each.is_off and not world.may_be_off(each):
            told = any(issue.startswith(OFF_ISSUES) for issue in issues)
            if not told:
                found.append(("b", f"{each.name} is off, and no issue says so"))
            elif each is device and entry is not None and not world.damaged:
                found.append(("b", f"{each.name} is off although the device is well"))
    if entry is None or device is None:
        return found
    if not user.is_loaded(world.hass):
        return [*found, ("d", f"the entry is {entry.state} although the device is well")]
    options = entry.options
    for key, values in state.options.items():
        if options[key] not in values:
            found.append(("a", f"option {key} is {options[key]}, none of {sorted(map(str, values))}"))
    if not options[MINIMUM] <= options[MAXIMUM] <= options[CAPACITY]:
        found.append(("a", f"the options are not in order: {dict(options)}"))
    found += held_at_rest(world, device, state)
    found += shown_at_rest(world, device)
    keeps = world.put_back_asked and any(issue.startswith("limit_keeps_drifting") for issue in issues)
    for issue in issues:
        if issue.startswith("limit_keeps_drifting") and keeps:
            continue
        if issue.startswith("pending_unreadable") and world.damaged:
            continue
        if issue.startswith("limit_is_off") and world.is_pending_elsewhere():
            continue
        if issue.startswith(OFF_ISSUES) and any(each.is_off for each in world.devices):
            continue
        found.append(("d", f"the issue {issue} stands, and there is no reason for it"))
    return found


def held_at_rest(world: World, device: WatchedDevice, state: Any) -> list[tuple[str, str]]:
    """Return in what the device is not what the owner wants."""
    wrong = state.holds(device.setting)
    if wrong and world.put_back_asked:
        highest = max(map(watts, state.options[MAXIMUM]))
        limits = state.device["limit"] | {min(limit, highest) for limit in state.device["limit"]}
        wrong = in_force(state, limits).holds(device.setting)
    if not wrong:
        return []
    by = device.last_writer
    if by in {Writer.FOREIGN, Writer.LATE} and not (by is Writer.LATE and device.is_off):
        differs = user.shown(world.hass, "binary_sensor.limit_differs")
        if differs is not None and differs.state == "on":
            return []
        return [("a", f"{device.name}: {'; '.join(wrong)}, set by {by}, and limit_differs is not on")]
    return [("a", f"{device.name}: {'; '.join(wrong)}")]


def shown_at_rest(world: World, device: WatchedDevice) -> list[tuple[str, str]]:
    """Return what Home Assistant shows and is not so."""
    found = []
    setting = device.setting
    entry = user.the_entry(world.hass)
    assert entry
    shows: dict[str, Callable[[str], bool]] = {
        "sensor.export_limit": lambda state: abs(watts(float(state)) - setting.limit) < EQUAL,
        "number.export_limit": lambda state: abs(watts(float(state)) - setting.limit) < EQUAL,
        "select.control_mode": lambda state: state == setting.mode,
    }
    for entity_id, is_so in shows.items():
        state = user.shown(world.hass, entity_id)
        if state is None and user.is_disabled(world.hass, entity_id):
            # A crash came before Home Assistant had stored that its entry was enabled again.
            continue
        if state is None or state.state in {STATE_UNAVAILABLE, STATE_UNKNOWN}:
            found.append(("c", f"{entity_id} shows nothing although the device is well"))
        elif not is_so(state.state):
            found.append(("c", f"{entity_id} shows {state.state}, and {device.name} holds {setting}"))
    differs = user.shown(world.hass, "binary_sensor.limit_differs")
    if differs is not None and differs.state == "off":
        if setting.mode != entry.options[MODE]:
            found.append(("c", f"limit_differs is off, and the mode is {setting.mode}"))
        if abs(setting.capacity - watts(entry.options[CAPACITY])) >= EQUAL:
            found.append(("c", "limit_differs is off, and the capacity is another"))
    return found


async def take_leave(world: World) -> None:
    """Remove the entry and see that nothing of it is left."""
    if entry := user.the_entry(world.hass):
        before = {issue.issue_id for issue in world.issues()}
        world.remove()
        await world.pass_time(40)
        if user.the_entry(world.hass):
            world.violated("d", "the entry cannot be removed")
        after = {issue.issue_id for issue in world.issues()}
        left = {
            issue for issue in after if not issue.startswith(("limit_was_left_off", "pending_unreadable"))
        }
        if left:
            world.violated("d", f"removed, and these issues are left: {left}; before: {before}")
        del entry
    await world.settle()
    ours = [task.get_name() for task in world.home.tasks() if is_ours(task)]
    if ours:
        world.violated("d", f"removed, and these tasks are left: {sorted(ours)}")
    timers = [repr(timer) for timer in world.home.timers() if "goodwe" in repr(timer)]
    if timers:
        world.violated("d", f"removed, and these timers are left: {timers}")
    connected = [device.name for device in world.devices if device.connections_open]
    # What a dead program was connecting hangs until it is buried.
    if connected and not world.crashed:
        world.violated("d", f"removed, and connections are open to {connected}")
