"""One exchange on the wire: the request as it arrived, and how the answer leaves the device."""

from dataclasses import dataclass
from enum import Enum, auto

from custom_components.goodwe_sec1000.sec1000.frame import Frame


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived."""

    time: float
    """s, on the simulator's clock (by default the event loop's)."""
    frame: Frame | None
    """None where the bytes are no whole and right frame: the device does not answer those."""
    raw: bytes


class Delivery(Enum):
    """What happens on the connection once the answer is known."""

    WHOLE = auto()
    """Sent at once, then the connection is closed."""
    BYTE_BY_BYTE = auto()
    """Sent in segments of one byte, then closed."""
    HALF = auto()
    """The first half is sent, then closed."""
    BEGINNING = auto()
    """Fewer bytes than the head of an answer are sent, then closed."""
    CLOSE = auto()
    """Nothing is sent; closed."""
    RESET = auto()
    """Nothing is sent; the peer gets a TCP reset."""
    SILENCE = auto()
    """Nothing is sent, and the connection is held until the peer leaves."""
    HOLD = auto()
    """Sent, and the connection is held until the peer leaves."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes to send and the way to do it."""

    data: bytes
    delivery: Delivery = Delivery.WHOLE


NO_ANSWER = Answer(b"", Delivery.SILENCE)
