"""Good streams to begin from: answers of the simulator on every wire, and recordings where they are."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from providers.simulator import scripted
from providers.simulator.anthropic_wire import AnthropicWire
from providers.simulator.chat_wire import ChatWire
from providers.simulator.estimate import PromptTokens
from providers.simulator.responses_wire import ResponsesWire
from providers.simulator.rules import Asked
from providers.simulator.script import Directive
from providers.simulator.wire import Wire
from tests import corpus

Name = Literal["anthropic", "chat", "responses"]
NAMES: tuple[Name, ...] = ("anthropic", "chat", "responses")

TOOL = {"name": "lookup", "id": "call_1", "input": {"query": "東京 🙂", "n": [1, None, {"a": 0.5}]}}
CITED = {
    "type": "text",
    "text": "Rain is likely.",
    "citations": [
        {"type": "web_search_result_location", "url": "https://example.com/", "cited_text": "Rain"}
    ],
}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "rain"}}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [{"type": "web_search_result"}],
}
SCRIPTS: Sequence[dict[str, Any]] = (
    {"text": "Hello, you. Liège, 東京, 🙂\u2028and on.", "deltas": 5},
    {"text": "", "tool_use": TOOL},
    {"text": "One moment.", "thinking": "Two steps, then one.", "tool_use": [TOOL, TOOL | {"id": "call_2"}]},
    {"text": "x", "tool_use": TOOL | {"partial_json": '{"query": "cut'}, "stop_reason": "max_tokens"},
    {
        "blocks": [
            SEARCH,
            FOUND,
            CITED,
            {"type": "redacted_thinking", "data": "AAAA"},
            {"type": "new_kind", "a": 1},
        ]
    },
    {"text": "I", "stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "No."}},
    {"text": "I", "stop_reason": "refusal"},
    {"deltas": 6, "ping_events": 2, "unknown": ["event", "delta", "field"]},
    {"deltas": 6, "error_event_after": 5, "error_form": "failed"},
    {"deltas": 3, "usage_repeats": 3, "newline": "crlf"},
    {"text": "x", "usage": "nan"},
    {"text": "Done", "tool_use": TOOL, "quirks": ["whole_call", "no_index", "no_done"]},
    {"text": "Done", "tool_use": TOOL, "quirks": ["split_choices", "null_choices", "repeat_name"]},
)


def wire(name: Name) -> Wire:
    match name:
        case "anthropic":
            return AnthropicWire()
        case "chat":
            return ChatWire(include_usage=True, vendor="copilot")
        case "responses":
            return ResponsesWire(echo={}, organization="org", padded=True)


def stream(name: Name, **script: Any) -> bytes:
    """The body of one scripted answer."""
    directive = msgspec.convert(script, Directive)
    asked = Asked(
        body={},
        model="scripted",
        messages=[],
        text="",
        system="",
        max_tokens=None,
        stream=True,
        thinks=None,
        shows_thinking=True,
        stop_sequences=(),
    )
    answer = scripted.answer(directive, asked, PromptTokens(uncached=12, read=3))
    odd = directive.usage is not None
    steps = scripted.streamed(directive, answer, wire(name), "req_1", odd=odd)
    return b"".join(step for step in steps if isinstance(step, bytes))


@functools.cache
def simulated(name: Name) -> list[bytes]:
    return [stream(name, **script) for script in SCRIPTS]


@functools.cache
def recorded(name: Name) -> list[bytes]:
    """Recordings of this wire, read where they lie; none where the folder is absent."""
    if name != "anthropic" or not (corpus.CORPUS / "index.json").is_file():
        return [
            path.read_bytes()
            for path in itertools.islice(sorted(corpus.CORPUS.glob("*.sse")), 1000)
            if _speaks(path.read_bytes()[:4000]) == name
        ]
    return [recording.bytes() for recording in corpus.anthropic_streams()]


def _speaks(beginning: bytes) -> Name:
    if b'"response.' in beginning:
        return "responses"
    return "anthropic" if b"message_start" in beginning else "chat"
