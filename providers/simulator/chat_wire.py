"""Answers on the wire of OpenAI's Chat Completions API, with Azure's and Copilot's additions.

Sources: OpenAI's API reference ("The chat completion chunk object"), Azure's page on content filtering
(annotations in streams). Reasoning text has no place in OpenAI's own chunks; servers that speak this wire put
it into `reasoning_content`, Copilot into `reasoning_text` and `reasoning_opaque`.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, Literal

from providers.simulator.answer import Answer
from providers.simulator.openai_replies import error_object, usage_object
from providers.simulator.replies import Refusal, encode_json
from providers.simulator.steps import EventStep
from providers.simulator.wire import COMMENT, Wire, data_frame
from providers.types import Json, StreamEvent

FINISH_REASONS: Final[Mapping[str, str]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Any other stop reason is sent as it is."""
DONE: Final = "[DONE]"
Vendor = Literal["openai", "azure", "copilot"]
_REASONING_FIELDS: Final[Mapping[Vendor, str]] = {
    "openai": "reasoning_content",
    "azure": "reasoning_content",
    "copilot": "reasoning_text",
}
_SAFE: Final = {
    kind: {"filtered": False, "severity": "safe"} for kind in ("hate", "self_harm", "sexual", "violence")
}


class ChatWire(Wire):
    ping: ClassVar = b": keep-alive\n\n"
    around_text: ClassVar = (
        b'data: {"id":"chatcmpl-garbage","object":"chat.completion.chunk","created":1,"model":"m",'
        b'"choices":[{"index":0,"finish_reason":null,"delta":{"content":"',
        b'"}}]}\n\n',
    )
    late_text: ClassVar[StreamEvent] = {
        "id": "chatcmpl-late",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": "late"}, "finish_reason": None}],
    }
    unknown: ClassVar[Mapping[str, StreamEvent]] = {
        "event": {"object": "weather.report", "choices": [], "weather": {"content": "unknown event"}},
        "delta": {
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": {"colour": "green"}, "finish_reason": None}],
        },
        "field": {
            "object": "chat.completion.chunk",
            "choices": [],
            "added_later": {"nested": [1, None, "x"]},
        },
    }

    def __init__(self, *, include_usage: bool, vendor: Vendor = "openai") -> None:
        self._include_usage = include_usage
        self._vendor = vendor

    def events(self, answer: Answer) -> Iterator[EventStep]:
        return _Chunks(answer, self._vendor, include_usage=self._include_usage).steps()

    def whole(self, answer: Answer) -> Json:
        message = answer.whole()
        said = [block for block in message["content"] if block["type"] == "text"]
        thought = [block["thinking"] for block in message["content"] if block["type"] == "thinking"]
        calls = [
            _tool_call(block["id"], block["name"], _arguments(block))
            for block in message["content"]
            if block["type"] == "tool_use"
        ]
        refusal = answer.refusal_words
        spoken: Json = {
            "role": "assistant",
            "content": "".join(block["text"] for block in said) if said else None,
            "refusal": refusal,
        }
        if calls:
            spoken["tool_calls"] = calls
        if thought:
            spoken[_REASONING_FIELDS[self._vendor]] = "".join(thought)
        choice = {"index": 0, "message": spoken, "logprobs": None, "finish_reason": _finish(answer)}
        completion: Json = {**_head(answer, "chat.completion"), "choices": [choice]}
        if self._vendor == "azure":
            choice["content_filter_results"] = _SAFE
            completion["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": _SAFE}]
        if not answer.usage_missing:
            completion["usage"] = _usage(message["usage"])
        return completion

    def error_events(self, refusal: Refusal, request_id: str, form: str) -> list[StreamEvent]:
        return [{"error": error_object(refusal)}]

    def ends(self, event: StreamEvent, what: str) -> bool:
        if what == "message":
            return DONE in event
        choices = event.get("choices") or [{}]
        return bool(choices[0].get("finish_reason"))

    def ping_event(self) -> StreamEvent:
        return {COMMENT: True}

    def frame(self, event: StreamEvent, *, odd: bool = False) -> bytes:
        if DONE in event:
            return b"data: [DONE]\n\n"
        return self.ping if COMMENT in event else data_frame(event, odd=odd)


class _Chunks:
    """The chunks of one answer, made from its events."""

    def __init__(self, answer: Answer, vendor: Vendor, *, include_usage: bool) -> None:
        self._answer = answer
        self._vendor = vendor
        self._include_usage = include_usage
        self._head = _head(answer, "chat.completion.chunk")
        self._quirks = answer.quirks
        self._call = -1
        self._kind = ""
        self._arguments: list[str] = []
        self._finished = False

    def steps(self) -> Iterator[EventStep]:
        for step in self._answer.events():
            if isinstance(step, dict):
                yield from self._chunks(step)
            else:
                yield step

    def _chunks(self, event: StreamEvent) -> Iterator[StreamEvent]:
        match event["type"]:
            case "message_start":
                yield from self._start()
            case "content_block_start":
                yield from self._open(event["content_block"])
            case "content_block_delta":
                yield from self._delta(event["delta"])
            case "content_block_stop":
                if self._kind == "tool_use" and "whole_call" in self._quirks:
                    yield self._calling({"function": {"arguments": "".join(self._arguments)}}, first=True)
            case "message_delta":
                yield from self._end(event)
            case "message_stop" if "no_done" not in self._quirks:
                yield {DONE: True}

    def _start(self) -> Iterator[StreamEvent]:
        if self._vendor == "azure":
            results = [{"prompt_index": 0, "content_filter_results": _SAFE}]
            nobody = {"id": "", "object": "", "created": 0, "model": ""}
            yield {**nobody, "choices": [], "prompt_filter_results": results}
        if "null_choices" in self._quirks:
            yield {**self._head, "choices": None, "copilot_references": [], "copilot_errors": []}
        yield self._chunk({"role": "assistant", "content": "", "refusal": None})

    def _open(self, block: Json) -> Iterator[StreamEvent]:
        self._kind = block["type"]
        if self._kind == "tool_use":
            self._call += 1
            self._arguments = []
            self._named = {"id": block["id"], "type": "function", "function": {"name": block["name"]}}
            if "whole_call" not in self._quirks:
                yield self._calling({"function": {"arguments": ""}}, first=True)

    def _delta(self, delta: Json) -> Iterator[StreamEvent]:
        match delta["type"]:
            case "text_delta":
                yield self._chunk({"content": delta["text"]})
            case "thinking_delta":
                yield self._chunk({_REASONING_FIELDS[self._vendor]: delta["thinking"]})
            case "signature_delta" if self._vendor == "copilot":
                yield self._chunk({"reasoning_opaque": delta["signature"]})
            case "input_json_delta" if self._kind == "tool_use" and delta["partial_json"]:
                self._arguments.append(delta["partial_json"])
                if "whole_call" not in self._quirks:
                    arguments = {"function": {"arguments": delta["partial_json"]}}
                    yield self._calling(arguments, first="repeat_name" in self._quirks)

    def _end(self, event: StreamEvent) -> Iterator[StreamEvent]:
        if not self._finished:
            self._finished = True
            if refusal := self._answer.refusal_words:
                yield self._chunk({"refusal": refusal})
            yield self._chunk({}, finish=_finish(self._answer))
            if "split_choices" in self._quirks and self._call >= 0:
                yield self._chunk({}, finish=_finish(self._answer), of_call=True)
        if self._include_usage and "usage" in event:
            yield {**self._head, "choices": [], "usage": _usage(event["usage"])}

    def _calling(self, call: Json, *, first: bool) -> StreamEvent:
        named = self._named if first else {}
        whole = {**named, **call, "function": {**named.get("function", {}), **call["function"]}}
        index = {} if "no_index" in self._quirks else {"index": self._call}
        return self._chunk({"tool_calls": [{**index, **whole}]}, of_call=True)

    def _chunk(self, delta: Json, *, finish: str | None = None, of_call: bool = False) -> StreamEvent:
        place = 1 if of_call and "split_choices" in self._quirks else 0
        choice: Json = {"index": place, "delta": delta, "logprobs": None, "finish_reason": finish}
        if self._vendor == "azure" and "content" in delta:
            choice["content_filter_results"] = _SAFE if delta["content"] else {}
        return {**self._head, "choices": [choice], **({"usage": None} if self._include_usage else {})}


def _head(answer: Answer, kind: str) -> Json:
    return {
        "id": "chatcmpl-" + answer.message_id.removeprefix("msg_"),
        "object": kind,
        "created": int(time.time()),
        "model": answer.model,
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    }


def _usage(usage: Json) -> Json:
    left = {name: value for name, value in usage.items() if name not in ("cache_creation", "service_tier")}
    return usage_object(left, read="prompt_tokens", written="completion_tokens")


def _finish(answer: Answer) -> str:
    if "stop_with_calls" in answer.quirks or answer.refusal_words:
        return "stop"
    return FINISH_REASONS.get(answer.stop_reason, answer.stop_reason)


def _tool_call(call_id: str, name: str, arguments: str) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _arguments(block: Json) -> Any:
    return encode_json(block["input"]).decode()
