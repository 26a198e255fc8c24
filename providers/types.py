"""The words every adapter speaks: Anthropic's Messages API as plain JSON objects, with typed views.

Blocks, events and messages stay the objects that were received, so that fields and kinds nobody here knows
yet travel on untouched.
"""

from dataclasses import dataclass, field, replace
from typing import Any

Json = dict[str, Any]
StreamEvent = dict[str, Any]
Block = dict[str, Any]
Message = dict[str, Any]

# Tools that the vendor runs, in the versions that every model with the ability takes; later ones want code
# execution beside them (Anthropic, "Web search tool", "Code execution tool").
WEB_SEARCH = "web_search_20250305"
CODE_EXECUTION = "code_execution_20250825"

# Above this a token count is a mistake of the sender: no model reads or writes a hundred million tokens in a
# call.
LARGEST_COUNT = 100_000_000
_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRequest:
    """One call to a model. `model` is the vendor's own id; None: not sent; `extra` adds body fields."""

    model: str
    messages: list[Json]
    max_tokens: int
    system: str | list[Json] | None = None
    thinking: Json | None = None
    output_config: Json | None = None
    tools: list[Json] | None = None
    tool_choice: Json | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    metadata: Json | None = None
    extra: Json = field(default_factory=dict)

    def body(self, *, stream: bool) -> Json:
        """The JSON body of ``POST /v1/messages``, fields in a fixed order."""
        optional = {
            "system": self.system,
            "tools": self.tools,
            "tool_choice": self.tool_choice,
            "thinking": self.thinking,
            "output_config": self.output_config,
            "stop_sequences": self.stop_sequences,
            "temperature": self.temperature,
            "metadata": self.metadata,
        }
        return {
            "model": self.model,
            "max_tokens": self.max_tokens,
            **{name: value for name, value in optional.items() if value is not None},
            "messages": self.messages,
            **self.extra,
            **({"stream": True} if stream else {}),
        }


# Where each count lies in Anthropic's usage object.
_COUNTS: dict[str, tuple[str, ...]] = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "cache_read_input_tokens": ("cache_read_input_tokens",),
    "cache_creation_input_tokens": ("cache_creation_input_tokens",),
    "cache_creation_5m": ("cache_creation", "ephemeral_5m_input_tokens"),
    "cache_creation_1h": ("cache_creation", "ephemeral_1h_input_tokens"),
    "thinking_tokens": ("output_tokens_details", "thinking_tokens"),
    "web_search_requests": ("server_tool_use", "web_search_requests"),
    "web_fetch_requests": ("server_tool_use", "web_fetch_requests"),
}
_NAMES = ("service_tier", "speed", "inference_geo")
_REQUIRED = frozenset({"input_tokens", "output_tokens"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one call used, in tokens and requests, as the vendor reports it.

    `input_tokens` is the uncached remainder only; the prompt's size is it plus the two cache numbers.
    `cache_creation_input_tokens` counts every cache write and is never below the sum of its two parts; it is
    above it when the vendor has told the lifetime (5 minutes, 1 hour) of some writes only. `output_tokens`
    includes thinking. `doubtful` names the counts that were missing though they must be there, or were no
    possible count. `steps` are parts of these numbers that the vendor bills as requests of their own; what is
    left of the numbers is the request itself. No vendor's object is read into it here.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_creation_5m: int = 0
    cache_creation_1h: int = 0
    thinking_tokens: int = 0
    web_search_requests: int = 0
    web_fetch_requests: int = 0
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    doubtful: frozenset[str] = frozenset()
    steps: "tuple[Usage, ...]" = ()

    @property
    def estimated(self) -> bool:
        """A value was missing or impossible, so the numbers are not wholly the vendor's."""
        return bool(self.doubtful)

    @classmethod
    def from_json(cls, json: object) -> "Usage":
        """Reads a usage object; never raises. What is negative, NaN, text or huge is treated as absent."""
        return cls(doubtful=_REQUIRED).merge(json)

    def merge(self, newer_json: object) -> "Usage":
        """This usage with the latest value of every field that the newer object holds; absent erases none."""
        newer = newer_json if isinstance(newer_json, dict) else {}
        doubtful = set(self.doubtful)
        changes: dict[str, Any] = {}
        for name, path in _COUNTS.items():
            value = _find(newer, path)
            if value is None:
                continue
            count = _count(value)
            if count is None:
                doubtful.add(name)
            else:
                changes[name] = count
                doubtful.discard(name)
        for name in _NAMES:
            text = newer.get(name)
            if isinstance(text, str) and text.isprintable() and len(text) <= _NAME_LENGTH:
                changes[name] = text
        doubtful |= _named(newer.get("estimated"))
        return replace(self, doubtful=frozenset(doubtful), **changes)._with_whole_total()

    def to_json(self) -> Json:
        """Anthropic's usage object, `estimated` naming the doubtful counts; `from_json` reads it back."""
        json: Json = {}
        for name, path in _COUNTS.items():
            place = json
            for key in path[:-1]:
                place = place.setdefault(key, {})
            if name not in self.doubtful or getattr(self, name):
                place[path[-1]] = getattr(self, name)
        json.update({name: getattr(self, name) for name in _NAMES if getattr(self, name) is not None})
        if self.doubtful:
            json["estimated"] = sorted(self.doubtful)
        return json

    def _with_whole_total(self) -> "Usage":
        """The total of the cache writes raised to its two parts where the vendor told only these."""
        total = max(self.cache_creation_input_tokens, self.cache_creation_5m + self.cache_creation_1h)
        return replace(self, cache_creation_input_tokens=total)


def _find(json: Json, path: tuple[str, ...]) -> object:
    value: object = json
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= LARGEST_COUNT or value != int(value):  # NaN fails the comparison
        return None
    return int(value)


def _named(value: object) -> set[str]:
    if value is True:
        return set(_REQUIRED)
    return {name for name in value if name in _COUNTS} if isinstance(value, list) else set()
