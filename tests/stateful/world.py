"""A life: one owner, one Home Assistant after the other, two devices, and all that happens to them."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from itertools import count
import json
from pathlib import Path
from random import Random
from typing import Any, Final

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntry,
    ConfigEntryChange,
    ConfigEntryDisabler,
    ConfigEntryState,
    OperationNotAllowed,
)
from homeassistant.const import (
    EVENT_HOMEASSISTANT_FINAL_WRITE,
    EVENT_HOMEASSISTANT_STOP,
    STATE_ON,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import HassJob, HomeAssistant, State as HassState, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from simulator.protocol import SWITCHES

from . import user
from .device import WatchedDevice, Writer
from .home import Home
from .model import (
    CAPACITY,
    DEACTIVATED,
    EQUAL,
    EXPORT_OPTIONS,
    MAXIMUM,
    MINIMUM,
    MODE,
    SUM,
    Event,
    KeepWish,
    LimitWish,
    Occasion,
    OptionsWish,
    Outcome,
    ReadWish,
    ResetWish,
    SceneWish,
    Setting,
    State,
    ToggleWish,
    TrialWish,
    Wish,
    beginning,
    expected,
    watts,
)

ENTRY_ID: Final = "life"
OFF_ISSUES: Final = ("limit_is_off", "limit_was_left_off", "pending_unreadable")
"""What the issues' ids begin with that say that nothing may limit the export."""
ACTIONS: Final = {"set_min_export_limit": "set_export_limit", "set_max_export_limit": "set_export_limit"}
"""Which action has the feedback of another one."""
UNLOADED_WITHIN: Final = 110.0
"""s that a command may take while an unload waits for it."""
AFTER: Final = 45.0
"""s; how long after a wish, or a setup, a read may still belong to it."""
SLOW: Final = 300.0
"""s; a caller that has no answer by then gets none."""
TESTABLE_W: Final = 4_000
"""A lower limit leaves too little export for a test."""
SETTLED_WITHIN: Final = 60.0
"""s"""


@dataclass(frozen=True, slots=True)
class Violation:
    """What was not as it should be."""

    rule: str
    what: str


@dataclass
class Beginning:
    """How a life begins."""

    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    setting: Setting = field(default_factory=lambda: Setting("value", 10_000, 30_000, True))
    slowest: float = 0.3
    """s; the longest time that a device takes for half of an exchange."""
    step: int = 1
    """W; to what the device rounds a limit."""


class World:
    """All that there is in a life, and the record of it."""

    def __init__(self, folder: Path, begin: Beginning) -> None:
        self.begin = begin
        self.loop = asyncio.get_running_loop()
        self._context = copy_context()
        """That of no program."""
        self.random = Random(f"world {begin.seed}")
        self.home = Home(folder)
        self.timeline: list[tuple[float, str]] = []
        self.violations: list[Violation] = []
        self.events: list[Event] = []
        self.wishes: list[Wish] = []
        self.options_seen: list[tuple[float, dict[str, Any]]] = []
        self.put_back_asked = False
        self.left_off: set[str] = set()
        """Devices that had no entry any more when nothing limited their export, as chosen."""
        self.lying = False
        """Whether a fault was injected that makes the device say what is not so."""
        self.issue_lost = False
        """Whether a crash came before Home Assistant had stored an issue of an entry that had ended."""
        self.damaged = False
        """Whether a file was damaged on purpose."""
        self.unreadable_since: dict[str, float] = {}
        """Since when (s, by the clock of the loop) no file says that this device is off, by its name.

        Where the entry has another device by then, nothing can tell whose the damaged file is.
        """
        self.stopped_while_unloading = False
        """Whether a stop cut off an unload, which leaves the entry in that state."""
        self.disk_was_full = False
        self.scene: dict[str, str] = {}
        """States by entities, as saved."""
        self.changed_at = 0.0
        """When what the integration has stored may have been lost or become another device's."""
        self.corrections: list[float] = []
        """When (s) a limit was written that no wish asked for, since the last start."""
        self.most_in_flight = 0
        self._order = count(1)
        self._tasks: dict[asyncio.Task[None], Wish] = {}
        self._start = self.loop.time()
        self.devices = [
            WatchedDevice(
                name, setting, seed=begin.seed, latency=self._latency, tell=self.tell, step=begin.step
            )
            for name, setting in (("A", begin.setting), ("B", Setting("value", 7_000, 30_000, True)))
        ]
        self.state: State
        self.setups = 0
        """How often the entry was set up."""
        self.is_stopping = False
        self._changed_at = 0.0
        """When the state of the entry was last found to be another one."""
        self._unloaded_at = 0.0
        """When the entry was last found not to be loaded any more."""

    # What time it is, and what happened

    @property
    def now(self) -> float:
        """Virtual s since the life began."""
        return self.loop.time() - self._start

    def start_of(self, wish: Wish) -> float:
        """Return when a wish was called, by the clock of the loop."""
        return self._start + wish.called

    def tell(self, what: str) -> None:
        """Keep what happened."""
        self.timeline.append((self.now, what))

    def violated(self, rule: str, what: str) -> None:
        """Keep what should not have happened."""
        self.violations.append(Violation(rule, what))
        self.tell(f"!! {rule}: {what}")

    def _latency(self) -> float:
        if self.random.random() < 0.5:
            return 0.0
        return round(self.random.uniform(0, self.begin.slowest), 3)

    @property
    def hass(self) -> HomeAssistant:
        """The Home Assistant that runs now."""
        return self.home.hass

    @property
    def device(self) -> WatchedDevice | None:
        """The device of the entry; None where nothing is at its address."""
        entry = user.the_entry(self.hass)
        if entry is None:
            return None
        return next((device for device in self.devices if device.port == entry.data["port"]), None)

    @property
    def in_flight(self) -> list[Wish]:
        """The wishes without an outcome."""
        return list(self._tasks.values())

    def issues(self) -> list[ir.IssueEntry]:
        """The repair issues of the integration, by their ids."""
        registry = ir.async_get(self.hass)
        active = (issue for issue in registry.issues.values() if issue.domain == DOMAIN and issue.active)
        return sorted(active, key=lambda issue: issue.issue_id)

    # Beginning and end

    async def start(self) -> None:
        """Set the scene: a device with an entry, all well."""
        for device in self.devices:
            await device.start()
            self.home.ports.add(device.port)
            device.begin()
            device.sun = self._sun
            device.on_request = self._requested
            device.on_write = self._written
        await self._start_home()
        entry = MockConfigEntry(
            domain=DOMAIN,
            version=2,
            entry_id=ENTRY_ID,
            title="SEC1000",
            data={"name": "SEC1000", "host": "127.0.0.1", "port": self.devices[0].port},
            options=self.begin.options,
        )
        self.put_back_asked = bool(self.begin.options["put_back"])
        await self.home.task(self.hass.config_entries.async_add(entry), "add")
        await self.settle()
        self.state = beginning(self.begin.options, self.devices[0].setting)
        self.keep_options()
        self.tell(f"begins: {self._options_in_words()}; A holds {self.devices[0].setting}")

    async def _start_home(self) -> None:
        self._changed_at = self.now
        await self.home.start()
        self._unloaded_at = self._changed_at = self.now
        self.setups += 1

        @callback
        def changed(_change: ConfigEntryChange, entry: ConfigEntry) -> None:
            self._changed_at = self.now
            if entry.state is ConfigEntryState.NOT_LOADED:
                self._unloaded_at = self.now
            if entry.state is ConfigEntryState.SETUP_IN_PROGRESS:
                self.setups += 1
                self._may_drop_end()

        async_dispatcher_connect(self.hass, SIGNAL_CONFIG_ENTRY_CHANGED, changed)

    def _may_drop_end(self) -> None:
        """Take into account that an end which has passed is dropped where the device holds something else."""
        if (device := self.device) is not None:
            limit, now = device.setting.limit, self.now
            self.events.append(Occasion(self.order(), lambda state: state.dropping(limit, now)))

    async def settle(self) -> None:
        """Let what is due at once come to its end."""

        async def settle() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(SETTLED_WITHIN):
                    await self.hass.async_block_till_done()

        await self.home.task(settle(), "settle")

    def keep_options(self) -> None:
        """Keep the options as they are now."""
        if (entry := user.the_entry(self.hass)) is None:
            return
        options = dict(entry.options)
        if options.get("put_back"):
            self.put_back_asked = True
        if not self.options_seen or self.options_seen[-1][1] != options:
            self.options_seen.append((self.now, options))
            self.tell(f"options: {self._options_in_words()}")

    def _options_in_words(self) -> str:
        entry = user.the_entry(self.hass)
        assert entry
        options = entry.options
        return (
            f"{options[MINIMUM]:g}..{options[MAXIMUM]:g} of {options[CAPACITY]:g} kW, {options[MODE]}"
            + ("" if options[SUM] else ", each phase")
            + (", put back" if options["put_back"] else "")
            + (", may deactivate" if options["allow_deactivating"] else "")
        )

    # Time

    async def pass_turns(self, turns: int) -> None:
        """Let the loop turn so often."""
        for _ in range(turns):
            await asyncio.sleep(0)
        self.keep_options_if_running()

    async def pass_time(self, seconds: float) -> None:
        """Let so much virtual time pass."""
        await asyncio.sleep(seconds)
        self.keep_options_if_running()

    def keep_options_if_running(self) -> None:
        """Keep the options, where a Home Assistant has any."""
        if self.home.is_running:
            self.keep_options()

    # Wishes

    def wish(self, wish: Wish, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin a wish; it goes on while other things happen."""
        self.events.append(wish)
        self.wishes.append(wish)
        number = len(self.wishes)
        self.tell(f"({number}) {wish.what}")

        device = self.device
        wish.device = device.name if device else ""
        wish.setup = self.setups

        async def run() -> None:
            await work
            self._told(number, wish, device)

        task = self.home.task(run(), wish.what)
        if not task.done():
            self._tasks[task] = wish
            task.add_done_callback(self._done)
        self.most_in_flight = max(
            self.most_in_flight, sum(other.is_command for other in self._tasks.values())
        )
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()):
            self.violated("e", f"{task.get_name()}: {error!r}")

    def _told(self, number: int, wish: Wish, device: WatchedDevice | None) -> None:
        wish.told = self.now
        # Where the disk was full, a crash brings back what was stored before.
        wish.is_written &= not self.disk_was_full
        if wish.is_late and wish.outcome is not Outcome.REFUSED:
            self.violated("c", f"({number}) {wish.what}: taken although the end had begun")
        if wish.is_cut_off and not self.is_stopping and self.now < wish.called + UNLOADED_WITHIN:
            self.violated("c", f"({number}) {wish.what}: cut off by an end that waits for it")
        if wish.outcome is Outcome.QUIET and not any(other.order > wish.order for other in self.wishes):
            # Nothing could take its place.
            wish.outcome = Outcome.OK
        if isinstance(wish, ReadWish):
            # While it has a new address, it may still be told what it was read to hold at the old one.
            self._adopt(wish, device or self.devices[0])
        detail = wish.error or str(wish.response.get("message", ""))
        feedback = f" {wish.response['feedback']}" if "feedback" in wish.response else ""
        self.tell(f"({number}) {wish.what}: {wish.outcome.name}{feedback} {detail}".rstrip())
        self.keep_options_if_running()
        for what in check_told(self, wish, device if device is self.device else None):
            self.violated("c", f"({number}) {wish.what}: {what}")

    def _adopt(self, wish: ReadWish, device: WatchedDevice) -> None:
        held = [moment.setting for moment in device.moments if moment.at >= self._start + wish.called - 60]
        found = {
            MODE: frozenset(setting.mode for setting in held if setting.mode != DEACTIVATED),
            CAPACITY: frozenset(round(setting.capacity / 1000, 2) for setting in held),
        }
        if not wish.response:
            wish.perhaps = found
            return
        _, _, adopted = str(wish.response["message"]).partition("Saved in the options:")
        taken: dict[str, frozenset[Any]] = {}
        if "mode" in adopted:
            taken[MODE] = frozenset({wish.response["control_mode"]})
        if "capacity" in adopted:
            taken[CAPACITY] = found[CAPACITY]
        # A command that was called before, and still waits, comes after what was read.
        waits = any(other.order < wish.order and other.is_command for other in self.in_flight)
        if waits:
            wish.perhaps = taken
        else:
            wish.adopted |= taken

    def order(self) -> int:
        """Return the next place in the order."""
        return next(self._order)

    @property
    def is_ending(self) -> bool:
        """Whether nothing may be taken any more that would go to the device."""
        entry = user.the_entry(self.hass)
        is_unloading = entry is not None and entry.state is ConfigEntryState.UNLOAD_IN_PROGRESS
        return is_unloading or self.hass.is_stopping

    def call(self, action: str, limit: float | None = None) -> None:
        """Call an action of the integration."""
        data = {} if limit is None else {"limit": limit}
        wish = self._meaning(action, limit)
        self.wish(wish, user.act(self.hass, wish, action, data))

    def call_temporary(self, action: str, limit: float, minutes: int, then: float) -> None:
        """Call an action that sets a limit which ends by itself."""
        data: dict[str, Any] = {"duration": {"minutes": minutes}, "then": then}
        if action == "set_export_limit":
            data["limit"] = limit
        wish = self._meaning(action, data.get("limit"))
        assert isinstance(wish, LimitWish)
        wish.what += f" for {minutes} min, then {then:g}"
        wish.duration, wish.then = 60.0 * minutes, watts(then)
        self.wish(wish, user.act(self.hass, wish, action, data))

    async def fail_while_temporary(self, limit: float, then: float, wanted: float, fault: str) -> None:
        """Set a limit that ends by itself, and then one that stands, which the device does not take."""
        self.call_temporary("set_export_limit", limit, 1, then)
        await self.pass_time(10)
        self.fault(fault, times=None, commands=(0x42, 0x40, 0x43))
        self.call("set_export_limit", wanted)
        await self.pass_time(45)
        self.heal()

    def test(self, limit: float | None, *, obeys: bool) -> None:
        """Test the limit while the sun shines."""
        data = {} if limit is None else {"limit": limit}
        wish = TrialWish(
            order=self.order(),
            what=f"test {data or 'half'}{'' if obeys else ', disobeyed'}",
            called=self.now,
            action="test_export_limit",
            is_late=self.is_ending or self.is_stopping,
            obeys=obeys,
        )
        self.wish(wish, user.act(self.hass, wish, "test_export_limit", data))

    async def test_for(self, limit: float | None, seconds: float, *, obeys: bool) -> None:
        """Have a limit that can be tested, test it, and let so much of that pass."""
        entry, device = user.the_entry(self.hass), self.device
        if entry and device:
            if entry.options[MODE] != "value" or not entry.options[SUM]:
                self.options({MODE: "value", SUM: True}, 0)
                await self.pass_time(15)
            if device.setting.limit < TESTABLE_W:
                self.call("export_enable")
                await self.pass_time(15)
            await self.pass_time(45)
        self.test(limit, obeys=obeys)
        await self.pass_time(seconds)

    def _sun(self) -> bool | None:
        """Return whether the inverters obey in a test that runs; None where none does: it is night."""
        tests = [wish for wish in self.in_flight if isinstance(wish, TrialWish)]
        return tests[0].obeys if tests else None

    async def renew(self, times: int, pause: float) -> None:
        """Set the temporary limit that holds again and again, as a blueprint does."""
        state = user.shown(self.hass, "sensor.temporary_limit_ends") if user.the_entry(self.hass) else None
        if state is None or state.attributes.get("limit") is None:
            return
        for _ in range(times):
            self.call_temporary("set_export_limit", state.attributes["limit"], 2, state.attributes["then"])
            await self.pass_time(pause)

    @property
    def end_shown(self) -> float | None:
        """When (virtual s) the limit ends by itself, as it is shown; None where it does not."""
        state = user.shown(self.hass, "sensor.temporary_limit_ends") if user.the_entry(self.hass) else None
        ends = dt_util.parse_datetime(state.state) if state else None
        return self.now + (ends - dt_util.utcnow()).total_seconds() if ends else None

    @property
    def is_end_due(self) -> bool:
        """Whether a limit is being ended, or was not long ago."""
        shown = self.end_shown
        due = [
            wish.called + wish.duration
            for wish in self.wishes
            if isinstance(wish, LimitWish) and wish.duration
        ]
        tested = any(
            isinstance(wish, TrialWish) and self.now < wish.called + 2 * SLOW for wish in self.wishes
        )
        return (
            tested
            or (shown is not None and shown <= self.now)
            or any(at <= self.now < at + 2 * SLOW for at in due)
        )

    def _meaning(self, action: str, limit: float | None) -> Wish:
        what = action if limit is None else f"{action} {limit:g}"
        more: dict[str, Any] = {
            "order": self.order(),
            "what": what,
            "called": self.now,
            "action": ACTIONS.get(action, action),
            "is_late": self.is_ending or (self.is_stopping and action == "reset_export_watchdog"),
        }
        match action:
            case "export_disable":
                return LimitWish(limit=MINIMUM, **more)
            case "export_enable":
                return LimitWish(limit=MAXIMUM, **more)
            case "export_toggle":
                return ToggleWish(**more)
            case "set_export_limit":
                assert limit is not None
                return LimitWish(limit=limit, **more)
            case "set_min_export_limit":
                return OptionsWish(changed={MINIMUM: limit}, **more)
            case "set_max_export_limit":
                return OptionsWish(changed={MAXIMUM: limit}, **more)
            case "reset_export_watchdog":
                return ResetWish(**more)
            case "get_export_limit":
                return ReadWish(**more)
            case _:
                return Wish(**more)

    CONTROLS: Final = {
        "switch on": ("turn_on", "switch.export_to_grid", "export_enable"),
        "switch off": ("turn_off", "switch.export_to_grid", "export_disable"),
        "enable button": ("press", "button.enable_export", "export_enable"),
        "disable button": ("press", "button.disable_export", "export_disable"),
        "read button": ("press", "button.read_export_limit", "read"),
        "clock button": ("press", "button.set_date_and_time", "set_datetime"),
        "reset button": ("press", "button.reset_export_watchdog", "reset_export_watchdog"),
        "limit": ("set_value", "number.export_limit", "set_export_limit"),
        "minimum": ("set_value", "number.minimum_export_limit", "set_min_export_limit"),
        "maximum": ("set_value", "number.maximum_export_limit", "set_max_export_limit"),
    }

    def operate(self, control: str, limit: float | None = None) -> None:
        """Use a switch, button or number."""
        service, entity_id, action = self.CONTROLS[control]
        wish = self._meaning("get_export_limit" if action == "read" else action, limit)
        wish.what = control if limit is None else f"{control} {limit:g}"
        data = {} if limit is None else {"value": limit}
        self.wish(wish, user.operate(self.hass, wish, service, entity_id, **data))

    def use(self, control: str) -> None:
        """Operate a control, the select too; a number gets a value of its own."""
        if control.startswith("select "):
            self.choose_mode(control.removeprefix("select "))
        else:
            self.operate(control, {"limit": 3.0, "maximum": 5.0}.get(control))

    SCENE: Final = {
        "number.export_limit": "limit",
        "number.maximum_export_limit": MAXIMUM,
        "number.minimum_export_limit": MINIMUM,
        "select.control_mode": MODE,
        "switch.export_to_grid": "on",
    }

    def save_scene(self) -> None:
        """Keep the states of all controls as a scene, as its editor does."""
        states = {entity: user.shown(self.hass, entity) for entity in self.SCENE}
        if all(state and state.state not in {STATE_UNAVAILABLE, STATE_UNKNOWN} for state in states.values()):
            self.scene = {entity: state.state for entity, state in states.items() if state}
            self.tell(f"saves the scene {self.scene}")

    def apply_scene(self) -> None:
        """Bring all controls to the states of the scene that was saved last."""
        if not self.scene or not user.is_loaded(self.hass):
            return
        wish = SceneWish(order=self.order(), what=f"scene {[*self.scene.values()]}", called=self.now)
        states: list[HassState] = []
        for entity, saved in self.scene.items():
            state = user.shown(self.hass, entity)
            if state is None or state.state == STATE_UNAVAILABLE:
                return
            states.append(HassState(state.entity_id, saved))
            if state.state == saved:
                continue
            match self.SCENE[entity]:
                case "limit":
                    wish.limit = float(saved)
                case "on":
                    wish.is_on = saved == STATE_ON
                case option:
                    wish.options[option] = saved if option == MODE else float(saved)
        self.wish(wish, user.reproduce(self.hass, wish, states))

    def update_entity(self, entity: str) -> None:
        """Let Home Assistant update an entity."""
        if state := user.shown(self.hass, entity):
            wish = Wish(order=self.order(), what=f"update {entity}", called=self.now)
            self.wish(wish, user.update(self.hass, wish, state.entity_id))

    def drag(self, values: list[float], pause: float) -> None:
        """Drag the maximum from value to value; each is sent."""
        if not user.is_loaded(self.hass):
            return

        async def drag(hass: HomeAssistant) -> None:
            for value in values:
                if not self.home.is_running or self.hass is not hass:
                    return
                self.operate("maximum", value)
                await asyncio.sleep(pause)

        self.home.task(drag(self.hass), "drag")

    def choose_mode(self, mode: str) -> None:
        """Choose from the select."""
        wish = OptionsWish(
            order=self.order(),
            what=f"select {mode}",
            called=self.now,
            changed={MODE: mode},
            action="set_export_limit",
            is_late=self.is_ending or self.is_stopping,
        )
        self.wish(
            wish,
            user.operate(self.hass, wish, "select_option", "select.control_mode", option=mode),
        )

    def options(self, changed: dict[str, Any], pause: float) -> None:
        """Open the options, change some, and submit all windows."""
        entry = user.the_entry(self.hass)
        assert entry
        words = ", ".join(f"{key} {value}" for key, value in changed.items())
        wish = OptionsWish(
            order=self.order(), what=f"options {words}", called=self.now, action="set_export_limit"
        )
        wish.outcome = Outcome.REFUSED

        def submitted(step: str, values: Mapping[str, Any]) -> None:
            wish.order = self.order()
            confirms = values.get("next_step_id") == "deactivate"
            wish.outcome = Outcome.PENDING if step == "control" or confirms else Outcome.REFUSED
            wish.changed = {key: value for key, value in windows.changed.items() if key in EXPORT_OPTIONS}
            wish.shown = {
                key: value
                for key, value in windows.submitted.items()
                if key in EXPORT_OPTIONS and key not in wish.changed
            }
            # What is not loaded cannot be deactivated: there the options are all that is saved.
            wish.deactivates = confirms and user.is_loaded(self.hass)
            self.tell(f"({self.wishes.index(wish) + 1}) submits {step} {dict(values)}")

        windows = user.Windows(self.hass.config_entries.options, submitted)

        async def fill_in() -> None:
            try:
                # The one menu asks whether to deactivate; its first choice is to go back.
                ended = await windows.walk(changed, ((entry.entry_id,), {}), choice=1, pause=pause)
            except Exception as error:  # noqa: BLE001
                user.refuse(wish, error)
                return
            wish.error = ended
            if ended == "saved":
                wish.outcome = Outcome.OK
            elif wish.outcome is Outcome.PENDING:
                # What was said of the limits by the window that came back is not known here.
                wish.outcome = Outcome.FAILED

        self.wish(wish, fill_in())

    def repair(self, choice: int, pause: float) -> None:
        """Open the first issue that can be fixed, choose and submit."""
        fixable = [issue for issue in self.issues() if issue.is_fixable]
        if not fixable:
            return
        issue = fixable[choice % len(fixable)]
        wish = KeepWish(
            order=self.order(),
            what=f"repair {issue.issue_id}",
            called=self.now,
            action="set_export_limit",
        )
        manager = self.home.repairs

        def submitted(step: str, _values: Mapping[str, Any]) -> None:
            wish.order = self.order()
            device = self.device
            wish.held = device.setting if device and step == "keep" else None
            if step == "confirm" and issue.issue_id.startswith(OFF_ISSUES):
                # Who says so has seen to it.
                for left in self.devices:
                    if left.is_off:
                        left.change(Setting("value", 5_000, 30_000, True))
                        if left is device:
                            self.set_by_others(left.setting)

        async def click() -> None:
            try:
                ended = await user.Windows(manager, submitted).walk(
                    {}, ((DOMAIN,), {"data": {"issue_id": issue.issue_id}}), choice=choice, pause=pause
                )
            except Exception as error:  # noqa: BLE001
                user.refuse(wish, error)
                return
            wish.error = ended
            wish.outcome = Outcome.OK if ended == "saved" else Outcome.FAILED

        self.wish(wish, click())

    # What happens to the device

    def fault(self, name: str, *, times: int | None, commands: tuple[int, ...] | None) -> None:
        """Inject a fault into the device of the entry."""
        device = self.device or self.devices[0]
        asked = "" if commands is None else " " + "/".join(f"{command:#04x}" for command in commands)
        self.tell(f"{device.name}: fault {name}{'' if times is None else f' × {times}'}{asked}")
        device.inject(name, count=times, commands=commands)

    def heal(self) -> None:
        """End all faults."""
        self.tell("the devices are well")
        for device in self.devices:
            device.clear_faults()

    def foreign(self, **changed: Any) -> None:
        """Let another program change the device of the entry."""
        device = self.device or self.devices[0]
        held = device.setting
        setting = Setting(
            changed.get("mode", held.mode),
            changed.get("limit", held.limit),
            changed.get("capacity", held.capacity),
            held.sum_of_phases,
        )
        device.change(setting)
        self.set_by_others(setting)

    def set_by_others(self, setting: Setting) -> None:
        """Take into account that a device may have held this, whatever runs now."""

        def either(state: State) -> State:
            return state.joined(state.with_device(setting))

        first = min((wish.order for wish in self.in_flight), default=None)
        if first is not None:
            self.events.append(Occasion(first - 0.5, either))
        self.events.append(Occasion(self.order(), either))
        self._may_drop_end()

    def fill_disk(self, *, is_full: bool) -> None:
        """Let there be no room on disk for the integration's own files, or room again."""
        self.tell(f"the disk {'is full' if is_full else 'has room'}")
        self.home.disk_is_full = is_full
        self.disk_was_full |= is_full

    # What happens to the entry

    def lifecycle(self, what: str, work: Callable[[HomeAssistant], Coroutine[Any, Any, Any]]) -> None:
        """Begin something with the entry, unless something of the kind is under way."""
        if any(not wish.is_command and wish.outcome is Outcome.PENDING for wish in self.in_flight):
            return
        wish = Wish(order=self.order(), what=what, called=self.now, is_command=False)
        hass = self.hass

        async def run() -> None:
            try:
                await work(hass)
            except OperationNotAllowed as error:
                user.refuse(wish, error)
            else:
                wish.outcome = Outcome.OK

        self.wish(wish, run())

    def reload(self) -> None:
        """Reload the entry."""
        if (entry := user.the_entry(self.hass)) and not entry.disabled_by:
            self.lifecycle("reload", lambda hass: hass.config_entries.async_reload(entry.entry_id))

    def disable(self) -> None:
        """Disable the entry."""
        if (entry := user.the_entry(self.hass)) and not entry.disabled_by:

            async def disable(hass: HomeAssistant) -> None:
                await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
                self.check_left_off("disabled")

            self.lifecycle("disable", disable)

    def poll(self, *, is_on: bool) -> None:
        """Let Home Assistant poll, or not, as its dialog of the entry does."""
        if (entry := user.the_entry(self.hass)) and not entry.disabled_by:

            async def change(hass: HomeAssistant) -> None:
                is_change = entry.pref_disable_polling is is_on
                hass.config_entries.async_update_entry(entry, pref_disable_polling=not is_on)
                if is_change and user.is_loaded(hass):
                    await hass.config_entries.async_reload(entry.entry_id)

            self.lifecycle(f"polling {'on' if is_on else 'off'}", change)

    def enable(self) -> None:
        """Enable the entry."""
        if (entry := user.the_entry(self.hass)) and entry.disabled_by:
            self.lifecycle(
                "enable", lambda hass: hass.config_entries.async_set_disabled_by(entry.entry_id, None)
            )

    def remove(self) -> None:
        """Remove the entry."""
        if entry := user.the_entry(self.hass):

            async def remove(hass: HomeAssistant) -> None:
                device = self.device
                may_be_off = device is not None and self.may_be_off(device)
                await hass.config_entries.async_remove(entry.entry_id)
                if device is not None and may_be_off and device.is_off:
                    self.left_off.add(device.name)
                self.check_left_off("removed")
                self.check_removed(entry.entry_id)

            self.lifecycle("remove", remove)

    def add(self, maximum: float, mode: str) -> None:
        """Add a device through the windows, where there is no entry."""
        if user.the_entry(self.hass):
            return
        device = self.devices[0]
        answers = {
            "host": device.host,
            "port": device.port,
            MAXIMUM: maximum,
            CAPACITY: 30.0,
            MODE: mode,
            SUM: True,
        }

        async def add(hass: HomeAssistant) -> None:
            windows = user.Windows(hass.config_entries.flow)
            ended = await windows.walk(answers, ((DOMAIN,), {"context": {"source": SOURCE_USER}}))
            self.tell(f"adding: {ended}")
            if entry := user.the_entry(hass):
                state = beginning(dict(entry.options), device.setting)
                # A call while the entry was added may have set something.
                self.events.append(Occasion(self.order(), lambda _state: state))
                self.changed_at = self.now
                self.corrections.clear()
                self.options_seen.append((self.now, dict(entry.options)))

        self.lifecycle("add", add)

    def reconfigure(self, *, moved: bool, pause: float) -> None:
        """Let the entry's device have another address, or another device take its place."""
        entry = user.the_entry(self.hass)
        if entry is None or entry.disabled_by:
            return

        async def reconfigure(hass: HomeAssistant) -> None:
            device = self.device or self.devices[0]
            target = device if moved else self.devices[1 - self.devices.index(device)]
            may_be_off = self.may_be_off(device)
            # The truth, where it is asked whether it is the device whose limit is to be restored.
            is_pending = target.port in self._pending_ports()
            if moved:
                await asyncio.Task(device.move(), context=self._context)
                self.home.ports.add(device.port)
            windows = user.Windows(hass.config_entries.flow)
            context = {"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
            ended = await windows.walk(
                {"host": target.host, "port": target.port},
                ((DOMAIN,), {"context": context}),
                choice=0 if is_pending else 1,
                pause=pause,
            )
            self.tell(f"reconfiguring to {target.name}: {ended}")
            if self.device is target and target is not device and may_be_off and device.is_off:
                self.left_off.add(device.name)
            if self.device is target and target is not device:
                self.set_by_others(target.setting)
                self.changed_at = self.now

        self.lifecycle(f"reconfigure {'moved' if moved else 'to the other'}", reconfigure)

    # What happens to Home Assistant

    async def restart(self, late: str | None = None, stage: str = "stop") -> None:
        """Stop in order and start again; an automation may use a control at this stage of the stop."""
        self.tell("stops" + (f", and {late} is used at its {stage}" if late else ""))
        if late and user.is_loaded(self.hass):
            self._automate(late, stage)
        self.is_stopping = True
        await self.home.stop()
        self.tell("has stopped")
        if left := [task.get_name() for task in self.home.tasks() if is_ours(task)]:
            self.violated("d", f"stopped, and these tasks are left: {sorted(left)}")
        self.is_stopping = False
        entry = user.the_entry(self.hass)
        self.stopped_while_unloading |= (
            entry is not None and entry.state is ConfigEntryState.UNLOAD_IN_PROGRESS
        )
        self._lose("stop")
        self.check_left_off("stopped")
        await self._start_again()

    def _automate(self, control: str, stage: str) -> None:
        if stage == "shutdown job":

            async def automation() -> None:
                self.use(control)
                if self._tasks:
                    await asyncio.wait(self._tasks)

            self.hass.async_add_shutdown_job(HassJob(automation))
            return

        @callback
        def use(_event: object) -> None:
            self.use(control)

        event = EVENT_HOMEASSISTANT_STOP if stage == "stop" else EVENT_HOMEASSISTANT_FINAL_WRITE
        self.hass.bus.async_listen_once(event, use)

    async def crash(self, damage: str, seconds: float) -> None:
        """Take the power from Home Assistant, perhaps damage a file, and start it again."""
        self.keep_options()
        self.tell(f"the power goes{f', {damage} is damaged' if damage else ''}")
        entry = user.the_entry(self.hass)
        told = {issue.issue_id for issue in self.issues() if issue.issue_id.startswith(OFF_ISSUES)}
        # What is disabled, or was just removed, is restored by nothing at the next start.
        has_ended = entry is None or entry.disabled_by is not None
        self.issue_lost |= has_ended and not told <= {*self._persistent_issues()}
        await self.home.crash()
        self.changed_at = self.now
        self._lose("crash")
        if damage:
            self._damage(damage)
        await asyncio.sleep(seconds)
        self.check_off_noted()
        await self._start_again()

    def _damage(self, what: str) -> None:
        self.damaged = True
        kind, _, how = what.partition(" ")
        if kind == "other":
            # The end of a limit is in one of these, also that of a test.
            held = self.device.setting.limit if self.device else None
            self.events.append(Occasion(self.order(), lambda state: state.perhaps_standing_at(held)))
        for name in self.home.files():
            if ".corrupt" in name:
                continue
            pending = name.endswith((".note", ".pending"))
            if pending is (kind == "pending"):
                path = self.home.storage / name
                try:
                    content = json.loads(path.read_text("utf-8"))
                except ValueError:
                    continue
                if pending:
                    self._forget(content["data"].get("port"))
                if how == "newer":
                    content["version"] = 99
                elif how == "shape":
                    content["data"] = [1, 2]
                path.write_text("{" if how == "garbage" else json.dumps(content), "utf-8")

    def _forget(self, port: int) -> None:
        """Note that no file tells any more what is to be restored at this port."""
        for device in self.devices:
            if device.port == port and device is not self.device:
                self.unreadable_since[device.name] = self.loop.time()

    def _lose(self, why: str) -> None:
        for task, wish in list(self._tasks.items()):
            if wish.is_late:
                self.violated("c", f"{wish.what}: taken although the end had begun")
            if wish.outcome in {Outcome.PENDING, Outcome.OK} and wish.told is None:
                wish.outcome = Outcome.LOST
                wish.told = self.now
                self.tell(f"({self.wishes.index(wish) + 1}) {wish.what}: lost in a {why}")
            self._tasks.pop(task)

    async def _start_again(self) -> None:
        self.tell("starts")
        for device in self.devices:
            if not device.overload.exhausted:
                # A start takes no time here; a real one leaves the device alone for a while.
                device.overload.restart()
        self.corrections.clear()
        await self._start_home()
        await self.settle()
        if entry := user.the_entry(self.hass):
            found = {key: entry.options[key] for key in EXPORT_OPTIONS}
            # What Home Assistant had not stored yet is lost.
            state = self.expected()
            recent = [options for at, options in self.options_seen if self.now - at <= 60]
            recent += [options for _, options in self.options_seen[-2:]]
            for key, value in found.items():
                allowed = state.options[key] | {options[key] for options in recent}
                if value not in allowed:
                    self.violated(
                        "a", f"after the start {key} is {value}, none of {sorted(map(str, allowed))}"
                    )
            self.events.append(Occasion(self.order(), lambda state: state.with_options(**found)))
            self.keep_options()

    # What random steps hardly ever come to

    async def until(self, condition: Callable[[], object], seconds: float = 10) -> None:
        """Let time pass until this is so, or for so long."""
        end = self.now + seconds
        while self.now < end and not condition():
            await self.pass_time(0.05)

    async def _suspend(self, begins: str, trouble: str | None = None) -> WatchedDevice | None:
        """Have the limit suspended by a reset or a change of the mode; return its device just then.

        The trouble "late off" lets the request that suspends it take effect 2 s after its answer.
        """
        device = self.device
        if device is None or device.is_off or not user.is_loaded(self.hass):
            return None
        mode = device.setting.mode
        target = "value" if mode == "rcr" else "rcr"
        commands = {switched.key: command for command, switched in SWITCHES.items()}
        if trouble == "late off":
            device.inject("late-effect", count=1, commands=(commands[mode],))
        elif trouble and begins == "mode":
            # All of a change goes out at once.
            device.inject(trouble, commands=(commands[target],))
        seen = len(device.moments)
        if begins == "reset":
            self.call("reset_export_watchdog")
        else:
            self.choose_mode(target)
        await self.until(lambda: any(moment.asked == f"{mode} off" for moment in device.moments[seen:]))
        return device

    async def cut_off(self, begins: str, trouble: str | None, ends: str, pause: float) -> None:
        """Let the device have trouble once its limit is suspended, and end that early."""
        if await self._suspend(begins, trouble) is None:
            return
        if trouble and trouble != "late off":
            self.fault(trouble, times=None, commands=None)
        if pause:
            await self.pass_time(pause)
        match ends:
            case "disable":
                self.disable()
            case "reload":
                self.reload()
            case "remove":
                self.remove()
            case "restart":
                await self.restart()
            case "crash":
                await self.crash("", 3.0)
            case "options":
                self.options({MAXIMUM: 5.0}, 0)
            case "power":
                self.disable()
                # By then Home Assistant has stored both that, and an issue.
                await self.pass_time(12.0)
                await self.crash("", 3.0)
            case _:
                self.call("set_export_limit", 3.0)

    async def outage(self, begins: str, trouble: str, seconds: float) -> None:
        """Let the device be unreachable for so long once its limit is suspended."""
        if await self._suspend(begins, trouble):
            self.fault(trouble, times=None, commands=None)
            await self.pass_time(seconds)
            self.heal()

    async def use_at_the_end(self, slow: str, ends: str, controls: list[str], pause: float) -> None:
        """End the entry while something runs, and go on using it."""
        if (device := self.device) is None or not user.is_loaded(self.hass):
            return
        device.inject("silence", count=1)
        self.use(slow)
        await self.pass_turns(self.random.randrange(20))
        {"disable": self.disable, "reload": self.reload, "remove": self.remove}[ends]()
        for control in controls:
            if pause:
                await self.pass_time(pause)
            else:
                await self.pass_turns(self.random.randrange(5))
            self.use(control)

    async def tug_of_war(self, times: int, *, reloads: bool) -> None:
        """Let another program raise the limit again and again."""
        for _ in range(times):
            self.foreign(limit=15_000)
            await self.pass_time(65)
            if reloads:
                self.reload()

    # Checks on the way

    def _requested(self, device: WatchedDevice, asked: str) -> None:
        """Check that nothing is sent for an entry that is disabled, nor read where polling is."""
        entry = user.the_entry(self.hass) if self.home.is_running else None
        is_rest = self.now < self._unloaded_at + 2 * self.begin.slowest
        # A stop that begins beside an unload still tries to restore the limit.
        is_rest = is_rest or self.is_stopping
        # What was asked for before, and waits for the line, reads all the same.
        is_rest = is_rest or (asked in {"read", "telemetry"} and self.now < self._unloaded_at + AFTER)
        if entry and entry.state is ConfigEntryState.NOT_LOADED and not self.in_flight and not is_rest:
            self.violated("d", f"{asked} was sent to {device.name}, and the entry is not loaded")
        last_told = max((wish.told or 0 for wish in self.wishes), default=0)
        may_read = (
            self.in_flight
            or self.is_end_due
            or self._is_noted()
            or self.now < max(last_told, self._changed_at) + AFTER
            # Its settings are read until they are known.
            or not user.knows_settings(self.hass)
        )
        if entry and entry.pref_disable_polling and asked in {"read", "telemetry"} and not may_read:
            self.violated("d", f"{asked} was sent to {device.name}, and polling is disabled")

    def expected(self) -> State:
        """Return what should be now, where ends that have passed may be carried out already or not."""
        return expected(self.state, self.events).perhaps_ended(self.now)

    def _written(self, device: WatchedDevice, limit: int) -> None:
        """Check that a limit that is sent was ever within what the owner allows."""
        state = self.expected()
        highest = max(*map(watts, state.options[MAXIMUM]), *state.device["limit"])
        if device is self.device and not (self.in_flight or self.is_end_due or self._is_noted()):
            self.corrections.append(self.now)
        if limit >= highest + EQUAL and device is self.device:
            self.violated("c", f"{limit} W were sent, above the maximum of {highest} W")

    def may_be_off(self, device: WatchedDevice) -> bool:
        """Tell whether the owner chose deactivated for a device, or another program did, or none can know."""
        if device.taken_off_by is Writer.FOREIGN or self._is_forgotten(device) or device.is_off_hidden:
            return True
        if self.device is not device:
            return device.name in self.left_off or any(
                isinstance(wish, OptionsWish)
                and wish.device == device.name
                and DEACTIVATED in {wish.changed.get(MODE), wish.deactivates and DEACTIVATED}
                and wish.outcome not in {Outcome.REFUSED, Outcome.SUPERSEDED}
                for wish in self.wishes
            )
        return DEACTIVATED in self.expected().device["mode"]

    def _is_forgotten(self, device: WatchedDevice) -> bool:
        """Tell whether the file that said that a device is off was damaged, and it is off ever since."""
        since = self.unreadable_since.get(device.name)
        return since is not None and all(
            moment.setting.mode == DEACTIVATED for moment in device.moments if moment.at >= since
        )

    def check_left_off(self, when: str) -> None:
        """Check that a limit that is off without a choice has an issue and a pending restore."""
        if self.issue_lost:
            return
        for device in self.devices:
            if not device.is_off or self.may_be_off(device):
                continue
            issues = (
                self._persistent_issues()
                if when == "stopped"
                else [issue.issue_id for issue in self.issues()]
            )
            if not any(issue.startswith(OFF_ISSUES) for issue in issues):
                self.violated("b", f"{when}: {device.name} is off, and no issue says so")
            if user.the_entry(self.hass) and not self._is_noted():
                self.violated("b", f"{when}: {device.name} is off, and no file says what should hold")

    def check_off_noted(self) -> None:
        """Check that after a crash a file says what should hold again, or an issue of what was removed."""
        if self.issue_lost or any(
            issue.startswith("limit_was_left_off") for issue in self._persistent_issues()
        ):
            return
        for device in self.devices:
            if device.is_off and not self.may_be_off(device) and not self._is_noted():
                self.violated("b", f"after the crash {device.name} is off, and no file says what should hold")

    def is_pending_elsewhere(self) -> bool:
        """Tell whether what is to be restored is to be at an address where nothing is any more."""
        return bool(self._pending_ports() - {device.port for device in self.devices})

    def _pending_ports(self) -> set[Any]:
        """Return where something is to be restored, as far as the files can be read."""
        ports: set[Any] = set()
        for name in self.home.files():
            if name.endswith(".note"):
                with suppress(ValueError):
                    pending = self.home.stored(name)
                    ports |= {pending.get("port")} if isinstance(pending, dict) else set()
        return ports

    def _is_noted(self) -> bool:
        return any(name.endswith(".note") for name in self.home.files())

    def _persistent_issues(self) -> list[str]:
        stored = self.home.stored("repairs.issue_registry") or {"issues": []}
        return [
            issue["issue_id"]
            for issue in stored["issues"]
            if issue["domain"] == DOMAIN and issue.get("is_persistent")
        ]

    def check_removed(self, entry_id: str) -> None:
        """Check that an entry that was removed left nothing."""
        left = [name for name in self.home.files() if entry_id in name and ".corrupt" not in name]
        if self.damaged:
            left = [name for name in left if not name.endswith(".note")]
        if left:
            self.violated("d", f"removed, and these files are left: {left}")


def is_ours(task: asyncio.Task[Any]) -> bool:
    """Tell whether a task runs the integration's own code."""
    code = getattr(task.get_coro(), "cr_code", None)
    return f"custom_components/{DOMAIN}" in getattr(code, "co_filename", "")


def check_told(world: World, wish: Wish, device: WatchedDevice | None) -> list[str]:
    """Return what was told by a wish's outcome or its feedback and was not so."""
    from .checks import claims, feedback  # noqa: PLC0415 - it needs the world

    return [*(claims(world, wish, device) if device else []), *feedback(world, wish)]


__all__ = ["Beginning", "Violation", "World", "Writer"]
