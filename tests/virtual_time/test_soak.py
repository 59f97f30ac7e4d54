"""Hours with a faulty device, 24 in a long run: no leak, and no wrong report."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import gc
import logging
from pathlib import Path
import random
import tracemalloc
from typing import Final, override

from homeassistant.const import EVENT_CALL_SERVICE, EVENT_STATE_CHANGED, STATE_UNAVAILABLE
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import Store
from homeassistant.setup import async_setup_component
from homeassistant.util.async_ import get_scheduled_timer_handles
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.goodwe_sec1000.const import DOMAIN
from custom_components.goodwe_sec1000.sec1000.frame import Frame
from custom_components.goodwe_sec1000.sec1000.model import ControlMode
from custom_components.goodwe_sec1000.sec1000.setting_write import TOLERANCE_W
from custom_components.goodwe_sec1000.tracking.feedback import Feedback
from simulator import Simulator
from simulator.exchange import Answer, Request
from simulator.faults import Fault
from simulator.house import House
from tests.states import get_state

from .timewarp import TimeWarp

SEED: Final = 1000
HOURS: Final = 6
LONG_HOURS: Final = 24
WARM_UP_HOURS: Final = 2
"""After them nothing has a reason to grow."""
FAULTY: Final = 0.05
"""Share of requests with a fault."""
MAX_GROWTH: Final = 128 * 1024
"""Bytes from hour 2 to hour 24: 26 for each request in between, less than any object has. Caches of Home
Assistant and freezegun that are not full after two hours take 80 KiB, most of it within the next four."""

TELEMETRY, READ, LIMIT, VALUE = 0x0B, 0x43, 0x42, 0x40
MAX_LIMIT: Final = 10_000
"""Maximum export limit of the entry, in W."""

LOST: Final = (
    "silence",
    "close-before-answer",
    "close-inside-answer",
    "reset",
    "garbage",
    "wrong-checksum",
    "stale-answer",
)
"""The answer is missing or invalid, with or without an effect of the request."""
LOST_WRITE: Final = (*LOST, "effect-without-ack", "effect-then-silence")
MIX: Final = {
    TELEMETRY: (*LOST, "six-byte-answer", "nak"),
    READ: (*LOST, "six-byte-answer", "nak", "unknown-mode"),
    LIMIT: (*LOST_WRITE, "ack-without-effect", "late-effect", "nak", "nak-with-effect"),
    # Without an arming that is acknowledged and has no effect, or a late one: if the mode was on before, the
    # read-back is the same, so that no client can detect it. Also without a NAK without effect: devices send
    # it if nothing had to change.
    VALUE: LOST_WRITE,
}

AUTOMATION: Final = {
    "alias": "Follow the price",
    "triggers": [{"trigger": "time_pattern", "minutes": "/5"}],
    "actions": [
        {
            "action": "goodwe_sec1000.set_export_limit",
            # 0 to 10.8 kW, so that some are corrected to the maximum; never the same twice in a row.
            "data": {"limit": "{{ (now().hour * 12 + now().minute // 5) * 47 % 109 / 10 }}"},
            "continue_on_error": True,
        }
    ],
}


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
async def sim(warp: TimeWarp, witness: Witness, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    """Run a device that a flood of requests overloads, in a simulated house."""
    async with Simulator(
        house=House(start=0, seed=SEED), seed=SEED, keep_requests=100, on_exchange=witness.record_exchange
    ) as simulator:
        random.seed(SEED)
        witness.sim = simulator
        apply = simulator._injector.apply

        def count(request: Frame, since_read: float) -> list[Fault]:
            faults = apply(request, since_read)
            witness.hit += bool(faults)
            return faults

        monkeypatch.setattr(simulator._injector, "apply", count)
        yield simulator


@dataclass(frozen=True, slots=True)
class Command:
    """The limit that the automation requested."""

    watts: int
    """After the correction to the range of the options."""
    corrected: bool


class Witness:
    """Compares every report with the state of the device at that moment."""

    sim: Simulator

    def __init__(self) -> None:
        self.wrong: list[str] = []
        """Wrong reports, with the requests before them."""
        self.claims: Counter[str] = Counter()
        self.calls = 0
        self.requests = 0
        self.hit = 0
        """Requests with a fault."""
        self._exchanges: deque[str] = deque(maxlen=16)
        self._limit_when_read: int | None = None
        self._command: Command | None = None

    def watch(self, hass: HomeAssistant) -> None:
        self._hass = hass
        hass.bus.async_listen(EVENT_CALL_SERVICE, self._record_call)
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._record_state)

    def record_exchange(self, request: Request, answer: Answer) -> None:
        """Record a request, its answer, and the state of the device after it."""
        self.requests += 1
        device = self.sim.device
        self._exchanges.append(
            f"{request.time:.1f} {request.raw.hex()} -> {answer.delivery.name} {answer.data.hex()}: "
            f"{device.mode.key}, {device.limit} W, {device.bound_limit} W in force"
        )
        if request.frame and request.frame.command == READ:
            self._limit_when_read = device.limit

    @callback
    def _record_call(self, event: Event) -> None:
        if event.data["domain"] == DOMAIN:
            self.calls += 1
            asked = round(event.data["service_data"]["limit"] * 1000)
            self._command = Command(min(asked, MAX_LIMIT), corrected=asked > MAX_LIMIT)

    @callback
    def _record_state(self, event: Event[EventStateChangedData]) -> None:
        if (state := event.data["new_state"]) is None:
            return
        if state.entity_id == "sensor.sec1000_export_limit":
            self.claims[f"limit {state.state}" if state.state == STATE_UNAVAILABLE else "limit shown"] += 1
            if state.state != STATE_UNAVAILABLE and float(state.state) * 1000 != self._limit_when_read:
                self._add_wrong(f"{state.state} kW shown, {self._limit_when_read} W read")
        elif state.entity_id == "sensor.sec1000_set_export_limit_feedback" and state.state not in {
            "0",
            STATE_UNAVAILABLE,
        }:
            old = event.data["old_state"]
            if old is None or old.state != state.state:
                # Else only its message has changed, since the device answers again.
                told = f"{state.attributes['message']} {state.attributes['detail']}"
                self._judge(Feedback(int(state.state)), told)

    def _judge(self, feedback: Feedback, told: str) -> None:
        assert self._command
        device, command = self.sim.device, self._command
        stored = device.mode is ControlMode.VALUE and abs(device.limit - command.watts) < TOLERANCE_W
        match feedback & ~Feedback.INVALID_INPUT:
            case Feedback.OK:
                claim, true = "applied", stored and device.bound_limit == device.limit
                if "did not acknowledge" in told:
                    claim, true = "stored", stored
                true = true and (Feedback.INVALID_INPUT in feedback) is command.corrected
                true = true and float(get_state(self._hass, "sensor.sec1000_export_limit").state) == (
                    device.limit / 1000
                )
            case Feedback.GENERAL_ERROR:
                claim, true = "not applied", not stored and "instead of" in told
            case _:
                claim, true = "unknown", "no read-back succeeded" in told
        self.claims[claim] += 1
        if not true:
            self._add_wrong(f"{claim} ({told}); asked {command.watts} W")

    def _add_wrong(self, claim: str) -> None:
        self.wrong.append("\n    ".join([claim, *self._exchanges]))


class LogCounter(logging.Handler):
    """Counts log records without keeping them, as pytest does, which would look like a leak."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: Counter[str] = Counter()
        self.exceptions: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.records[f"{record.levelname} {record.name}"] += 1
        if record.exc_info:
            self.exceptions.append(self.format(record))


@contextmanager
def counted_log() -> Iterator[LogCounter]:
    """Count warnings and errors, and drop all records."""
    root, counter = logging.getLogger(), LogCounter()
    handlers, level = root.handlers, root.level
    root.handlers = [counter]
    root.setLevel(logging.WARNING)
    try:
        yield counter
    finally:
        root.handlers = handlers
        root.setLevel(level)


@dataclass(frozen=True, slots=True)
class Footprint:
    """Resources of the process while only the task of the test runs."""

    timers: int
    descriptors: int
    memory: int

    @classmethod
    def take(cls) -> Footprint:
        loop = asyncio.get_running_loop()
        for stand_in in vars(Store).values():
            # The mocked storage keeps every call, which would look like a leak.
            if hasattr(stand_in, "reset_mock"):
                stand_in.reset_mock()
        gc.collect()
        return cls(
            timers=len([timer for timer in get_scheduled_timer_handles(loop) if not timer.cancelled()]),
            descriptors=len(list(Path("/proc/self/fd").iterdir())),
            memory=tracemalloc.get_traced_memory()[0],
        )


async def quiet() -> None:
    """Wait until only the task of the test runs; a task that never ends is a leak."""
    async with asyncio.timeout(60):
        while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - the tasks are not known, nor what ends them
            await asyncio.sleep(1)


def inject_mix(sim: Simulator, mix: dict[int, tuple[str, ...]], share: float) -> None:
    """Inject the faults of each command into this share of its requests."""
    for command, faults in mix.items():
        for fault in faults:
            sim.inject(fault, chance=share / len(faults), commands=(command,))


@pytest.mark.promise("R-03", "R-11")
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_soak_with_faults_makes_no_wrong_claim_and_leaks_nothing(
    hass: HomeAssistant,
    warp: TimeWarp,
    sim: Simulator,
    witness: Witness,
    loaded: MockConfigEntry,
    long_run: bool,
) -> None:
    hours = LONG_HOURS if long_run else HOURS
    await hass.config.async_set_time_zone("UTC")
    with counted_log() as log:
        witness.watch(hass)
        assert await async_setup_component(hass, "automation", {"automation": [AUTOMATION]})
        inject_mix(sim, MIX, FAULTY)
        footprints: dict[int, Footprint] = {}
        for hour in range(1, hours + 1):
            # 150 s past the hour, when no command is due.
            await asyncio.sleep(hour * 3600 + 150 - warp.passed)
            if hour == 1:
                tracemalloc.start()
            await quiet()
            footprints[hour] = Footprint.take()
        tracemalloc.stop()
        await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)
        sim.clear_faults()

    assert not witness.wrong, "\n\n".join(witness.wrong)
    claims = sum(witness.claims[claim] for claim in ("applied", "stored", "not applied", "unknown"))
    assert claims == witness.calls >= hours * 12
    # The rest is unknown to be armed: one answer in twenty is lost.
    assert witness.claims["applied"] > 0.95 * claims
    assert witness.claims["limit shown"] > 0.9 * claims
    assert 0.04 < witness.hit / witness.requests < 0.06
    assert witness.requests > 200 * hours
    assert not sim.overload.exhausted
    assert not log.exceptions, "\n".join(log.exceptions)
    assert not [issue for domain, issue in ir.async_get(hass).issues if domain == DOMAIN]
    for problem in ("limit_differs", "limit_exceeded"):
        assert get_state(hass, f"binary_sensor.sec1000_{problem}").state == "off"

    early, late = footprints[WARM_UP_HOURS], footprints[hours]
    assert late.timers <= early.timers
    assert late.descriptors <= early.descriptors
    assert late.memory - early.memory < MAX_GROWTH, footprints


async def _set(hass: HomeAssistant, limit: float) -> str:
    """Set a limit (kW) and return the message."""
    response = await hass.services.async_call(
        DOMAIN, "set_export_limit", {"limit": limit}, blocking=True, return_response=True
    )
    assert response is not None
    assert response["feedback"] == Feedback.OK
    return str(response["message"])


async def test_unacknowledged_limit_is_not_reported_in_force(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    """The armings of two rounds are lost, so that the old limit stays in force."""
    for fault in ("close-before-answer", "reset", "silence"):
        sim.inject(fault, count=1, commands=(VALUE,))
    message = await _set(hass, 3.7)
    assert "did not acknowledge" in message or sim.device.bound_limit == 3_700


@pytest.mark.parametrize("fault", ["wrong-checksum", "silence", "reset", "six-byte-answer"])
async def test_late_limit_behind_lost_read_back_is_armed_again(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry, fault: str
) -> None:
    """The limit is stored 2 s after its write, 1.5 s after its arming, and the read-back is lost."""
    sim.inject("late-effect", count=1, commands=(LIMIT,))
    sim.inject(fault, count=1, commands=(READ,))
    message = await _set(hass, 3.7)
    assert "did not acknowledge" in message or sim.device.bound_limit == 3_700
