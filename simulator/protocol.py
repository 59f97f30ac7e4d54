"""The protocol: what a healthy device does on a request, and what it answers.

Source: docs/protocol.md, "Commands".
"""

from collections.abc import Callable
from datetime import datetime
import struct
from typing import Final

from custom_components.goodwe_sec1000.sec1000.frame import Frame
from custom_components.goodwe_sec1000.sec1000.model import ControlMode, Phases, Telemetry

from .device import Device

SET_CLOCK: Final = 0x05
TELEMETRY: Final = 0x0B
RCR: Final = 0x28
DRED: Final = 0x33
VALUE: Final = 0x40
WRITE_LIMIT: Final = 0x42
READ_LIMIT: Final = 0x43

SWITCHES: Final = {RCR: ControlMode.RCR, DRED: ControlMode.DRED, VALUE: ControlMode.VALUE}
READS: Final = frozenset({TELEMETRY, READ_LIMIT})
WRITES: Final = frozenset({SET_CLOCK, WRITE_LIMIT, *SWITCHES})
COMMAND_BYTES: Final = READS | WRITES

NO_VALUE: Final = 0x7FFFFFFF
"""What a device may report where it has nothing to report [a guess]."""

ACK: Final = b"\x06"
NAK: Final = b"\x15"
CLOCK_SET: Final = b"\x03"

_ON, _OFF = 1, 2
_EACH_PHASE, _SUM_OF_PHASES = 1, 2
_CENTURY = 2000
_TELEMETRY = struct.Struct(">11i")
_SETTINGS = struct.Struct(">B3i")
_NEW_LIMIT = struct.Struct(">2iB")

CAPTURED: Final = Telemetry(
    voltage=Phases(241.0, 240.4, 240.9),
    current=Phases(4.80, 3.90, 5.08),
    power=Phases(295, -114, -532),
    meter_power=-351,
    inverter_power=3386,
)

CAPTURED_BYTES: Final = bytes.fromhex(
    "045245564f00310101 0b"
    "0000096a0000096400000969 000001e000000186000001fc"
    "00000127ffffff8efffffdec fffffea100000d3a 0f42",
)
"""The first public capture of a real device, as values and as bytes (docs/protocol.md, "Frames")."""


def perform(request: Frame, device: Device, measure: Callable[[], Telemetry]) -> Frame | None:
    """Perform a request on the device and return the answer.

    None if a device would not answer: an unknown command, or a read with data.
    """
    command, data = request.command, request.data
    if command in READS:
        if data:
            return None
        return Frame(command, _settings(device) if command == READ_LIMIT else telemetry_data(measure()))
    if command == WRITE_LIMIT:
        return Frame(command, _write_limit(data, device))
    if command == SET_CLOCK:
        return Frame(command, _set_clock(data, device))
    if command in SWITCHES:
        return Frame(command, _switch(SWITCHES[command], data, device))
    return None


def telemetry_data(telemetry: Telemetry) -> bytes:
    """Return the 44 bytes that answer 0x0B, in units of 0.1 V, 0.01 A and 1 W; None is NO_VALUE."""
    return _TELEMETRY.pack(
        *(_steps(volts, 10) for volts in telemetry.voltage),
        *(_steps(amperes, 100) for amperes in telemetry.current),
        *(_steps(watts, 1) for watts in telemetry.power),
        _steps(telemetry.meter_power, 1),
        _steps(telemetry.inverter_power, 1),
    )


def _steps(value: float | None, steps: int) -> int:
    return NO_VALUE if value is None else round(value * steps)


def _settings(device: Device) -> bytes:
    return _SETTINGS.pack(device.mode, device.capacity, device.ct_ratio, device.limit)


def _write_limit(data: bytes, device: Device) -> bytes:
    if len(data) != _NEW_LIMIT.size:
        return NAK
    capacity, limit, measurement = _NEW_LIMIT.unpack(data)
    if capacity < 0 or measurement not in {_EACH_PHASE, _SUM_OF_PHASES}:
        return NAK
    device.store_limit(capacity, limit, sum_of_phases=measurement == _SUM_OF_PHASES)
    return ACK


def _switch(mode: ControlMode, data: bytes, device: Device) -> bytes:
    if data == bytes((_ON,)):
        device.switch_on(mode)
        return ACK
    if data == bytes((_OFF,)) and device.switch_off(mode):
        return ACK
    return NAK


def _set_clock(data: bytes, device: Device) -> bytes:
    try:
        year, month, zero, day, hour, minute, second = data
        if zero:
            return NAK
        device.clock = datetime(_CENTURY + year, month, day, hour, minute, second)  # noqa: DTZ001 - the device has no time zone
    except ValueError:
        return NAK
    return CLOCK_SET
