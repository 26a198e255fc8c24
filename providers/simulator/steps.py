"""What a stream is made of on its way to the caller: bytes, and marks that say when or how to go on."""

from dataclasses import dataclass
from enum import Enum

from providers.types import StreamEvent


class Mark(Enum):
    """Instructions without a value."""

    TICK = "wait for the timetable"
    FLUSH = "hand over what was collected so far as one write of its own"
    HANG = "send nothing more, keep the connection open until the caller leaves"
    CUT = "close the connection without ending the body"
    RESET = "abort the connection (TCP reset)"


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait this many seconds; the timetable starts anew afterwards."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Gate:
    """Wait until somebody opens the gate of this name."""

    name: str


EventStep = StreamEvent | Mark | Sleep | Gate
ByteStep = bytes | Mark | Sleep | Gate
