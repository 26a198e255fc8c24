"""How an answer looks on the wire of one API. `anthropic_wire`, `chat_wire`, `responses_wire` and
`generations_wire` are those there are; each is made for one request.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

from providers.simulator.answer import Answer
from providers.simulator.replies import Refusal, encode_json, encode_odd_json
from providers.simulator.steps import EventStep
from providers.types import Json, StreamEvent


class Wire(ABC):
    """`ping`: what a silent stream sends to show that it lives. `around_text`: the bytes of an event that
    brings text, before the text and after it. `late_text`: an event that adds text to the first block.
    `unknown`: things that no client knows, by kind (event, delta, field).
    """

    ping: ClassVar[bytes]
    around_text: ClassVar[tuple[bytes, bytes]]
    late_text: ClassVar[StreamEvent]
    unknown: ClassVar[Mapping[str, StreamEvent]]

    @abstractmethod
    def events(self, answer: Answer) -> Iterator[EventStep]:
        """The stream, made while it is sent."""

    @abstractmethod
    def whole(self, answer: Answer) -> Json:
        """What a call without streaming gets. Not for answers whose pieces never end."""

    @abstractmethod
    def error_events(self, refusal: Refusal, request_id: str, form: str) -> list[StreamEvent]:
        """What a stream says when it fails; `form` is the directive's `error_form`."""

    @abstractmethod
    def ends(self, event: StreamEvent, what: str) -> bool:
        """Whether this event ends a text (`block`) or the whole answer (`message`)."""

    @abstractmethod
    def ping_event(self) -> StreamEvent:
        """The sign of life as an event, for those between others."""

    @abstractmethod
    def frame(self, event: StreamEvent, *, odd: bool = False) -> bytes:
        """One event as bytes; `odd`: with numbers that JSON does not have."""


COMMENT = ": keep-alive"
"""The key of an event that is a comment of the stream and nothing else."""


def data_frame(event: StreamEvent, *, odd: bool) -> bytes:
    """An event without a name."""
    return b"data: %b\n\n" % (encode_odd_json(event) if odd else encode_json(event))


def named_frame(event: StreamEvent, *, odd: bool) -> bytes:
    """An event whose name is its type."""
    return b"event: %b\n%b" % (str(event["type"]).encode(), data_frame(event, odd=odd))
