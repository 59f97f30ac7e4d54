"""The control stays true in any life: hypothesis makes them up, the judge looks at them."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
import gc
import json
import logging
import os
from pathlib import Path
import random
import re
import shutil
import tempfile
from typing import Any, Final, cast

from awesomeversion import AwesomeVersion
import freezegun
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import __version__
from hypothesis import (
    HealthCheck,
    Phase,
    Verbosity,
    assume,
    seed as hypothesis_seed,
    settings,
    strategies as st,
)
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
import pytest

from simulator import FAULTS

from . import user
from .checks import judge
from .home import Said
from .loop import SeededLoop, SeededWarp
from .model import Setting
from .world import Beginning, World

START: Final = "2026-06-21 00:00:00"
UNUSED_FAULTS: Final = frozenset({"exhausted", "disobedient", "zero-inverters"})
"""The first is over only with a restart; the others have no bearing on the limit."""

limits = st.sampled_from([0.0, 0.06, 1.0, 2.0, 3.0, 4.0, 5.5, 7.0, 9.0, 10.0, 12.0])
modes = st.sampled_from(["value", "rcr", "dred"])
after = st.one_of(
    st.integers(0, 40),
    st.integers(0, 40),
    st.sampled_from([0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8]),
    st.sampled_from([0.1, 0.3, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0]),
)
pauses = st.sampled_from([0.0, 0.0, 0.05, 0.5, 2.0])
suspensions = st.sampled_from(["reset", "reset", "mode"])
LASTING: Final = ("silence", "refused", "close-before-answer", "effect-then-silence", "garbage")
"""Faults that keep a limit from being restored as long as they last."""
ENDLESS: Final = 3600.0
"""s; no step may take so long."""
FROZEN: FrozenDateTimeFactory


class BrokenPromiseError(AssertionError):
    """A life in which a promise was not kept."""


class Life(RuleBasedStateMachine):
    """What can happen."""

    seed = 0
    """What hypothesis makes this life up from."""
    hunted: list[dict[str, Any]] | None = None
    lives = 0
    busy = 0
    last_told = ""
    """What happened in the life before, line by line."""

    def __init__(self) -> None:
        super().__init__()
        self._world: World | None = None

    @property
    def world(self) -> World:
        """The world of this life, once it has begun."""
        assert self._world is not None
        return self._world

    @initialize(
        order=st.integers(0, 2**32 - 1),
        put_back=st.booleans(),
        mode=st.sampled_from(["value", "value", "value", "rcr", "deactivated", "deactivated"]),
        sum_of_phases=st.booleans(),
        slowest=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
        limit=st.sampled_from([0.0, 4.0, 10.0]),
        step=st.sampled_from([1, 1, 1, 100]),
    )
    def begin(
        self,
        order: int,
        put_back: bool,
        mode: str,
        sum_of_phases: bool,
        slowest: float,
        limit: float,
        step: int,
    ) -> None:
        # Hypothesis begins with the simplest of all lives, which is the same for every seed.
        assume(order)
        self.folder = Path(tempfile.mkdtemp(dir=os.environ.get("STATEFUL_TMP")))
        random.seed(order)
        self.loop = SeededLoop(order)
        self.exit = ExitStack()
        self.exit.enter_context(SeededWarp(self.loop, START, frozen=FROZEN, grace_s=0))
        self.said = Said()
        logging.getLogger().addHandler(self.said)
        self.loop.set_exception_handler(self._exception)
        options = {
            "scan_interval": 120,
            "min_export_limit": 0.0,
            "max_export_limit": 10.0,
            "total_capacity": 30.0,
            "export_limit_control_mode": mode,
            "scan_three_phases": sum_of_phases,
            "put_back": put_back,
            "allow_deactivating": True,
        }
        held = Setting("value" if mode == "deactivated" else mode, round(limit * 1000), 30_000, sum_of_phases)
        begin = Beginning(order, options, held, slowest, step)
        self.run(self._begin(begin))
        self.exit.enter_context(self.world.home.disk())

    def _exception(self, _loop: Any, context: dict[str, Any]) -> None:
        what = context.get("exception") or context.get("task") or context.get("asyncgen")
        logging.getLogger("asyncio").error("%s: %r", context["message"], what)

    def run(self, work: Any) -> Any:
        try:
            return self.loop.run_until_complete(asyncio.wait_for(work, ENDLESS))
        except BaseException:
            if self._world:
                print(self.told())
            raise

    async def _begin(self, begin: Beginning) -> None:
        self._world = World(self.folder, begin)
        await self.world.start()

    def step(self, wait: float, act: Any) -> None:
        async def do() -> None:
            act()
            await (self.world.pass_turns(wait) if isinstance(wait, int) else self.world.pass_time(wait))

        self.run(do())

    @property
    def has_entry(self) -> bool:
        return self._world is not None and user.the_entry(self.world.hass) is not None

    @rule(action=st.sampled_from(["export_disable", "export_enable", "export_toggle"]), wait=after)
    def turn(self, action: str, wait: float) -> None:
        self.step(wait, lambda: self.world.call(action))

    @rule(limit=limits, wait=after)
    def set_limit(self, limit: float, wait: float) -> None:
        self.step(wait, lambda: self.world.call("set_export_limit", limit))

    @rule(
        action=st.sampled_from(["set_export_limit", "set_export_limit", "export_disable", "export_enable"]),
        limit=limits,
        minutes=st.sampled_from([1, 1, 1, 2, 5]),
        then=limits,
        wait=after,
    )
    def set_temporary(self, action: str, limit: float, minutes: int, then: float, wait: float) -> None:
        self.step(wait, lambda: self.world.call_temporary(action, limit, minutes, then))

    @rule(
        limit=limits,
        then=limits,
        wanted=limits,
        fault=st.sampled_from(["nak", "silence", "ack-without-effect"]),
    )
    def fail_while_temporary(self, limit: float, then: float, wanted: float, fault: str) -> None:
        self.run(self.world.fail_while_temporary(limit, then, wanted, fault))

    @rule(times=st.integers(1, 4), pause=st.sampled_from([0.0, 1.0, 20.0, 40.0]))
    def renew(self, times: int, pause: float) -> None:
        self.run(self.world.renew(times, pause))

    @rule(
        limit=st.sampled_from([None, None, 0.0, 2.0, 5.5]),
        obeys=st.booleans(),
        wait=st.sampled_from([0.1, 20.0, 40.0, 90.0]),
    )
    def test_limit(self, limit: float | None, obeys: bool, wait: float) -> None:
        self.run(self.world.test_for(limit, wait, obeys=obeys))

    @rule(which=st.sampled_from(["set_min_export_limit", "set_max_export_limit"]), limit=limits, wait=after)
    def set_range(self, which: str, limit: float, wait: float) -> None:
        self.step(wait, lambda: self.world.call(which, limit))

    @rule(action=st.sampled_from(["get_export_limit", "set_datetime"]), wait=after)
    def ask(self, action: str, wait: float) -> None:
        self.step(wait, lambda: self.world.call(action))

    @rule(wait=after)
    def reset(self, wait: float) -> None:
        self.step(wait, lambda: self.world.call("reset_export_watchdog"))

    @rule(
        control=st.sampled_from(
            [name for name in World.CONTROLS if name not in {"limit", "minimum", "maximum"}]
        ),
        wait=after,
    )
    def press(self, control: str, wait: float) -> None:
        self.step(wait, lambda: self.world.operate(control))

    @rule(control=st.sampled_from(["limit", "minimum", "maximum"]), limit=limits, wait=after)
    def number(self, control: str, limit: float, wait: float) -> None:
        self.step(wait, lambda: self.world.operate(control, limit))

    @rule(mode=st.sampled_from(["value", "rcr", "dred", "deactivated"]), wait=after)
    def select(self, mode: str, wait: float) -> None:
        self.step(wait, lambda: self.world.choose_mode(mode))

    @rule(
        values=st.lists(limits, min_size=3, max_size=12),
        pause=st.sampled_from([0.0, 0.01, 0.05]),
        wait=after,
    )
    def drag(self, values: list[float], pause: float, wait: float) -> None:
        self.step(wait, lambda: self.world.drag(values, pause))

    @rule(
        changed=st.fixed_dictionaries(
            {},
            optional={
                "min_export_limit": st.sampled_from([0.0, 1.0, 2.0]),
                "max_export_limit": st.sampled_from([3.0, 5.0, 10.0]),
                "total_capacity": st.sampled_from([20.0, 30.0]),
                "export_limit_control_mode": st.sampled_from(["value", "rcr", "deactivated"]),
                "scan_three_phases": st.booleans(),
                "put_back": st.booleans(),
            },
        ),
        pause=pauses,
        wait=after,
    )
    def options(self, changed: dict[str, Any], pause: float, wait: float) -> None:
        if self.has_entry:
            self.step(wait, lambda: self.world.options(changed, pause))

    @rule(moved=st.booleans(), pause=pauses, wait=after)
    def reconfigure(self, moved: bool, pause: float, wait: float) -> None:
        self.step(wait, lambda: self.world.reconfigure(moved=moved, pause=pause))

    @rule(choice=st.integers(0, 1), pause=pauses, wait=after)
    def repair(self, choice: int, pause: float, wait: float) -> None:
        self.step(wait, lambda: self.world.repair(choice, pause))

    @rule(wait=after)
    def reload(self, wait: float) -> None:
        self.step(wait, self.world.reload)

    @rule(wait=after)
    def disable(self, wait: float) -> None:
        self.step(wait, self.world.disable)

    @rule(wait=after)
    def enable(self, wait: float) -> None:
        self.step(wait, self.world.enable)

    @rule(wait=after)
    def remove(self, wait: float) -> None:
        self.step(wait, self.world.remove)

    @rule(maximum=st.sampled_from([4.0, 10.0]), mode=modes, wait=after)
    def add(self, maximum: float, mode: str, wait: float) -> None:
        self.step(wait, lambda: self.world.add(maximum, mode))

    @rule(
        late=st.sampled_from([None, "disable button", "reset button", "limit", "select rcr", "clock button"]),
        stage=st.sampled_from(["shutdown job", "stop", "final write"]),
    )
    def restart(self, late: str | None, stage: str) -> None:
        self.run(self.world.restart(late, stage))

    @rule(
        damage=st.sampled_from(
            ["", "", "", "other newer", "other shape", "other garbage", "pending newer", "pending garbage"]
        ),
        seconds=st.sampled_from([3.0, 10.0]),
    )
    def crash(self, damage: str, seconds: float) -> None:
        self.run(self.world.crash(damage, seconds))

    @rule(
        name=st.sampled_from(sorted(FAULTS.keys() - UNUSED_FAULTS)),
        times=st.sampled_from([1, 1, 2, 3, 6, None]),
        commands=st.sampled_from([None, (0x43,), (0x42,), (0x40,), (0x40, 0x33, 0x28)]),
        wait=after,
    )
    def fault(self, name: str, times: int | None, commands: tuple[int, ...] | None, wait: float) -> None:
        self.step(wait, lambda: self.world.fault(name, times=times, commands=commands))

    @rule(wait=after)
    def heal(self, wait: float) -> None:
        self.step(wait, self.world.heal)

    @rule(
        changed=st.fixed_dictionaries(
            {},
            optional={
                "limit": st.sampled_from([1_500, 6_000, 15_000]),
                "mode": st.sampled_from(["value", "rcr", "deactivated"]),
                "capacity": st.sampled_from([25_000, 30_000]),
            },
        ),
        wait=after,
    )
    def foreign(self, changed: dict[str, Any], wait: float) -> None:
        self.step(wait, lambda: self.world.foreign(**changed))

    @rule(
        begins=suspensions,
        trouble=st.sampled_from([None, "late off", "late off", *LASTING]),
        ends=st.sampled_from(
            ["disable", "reload", "remove", "restart", "crash", "power", "limit", "options"]
        ),
        pause=st.sampled_from([0.0, 0.0, 0.3, 1.0, 2.0, 20.0]),
        wait=after,
    )
    def cut_off(self, begins: str, trouble: str | None, ends: str, pause: float, wait: float) -> None:
        self.run(self.world.cut_off(begins, trouble, ends, pause))
        self.step(wait, lambda: None)

    @rule(
        begins=st.sampled_from(["reset", "reset", "reset", "mode"]),
        trouble=st.sampled_from(LASTING),
        seconds=st.sampled_from([5.0, 30.0, 60.0]),
        action=st.sampled_from(
            ["export_disable", "export_enable", "export_toggle", "get_export_limit", None]
        ),
        wait=after,
    )
    def outage(self, begins: str, trouble: str, seconds: float, action: str | None, wait: float) -> None:
        self.run(self.world.outage(begins, trouble, seconds))
        self.step(
            wait,
            lambda: self.world.call(action) if action else self.world.call("set_export_limit", 3.0),
        )

    @rule(
        slow=st.sampled_from(["clock button", "reset button", "limit"]),
        ends=st.sampled_from(["disable", "reload", "remove"]),
        controls=st.lists(
            st.sampled_from(["switch off", "reset button", "clock button", "limit", "maximum", "select rcr"]),
            min_size=1,
            max_size=3,
        ),
        pause=st.sampled_from([0.0, 0.0, 0.2, 1.0]),
        wait=after,
    )
    def use_at_the_end(self, slow: str, ends: str, controls: list[str], pause: float, wait: float) -> None:
        self.run(self.world.use_at_the_end(slow, ends, controls, pause))
        self.step(wait, lambda: None)

    @rule(turns=st.integers(0, 20), wait=after)
    def toggle_twice(self, turns: int, wait: float) -> None:
        self.step(turns, lambda: self.world.call("export_toggle"))
        self.step(wait, lambda: self.world.call("export_toggle"))

    @rule(is_full=st.sampled_from([True, True, False]), wait=after)
    def disk(self, is_full: bool, wait: float) -> None:
        self.step(wait, lambda: self.world.fill_disk(is_full=is_full))

    @rule(is_on=st.booleans(), wait=after)
    def polling(self, is_on: bool, wait: float) -> None:
        self.step(wait, lambda: self.world.poll(is_on=is_on))

    @rule(
        entity=st.sampled_from(["sensor.export_limit", "sensor.meter_power", "switch.export_to_grid"]),
        wait=after,
    )
    def update_entity(self, entity: str, wait: float) -> None:
        self.step(wait, lambda: self.world.update_entity(entity))

    @rule(saves=st.booleans(), wait=after)
    def scene(self, saves: bool, wait: float) -> None:
        self.step(wait, self.world.save_scene if saves else self.world.apply_scene)

    @rule(times=st.integers(2, 5), reloads=st.booleans())
    def tug_of_war(self, times: int, reloads: bool) -> None:
        self.run(self.world.tug_of_war(times, reloads=reloads))

    @rule(seconds=st.sampled_from([0.5, 15.0, 65.0]))
    def wait(self, seconds: float) -> None:
        self.run(self.world.pass_time(seconds))

    def teardown(self) -> None:
        world = self._world
        if world is None:
            return
        try:
            self.run(self._end())
            gc.collect() if self.lives % 20 == 0 else None
        finally:
            logging.getLogger().removeHandler(self.said)
            self.exit.close()
            self.loop.close()
            shutil.rmtree(self.folder)
        type(self).lives += 1
        type(self).busy += world.most_in_flight >= 3
        type(self).last_told = self.told()
        if path := os.environ.get("STATEFUL_ALL"):
            with Path(path).open("a") as file:
                file.write(self.told() + "\n\n")
        if world.violations:
            if self.hunted is not None:
                self.hunted.append(
                    {
                        "life": self.seed,
                        "violations": [(v.rule, v.what) for v in world.violations],
                        "timeline": self.told(),
                    }
                )
                return
            print(self.told())
            raise BrokenPromiseError("\n".join(f"({each.rule}) {each.what}" for each in world.violations))

    async def _end(self) -> None:
        world = self.world
        try:
            if world.home.is_running:
                await judge(world, self.said)
        finally:
            for device in world.devices:
                await device.stop()
            if world.home.is_running:
                await world.home.stop()
            await world.home.bury()
            await self.loop.end_all()

    def told(self) -> str:
        """Return what happened, line by line."""
        timeline = (f"{at:9.3f}  {what}" for at, what in self.world.timeline)
        return "\n".join((f"life {self.seed} (STATEFUL_SEEDS={self.seed} lives it again)", *timeline))


CHUNK: Final = 25
"""Lives of one test."""
LIVES: Final = 200
LONG_LIVES: Final = 10_000


def _chunks() -> list[Any]:
    """Return the seeds: few by default, all of them with --long, or those that the environment names."""
    if chosen := os.environ.get("STATEFUL_SEEDS"):
        first, _, last = chosen.partition("-")
        seeds = range(int(first), int(last or first) + 1)
    else:
        seeds = range(LONG_LIVES)
    chunks = (seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK))
    return [
        pytest.param(
            chunk,
            id=f"{chunk[0]}-{chunk[-1]}",
            marks=[] if chosen or chunk[0] < LIVES else [pytest.mark.long],
        )
        for chunk in chunks
    ]


@contextmanager
def life_after_life() -> Iterator[None]:
    """Freeze the clocks for the lives that follow, and keep only what they say as an error."""
    global FROZEN  # noqa: PLW0603 - hypothesis makes the machine, which needs the clock
    Life.lives = Life.busy = 0
    logging.disable(logging.WARNING)
    try:
        with freezegun.freeze_time(START, ignore=["hypothesis.internal"]) as frozen:
            FROZEN = cast(FrozenDateTimeFactory, frozen)
            yield
    finally:
        logging.disable(logging.NOTSET)


def live(seed: int) -> None:
    """Live the one life that this seed makes up; where it fails, look for the shortest that does."""
    Life.seed = seed
    run_state_machine_as_test(
        hypothesis_seed(seed)(Life),
        settings=settings(
            max_examples=1,
            stateful_step_count=16,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate] if Life.hunted is not None else [Phase.generate, Phase.shrink],
            verbosity=Verbosity.normal,
        ),
    )


needs_newest = pytest.mark.skipif(
    AwesomeVersion(__version__) < "2026.10", reason="the lives start Home Assistant as 2026.10 does"
)


@needs_newest
@pytest.mark.timeout(3000)
@pytest.mark.slow
@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("seeds", _chunks())
def test_any_life_keeps_the_promises(seeds: range) -> None:
    """Live 25 lives; a failure prints the seed of the life and the shortest timeline.

    STATEFUL_SEEDS=8-20 chooses lives by their seeds, STATEFUL_SEEDS=8 a single one; STATEFUL_HUNT=FILE
    writes every violation there instead of failing.
    """
    hunt = os.environ.get("STATEFUL_HUNT")
    hunted: list[dict[str, Any]] = []
    Life.hunted = hunted if hunt else None
    with life_after_life():
        for seed in seeds:
            live(seed)
    print(f"{seeds}: {Life.lives} lives, {Life.busy} with three or more commands in flight")
    if hunt:
        with Path(hunt).open("a") as file:
            file.writelines(json.dumps(each) + "\n" for each in hunted)


@needs_newest
@pytest.mark.slow
@pytest.mark.usefixtures("socket_enabled")
def test_life_is_the_same_alone_and_after_others() -> None:
    Life.hunted = []
    with life_after_life():
        live(1)
        live(2)
        after_another = Life.last_told
        live(2)
        alone = Life.last_told
    port = re.compile(r"\b\d{5}\b")
    assert port.sub("PORT", after_another) == port.sub("PORT", alone)
