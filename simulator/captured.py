"""The one public capture of a real device's telemetry, as values and as bytes.

Source: docs/protocol.md, "Frames".
"""

from typing import Final

from custom_components.goodwe_sec1000.sec1000.model import Phases, Telemetry

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
