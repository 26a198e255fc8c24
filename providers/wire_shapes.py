"""The shape of what crosses the wire: keys, types, lengths and kinds, never content and never a secret.

That holds by construction: a name is shown only when it is made of words of the vendors' documented formats
(WORDS), a value only when it is such a name in a place for kinds, or a number of a setting; what belongs to
people or tools (OPAQUE) is not even looked into. Of everything else there is its type and its length.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from providers import catalogue
from providers.sse import ServerSentEvent

DEEPEST = 10
MOST_NODES = 3_000  # of one body; what is below the rest is not shown
MOST_ITEMS = 12  # different neighbours of one list

# Words of Anthropic's Messages API, OpenAI's Chat Completions and Responses, Azure's, GitHub Copilot's and
# Salesforce's Models APIs, and of OAuth (RFC 6749), as their references name fields, kinds and events.
WORDS = frozenset(
    """
    a accepted access account action adaptive added advisor agent allowed annotation annotations any api
    apply args argument arguments assertion assistant audio auth authentication authorization auto
    available background base64 bash batch bearer bearing beta betas between block blocks body bound
    browser budget cache cached call caller calls cancelled challenge chat check choice choices chunk
    citation citations cited clear client code cohere compact compaction complete completed completion
    completions computer config connection container content context control cost count create created
    creation credentials custom cut data deadline deferred deleted delta deltas denied deployment
    deployments description detail details developer device direct disable disabled display document
    documents done down dynamic edit editor edits effort embeddings enabled encoding encrypted end
    endpoints enum ephemeral error errors event exceeded execution expired expires extra fail failed
    fallback fallbacks fast feedback fetch file files filter filters fingerprint finish flex for format
    found frequency function functions generate generation generations geo grant grants group has high
    hosted id ids image images in include included incomplete index inference info input instructions
    insufficient integration internal interpreter interrupted interval invalid is item items json key kind
    large last length level lifecycle limit limits line list local location logit logprobs low max mcp
    media medium memory message messages metadata minimal mode model models moderation moderations
    modified n name names native none not null oauth obfuscation object of omitted on one opaque openai
    option options org organization output overloaded p page parallel parameter parameters part partial
    parts patch pause penalty pending permission ping plan position prediction prefill presence preview
    previous priority probe processed profile program programmatic progress project prompt properties
    protocol provider proxy queued quiet quota rate raw read reason reasoning reasons redacted redirect
    ref reference refresh refusal refused regex rejected request requests required reset resource response
    responses result results retention retrieval retry role root safety sampling schema scope scopes score
    search secret seed sensitive sequence sequences server service session shell signature size slow
    snapshot source speed standard start status std stop store stream strict string structured success
    suffix summaries summary system t temperature tenant text thinking tier time timeout title to token
    tokens tool tools top total trace trigger truncation ttl turn type types unavailable unit up update
    updated upload uri url urls usage use used user uses v1 v2 v3 verbosity verifier version video view
    web window with within write xhigh
    """.split()
)  # fmt: skip
NAME = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*")
LONGEST_NAME = 64

# Places whose value says of which kind something is.
KINDS = frozenset(
    """
    type role event object stop_reason finish_reason status effort display service_tier speed tool_choice
    response_format format grant_type token_type mode truncation verbosity
    """.split()
)
# Numbers and flags that people or vendors set, and counts; not those inside what is opaque.
SETTINGS = re.compile(
    r"(?:max_|budget_|cached?_|input_|output_|prompt_|completion_|total_|reasoning_|thinking_|ephemeral_)\w*"
    r"|\w*tokens|n|index|\w+_index|sequence_number|temperature|top_[kp]|frequency_penalty|presence_penalty"
    r"|stream|store|strict|include_usage|parallel_tool_calls|disable_parallel_tool_use|is_error|has_more"
    r"|expires_in|refresh_in|interval|web_\w+_requests|limit|seed"
)
# What people, tools and schemas name as they like.
OPAQUE = frozenset(
    """
    input arguments input_schema output_schema parameters schema properties metadata user_location env headers
    context payload params logit_bias additional_properties cost
    """.split()
)


def body_shape(body: bytes, content_type: str) -> str:
    """The shape of a body: of JSON in detail, of a form its names, of anything else its size."""
    if not body:
        return "no body"
    if "x-www-form-urlencoded" in content_type.lower():
        names = [shown_name(key) for key, _ in parse_qsl(body.decode("latin-1"), keep_blank_values=True)]
        return f"form({', '.join(names[:MOST_ITEMS])})"
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return f"bytes({len(body)})"
    return shape(value)


def shape(value: Any) -> str:
    """The shape of a JSON value as one line of text."""
    return _Walk().shape(value, "", 0)


def event_kind(event: ServerSentEvent) -> str:
    """What kind of event this is: its type, and those of the block or delta in it."""
    if event.data == b"[DONE]":
        return "[DONE]"
    try:
        data = json.loads(event.data)
    except (ValueError, RecursionError):
        return "no JSON"
    if not isinstance(data, dict):
        return _type(data)
    kinds = [_kind(data[key]) for key in ("type", "object") if isinstance(data.get(key), str)][:1]
    for key in ("content_block", "delta", "item", "part", "error"):
        inner = data.get(key)
        if isinstance(inner, dict) and isinstance(inner.get("type"), str):
            kinds.append(_kind(inner["type"]))
    if isinstance(choices := data.get("choices"), list) and choices and isinstance(choices[0], dict):
        delta = choices[0].get("delta")
        kinds += sorted(shown_name(key) for key in delta)[:4] if isinstance(delta, dict) else []
    return "/".join(kinds) or "untyped"


class _Walk:
    def __init__(self) -> None:
        self._nodes = 0

    def shape(self, value: Any, key: str, depth: int) -> str:
        self._nodes += 1
        if isinstance(value, dict):
            if depth >= DEEPEST or key in OPAQUE or self._nodes > MOST_NODES:
                return f"object({len(value)})"
            return self._object(value, depth)
        if isinstance(value, list):
            if depth >= DEEPEST or key in OPAQUE or self._nodes > MOST_NODES:
                return f"list({len(value)})"
            return self._list(value, key, depth)
        return _scalar(value, key)

    def _object(self, value: dict[str, Any], depth: int) -> str:
        known = [
            f"{key}: {self.shape(inner, key, depth + 1)}" for key, inner in value.items() if is_name(key)
        ]
        unknown = len(value) - len(known)
        return "{" + ", ".join([*known, f"+{unknown} other keys"] if unknown else known) + "}"

    def _list(self, value: list[Any], key: str, depth: int) -> str:
        shapes: Iterable[str] = (self.shape(inner, key, depth + 1) for inner in value)
        runs = [(shape, len(list(same))) for shape, same in itertools.groupby(shapes)]
        shown = [f"{n} × {shape}" if n > 1 else shape for shape, n in runs[:MOST_ITEMS]]
        if len(runs) > MOST_ITEMS:
            shown.append(f"… {len(runs) - MOST_ITEMS} more")
        return f"[{', '.join(shown)}]"


def _scalar(value: Any, key: str) -> str:
    if isinstance(value, str):
        if key in KINDS:
            return _kind(value)
        if key == "model" and value in _models():
            return value
    elif isinstance(value, bool | int | float) and SETTINGS.fullmatch(key) and len(str(value)) <= 12:
        return str(value).lower()
    return _type(value)


def _type(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "flag"
        case int() | float():
            return "number"
        case str():
            return f"text({len(value)})"
        case list():
            return f"list({len(value)})"
        case _:
            return f"object({len(value)})"


def _kind(text: str) -> str:
    return text if is_name(text) else f"unknown kind({len(text)})"


def shown_name(text: str) -> str:
    return text if is_name(text) else f"other({len(text)})"


def is_name(text: str) -> bool:
    """Whether it is made of documented words alone; a date or a number may end it."""
    if len(text) > LONGEST_NAME or not NAME.fullmatch(text):
        return False
    first, *rest = re.split(r"[._-]", text)
    return first in WORDS and all(
        part in WORDS or (part.isdecimal() and len(part) <= 8) or re.fullmatch(r"\d+[mh]", part)
        for part in rest
    )


@functools.cache
def _models() -> frozenset[str]:
    return frozenset(name for spec in catalogue.specs() for name in (spec.id, *spec.aliases))
