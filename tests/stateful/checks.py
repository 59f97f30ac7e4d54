"""The judge: what was told, against what the device held; and what is left at the end."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN

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
    KeepWish,
    LimitWish,
    OptionsWish,
    Outcome,
    ReadWish,
    ResetWish,
    SceneWish,
    ToggleWish,
    TrialWish,
    Wish,
    expected,
    in_force,
    limits_meant,
    watts,
)
from .world import OFF_ISSUES, SLOW, World, is_ours

CHANGES: Final = (LimitWish, OptionsWish, KeepWish, ResetWish, TrialWish)
"""Wishes that change what the device holds."""
LIARS: Final = frozenset(
    {"ack-without-effect", "stale-value", "stale-answer", "late-effect", "disobedient", "nak", "rounded"}
)
"""Faults by which a device says what is not so; a read-back cannot prove more than it is told."""
SHOWN_FOR: Final = 185.0
"""s that what was read may be shown."""
FEEDBACKS: Final = {
    **{
        action: action
        for action in (
            "export_disable",
            "export_enable",
            "set_export_limit",
            "get_export_limit",
            "reset_export_watchdog",
        )
    },
    "set_datetime": "set_date_and_time",
}
"""Which sensor has the feedback of an action."""
READ_COUNTS_FOR: Final = 6.0
"""s that what was read answers others who want to read it."""
LONG_ENOUGH: Final = 70.0
ENDED_WITHIN: Final = 60.0
"""s; how long after its end a limit may hold on a device that is well."""
ONE_CORRECTION: Final = 50.0
"""s that a correction takes at most."""
HOUR: Final = 3_590.0
"""s; a little less than an hour, since a request takes its time."""
LONGEST: Final = 1_000.0
"""s that all may take to come to rest, once the device is well."""
STORAGE: Final = ("homeassistant.util.json", "homeassistant.helpers.storage")
"""Home Assistant's own words on a file that was damaged on purpose."""
OUR_ERRORS: Final = ("Error fetching",)


def claims(world: World, wish: Wish, device: WatchedDevice) -> list[str]:
    """Return what was told by a wish's outcome and was not so."""
    if wish.outcome is not Outcome.OK or not wish.is_command:
        return []
    start = world.start_of(wish) - 1e-6
    during = [moment for moment in device.moments if moment.at >= start]
    earlier = [moment for moment in device.moments if moment.at < start]
    # What is told beside is what was read last, which may be a while ago.
    reads_itself = isinstance(wish, LimitWish | OptionsWish | ReadWish | ResetWish) and not is_extended(wish)
    before = earlier[-1:]
    if isinstance(wish, ReadWish):
        # The last good read counts for a few seconds.
        before = [m for m in earlier if m.at >= start - READ_COUNTS_FOR] or before
    elif not reads_itself:
        entry = user.the_entry(world.hass)
        stays_shown = entry is not None and entry.pref_disable_polling
        before = [m for m in earlier if stays_shown or m.at >= start - SHOWN_FOR] or before
    shown = user.shown(world.hass, f"sensor.{FEEDBACKS.get(wish.action)}_feedback")
    message = wish.response.get("message") or (shown and shown.attributes.get("message"))
    lied = (
        "did not acknowledge" in str(message)
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
    if isinstance(wish, TrialWish) and not lied:
        found += [f"it {wish.response['result']}"] if wish.response["result"] == wrong_result(wish) else []
    if isinstance(wish, LimitWish) and is_extended(wish):
        found += extension(world, wish, during)
    elif isinstance(wish, LimitWish) and not lied:
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
    if isinstance(wish, OptionsWish) and wish.deactivates and not lied and not device.is_off:
        newer = any(other.order > wish.order for other in world.wishes)
        if not newer and device.last_writer is not Writer.FOREIGN:
            found.append(f"deactivated was confirmed and told to be saved, and {device.name} limits")
    if (
        isinstance(wish, ResetWish)
        and not lied
        and not any(moment.setting.mode == DEACTIVATED for moment in during)
    ):
        found.append("the limit was never off")
    return found


def wrong_result(wish: TrialWish) -> str:
    """Return how a test may not end."""
    return "failed" if wish.obeys else "passed"


def is_extended(wish: Wish) -> bool:
    """Tell whether it was told that only the end of a limit was moved."""
    return "Extended until" in str(wish.response.get("message", ""))


def extension(world: World, wish: LimitWish, during: list[Moment]) -> list[str]:
    """Return what was sent for a wish that only moved the end of a limit."""
    others = [other for other in world.wishes if other is not wish]
    if world.is_end_due or any(other.told is None or other.told >= wish.called for other in others):
        return []
    sent = [moment.asked for moment in during if moment.asked not in {"", "read", "telemetry"}]
    return [f"told to be extended, and these were sent: {sent}"] if sent or not wish.duration else []


def feedback(world: World, wish: Wish) -> list[str]:
    """Return what the feedback of a wish's action shows and is not so, where no newer one has it.

    Putting the setting back, which is no wish, has that of a limit, too.
    """
    if wish.action not in FEEDBACKS or not user.is_loaded(world.hass) or wish.setup != world.setups:
        return []
    if world.is_stopping or (wish.action == "set_export_limit" and world.put_back_asked):
        return []
    if wish.action == "set_export_limit" and any(
        isinstance(other, TrialWish) or (isinstance(other, LimitWish) and other.duration)
        for other in world.wishes
    ):
        # An end has this feedback, too, and a test.
        return []
    if any(
        other.order > wish.order
        and (other.action in {wish.action, "export_toggle"} or isinstance(other, SceneWish))
        for other in world.wishes
    ):
        return []
    if (
        isinstance(wish, OptionsWish)
        and not wish.changed
        and not (wish.deactivates and was_written(world, wish))
    ):
        # It need not go to the device: nothing was changed, and what is deactivated stays so.
        return []
    if isinstance(wish, KeepWish) and wish.held is None:
        # It was another repair.
        return []
    state = user.shown(world.hass, f"sensor.{FEEDBACKS[wish.action]}_feedback")
    if state is None:
        return []
    shown, told = int(state.state), wish.response.get("feedback")
    if wish.outcome is Outcome.OK:
        is_so = shown == told if told is not None else shown in {1, 129}
    elif wish.outcome is Outcome.SUPERSEDED or (
        wish.outcome is Outcome.FAILED and not isinstance(wish, OptionsWish | KeepWish)
    ):
        is_so = shown not in {0, 1, 129}
    else:
        is_so = True
    return [] if is_so else [f"its feedback is {shown} {state.attributes}, and it was {wish.outcome.name}"]


def was_written(world: World, wish: Wish) -> bool:
    """Tell whether a setting was sent to a device since a wish was called."""
    start = world.start_of(wish)
    asked = (moment.asked for device in world.devices for moment in device.moments if moment.at >= start)
    return any(request.startswith("write ") for request in asked)


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
    world.fill_disk(is_full=False)
    for wish in [*world.in_flight]:
        deadline = world.now + SLOW
        while wish.told is None and world.now < deadline:
            await world.pass_time(1)
        if wish.told is None:
            world.violated("c", f"{wish.what}: no answer came for {SLOW:g} s")
    entry = user.the_entry(world.hass)
    if entry is not None and entry.disabled_by is ConfigEntryDisabler.USER:
        world.check_left_off("disabled")
        world.enable()
        await world.pass_time(LONG_ENOUGH)
    if entry is not None and entry.pref_disable_polling:
        world.poll(is_on=True)
    await world.pass_time(LONG_ENOUGH)
    while (ends := world.end_shown) is not None and ends + ENDED_WITHIN > world.now + 1:
        await world.pass_time(ends + ENDED_WITHIN - world.now)
    if world.end_shown is not None and not is_end_told(world):
        world.violated(
            "f", f"a limit has not ended {world.now - world.end_shown:g} s later, and no issue says so"
        )
    began = world.now
    while (problems := at_rest(world)) and world.now < began + LONGEST:
        await world.pass_time(60)
    for rule, what in problems:
        world.violated(rule, what)
    await take_leave(world)
    for record in said.errors:
        text = record.getMessage()
        if record.name in STORAGE and (world.damaged or world.disk_was_full):
            continue
        if record.name == "homeassistant.core" and text.startswith("Task "):
            # A call that failed at the end of a stop; its caller was told.
            continue
        if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
            # Home Assistant was stopped while it started.
            continue
        if world.stopped_while_unloading and "cannot be unloaded because it is in" in text:
            # A reload that waited for another one when Home Assistant was stopped in the middle of that.
            continue
        if not text.startswith(OUR_ERRORS) and not is_told_by_an_issue(text):
            world.violated("e", f"{record.name}: {text.splitlines()[0][:300]}{_raised(record)}")


def is_end_told(world: World) -> bool:
    """Tell whether an issue says that a limit has not ended, or what keeps it from that.

    No device is at the address of an entry whose reconfiguration was lost in a crash.
    """
    told = ("temporary_limit_not_ended", *OFF_ISSUES)
    if world.device is None or not user.is_loaded(world.hass):
        return True
    return any(issue.issue_id.startswith(told) for issue in world.issues())


def _raised(record: Any) -> str:
    return f" ({record.exc_info[1]!r})" if record.exc_info and record.exc_info[1] else ""


def is_told_by_an_issue(text: str) -> bool:
    """Tell whether an error in the log is one for which an issue stands, or stood."""
    return "limit" in text and any(
        word in text for word in ("limited", "restored", "cannot be read", "not proven")
    )


def at_rest(world: World) -> list[tuple[str, str]]:
    """Return what is not as it should be, each with the rule."""
    found: list[tuple[str, str]] = []
    state = world.expected().ended(world.now)
    entry = user.the_entry(world.hass)
    issues = [issue.issue_id for issue in world.issues()]
    device = world.device
    for each in world.devices:
        if each.overload.exhausted:
            found.append(("f", f"{each.name} was sent too many requests"))
        if each.is_off and not world.may_be_off(each) and not world.issue_lost:
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
    found += [("c", f"{wish.what}: {what}") for wish in world.wishes for what in feedback(world, wish)]
    found += [("c", what) for what in toggles(world, device)]
    if world.put_back_asked and is_too_often(world.corrections):
        found.append(("b", f"corrected more than three times an hour: {world.corrections}"))
    keeps = world.put_back_asked and any(issue.startswith("limit_keeps_drifting") for issue in issues)
    for issue in issues:
        if issue.startswith("limit_keeps_drifting") and keeps:
            continue
        if _tells_of_damage(issue) and world.damaged:
            continue
        if issue.startswith("limit_is_off") and world.is_pending_elsewhere():
            continue
        if issue.startswith("limit_was_left_off") and entry.entry_id not in issue:
            # That of an entry that was removed: it shows what should hold until the owner has seen to it.
            continue
        if issue.startswith(OFF_ISSUES) and any(each.is_off for each in world.devices):
            continue
        found.append(("d", f"the issue {issue} stands, and there is no reason for it"))
    return found


def toggles(world: World, device: WatchedDevice) -> list[str]:
    """Return which toggles came to the same end as the one just before, and nothing else had changed it."""
    found = []
    events = sorted(world.events, key=lambda event: event.order)
    for one, other in pairwise(events):
        if not isinstance(one, ToggleWish) or not isinstance(other, ToggleWish):
            continue
        if {one.outcome, other.outcome} != {Outcome.OK} or one.told is None or other.told is None:
            continue
        begin, end = world.start_of(one), world.start_of(other) + other.told - other.called
        between = [moment for moment in device.moments if begin <= moment.at <= end]
        if any(moment.by in {Writer.FOREIGN, Writer.LATE} for moment in between) or world.lying:
            continue
        if any(LIARS.intersection(moment.faults) for moment in between) or one.device != other.device:
            continue
        ends = [(wish.response["control_mode"], wish.response["export_limit"]) for wish in (one, other)]
        state = expected(world.state, world.events, before=one.order)
        differ = min(state.options[MAXIMUM]) > max(state.options[MINIMUM])
        if ends[0] == ends[1] and ends[0][0] == "value" and differ:
            found.append(f"two toggles in a row both came to {ends[0]}")
    return found


def is_too_often(corrections: list[float]) -> bool:
    """Tell whether there were more than three within an hour; one may take several writes."""
    begun: list[float] = []
    for at in corrections:
        if not begun or at - begun[-1] > ONE_CORRECTION:
            begun.append(at)
    return any(later - at < HOUR for at, later in zip(begun, begun[3:], strict=False))


def _tells_of_damage(issue: str) -> bool:
    return issue.startswith("pending_unreadable")


def held_at_rest(world: World, device: WatchedDevice, state: Any) -> list[tuple[str, str]]:
    """Return in what the device is not what the owner wants."""
    wrong = state.holds(device.setting)
    if device.is_off:
        # It counts once a mode is armed, which writes it.
        wrong = [what for what in wrong if not what.startswith("sum_of_phases")]
    if wrong and world.put_back_asked:
        highest = max(map(watts, state.options[MAXIMUM]))
        limits = state.device["limit"] | {min(limit, highest) for limit in state.device["limit"]}
        wrong = in_force(state, limits).holds(device.setting)
    issues = [issue.issue_id for issue in world.issues()]
    if not wrong or (device.is_off and world.damaged and any(map(_tells_of_damage, issues))):
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
    lowest = max(watts(entry.options[MINIMUM]), 0)
    is_on = setting.mode != "value" or setting.limit >= lowest + EQUAL
    shows: dict[str, Callable[[str], bool]] = {
        "switch.export_to_grid": lambda state: (state == STATE_ON) is is_on,
        "binary_sensor.export_state": lambda state: (state == STATE_ON) is is_on,
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
    for key in FEEDBACKS.values():
        state = user.shown(world.hass, f"sensor.{key}_feedback")
        if state is not None and state.attributes.get("message") == "In progress.":
            found.append(("c", f"the feedback {key} is under way, and nothing runs"))
    differs = user.shown(world.hass, "binary_sensor.limit_differs")
    if differs is not None and differs.state == "on" and is_proven(world, device):
        found.append(("c", "limit_differs is on, and nothing foreign happened"))
    if differs is not None and differs.state == "off":
        if setting.mode != entry.options[MODE]:
            found.append(("c", f"limit_differs is off, and the mode is {setting.mode}"))
        if abs(setting.capacity - watts(entry.options[CAPACITY])) >= EQUAL:
            found.append(("c", "limit_differs is off, and the capacity is another"))
    return found


def is_proven(world: World, device: WatchedDevice) -> bool:
    """Tell whether the device was proven to hold the newest limit, and nothing has happened since.

    What other programs do counts, a loss of what was stored, and a wish whose outcome is not known.
    """
    entry = user.the_entry(world.hass)
    if entry is None or entry.options[MODE] == DEACTIVATED or world.damaged or world.disk_was_full:
        return False
    commands = [
        wish
        for wish in world.wishes
        if isinstance(wish, CHANGES)
        and (not isinstance(wish, OptionsWish) or wish.changed or wish.deactivates or wish.error != "saved")
    ]
    # A reset, or a limit that is restored, leaves another limit that is in force.
    proven = [wish for wish in commands if wish.outcome is Outcome.OK and not restores(wish)]
    newest = max(proven, key=lambda wish: wish.order, default=None)
    if newest is None:
        return False
    assert newest.told is not None
    if newest.device != device.name or newest.called < world.changed_at:
        return False
    certain = {Outcome.OK, Outcome.REFUSED}
    if any(wish.outcome not in certain for wish in commands if wish.order > newest.order):
        return False
    if any(wish.told is None or wish.told > newest.told for wish in commands if wish.order < newest.order):
        return False
    since = [moment for moment in device.moments if moment.at >= world.start_of(newest)]
    return not any(
        moment.by in {Writer.FOREIGN, Writer.LATE} or LIARS.intersection(moment.faults) for moment in since
    )


def restores(wish: Wish) -> bool:
    """Tell whether a wish brings back the limit only where nothing limits, or asks the device for a sign."""
    if isinstance(wish, KeepWish):
        return "limit_keeps_drifting" not in wish.what
    return isinstance(wish, ResetWish | TrialWish)


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
    if connected:
        world.violated("d", f"removed, and connections are open to {connected}")
