"""What should be: the options and the device, by the wishes in the order of their calls.

It knows the rules of the control (docs/RELIABILITY.md), and nothing of how they are kept. Where an outcome is
unknown, both are possible: each part of the state is the set of what it may be.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import reduce
from itertools import permutations, product
from typing import Any, Final

EQUAL: Final = 50
"""W; what differs by less is equal."""

MINIMUM: Final = "min_export_limit"
MAXIMUM: Final = "max_export_limit"
CAPACITY: Final = "total_capacity"
MODE: Final = "export_limit_control_mode"
SUM: Final = "scan_three_phases"
EXPORT_OPTIONS: Final = (MINIMUM, MAXIMUM, CAPACITY, MODE, SUM)
DEACTIVATED: Final = "deactivated"

type Possible = dict[str, frozenset[Any]]


class Outcome(Enum):
    """The outcome that a caller got."""

    PENDING = auto()
    OK = auto()
    QUIET = auto()
    """No error: it was done, or a newer one took its place."""
    SUPERSEDED = auto()
    REFUSED = auto()
    """Nothing was done."""
    FAILED = auto()
    """What came of it is not known, or not told."""
    LOST = auto()
    """No outcome: the power went, or the call was not taken."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a device holds; W."""

    mode: str
    limit: int
    capacity: int
    sum_of_phases: bool

    def __str__(self) -> str:
        measured = "" if self.sum_of_phases else ", each phase"
        return f"{self.mode} {self.limit / 1000:g} of {self.capacity / 1000:g} kW{measured}"


@dataclass(frozen=True, slots=True)
class End:
    """When a limit ends by itself, and what holds then."""

    at: float
    """s, virtual; not before."""
    limit: int
    """W; the one that ends."""
    then: int
    """W."""

    def is_of(self, limit: int) -> bool:
        """Tell whether a device that holds this limit (W) is still at what was set, or at what follows."""
        return _same(limit, self.limit) or _same(limit, self.then)


@dataclass(frozen=True)
class State:
    """What the options and the device may be; powers in kW as in the options, in W at the device."""

    options: Possible
    device: Possible
    ends: frozenset[End | None] = frozenset({None})
    """How the limit may end by itself; None where it stands."""

    def joined(self, other: State) -> State:
        """Return what either of the two may be."""
        return State(
            _joined(self.options, other.options),
            _joined(self.device, other.device),
            self.ends | other.ends,
        )

    def with_options(self, **options: Any) -> State:
        """Return the same with these options for certain."""
        return replace(self, options={**self.options, **{key: _set(value) for key, value in options.items()}})

    def with_device(self, setting: Setting) -> State:
        """Return the same with this setting for certain."""
        return replace(self, device=_possible(setting))

    def standing(self) -> State:
        """Return the same with a limit that does not end."""
        return replace(self, ends=frozenset({None}))

    def perhaps_standing_at(self, limit: int | None) -> State:
        """Return what may be where the end of the limit (W) that the device holds may be forgotten."""
        limits = self.device["limit"] | (frozenset() if limit is None else {limit})
        return self.joined(replace(self.standing(), device={**self.device, "limit": limits}))

    def ended(self, now: float) -> State:
        """Return what should be once the ends that have passed by now are carried out."""
        after = [
            self.standing() if end is None else in_force(self, self.within(end.then)).standing()
            for end in self.ends
            if end is None or end.at <= now
        ]
        if later := frozenset(end for end in self.ends if end and end.at > now):
            after.append(replace(self, ends=later))
        return reduce(State.joined, after)

    def perhaps_ended(self, now: float) -> State:
        """Return what may be, whether or not the ends that have passed by now are carried out already."""
        return self.joined(self.ended(now))

    def dropping(self, limit: int, now: float) -> State:
        """Return what may be after a setup of a device that holds this limit (W): an end may be dropped."""
        is_dropped = any(end and end.at <= now and not end.is_of(limit) for end in self.ends)
        return replace(self, ends=self.ends | {None}) if is_dropped else self

    def tightened(self, done: State) -> State:
        """Return what may be where this may have failed: an end allows no more than was wanted, nor later."""
        wanted = {*done.device["limit"], *map(watts, done.options[MAXIMUM])}
        tighter = {replace(end, then=min(end.then, limit)) for end in self.ends if end for limit in wanted}
        sooner = {
            End(min(old.at, new.at), new.limit, min(old.then, new.then))
            for old in self.ends
            for new in done.ends
            if old and new
        }
        return replace(self, ends=self.ends | tighter | sooner)

    def within(self, limit: int) -> set[int]:
        """Return the limits (W) that it may be brought to by the options."""
        return {
            min(max(limit, watts(lowest)), watts(highest))
            for lowest, highest in product(self.options[MINIMUM], self.options[MAXIMUM])
        }

    def holds(self, setting: Setting) -> list[str]:
        """Return which parts of a setting are not possible."""
        actual = _possible(setting)
        return [
            f"{part} {next(iter(actual[part]))} is none of {_words(values)}"
            for part, values in self.device.items()
            if not any(_same(next(iter(actual[part])), value) for value in values)
        ]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str | bool):
        return bool(one == other)
    return bool(abs(one - other) < EQUAL)


def _set(value: Any) -> frozenset[Any]:
    return value if isinstance(value, frozenset) else frozenset({value})


def _words(values: Iterable[Any]) -> str:
    return " | ".join(sorted(map(str, values)))


def _possible(setting: Setting) -> Possible:
    return {
        "mode": frozenset({setting.mode}),
        "limit": frozenset({setting.limit}),
        "capacity": frozenset({setting.capacity}),
        "sum_of_phases": frozenset({setting.sum_of_phases}),
    }


def _joined(one: Possible, other: Possible) -> Possible:
    return {key: one[key] | other[key] for key in one}


def watts(kilowatts: float) -> int:
    """Return kW as W."""
    return round(kilowatts * 1000)


def in_force(state: State, limit: Iterable[int], mode: Iterable[str] | None = None) -> State:
    """Return the state after one of these limits (W) was set under the options.

    Setting a limit takes no mode off: where the options say deactivated, the device's mode stays.
    """
    if mode is None:
        mode = {
            kept
            for option in state.options[MODE]
            for kept in (state.device["mode"] if option == DEACTIVATED else {option})
        }
    return replace(
        state,
        device={
            "mode": frozenset(mode),
            "limit": frozenset(limit),
            "capacity": frozenset(map(watts, state.options[CAPACITY])),
            "sum_of_phases": state.options[SUM],
        },
    )


@dataclass
class Event:
    """What bears on what should be, at its place in the order."""

    order: float

    def fold(self, state: State) -> State:
        """Return what should be after it."""
        raise NotImplementedError


@dataclass
class Wish(Event):
    """One call, and what it asks for."""

    what: str
    called: float
    """s, virtual."""
    is_command: bool = True
    """Whether it goes to the device."""
    outcome: Outcome = Outcome.PENDING
    told: float | None = None
    response: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    device: str = ""
    """The device of the entry when it was called."""
    action: str = ""
    """The action whose feedback tells the outcome."""
    is_late: bool = False
    """Whether it was called when nothing may be taken any more."""
    is_cut_off: bool = False
    """Whether the outcome was that it was interrupted."""
    is_written: bool = False
    """Whether it failed once it was written, so that what was to hold was stored before."""
    setup: int = 0
    """Which setup of the entry it was when it was called."""

    def fold(self, state: State) -> State:
        match self.outcome:
            case Outcome.REFUSED:
                return state
            case Outcome.SUPERSEDED:
                return self.superseded(state)
            case Outcome.OK:
                return self.done(state)
            case _:
                done = self.done(state)
                return state.tightened(done).joined(done)

    def done(self, state: State) -> State:
        """Return what should be where it was done."""
        return state

    def superseded(self, state: State) -> State:
        """Return what should be where it was told to be superseded: a limit does not count."""
        return state


@dataclass
class LimitWish(Wish):
    """A limit, or one end of the range."""

    limit: float | str = 0.0
    """kW, or MINIMUM or MAXIMUM."""
    duration: float | None = None
    """s, after which the limit ends by itself; None where it stands."""
    then: int = 0
    """W; what holds then."""

    def fold(self, state: State) -> State:
        if self.outcome is not Outcome.FAILED or not self.is_written or self.duration is not None:
            return super().fold(state)
        done = self.done(state)
        tighter = {
            end and replace(end, then=min(end.then, limit))
            for end in state.ends
            for limit in done.device["limit"]
        }
        return replace(state, ends=frozenset(tighter)).joined(done)

    def limits(self, state: State) -> set[int]:
        """Return the limits (W) that it may mean."""
        if isinstance(self.limit, str):
            return set(map(watts, state.options[self.limit]))
        return {
            watts(min(max(self.limit, lowest), highest))
            for lowest, highest in product(state.options[MINIMUM], state.options[MAXIMUM])
        }

    def done(self, state: State) -> State:
        limits = self.limits(state)
        after = in_force(state, limits)
        if self.duration is None:
            return after.standing()
        at = self.called + self.duration
        ends = {End(at, limit, then) for limit in limits for then in state.within(self.then)}
        return replace(after, ends=frozenset(ends))


@dataclass
class ToggleWish(LimitWish):
    """One end of the range; which one, the device decides and the response tells."""

    def limits(self, state: State) -> set[int]:
        ends = {watts(end) for end in state.options[MINIMUM] | state.options[MAXIMUM]}
        told = self.response.get("export_limit")
        return {end for end in ends if told is None or _same(end, watts(told))} or ends


@dataclass
class OptionsWish(Wish):
    """A change of options, which the limit follows."""

    changed: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)
    """What was submitted as it stood in the window, and may be older than what holds now."""
    replaced: bool = False
    """Whether newer wishes change the same options, and were not refused."""
    deactivates: bool = False
    """Whether deactivated was confirmed in this very step."""

    def done(self, state: State) -> State:
        old = state.options
        new = dict(old)
        for key, value in self.shown.items():
            new[key] = old[key] | {value}
        for key, value in self.changed.items():
            new[key] = frozenset({value})
        new_keys = {*self.changed, *self.shown}
        limits = {
            followed
            for held in state.device["limit"]
            for ends in product(old[MINIMUM], old[MAXIMUM], new[MINIMUM], new[MAXIMUM])
            for followed in follow(held, *ends)
        }
        after = replace(state, options=new)
        # The bounds bring what follows into range, too, and another mode of the options ends it.
        followed_by = {
            end and replace(end, then=then)
            for end in state.ends
            for then in ([*after.within(end.then), end.then] if end else [0])
        }
        after = replace(after, ends=frozenset(followed_by | ({None} if MODE in new_keys else set())))
        if self.deactivates:
            # What was confirmed holds; the rest may be saved without a write where nothing was changed.
            written = in_force(after, limits, {DEACTIVATED})
            device = written.device if self.changed else _joined(state.device, written.device)
            return replace(after, device={**device, "mode": frozenset({DEACTIVATED})})
        if not self.changed and self.shown:
            # Windows in which nothing was changed may be saved without a write.
            return state.joined(in_force(after, limits))
        if MODE in self.changed:
            return in_force(after, limits, new[MODE])
        if MODE in self.shown:
            kept = in_force(after, limits).device["mode"]
            return in_force(after, limits, kept | new[MODE])
        return in_force(after, limits)

    def superseded(self, state: State) -> State:
        """A change of options is never lost, unless a newer one of the same options took its place."""
        done = self.done(state)
        return state.joined(done) if self.replaced else replace(state.joined(done), options=done.options)


def follow(held: int, old_low: float, old_high: float, new_low: float, new_high: float) -> set[int]:
    """Return the limits (W) that may follow a range (kW) that changes; what is at an end stays there."""
    followed = set()
    low, high = watts(new_low), watts(new_high)
    if held < watts(old_low) + EQUAL:
        followed.add(low)
    if held > watts(old_high) - EQUAL:
        followed.add(high)
    return followed or {min(max(held, low), high)}


@dataclass
class ReadWish(Wish):
    """A read by hand, which may take over what the device holds."""

    adopted: dict[str, Any] = field(default_factory=dict)
    """What was told to be taken over."""
    perhaps: dict[str, frozenset[Any]] = field(default_factory=dict)
    """What may have been taken over, where nothing was told of it."""

    def done(self, state: State) -> State:
        after = state.with_options(**self.adopted)
        after = after.joined(after.with_options(**self.perhaps))
        return after.joined(after.standing()) if MODE in {*self.adopted, *self.perhaps} else after


@dataclass
class KeepWish(Wish):
    """What the device holds is to be what should hold."""

    held: Setting | None = None

    def done(self, state: State) -> State:
        if self.held is None:
            return state
        after = state.with_device(self.held)
        if self.held.mode != DEACTIVATED:
            after = after.with_options(**{MODE: state.options[MODE] | {self.held.mode}})
        capacity = round(self.held.capacity / 1000, 2)
        after = after.with_options(**{CAPACITY: state.options[CAPACITY] | {capacity}})
        return after.standing().joined(state)


@dataclass
class SceneWish(Wish):
    """A scene of all controls: each that shows something else is set, in no certain order."""

    limit: float | None = None
    """kW; None where the number shows it already, as of all that follows."""
    options: dict[str, Any] = field(default_factory=dict)
    is_on: bool | None = None

    def fold(self, state: State) -> State:
        if self.outcome is Outcome.OK:
            return self.done(state)
        if self.outcome is Outcome.REFUSED:
            return state
        for part in self._parts():
            done = part.done(state)
            state = state.tightened(done).joined(done)
        return state

    def done(self, state: State) -> State:
        after = [self._in_order(state, parts) for parts in permutations(self._parts())]
        return reduce(State.joined, after)

    def _in_order(self, state: State, parts: Iterable[Wish]) -> State:
        for part in parts:
            state = part.done(state)
        return state

    def _parts(self) -> list[Wish]:
        common: dict[str, Any] = {"order": self.order, "what": self.what, "called": self.called}
        parts: list[Wish] = [
            OptionsWish(changed={key: value}, **common) for key, value in self.options.items()
        ]
        if self.limit is not None:
            parts.append(LimitWish(limit=self.limit, **common))
        # Where the scene sets the limit as well, the switch's "on" means that one.
        if self.is_on is False or (self.is_on and self.limit is None):
            parts.append(LimitWish(limit=MAXIMUM if self.is_on else MINIMUM, **common))
        return parts


@dataclass
class Occasion(Event):
    """What happened without a wish."""

    change: Callable[[State], State]

    def fold(self, state: State) -> State:
        return self.change(state)


def expected(beginning: State, events: Sequence[Event], *, before: float = float("inf")) -> State:
    """Return what should be after these events, in their order."""
    state = beginning
    _mark_replaced([event for event in events if isinstance(event, OptionsWish)])
    for event in sorted((event for event in events if event.order < before), key=lambda event: event.order):
        if isinstance(event, Wish):
            state = state.perhaps_ended(event.called)
        state = event.fold(state)
    return state


def _mark_replaced(wishes: list[OptionsWish]) -> None:
    for wish in wishes:
        newer = (other for other in wishes if other.order > wish.order)
        kept = (other.changed for other in newer if other.outcome is not Outcome.REFUSED)
        wish.replaced = wish.changed.keys() <= {key for changed in kept for key in changed}


def limits_meant(beginning: State, events: Sequence[Event], wish: LimitWish) -> set[int]:
    """Return the limits (W) that a wish may come to, changes of options uttered after it included."""
    state = expected(beginning, events, before=wish.order)
    limits = wish.limits(state)
    state = in_force(state, limits)
    later = (event for event in events if event.order > wish.order and isinstance(event, OptionsWish))
    for event in sorted(later, key=lambda event: event.order):
        state = replace(state, device={**state.device, "limit": frozenset(limits)})
        state = state.joined(event.fold(state))
        limits |= state.device["limit"] | wish.limits(state)
    return limits


def beginning(options: Mapping[str, Any], setting: Setting) -> State:
    """Return what should be when an entry was just added."""
    return State({key: frozenset({options[key]}) for key in EXPORT_OPTIONS}, _possible(setting))


@dataclass
class ResetWish(Wish):
    """The limit is off for a while, and then all is as it was; the measurement is that of the options."""

    def done(self, state: State) -> State:
        measured = state.device["sum_of_phases"] | state.options[SUM]
        as_it_was = replace(state, device={**state.device, "sum_of_phases": measured})
        # Where the device held something looser, it is brought within what was proven.
        highest = max(map(watts, state.options[MAXIMUM]))
        return as_it_was.joined(in_force(state, {min(limit, highest) for limit in state.device["limit"]}))

    def superseded(self, state: State) -> State:
        """Cut short, it may have come to its end all the same, or not have begun."""
        return state.joined(self.done(state))


@dataclass
class TrialWish(Wish):
    """A test of the limit: whatever it finds, all is as it was, and the measurement that of the options."""

    obeys: bool = True
    """Whether the inverters do."""

    def done(self, state: State) -> State:
        measured = state.device["sum_of_phases"] | state.options[SUM]
        return replace(state, device={**state.device, "sum_of_phases": measured})
