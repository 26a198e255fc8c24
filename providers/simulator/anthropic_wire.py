"""Answers on Anthropic's wire: that of the answer itself ("Streaming Messages")."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from providers import sse
from providers.simulator.answer import Answer
from providers.simulator.anthropic_replies import error_object
from providers.simulator.replies import Refusal
from providers.simulator.steps import EventStep
from providers.simulator.wire import Wire, named_frame
from providers.types import Json, StreamEvent


class AnthropicWire(Wire):
    ping: ClassVar = b'event: ping\ndata: {"type":"ping"}\n\n'
    around_text: ClassVar = (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"',
        b'"}}\n\n',
    )
    late_text: ClassVar[StreamEvent] = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "late"},
    }
    unknown: ClassVar[Mapping[str, StreamEvent]] = {
        "event": {
            "type": "weather_report",
            "index": 0,
            "content_block": {"type": "text", "text": "unknown event"},
        },
        "delta": {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "colour_delta", "colour": "green"},
        },
        "field": {"type": "ping", "added_later": {"nested": [1, None, "x"]}},
    }

    def events(self, answer: Answer) -> Iterator[EventStep]:
        return answer.events()

    def whole(self, answer: Answer) -> Json:
        return answer.whole()

    def error_events(self, refusal: Refusal, request_id: str, form: str) -> list[StreamEvent]:
        return [{"type": "error", "error": error_object(refusal), "request_id": request_id}]

    def ends(self, event: StreamEvent, what: str) -> bool:
        return str(event["type"]) == ("message_stop" if what == "message" else "content_block_stop")

    def ping_event(self) -> StreamEvent:
        return {"type": "ping"}

    def frame(self, event: StreamEvent, *, odd: bool = False) -> bytes:
        return named_frame(event, odd=True) if odd else sse.encode(event)
