"""One exchange on the wire: the request as received, and how the answer is delivered."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from custom_components.goodwe_sec1000.sec1000.frame import Frame


@dataclass(frozen=True, slots=True)
class Request:
    """One request as received; `time` in seconds on the simulator's clock."""

    time: float
    frame: Frame | None
    """None if the bytes are not a complete, correct frame: the device does not answer those."""
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
    """Fewer bytes than the header of an answer are sent, then closed."""
    CLOSE = auto()
    """Nothing is sent; closed."""
    RESET = auto()
    """Nothing is sent; the client receives a TCP reset."""
    SILENCE = auto()
    """Nothing is sent; the connection stays open until the client closes it."""
    HOLD = auto()
    """Sent; the connection stays open until the client closes it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes to send and their delivery."""

    data: bytes
    delivery: Delivery = Delivery.WHOLE
    delay: float = 0.0
    """Seconds that pass before."""


NO_ANSWER: Final = Answer(b"", Delivery.SILENCE)
