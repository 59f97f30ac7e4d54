"""The simulator: a device, the house behind it, its faults and its port."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
import math
from random import Random
from typing import Final, Self

from custom_components.goodwe_sec1000.sec1000.errors import Sec1000Error
from custom_components.goodwe_sec1000.sec1000.frame import Frame, decode, encode_answer
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Telemetry

from .device import DEFAULT_CAPACITY, DEFAULT_CT_RATIO, DEFAULT_LIMIT, Device
from .exchange import NO_ANSWER, Answer, Delivery, Request
from .fault_injector import FaultInjector, create_injection
from .faults import LATE_EFFECT_S, Context, Effect, Fault, Reach, nonsense_answer
from .house import UNCONSTRAINED, ExportConstraint, House, trigger
from .overload import Health, OverloadModel
from .protocol import READS, perform
from .replay import Replay
from .server import Server

REFUSED_S: Final = 0.5
"""How long the port stays closed per counted `refused`; a closed port has no requests to count."""


@dataclass(frozen=True, slots=True)
class _LateEffect:
    due: float
    request: Frame


class Simulator:
    """A SEC1000/S that listens on a port of this host inside its context."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        mode: ControlMode = ControlMode.VALUE,
        capacity: int = DEFAULT_CAPACITY,
        limit: int = DEFAULT_LIMIT,
        ct_ratio: int = DEFAULT_CT_RATIO,
        sum_of_phases: bool = True,
        house: House | None = None,
        overload: OverloadModel | bool = True,
        patience: OverloadModel | bool | None = None,
        seed: int = 0,
        speed: float = 1.0,
        clock: Callable[[], float] | None = None,
        latency: Callable[[], float] | None = None,
        replay: Replay | None = None,
        keep_requests: int | None = None,
        on_exchange: Callable[[Request, Answer], None] | None = None,
    ) -> None:
        """Create a device with these settings (capacity and limit in W); start() makes it listen.

        `house`: replaces the default one (11:00, with `speed` and `seed` as given here).
        `overload`: a model of its own, or False for a device that any number of requests leaves healthy;
        `patience` is its former name.
        `clock`: returns seconds; the event loop's by default.
        `latency`: returns the seconds that pass before a request takes effect, and anew before its answer.
        `replay`: answers in the place of the device, whose state then does not matter.
        `keep_requests`: how many of the last requests are kept; None keeps all.
        `on_exchange`: called with each request and its answer.
        """
        self._clock = clock
        self._epoch: float | None = None
        self._random = Random(f"simulator {seed}")
        self._device = Device(
            self._time_of_effect,
            mode=mode,
            capacity=capacity,
            limit=limit,
            ct_ratio=ct_ratio,
            sum_of_phases=sum_of_phases,
        )
        self._house = house or House(seed=seed, speed=speed)
        if patience is not None:
            overload = patience
        self.overload = overload if isinstance(overload, OverloadModel) else OverloadModel(enabled=overload)
        self._injector = FaultInjector(self._random)
        self._server = Server(self._handle, host, port, latency)
        self.replay: Final = replay
        self._fixed_telemetry: Telemetry | None = None
        self._late: list[_LateEffect] = []
        self._late_due: float | None = None
        """The moment of the late effect that is being performed."""
        self._read_at = -math.inf
        self._history: deque[bytes] = deque(maxlen=16)
        self._reopening: asyncio.TimerHandle | None = None
        self._running = False
        self.requests: list[Request] = []
        self.requests_seen = 0
        self._keep_requests = keep_requests
        self._on_exchange = on_exchange
        self._request_arrived = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def patience(self) -> OverloadModel:
        """The former name of `overload`."""
        return self.overload

    @property
    def host(self) -> str:
        """Address of the port."""
        return self._server.host

    @property
    def port(self) -> int:
        """Port number; it stays the same after stop() and start()."""
        return self._server.port

    @property
    def device(self) -> Device:
        """The device's true state, with every effect that is due."""
        self._advance()
        return self._device

    @property
    def house(self) -> House:
        """The house as it is now."""
        self._advance()
        return self._house

    @property
    def connections_open(self) -> int:
        """Number of open connections."""
        return self._server.connections

    @property
    def faults(self) -> tuple[str, ...]:
        """Names of the active faults."""
        return self._injector.names()

    @property
    def is_listening(self) -> bool:
        """Whether connections are accepted; False while stopped or refused."""
        return self._server.is_open

    async def start(self) -> None:
        """Listen; raises OSError if the address is not available."""
        self._running = True
        is_first_start = self._epoch is None
        if self._epoch is None:
            self._epoch = self._now()
            self._device.start()
        self._advance()
        if not self._injector.is_active("refused"):
            self._server.open()
        if is_first_start and self.replay is not None and self.replay.closed_first_s:
            self._refuse_for(self.replay.closed_first_s)

    async def stop(self) -> None:
        """Refuse connections and close the open ones; the device keeps its state."""
        self._running = False
        self._cancel_reopening()
        self._server.close()
        await self._server.disconnect_all()

    def restart(self) -> None:
        """Power-cycle the device: it is healthy again; connections and late effects are lost."""
        self._advance()
        self._server.drop()
        self._late.clear()
        self.overload.restart()
        self._device.power_cycle()
        self._house.restart()

    def hold(self, telemetry: Telemetry) -> None:
        """Report this telemetry from now on, instead of the house's."""
        self._fixed_telemetry = telemetry

    def release(self) -> None:
        """Report the house's telemetry again."""
        self._fixed_telemetry = None

    def telemetry(self) -> Telemetry:
        """Return what a healthy device would report now."""
        self._advance()
        return self._measure()

    def event(self, name: str) -> None:
        """Trigger an event of the house; raises ValueError for an unknown name."""
        self._advance()
        trigger(name, self._house)

    def inject(
        self,
        name: str,
        *,
        count: int | None = None,
        chance: float = 1.0,
        commands: Collection[int] | None = None,
    ) -> None:
        """Apply a fault to requests from now on.

        `count`: how many requests are affected; None: all, until it is cleared.
        `chance`: probability per request (0 < chance ≤ 1).
        `commands`: command bytes of the affected requests; None: all.

        `refused` closes the port at once (for 0.5 s per count); with `chance` or `commands` it
        closes it for 0.5 s after the answer to an affected request. `disobedient` affects the
        inverters and accepts none of the three. `exhausted` ends only with restart(). Raises
        ValueError for an unknown name and for values out of range.
        """
        self._advance()
        injection = create_injection(name, count=count, chance=chance, commands=commands)
        self._injector.inject(injection)
        if injection.fault.reach is Reach.PORT and chance == 1 and commands is None:
            if count is None:
                self._server.close()
            else:
                self._injector.clear(name)
                self._refuse_for(count * REFUSED_S)

    def clear_faults(self, name: str | None = None) -> None:
        """Clear the faults of that name, or all; an exhausted device stays exhausted."""
        self._advance()
        self._injector.clear(name)
        if name in {None, "refused"}:
            self._reopen()

    async def wait_for_requests(self, count: int) -> None:
        """Return once `requests` contains this many."""
        while len(self.requests) < count:
            await self._request_arrived.wait()

    async def wait_until_listening(self) -> None:
        """Return once connections are accepted, for example after a counted `refused`."""
        await self._server.wait_until_open()

    async def wait_until_idle(self) -> None:
        """Return once no connection is open."""
        await self._server.wait_until_idle()

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()

    def _time_of_effect(self) -> float:
        return self._now() if self._late_due is None else self._late_due

    def _measure(self) -> Telemetry:
        return self._fixed_telemetry if self._fixed_telemetry is not None else self._house.telemetry()

    def _advance(self) -> None:
        """Bring device and house to the present, with the late effects that are due on the way."""
        if self._epoch is None:
            return
        now = self._now()
        while self._late and self._late[0].due <= now:
            late = self._late.pop(0)
            self._house.advance(late.due - self._epoch, self._constraint())
            self._late_due = late.due
            perform(late.request, self._device, self._measure)
            self._late_due = None
        self._house.advance(now - self._epoch, self._constraint())

    def _constraint(self) -> ExportConstraint:
        if self._injector.is_active("disobedient"):
            return UNCONSTRAINED
        return ExportConstraint(self._device.in_force, self._device.mode)

    def _handle(self, raw: bytes) -> Answer:
        """Record the bytes of one request and return the answer."""
        now = self._now()
        frame = _frame(raw)
        request = Request(now, frame, raw)
        self._record(request)
        self._advance()
        answer = self._respond(frame, now) if self.replay is None else self._replayed(self.replay, raw)
        if self._on_exchange is not None:
            self._on_exchange(request, answer)
        return answer

    def _respond(self, frame: Frame | None, now: float) -> Answer:
        """Return the answer: overload decides first, then the faults, then the device."""
        health = self.overload.count_request(now, self._server.connections)
        if health is Health.OK and frame is not None:
            return self._answer(frame, now)
        return Answer(nonsense_answer(self._random)) if health is Health.NONSENSE else NO_ANSWER

    def _replayed(self, replay: Replay, raw: bytes) -> Answer:
        answer, closed_s = replay.answer(raw)
        if closed_s:
            self._refuse_for(closed_s)
        return answer

    def _answer(self, request: Frame, now: float) -> Answer:
        faults = self._injector.apply(request, now - self._read_at)
        if request.command in READS:
            self._read_at = now
        if any(fault.reach is Reach.HEALTH for fault in faults):
            self._injector.clear("exhausted")
            self.overload.exhaust()
            self.overload.count_request(now, self._server.connections)
            return Answer(nonsense_answer(self._random))
        if self._server.is_open and any(fault.reach is Reach.PORT for fault in faults):
            self._refuse_for(REFUSED_S)
        answer = self._perform(request, now, faults)
        return NO_ANSWER if answer is None else self._corrupt(answer, request, faults)

    def _perform(self, request: Frame, now: float, faults: list[Fault]) -> Frame | None:
        effects = {fault.effect for fault in faults}
        if Effect.NEVER in effects:
            return perform(request, self._device.dry_copy(), self._measure)
        if Effect.LATE in effects:
            self._late.append(_LateEffect(now + LATE_EFFECT_S, request))
            return perform(request, self._device.dry_copy(), self._measure)
        return perform(request, self._device, self._measure)

    def _corrupt(self, answer: Frame, request: Frame, faults: list[Fault]) -> Answer:
        correct, size = encode_answer(answer), len(answer.data)
        for fault in faults:
            # An alteration fits the layout of the correct answer, not what another fault made of it.
            if fault.alter is not None and len(answer.data) == size:
                answer = fault.alter(answer)
        data = encode_answer(answer)
        context = Context(request, tuple(self._history), self._random)
        for fault in faults:
            if fault.mangle is not None:
                data = fault.mangle(data, context)
        delivery = _delivery(faults)
        if delivery in {Delivery.WHOLE, Delivery.BYTE_BY_BYTE}:
            self._history.append(correct)
        return Answer(data, delivery)

    def _record(self, request: Request) -> None:
        self.requests.append(request)
        self.requests_seen += 1
        if self._keep_requests is not None and len(self.requests) > self._keep_requests:
            del self.requests[0]
        self._request_arrived.set()
        self._request_arrived = asyncio.Event()

    def _refuse_for(self, seconds: float) -> None:
        self._server.close()
        self._cancel_reopening()
        if seconds < math.inf:
            self._reopening = asyncio.get_running_loop().call_later(seconds, self._reopen)

    def _reopen(self) -> None:
        self._cancel_reopening()
        if self._running:
            self._server.open()

    def _cancel_reopening(self) -> None:
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None


def _frame(raw: bytes) -> Frame | None:
    try:
        return decode(raw)
    except Sec1000Error:
        return None


def _delivery(faults: list[Fault]) -> Delivery:
    """Return how the answer is delivered; of several faults the one injected last decides."""
    for fault in reversed(faults):
        if fault.delivery is not Delivery.WHOLE:
            return fault.delivery
    return Delivery.WHOLE
