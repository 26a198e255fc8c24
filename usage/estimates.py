"""Token counts where the vendor gave none: before a call, and after one that was cut.

Text is measured in UTF-8 bytes, so that scripts with long characters count for more, as they do in
tokenizers. English prose has about 4.5 bytes per token on Anthropic's older models and, since Opus 4.7, about
30 % more tokens; code, digits and JSON are denser. So:

- LIKELY, 3.5 bytes per token, is what a cut or stopped call is charged by;
- BOUND, 2.5 bytes per token rounded up, plus 16 tokens per JSON object (roles, block framing), bounds a
  prompt.

An image costs a vendor-defined number of tokens whatever its bytes, at most IMAGE_TOKENS (Anthropic's vision
guide: width × height / 750 after scaling down). Nothing bounds a prompt better than the model's context, so
callers cap by that too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from providers.types import Message, MessageRequest, Usage

IMAGE_TOKENS = 4_800
OBJECT_TOKENS = 16
SEARCHES_UNLIMITED = 10  # Anthropic pauses a turn after about ten rounds of server tools
WEB_SEARCH = "web_search"


@dataclass(frozen=True, slots=True)
class Size:
    """A prompt measured. `bound` and `likely` are tokens."""

    bound: int
    likely: int
    cached: bool  # the request asks the vendor to cache something
    hour_cache: bool  # and some of it for an hour
    searches: int  # the most web searches that the request allows


def likely_tokens(text_bytes: int) -> int:
    """The likely number of tokens of so many bytes of text, at least 1 when there are any."""
    return -(-text_bytes * 2 // 7)


def text_bytes(text: str) -> int:
    """The length in UTF-8; a lone surrogate counts as three bytes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def seen_usage(message: Message, usage: Usage) -> Usage:
    """The usage of a message that was received in part, its output counted from its text; for settle_lost."""
    seen = 0
    for block in message.get("content") or ():
        for name in ("text", "thinking", "input"):
            if (value := block.get(name)) is not None:
                walk = _Walk()
                walk.walk(value)
                seen += walk.bytes
    return replace(usage, output_tokens=max(usage.output_tokens, likely_tokens(seen)))


def measure(request: MessageRequest) -> Size:
    """Walks the whole body as it will be sent."""
    body = request.body(stream=True)
    seen = _Walk()
    seen.walk(body)
    searches = sum(
        _most_uses(tool)
        for tool in body.get("tools") or ()
        if str(tool.get("type", "")).startswith(WEB_SEARCH)
    )
    return Size(
        bound=-(-seen.bytes * 2 // 5) + seen.objects * OBJECT_TOKENS + seen.images * IMAGE_TOKENS,
        likely=likely_tokens(seen.bytes) + seen.images * IMAGE_TOKENS,
        cached=seen.cached,
        hour_cache=seen.hour_cache,
        searches=searches,
    )


class _Walk:
    """Adds up a JSON value: bytes of its text, its objects, its images, its cache markers."""

    def __init__(self) -> None:
        self.bytes = 0
        self.objects = 0
        self.images = 0
        self.cached = False
        self.hour_cache = False

    def walk(self, value: Any) -> None:
        stack = [value]
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                self.bytes += text_bytes(item)
            elif isinstance(item, dict):
                self.objects += 1
                if item.get("type") == "image":
                    self.images += 1
                    continue
                if (marker := item.get("cache_control")) is not None:
                    self.cached = True
                    self.hour_cache = self.hour_cache or (
                        isinstance(marker, dict) and marker.get("ttl") == "1h"
                    )
                for key, inner in item.items():
                    self.bytes += len(key)
                    stack.append(inner)
            elif isinstance(item, list | tuple):
                stack.extend(item)
            else:
                self.bytes += 8  # a number, true, false or null


def _most_uses(tool: dict[str, Any]) -> int:
    uses = tool.get("max_uses")
    return uses if isinstance(uses, int) and uses > 0 else SEARCHES_UNLIMITED
