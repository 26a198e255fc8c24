"""One answer, and its two forms on Anthropic's wire: a stream of events, or a whole message. Other wires
translate these events.

Order and shapes: Anthropic's documentation, "Streaming Messages". The events are made one by one while they
are sent, so an endless answer costs no memory and a time stamp in a delta is the time of sending.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from providers.simulator.estimate import PromptTokens, text_tokens
from providers.simulator.replies import new_id
from providers.simulator.steps import EventStep, Mark, Sleep
from providers.types import Json, StreamEvent

TOOL_CALLS: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
TEXTS: Final = {
    "text": ("text", "text_delta", "text"),
    "thinking": ("thinking", "thinking_delta", "thinking"),
}
"""Block type -> (growing field, delta type, the delta's field)."""


Piece = str | Callable[[], str]
"""The text of one delta, or what makes it at the moment of sending."""


@dataclass(frozen=True, slots=True)
class Part:
    """One block of an answer.

    block: the whole block in the vendor's form. pieces: how its growing field (text, thinking, or the JSON
    text of a tool's input) is cut into deltas; None for one delta with everything. With pieces, the block's
    own field is ignored.
    """

    block: Json
    pieces: Iterable[Piece] | None = None


@dataclass(slots=True)
class Spent:
    """Characters that an answer has produced so far."""

    characters: int = 0
    thinking: int = 0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is said, and what the message says about it.

    start_usage and final_usage, where set, replace the usage objects of `message_start` and `message_delta`;
    usage_repeats: how many `message_delta` events carry the final usage; quirks: see Directive.
    """

    model: str
    parts: Sequence[Part]
    prompt: PromptTokens
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None
    stop_details: Json | None = None
    first_delay: float = 0.0
    message_id: str = field(default_factory=lambda: new_id("msg"))
    usage_changes: Json = field(default_factory=dict)
    usage_missing: bool = False
    usage_repeats: int = 1
    quirks: frozenset[str] = frozenset()

    @property
    def refusal_words(self) -> str | None:
        """What a refusal says, on wires where the model speaks it; without words it is a filter's."""
        said = (self.stop_details or {}).get("explanation")
        return said if self.stop_reason == "refusal" and isinstance(said, str) else None

    def start_usage(self) -> Json:
        usage = {**self.prompt.usage(), "output_tokens": 1, "service_tier": "standard"}
        changes = {
            key: value for key, value in self.usage_changes.items() if key in usage and key != "output_tokens"
        }
        return {**usage, **changes}

    def final_usage(self, spent: Spent) -> Json:
        prompt = self.prompt.usage()
        del prompt["cache_creation"]
        usage: Json = {**prompt, "output_tokens": max(1, text_tokens(spent.characters))}
        if spent.thinking:
            usage["output_tokens_details"] = {"thinking_tokens": text_tokens(spent.thinking)}
        searches = sum(part.block.get("name") == "web_search" for part in self.parts)
        fetches = sum(part.block.get("name") == "web_fetch" for part in self.parts)
        if searches or fetches:
            usage["server_tool_use"] = {"web_search_requests": searches, "web_fetch_requests": fetches}
        return {**usage, **self.usage_changes}

    def empty_message(self) -> Json:
        message: Json = {
            "id": self.message_id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
        }
        if not self.usage_missing:
            message["usage"] = self.start_usage()
        return message

    def whole(self) -> Json:
        """The message as a call without streaming gets it. Not for answers whose pieces never end."""
        spent = Spent()
        content = [_whole_block(part, spent) for part in self.parts]
        message = self.empty_message() | {
            "content": content,
            "stop_reason": self.stop_reason,
            "stop_sequence": self.stop_sequence,
            "stop_details": self.stop_details,
        }
        if not self.usage_missing:
            message["usage"] = {**self.start_usage(), **self.final_usage(spent)}
        return message

    def events(self) -> Iterator[EventStep]:
        """The stream's events; `Mark.TICK` stands before each delta that follows the timetable."""
        spent = Spent()
        yield {"type": "message_start", "message": self.empty_message()}
        if self.first_delay:
            yield Sleep(self.first_delay)
        for index, part in enumerate(self.parts):
            yield from _part_events(index, part, spent)
        delta = {
            "stop_reason": self.stop_reason,
            "stop_sequence": self.stop_sequence,
            "stop_details": self.stop_details,
        }
        for _ in range(self.usage_repeats):
            event: StreamEvent = {"type": "message_delta", "delta": delta}
            if not self.usage_missing:
                event["usage"] = self.final_usage(spent)
            yield event
        yield {"type": "message_stop"}


def _part_events(index: int, part: Part, spent: Spent) -> Iterator[EventStep]:
    block, kind = part.block, part.block["type"]
    if kind in TEXTS:
        yield from _text_events(index, part, spent)
    elif kind in TOOL_CALLS:
        yield _start(index, {**block, "input": {}})
        yield _delta(index, {"type": "input_json_delta", "partial_json": ""})
        for piece in _pieces(part, msgspec.json.encode(block.get("input", {})).decode()):
            yield Mark.TICK
            text = piece if isinstance(piece, str) else piece()
            spent.characters += len(text)
            yield _delta(index, {"type": "input_json_delta", "partial_json": text})
    else:
        yield Mark.TICK
        yield _start(index, block)
    yield {"type": "content_block_stop", "index": index}


def _text_events(index: int, part: Part, spent: Spent) -> Iterator[EventStep]:
    block, kind = part.block, part.block["type"]
    grows, delta_type, delta_field = TEXTS[kind]
    citations = block.get("citations") or []
    start: Json = {**block, grows: ""}
    if kind == "thinking":
        start["signature"] = ""
    if citations:
        start["citations"] = []
    yield _start(index, start)
    for citation in citations:
        yield _delta(index, {"type": "citations_delta", "citation": citation})
    for piece in _pieces(part, block.get(grows, "")):
        yield Mark.TICK
        text = piece if isinstance(piece, str) else piece()
        spent.characters += len(text)
        if kind == "thinking":
            spent.thinking += len(text)
        yield _delta(index, {"type": delta_type, delta_field: text})
    if kind == "thinking":
        yield _delta(index, {"type": "signature_delta", "signature": block.get("signature", "")})


def _pieces(part: Part, whole: str) -> Iterable[Piece]:
    if part.pieces is not None:
        return part.pieces
    return (whole,) if whole else ()


def _joined(part: Part, whole: str) -> str:
    return "".join(piece if isinstance(piece, str) else piece() for piece in _pieces(part, whole))


def _start(index: int, block: Json) -> StreamEvent:
    return {"type": "content_block_start", "index": index, "content_block": block}


def _delta(index: int, delta: Json) -> StreamEvent:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _whole_block(part: Part, spent: Spent) -> Json:
    block, kind = part.block, part.block["type"]
    if kind in TOOL_CALLS:
        raw = _joined(part, msgspec.json.encode(block.get("input", {})).decode())
        spent.characters += len(raw)
        try:
            return {**block, "input": msgspec.json.decode(raw or b"{}")}
        except msgspec.DecodeError:
            return {"input": {}, **block}
    if kind in TEXTS:
        grows = TEXTS[kind][0]
        text = _joined(part, block.get(grows, ""))
        spent.characters += len(text)
        spent.thinking += len(text) if kind == "thinking" else 0
        return {**block, grows: text}
    return block
