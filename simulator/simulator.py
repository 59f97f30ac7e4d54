"""The simulator as tests and the command line use it: a device, its house, its faults, its port."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Final, Self

from custom_components.goodwe_sec1000.sec1000.errors import Sec1000Error
from custom_components.goodwe_sec1000.sec1000.frame import Frame, decode, encode_answer
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Telemetry

from .device import DEFAULT_CAPACITY, DEFAULT_CT_RATIO, DEFAULT_LIMIT, Device
from .exchange import NO_ANSWER, Answer, Delivery, Request
from .fault_injector import Mishaps
from .faults import LATE_AFTER, Effect, Fault, Moment, Reach, nonsense
from .house import FREE, House, Orders, happen
from .overload import Mood, Patience
from .protocol import perform
from .server import Server

REFUSED_FOR: Final = 0.5
"""s that the port stays closed for each counted `refused`: a closed port sees nobody to count."""


@dataclass(frozen=True, slots=True)
class _LateEffect:
    due: float
    request: Frame


class Simulator:
    """A SEC1000/S on a port of this host, for as long as the context lasts."""

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
        patience: Patience | bool = True,
        seed: int = 0,
        speed: float = 1.0,
        clock: Callable[[], float] | None = None,
        keep_requests: int | None = None,
        on_exchange: Callable[[Request, Answer], None] | None = None,
    ) -> None:
        """Build a device with these settings (W); it listens from start() on.

        `house` replaces the default one (11:00, `speed` and `seed` as given here); `patience`
        False makes a device that no haste exhausts; `clock` returns s and is the event loop's
        by default; of `requests`, the last `keep_requests` are kept, or all; `on_exchange` is told
        each request and its answer.
        """
        self._clock = clock
        self._epoch: float | None = None
        self._random = Random(f"simulator {seed}")
        self._device = Device(
            self._now,
            mode=mode,
            capacity=capacity,
            limit=limit,
            ct_ratio=ct_ratio,
            sum_of_phases=sum_of_phases,
        )
        self._house = house or House(seed=seed, speed=speed)
        self.patience = patience if isinstance(patience, Patience) else Patience(tireless=not patience)
        self._mishaps = Mishaps(self._random)
        self._server = Server(self._handle, host, port)
        self._held: Telemetry | None = None
        self._late: list[_LateEffect] = []
        self._history: deque[bytes] = deque(maxlen=16)
        self._reopening: asyncio.TimerHandle | None = None
        self._running = False
        self.requests: list[Request] = []
        self.requests_seen = 0
        self._keep_requests = keep_requests
        self._on_exchange = on_exchange
        self._arrived = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self._server.host

    @property
    def port(self) -> int:
        """The port it listens on; the same after stop() and start()."""
        return self._server.port

    @property
    def device(self) -> Device:
        """The device's true state, effects that came due included."""
        self._advance()
        return self._device

    @property
    def house(self) -> House:
        """The house as it is now."""
        self._advance()
        return self._house

    @property
    def connections_open(self) -> int:
        """How many connections are open now."""
        return self._server.connections

    @property
    def faults(self) -> tuple[str, ...]:
        """The names of the injected faults that are left."""
        return self._mishaps.names()

    @property
    def is_listening(self) -> bool:
        """Whether connections are accepted: not while stopped or refused."""
        return self._server.is_open

    async def start(self) -> None:
        """Listen; raises OSError where the address cannot be had."""
        self._running = True
        if self._epoch is None:
            self._epoch = self._now()
        self._advance()
        if not self._mishaps.stands("refused"):
            self._server.open()

    async def stop(self) -> None:
        """Refuse connections and drop those that are open; the device's state stays."""
        self._running = False
        self._cancel_reopening()
        self._server.close()
        await self._server.hang_up()

    def restart(self) -> None:
        """Cycle the device's power: patience is back, connections and effects that were due are lost."""
        self._advance()
        self._server.drop()
        self._late.clear()
        self.patience.restart()
        self._device.power_cycle()
        self._house.restart()

    def hold(self, telemetry: Telemetry) -> None:
        """Measure exactly this from now on, instead of the house."""
        self._held = telemetry

    def release(self) -> None:
        """Measure the house again."""
        self._held = None

    def telemetry(self) -> Telemetry:
        """Return what a healthy device would tell now."""
        self._advance()
        return self._measure()

    def event(self, name: str) -> None:
        """Let something happen in the house; raises ValueError for what is no event."""
        self._advance()
        happen(name, self._house)

    def inject(
        self,
        name: str,
        *,
        count: int | None = None,
        chance: float = 1.0,
        commands: Collection[int] | None = None,
    ) -> None:
        """Let a fault befall requests from now on.

        The next `count` matching ones, or all until cleared, each with that `chance`; only
        `commands`, if given. `refused` closes the port at once (for 0.5 s a count); with `chance`
        or `commands` it does so for 0.5 s after the answer to a request that it befalls.
        `disobedient` takes neither. `exhausted` is over only with restart(). Raises ValueError
        for a name that is none and for values out of range.
        """
        self._advance()
        fault = self._mishaps.inject(name, count=count, chance=chance, commands=commands)
        if fault.reach is Reach.PORT and chance == 1 and commands is None:
            if count is None:
                self._server.close()
            else:
                self._mishaps.clear(name)
                self._refuse_for(count * REFUSED_FOR)

    def clear_faults(self, name: str | None = None) -> None:
        """End the injected faults of that name, or all. What exhausted the device stays."""
        self._advance()
        self._mishaps.clear(name)
        if name in {None, "refused"}:
            self._reopen()

    async def wait_for_requests(self, count: int) -> None:
        """Return once `requests` has so many."""
        while len(self.requests) < count:
            await self._arrived.wait()

    async def wait_until_listening(self) -> None:
        """Return once connections are accepted, e.g. after a counted `refused`."""
        await self._server.wait_until_open()

    async def wait_until_idle(self) -> None:
        """Return once no connection is open."""
        await self._server.wait_until_idle()

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()

    def _measure(self) -> Telemetry:
        return self._held if self._held is not None else self._house.telemetry()

    def _advance(self) -> None:
        """Bring device and house to now, doing on the way what came due."""
        if self._epoch is None:
            return
        now = self._now()
        while self._late and self._late[0].due <= now:
            late = self._late.pop(0)
            self._house.advance(late.due - self._epoch, self._orders())
            perform(late.request, self._device, self._measure)
        self._house.advance(now - self._epoch, self._orders())

    def _orders(self) -> Orders:
        if self._mishaps.stands("disobedient"):
            return FREE
        return Orders(self._device.in_force, self._device.mode)

    def _handle(self, raw: bytes) -> Answer:
        """Return the answer to the bytes of one request."""
        now = self._now()
        frame = _frame(raw)
        request = Request(now, frame, raw)
        self._record(request)
        self._advance()
        answer = self._judge(frame, now)
        if self._on_exchange is not None:
            self._on_exchange(request, answer)
        return answer

    def _judge(self, frame: Frame | None, now: float) -> Answer:
        """Ask patience first, then the faults, then the device."""
        mood = self.patience.judge(now, self._server.connections)
        if mood is Mood.WELL and frame is not None:
            return self._answer(frame, now)
        return Answer(nonsense(self._random)) if mood is Mood.NONSENSE else NO_ANSWER

    def _answer(self, request: Frame, now: float) -> Answer:
        faults = self._mishaps.befall(request.command)
        if any(fault.reach is Reach.HEALTH for fault in faults):
            self._mishaps.clear("exhausted")
            self.patience.exhaust()
            self.patience.judge(now, self._server.connections)
            return Answer(nonsense(self._random))
        if self._server.is_open and any(fault.reach is Reach.PORT for fault in faults):
            self._refuse_for(REFUSED_FOR)
        answer = self._perform(request, now, faults)
        return NO_ANSWER if answer is None else self._spoil(answer, request, faults)

    def _perform(self, request: Frame, now: float, faults: list[Fault]) -> Frame | None:
        effects = {fault.effect for fault in faults}
        if Effect.NEVER in effects:
            return perform(request, self._device.rehearsal(), self._measure)
        if Effect.LATE in effects:
            self._late.append(_LateEffect(now + LATE_AFTER, request))
            return perform(request, self._device.rehearsal(), self._measure)
        return perform(request, self._device, self._measure)

    def _spoil(self, answer: Frame, request: Frame, faults: list[Fault]) -> Answer:
        right, size = encode_answer(answer), len(answer.data)
        for fault in faults:
            # An alteration knows the shape of the right answer, not that of another fault's.
            if fault.alter is not None and len(answer.data) == size:
                answer = fault.alter(answer)
        data = encode_answer(answer)
        moment = Moment(request, tuple(self._history), self._random)
        for fault in faults:
            if fault.mangle is not None:
                data = fault.mangle(data, moment)
        delivery = _delivery(faults)
        if delivery in {Delivery.WHOLE, Delivery.BYTE_BY_BYTE}:
            self._history.append(right)
        return Answer(data, delivery)

    def _record(self, request: Request) -> None:
        self.requests.append(request)
        self.requests_seen += 1
        if self._keep_requests is not None and len(self.requests) > self._keep_requests:
            del self.requests[0]
        self._arrived.set()
        self._arrived = asyncio.Event()

    def _refuse_for(self, seconds: float) -> None:
        self._server.close()
        self._cancel_reopening()
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
    """Return how the answer goes out: where faults differ, the one injected last decides."""
    for fault in reversed(faults):
        if fault.delivery is not Delivery.WHOLE:
            return fault.delivery
    return Delivery.WHOLE
