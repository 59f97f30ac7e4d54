"""How the bytes of an answer leave the device, or do not."""

from dataclasses import dataclass
from enum import Enum, auto


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
