"""A simulated device that is watched: who changed it, when, and what it was asked."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise, takewhile
from typing import Final, override

from custom_components.goodwe_sec1000.sec1000.errors import Sec1000Error
from custom_components.goodwe_sec1000.sec1000.frame import Frame, decode, encode
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Phases, Telemetry
from simulator import Simulator
from simulator.exchange import Answer
from simulator.protocol import READ_LIMIT, SET_CLOCK, SWITCHES, TELEMETRY, WRITE_LIMIT
from simulator.server import Server
from tests.still_house import StillHouse

from .model import DEACTIVATED, Setting

MEASURED: Final = Telemetry(
    voltage=Phases(232.1, 231.4, 233.7),
    current=Phases(1.72, 2.34, 0.98),
    power=Phases(-713, -841, -559),
    meter_power=-2_113,
    inverter_power=0,
)
"""At night: no limit is exceeded, and no zero is doubtful."""
SUNNY_W: Final = 9_700
"""What is exported in the sun without a limit, W."""
STALE: Final = frozenset({"stale-value", "stale-answer"})
"""Faults by which a device that is read tells what it held before."""


class Writer(StrEnum):
    """Who changed a device last."""

    OURS = "ours"
    LATE = "late"
    """A request of ours that took effect after its answer."""
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Moment:
    """What a device held from one moment on."""

    at: float
    """s."""
    setting: Setting
    in_force: int | None
    """W; what the inverters are held to."""
    by: Writer | None
    """None where nothing changed: it was only asked."""
    asked: str
    """The request, in words; empty where another program or a late effect changed it."""
    faults: tuple[str, ...]


class WatchedDevice(Simulator):
    """Keeps what it held and when, and tells each change."""

    def __init__(
        self,
        name: str,
        setting: Setting,
        *,
        seed: int,
        latency: Callable[[], float],
        tell: Callable[[str], None],
        step: int = 1,
    ) -> None:
        """Watch a device; `tell` is told what happens, `step` (W) is to what it rounds a limit."""
        super().__init__(
            mode=ControlMode.from_key(setting.mode),
            capacity=setting.capacity,
            limit=setting.limit,
            sum_of_phases=setting.sum_of_phases,
            house=StillHouse(),
            seed=seed,
            latency=latency,
        )
        self.hold(MEASURED)
        self.sun: Callable[[], bool | None] = lambda: None
        """Whether the inverters obey their limit in the sun; None at night."""
        self.name = name
        self._latency = latency
        self._tell = tell
        self._step = step
        self.moments: list[Moment] = []
        self.on_request: Callable[[WatchedDevice, str], None] = lambda _device, _asked: None
        """Told each request, in words."""
        self.on_write: Callable[[WatchedDevice, int], None] = lambda _device, _limit: None
        """Told the limit (W) that was sent to be stored."""

    @property
    def setting(self) -> Setting:
        """What it holds now."""
        device = self.device
        return Setting(device.mode.key, device.limit, device.capacity, device.sum_of_phases)

    @property
    def is_off(self) -> bool:
        """Whether nothing limits the export."""
        return self.device.mode is ControlMode.DEACTIVATED

    @property
    def last_writer(self) -> Writer | None:
        """Who changed it last."""
        self._see_late()
        return next((moment.by for moment in reversed(self.moments) if moment.by), None)

    @property
    def taken_off_by(self) -> Writer | None:
        """Who took the limit off that is off now; None where it is on."""
        self._see_late()
        by = None
        for before, after in pairwise(self.moments):
            if after.setting.mode != DEACTIVATED:
                by = None
            elif before.setting.mode != DEACTIVATED:
                by = after.by
        return by

    @property
    def is_off_hidden(self) -> bool:
        """Whether it was read since the limit is off, and answered each time with what it held before."""
        self._see_late()
        reads = [
            moment
            for moment in takewhile(lambda moment: moment.setting.mode == DEACTIVATED, reversed(self.moments))
            if moment.asked == "read"
        ]
        return bool(reads) and all(STALE & {*moment.faults} for moment in reads)

    @override
    def _measure(self) -> Telemetry:
        if (obeys := self.sun()) is None:
            return super()._measure()
        limit = self._device.bound_limit
        export = SUNNY_W if limit is None or not obeys else min(SUNNY_W, max(0, limit))
        return replace(MEASURED, meter_power=export, inverter_power=export + 300)

    def begin(self) -> None:
        """Keep what it holds at the beginning."""
        self._keep(None, "")

    def change(self, setting: Setting) -> None:
        """Let another program change it."""
        self._see_late()
        device = self.device
        device.capacity = setting.capacity
        device.sum_of_phases = setting.sum_of_phases
        device.limit = setting.limit
        device.mode = ControlMode.from_key(setting.mode)
        self._keep(Writer.FOREIGN, "")
        self._tell(f"{self.name}: another program sets {setting}")

    async def move(self) -> None:
        """Give it another address; no server answers at the old one."""
        old, new = self._server, Server(self._handle, self.host, 0, self._latency)
        self._server = new
        old.close()
        await old.disconnect_all()
        # It may have been stopped, or moved once more, meanwhile.
        if self._running and self._server is new:
            new.open()
            self._tell(f"{self.name}: has another address")

    @override
    def _handle(self, raw: bytes) -> Answer:
        self._see_late()
        faults = self.faults
        answer = super()._handle(self._rounded(raw))
        frame = self.requests[-1].frame
        asked = "nonsense" if frame is None else _named(frame.command, frame.data)
        struck = tuple(sorted(set(faults)))
        by = Writer.OURS if self._changed else None
        self._keep(by, asked, struck)
        if asked != "telemetry":
            because = f" [{', '.join(struck)}]" if struck else ""
            self._tell(f"{self.name}: {asked}{because}" + (f" → {self.setting}" if by else ""))
        self.on_request(self, asked)
        if frame is not None and frame.command == WRITE_LIMIT:
            self.on_write(self, int.from_bytes(frame.data[4:8], signed=True))
        return answer

    def _rounded(self, raw: bytes) -> bytes:
        """Return the request as a device understands it that knows its limit in steps only."""
        try:
            frame = decode(raw)
        except Sec1000Error:
            return raw
        if frame.command != WRITE_LIMIT or self._step == 1:
            return raw
        limit = round(int.from_bytes(frame.data[4:8], signed=True) / self._step) * self._step
        return encode(Frame(frame.command, frame.data[:4] + limit.to_bytes(4, signed=True) + frame.data[8:]))

    @property
    def _changed(self) -> bool:
        last = self.moments[-1]
        return last.setting != self.setting or last.in_force != self.device.bound_limit

    def _see_late(self) -> None:
        if self._changed:
            self._keep(Writer.LATE, "")
            self._tell(f"{self.name}: late → {self.setting}")

    def _keep(self, by: Writer | None, asked: str, faults: tuple[str, ...] = ()) -> None:
        self.moments.append(Moment(self._now(), self.setting, self.device.bound_limit, by, asked, faults))


def _named(command: int, data: bytes) -> str:
    if command in SWITCHES:
        return f"{SWITCHES[command].key} {'on' if data == b'\x01' else 'off'}"
    if command == WRITE_LIMIT:
        measured = "" if data[8] == 2 else ", each phase"
        return f"write {int.from_bytes(data[4:8], signed=True) / 1000:g} kW{measured}"
    return {READ_LIMIT: "read", TELEMETRY: "telemetry", SET_CLOCK: "clock"}.get(command, f"{command:#04x}")
