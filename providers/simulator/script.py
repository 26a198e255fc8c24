"""Directives: how a test or a bench says what the simulator shall answer.

A directive is a JSON object in the last user message, `[[simulate {...}]]`, or behind the model id,
`sim?name=value`, or a preset of that name. docs/simulator.md describes every field for its readers; the
fields below are the same.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

import msgspec

from providers.simulator.replies import Refusal
from providers.simulator.rules import Asked, is_tool_result, last_text
from providers.types import Json

OPENING: Final = "[[simulate "
CLOSING: Final = "]]"
MODEL: Final = "sim"

UsageFault = Literal["missing", "negative", "nan", "text", "huge", "null"]
Garbage = Literal["bad_utf8", "bad_json", "giant_event", "html_200", "empty_200", "json_200", "gzip"]
Quirk = Literal[
    "no_done", "whole_call", "no_index", "repeat_name", "split_choices", "null_choices", "stop_with_calls"
]


class Directive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scripted answer. Times are seconds, counts of events start at 1, sizes are bytes."""

    # what is said
    text: str | None = None
    blocks: list[Json] | None = None
    deltas: int | None = None
    stamp: bool = False
    thinking: str | bool | None = None
    tool_use: Json | list[Json] | None = None
    demo: str | None = None
    replay: str | None = None
    title: str | Json | None = None
    steps: list[Json] | None = None

    # how it is sent
    rate: float = 0.0
    jitter: float = 0.0
    header_delay: float = 0.0
    first_delay: float = 0.0
    ping_every: float = 0.0
    ping_events: int = 0
    chunk: int | Literal["random"] | None = None
    seed: int = 0
    newline: Literal["lf", "crlf", "cr"] = "lf"
    gates: dict[str, int] = {}

    # what the message says about itself
    model: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Json | None = None
    usage: UsageFault | Json | None = None
    usage_repeats: int = 1
    quirks: list[Quirk] = []

    # the request is refused
    status: int | None = None
    error: str | None = None
    message: str | None = None
    details: Json | None = None
    headers: dict[str, str] = {}
    body: str | None = None
    redirect: str | None = None
    key_echo: bool = False
    times: int | None = None
    then: Json | None = None
    id: str | None = None

    # the stream fails
    error_event_after: int | None = None
    error_form: Literal["event", "nested", "failed"] = "event"
    cut_after: int | None = None
    cut_bytes: int | None = None
    reset_after: int | None = None
    hang_after: int | None = None
    stop_then_hold: bool = False
    duplicate: int | None = None
    reorder: int | None = None
    late: Literal["block", "message"] | None = None
    unknown: list[Literal["event", "delta", "field"]] | None = None
    garbage: Garbage | None = None
    after: int = 3
    size: int = 50 * 1024 * 1024


PRESETS: Final[Mapping[str, Json]] = {
    "sim-text": {"text": "A short scripted answer.", "deltas": 4},
    "sim-slow": {"deltas": 200, "rate": 20},
    "sim-endless": {"deltas": -1, "rate": 20},
    "sim-thinking": {"thinking": True, "text": "An answer after some thinking."},
    "sim-tool": {
        "text": "Let me look.",
        "tool_use": {"name": "lookup", "input": {"query": "weather in Ghent"}},
    },
    "sim-refusal": {
        "text": "I",
        "stop_reason": "refusal",
        "stop_details": {"type": "refusal", "category": None, "explanation": "scripted"},
    },
    "sim-max-tokens": {"text": "This answer stops in the middle of a", "stop_reason": "max_tokens"},
    "sim-rate-limited": {"status": 429, "headers": {"retry-after": "1"}},
    "sim-spend-limit": {"status": 429, "details": {"error_code": "enforced_spend_limit_reached"}},
    "sim-overloaded": {"status": 529},
    "sim-content-filter": {
        "status": 400,
        "error": "content_filter",
        "message": "The response was filtered due to the prompt triggering the content management policy.",
    },
    "sim-server-error": {"status": 500},
    "sim-unauthorised": {"status": 401},
    "sim-error-event": {"deltas": 20, "error_event_after": 6},
    "sim-error-first": {"error_event_after": 0},
    "sim-cut": {"deltas": 20, "cut_after": 6},
    "sim-reset": {"deltas": 20, "reset_after": 6},
    "sim-hang": {"deltas": 20, "hang_after": 6},
    "sim-hold": {"deltas": 5, "stop_then_hold": True},
}
"""Directives by model id, for callers that cannot shape the prompt."""


class Scripts:
    """Finds the directive of a request; remembers how often one with `times` was used."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def find(self, asked: Asked) -> Directive | None:
        """The directive that holds now, None when there is none. Raises Refusal for a malformed one."""
        fields, turn = _fields(asked)
        if fields is None:
            return None
        directive = _convert(fields)
        if directive.steps:
            fields = {**fields, **directive.steps[min(turn, len(directive.steps) - 1)]}
            directive = _convert(fields)
        if directive.times is None:
            return directive
        key = directive.id or json.dumps(fields, sort_keys=True)
        self._used[key] = self._used.get(key, 0) + 1
        return directive if self._used[key] <= directive.times else _convert(directive.then or {})

    def find_for_title(self, asked: Asked) -> Directive | None:
        """What the directive's field `title` says about a request for a title; one that the caller cut short
        counts as none.
        """
        try:
            fields, _ = _fields(asked)
        except Refusal:
            return None
        title = _convert(fields).title if fields is not None else None
        return None if title is None else _convert({"text": title} if isinstance(title, str) else title)

    def reset(self) -> None:
        self._used.clear()


def from_model(model: str) -> Json | None:
    """The fields behind a model id: a preset's, or those of `sim?name=value&…` (JSON, else text)."""
    if model in PRESETS:
        return dict(PRESETS[model])
    name, mark, query = model.partition("?")
    if name != MODEL:
        return None
    return {key: _value(text) for key, text in parse_qsl(query, keep_blank_values=True)} if mark else {}


def without_directive(text: str) -> str:
    """The text as a person would have written it."""
    try:
        found = _locate(text)
    except Refusal:
        return text[: text.find(OPENING)].strip()
    return text if found is None else (text[: found[0]] + text[found[1] :]).strip()


def _fields(asked: Asked) -> tuple[Json | None, int]:
    """The fields of the model id and of the prompt, which outweighs it; how many answers came after it."""
    by_model = from_model(asked.model)
    by_prompt, turn = _from_messages(asked.messages)
    if by_model is None and by_prompt is None:
        return None, turn
    return {**(by_model or {}), **(by_prompt or {})}, turn


def _from_messages(messages: Sequence[Json]) -> tuple[Json | None, int]:
    """The fields in the last message of a person, and how many answers came after it."""
    turn = 0
    for message in reversed(messages):
        if message["role"] == "assistant":
            turn += 1
        elif message["role"] == "user" and not is_tool_result(message):
            found = _locate(last_text([message]))
            return (found[2] if found else None), turn
    return None, turn


def _locate(text: str) -> tuple[int, int, Json] | None:
    start = text.find(OPENING)
    if start < 0:
        return None
    try:
        fields, end = json.JSONDecoder().raw_decode(text, start + len(OPENING))
    except ValueError as error:
        raise Refusal(400, f"simulate: not valid JSON: {error}") from error
    if not isinstance(fields, dict) or not text.startswith(CLOSING, end):
        raise Refusal(400, "simulate: expected [[simulate {…}]]")
    return start, end + len(CLOSING), fields


def _convert(fields: Json) -> Directive:
    try:
        return msgspec.convert(fields, Directive)
    except msgspec.ValidationError as error:
        raise Refusal(400, f"simulate: {error}") from error


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
