"""Answers on the wire of OpenAI's Responses API.

Source: OpenAI's API reference, "Streaming events" and "The response object".
"""

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from providers.simulator.answer import Answer
from providers.simulator.openai_replies import error_object
from providers.simulator.replies import Refusal
from providers.simulator.response_items import Items, citation, opened
from providers.simulator.response_object import ended, response
from providers.simulator.steps import EventStep
from providers.simulator.wire import COMMENT, Wire, named_frame
from providers.types import Json, StreamEvent


class ResponsesWire(Wire):
    ping: ClassVar = b": keep-alive\n\n"
    around_text: ClassVar = (
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":3,'
        b'"item_id":"msg_garbage","output_index":0,"content_index":0,"logprobs":[],"delta":"',
        b'"}\n\n',
    )
    late_text: ClassVar[StreamEvent] = {
        "type": "response.output_text.delta",
        "item_id": "msg_late",
        "output_index": 0,
        "content_index": 0,
        "delta": "late",
        "logprobs": [],
    }
    unknown: ClassVar[Mapping[str, StreamEvent]] = {
        "event": {"type": "response.weather.report", "output_index": 0, "weather": {"text": "unknown event"}},
        "delta": {
            "type": "response.output_colour.delta",
            "output_index": 0,
            "content_index": 0,
            "delta": "green",
        },
        "field": {"type": "keepalive", "added_later": {"nested": [1, None, "x"]}},
    }

    def __init__(self, *, echo: Json, organization: str, padded: bool) -> None:
        self._echo = echo
        self._organization = organization
        self._padded = padded

    def events(self, answer: Answer) -> Iterator[EventStep]:
        return _Stream(answer, self._echo, Items(answer, self._organization, padded=self._padded)).steps()

    def whole(self, answer: Answer) -> Json:
        whole: Json = {}
        for step in self.events(answer):
            if isinstance(step, dict):
                whole = step.get("response", whole)
        return whole

    def error_events(self, refusal: Refusal, request_id: str, form: str) -> list[StreamEvent]:
        error = error_object(refusal)
        code = error["code"] or error["type"]
        if form == "failed":
            failure = {"code": code, "message": refusal.message}
            failed = response(None, self._echo, [], status="failed") | {"error": failure}
            return [{"type": "response.failed", "sequence_number": 999, "response": failed}]
        if form == "nested":
            return [{"type": "error", "sequence_number": 999, "error": error}]
        flat = {"code": code, "message": refusal.message, "param": refusal.param}
        return [{"type": "error", "sequence_number": 999, **flat}]

    def ends(self, event: StreamEvent, what: str) -> bool:
        kind = event.get("type")
        if what == "message":
            return kind in ("response.completed", "response.incomplete", "response.failed")
        return kind == "response.output_item.done"

    def ping_event(self) -> StreamEvent:
        return {COMMENT: True}

    def frame(self, event: StreamEvent, *, odd: bool = False) -> bytes:
        return self.ping if COMMENT in event else named_frame(event, odd=odd)


class _Stream:
    """The events of one answer, numbered."""

    def __init__(self, answer: Answer, echo: Json, items: Items) -> None:
        self._answer = answer
        self._echo = echo
        self._items = items
        self._number = 0
        self._refused = False

    def steps(self) -> Iterator[EventStep]:
        for step in self._answer.events():
            if not isinstance(step, dict):
                yield step
                continue
            for event in self._translated(step):
                yield {"type": event["type"], "sequence_number": self._number} | event
                self._number += 1

    def _translated(self, event: StreamEvent) -> Iterator[StreamEvent]:
        match event["type"]:
            case "message_start":
                begun = response(self._answer, self._echo, [], status="in_progress")
                yield {"type": "response.created", "response": begun}
                yield {"type": "response.in_progress", "response": begun}
            case "content_block_start":
                yield from self._items.start(opened(event["content_block"], self._answer))
            case "content_block_delta":
                yield from self._delta(event["delta"])
            case "content_block_stop":
                yield from self._items.stop()
            case "message_delta":
                if not self._refused:
                    self._refused = True
                    yield from self._items.refuse()
                yield ended(self._answer, self._echo, self._items.done, event.get("usage"))

    def _delta(self, delta: Json) -> Iterator[StreamEvent]:
        handlers: Mapping[str, Callable[[], Iterator[StreamEvent]]] = {
            "text_delta": lambda: self._items.grow(delta["text"]),
            "thinking_delta": lambda: self._items.grow(delta["thinking"]),
            "input_json_delta": lambda: self._items.grow(delta["partial_json"]),
            "citations_delta": lambda: self._items.annotate(citation(delta["citation"])),
        }
        handler = handlers.get(delta["type"])
        return handler() if handler is not None else iter(())
