"""Floods of calls, second by second, and what they cost the device and those who wait."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
import shutil
from typing import Any, Final

from homeassistant.const import EVENT_CALL_SERVICE
from homeassistant.core import DOMAIN as HOMEASSISTANT, Event, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component

from custom_components.goodwe_sec1000.const import DOMAIN
from simulator import Simulator
from simulator.protocol import TELEMETRY, WRITE_LIMIT
from tests.blueprints.home import BLUEPRINTS, Home
from tests.calls import suspend_limit

MINUTE_S: Final = 60
HOUR_S: Final = 3600
MOST_REQUESTS: Final = {MINUTE_S: 12 + 14, HOUR_S: 12 + 820}
"""The budget, and what it gains in so many seconds."""
RESTORE_DEBT: Final = 20
"""Requests beyond that where a limit is being restored."""
LONGEST_WISH_S: Final = 15.0
LONGEST_TELEMETRY_S: Final = 180.0
AT_ONCE: Final = 60
AT_ONCE_EVERY_S: Final = 600
DRAG_EVERY_S: Final = 60
DRAG_S: Final = 4
DRAG_STEPS: Final = 10
"""Values that a slider sends in a second."""
LIMIT: Final = "number.sec1000_export_limit"
MAXIMUM: Final = "number.sec1000_maximum_export_limit"
POWER: Final = "sensor.sec1000_meter_power"
SOURCE: Final = "sensor.signal"
WISHES: Final = ("set_export_limit", "export_toggle", "set_value")
"""The actions that say what limit is to hold."""

type Call = tuple[str, str, Mapping[str, Any]]
"""Domain, action and data."""


def _action(action: str, **data: Any) -> Call:
    return DOMAIN, action, data


def _changing(second: int) -> float:
    """Return another limit (kW) for each second."""
    return (second % 97) / 10


def _at_once(second: int) -> Iterator[Call]:
    if second % AT_ONCE_EVERY_S == 0:
        for number in range(AT_ONCE):
            yield _action("get_export_limit")
            yield _action("set_datetime")
            yield _action("set_export_limit", limit=_changing(second // AT_ONCE_EVERY_S + number))
            yield _action("export_toggle")


def _limits(second: int) -> Iterator[Call]:
    yield _action("set_export_limit", limit=_changing(second))


def _reads(second: int) -> Iterator[Call]:
    yield HOMEASSISTANT, "update_entity", {"entity_id": LIMIT if second % 2 else POWER}


def _drags(second: int) -> Iterator[Call]:
    since = second % DRAG_EVERY_S
    if since < DRAG_S:
        for step in range(DRAG_STEPS):
            value = 10 + (since * DRAG_STEPS + step) / 10
            yield "number", "set_value", {"entity_id": MAXIMUM, "value": value}


def _nothing(_second: int) -> Iterator[Call]:
    yield from ()


@dataclass(frozen=True, slots=True)
class Flood:
    """What is called, second by second."""

    name: str
    calls: Callable[[int], Iterator[Call]] = _nothing
    loop: Call | None = None
    """What is called again as soon as it has come to its end."""
    is_of_restores: bool = False
    """Whether a limit is suspended at a device that acknowledges from then on what it does not do."""
    is_of_blueprint: bool = False
    """Whether a blueprint follows a source that changes each second."""

    def most_requests(self, seconds: int) -> int:
        """Return how many requests the device may get in any minute or hour."""
        return MOST_REQUESTS[seconds] + (RESTORE_DEBT if self.is_of_restores else 0)


FLOODS: Final = (
    Flood(f"{AT_ONCE} calls at once", _at_once),
    Flood("a limit each second", _limits),
    Flood("reads each second and in a loop", _reads, loop=_action("get_export_limit")),
    Flood("Maximum dragged each minute", _drags),
    Flood("restore at a device that lies", is_of_restores=True),
    Flood("blueprint whose source changes each second", is_of_blueprint=True),
)


@dataclass(slots=True)
class Course:
    """What a flood came to."""

    ended: float
    """When, in s on the event loop's clock, as all times here."""
    wishes: list[float] = field(default_factory=list)
    """When a limit was called for."""
    requests: list[tuple[float, int]] = field(default_factory=list)
    """When each request arrived, and its command."""

    def most_requests(self, seconds: int) -> int:
        """Return the most requests in any so many seconds."""
        times = [at for at, _ in self.requests]
        most = first = 0
        for last, at in enumerate(times):
            while at - times[first] >= seconds:
                first += 1
            most = max(most, last - first + 1)
        return most

    @property
    def oldest_wish(self) -> float:
        """For how long (s) a limit that was called for, or a newer one, was not sent at most; 0 for none."""
        longest, sent = 0.0, self._sent(WRITE_LIMIT)
        at = next(sent)
        for wish in self.wishes:
            while at < wish:
                at = next(sent)
            longest = max(longest, at - wish)
        return longest

    @property
    def oldest_telemetry(self) -> float:
        """The longest time (s) from one measurement to the next."""
        return max(later - earlier for earlier, later in pairwise(self._sent(TELEMETRY)))

    def _sent(self, wanted: int) -> Iterator[float]:
        yield from (at for at, command in self.requests if command == wanted)
        yield self.ended


async def run(hass: HomeAssistant, sim: Simulator, flood: Flood, seconds: int) -> Course:
    """Let the flood go on for so long, in virtual time, and return what it came to."""
    loop = asyncio.get_running_loop()
    running = set[asyncio.Task[None]]()
    wishes: list[float] = []
    before = len(sim.requests)

    @callback
    def note(event: Event) -> None:
        if event.data["service"] in WISHES:
            wishes.append(loop.time())

    if flood.is_of_restores:
        running.add(await suspend_limit(hass, sim))
        sim.inject("ack-without-effect")
    stop_noting = hass.bus.async_listen(EVENT_CALL_SERVICE, note)
    assert await async_setup_component(hass, HOMEASSISTANT, {})
    looping = asyncio.create_task(_loop(hass, flood.loop)) if flood.loop else None
    async with _following(hass) if flood.is_of_blueprint else nullcontext():
        for second in range(seconds):
            hass.states.async_set(SOURCE, str(_changing(second)), {"unit_of_measurement": "kW"})
            for call in flood.calls(second):
                task = asyncio.create_task(_call(hass, call))
                running.add(task)
                task.add_done_callback(running.discard)
            await asyncio.sleep(1)
    stop_noting()
    if looping:
        looping.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    requests = [(request.time, request.frame.command) for request in sim.requests[before:] if request.frame]
    return Course(loop.time(), wishes, requests)


async def _call(hass: HomeAssistant, call: Call) -> None:
    domain, action, data = call
    try:
        await hass.services.async_call(domain, action, dict(data), blocking=True)
    except HomeAssistantError as error:
        if error.translation_key != "superseded":
            raise


async def _loop(hass: HomeAssistant, call: Call) -> None:
    while True:
        await _call(hass, call)


@asynccontextmanager
async def _following(hass: HomeAssistant) -> AsyncIterator[None]:
    """Let a blueprint follow the source, with the shortest pause that it allows."""
    folder = hass.config.path("blueprints")
    await hass.async_add_executor_job(partial(shutil.copytree, BLUEPRINTS, folder, dirs_exist_ok=True))
    home = Home(hass)
    await home.begin()
    await home.automate("follow_limit", {"export_limit": LIMIT, "source": SOURCE, "pause": {"seconds": 0}})
    try:
        yield
    finally:
        await home.stop()
