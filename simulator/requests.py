"""What the simulated device was sent: one record for each request."""

from dataclasses import dataclass

from custom_components.goodwe_sec1000.sec1000.frame import Frame


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived."""

    time: float
    """s, on the simulator's clock (by default the event loop's)."""
    frame: Frame | None
    """None where the bytes are no whole and right frame: the device does not answer those."""
    raw: bytes
