"""What one attempt at a vendor has shown so far, and what it is charged when the vendor's final count is
missing.

The charge of an attempt that was cut, stopped, or counted in numbers that cannot be:

- The vendor's own counts are kept where they are known. `message_start` knows the prompt; its output count is
  a placeholder and never becomes money. A later count of the output (`message_delta`, cumulative) is a lower
  bound once more content followed it.
- Prompt: where the vendor's count is missing or doubtful, the likely size of the prompt as sent stands in.
- Output: the text that came, and for thinking, which is billed in full though shown shortened or not at all,
  the larger of its text and its duration × the model's usual output rate; never more than `max_tokens`.
- Web searches: the results that came; the model reads them as input.

A stream splits its cache writes by lifetime in `message_start` only, while their total may still grow. What
has no lifetime counts as one hour if the request asked for one-hour caching, else as five minutes, the
vendor's default. (Anthropic, Messages API reference, "Streaming" and "Usage".)
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Self

from providers.types import Json, StreamEvent, Usage
from usage.calls import iterations
from usage.estimates import likely_tokens, text_bytes
from usage.models import Outcome, Source

THINKING = frozenset({"thinking", "redacted_thinking"})
SEARCH_RESULT = "web_search_tool_result"
PROMPT_COUNTS = frozenset(
    {
        "input_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation_5m",
        "cache_creation_1h",
    }
)
STORED = (
    "number",
    "route",
    "free",
    "final",
    "counted_output",
    "text_bytes",
    "thinking_bytes",
    "thinking_seconds",
    "steps",
    "searches",
    "result_bytes",
    "model_served",
    "request_id",
    "outcome",
    "error",
    "ttft_ms",
    "duration_ms",
)


def _now() -> float:
    return time.monotonic()


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt from the moment before the vendor is asked.

    Times ending in `_at` are this process's monotonic.
    """

    number: int
    route: int = 0  # on which of the hold's routes it was made
    asked: bool = False  # the vendor may have heard of it
    free: bool = False  # surely not billed: it never left here, or the vendor turned it down
    began: bool = False  # message_start came
    stopped: bool = False  # message_stop came
    final: bool = False  # the vendor counted the output and no content followed
    usage: Usage = field(default_factory=lambda: Usage.from_json(None))
    counted_output: int = 0
    text_bytes: int = 0
    thinking_bytes: int = 0
    thinking_seconds: float = 0.0
    steps: list[Json] = field(default_factory=list)  # billed beside the usage, each a usage object
    searches: int = 0
    result_bytes: int = 0
    stop_reason: str = ""
    model_served: str = ""
    request_id: str = ""
    outcome: str = Outcome.STOPPED  # what it is when nothing else is known: somebody left
    error: str = ""
    ttft_ms: int | None = None
    duration_ms: int | None = None
    began_at: float = field(default_factory=_now)
    content_at: float | None = None
    thinking_at: float | None = None

    def set_out(self) -> None:
        """The vendor is asked from now on; what the call waited for before is not the vendor's time."""
        self.asked, self.began_at = True, _now()

    def observe(self, event: StreamEvent) -> None:
        """Takes in one event.

        Never raises for its shape: judging that is left to whoever folds the stream.
        """
        try:
            kind = event["type"]
            if kind == "content_block_delta":
                delta = event["delta"]
                self.final = False
                if (text := delta.get("text")) is not None or (text := delta.get("partial_json")) is not None:
                    self.text_bytes += len(text) if text.isascii() else text_bytes(text)
                elif (text := delta.get("thinking")) is not None:
                    self.thinking_bytes += len(text) if text.isascii() else text_bytes(text)
                if self.content_at is None:
                    self.content_at = _now()
            elif kind == "message_start":
                self._beginning(event["message"])
            elif kind == "content_block_start":
                self._block(event["content_block"])
            elif kind == "content_block_stop":
                self._thought()
            elif kind == "message_delta":
                self._ending(event)
            elif kind == "message_stop":
                self.stopped = True
        except (KeyError, TypeError, AttributeError, UnicodeError):
            return

    def said_anything(self) -> bool:
        """Whether content came, so that no other attempt may follow."""
        return bool(self.text_bytes or self.thinking_bytes or self.searches or self.content_at is not None)

    def finish(self, outcome: str, error: str = "") -> None:
        """Marks how it ended; the first call wins."""
        if self.duration_ms is not None:
            return
        self._thought()
        self.outcome, self.error = outcome, error[:64]
        self.duration_ms = round((_now() - self.began_at) * 1000)
        if self.content_at is not None:
            self.ttft_ms = round((self.content_at - self.began_at) * 1000)

    def leave(self) -> None:
        """The caller is done with it: complete if the vendor said so, else stopped; without a request there
        is no bill.
        """
        if not self.asked:
            self.free = True
        if not self.stopped:
            self.finish(Outcome.STOPPED)
        else:
            self.finish(Outcome.REFUSED if self.stop_reason == "refusal" else Outcome.COMPLETED)

    def charge(
        self, *, prompt_tokens: int, max_tokens: int, output_rate: float, hour_cache: bool
    ) -> tuple[Usage, Source]:
        """The usage to bill, by the rules above, and whether the vendor reported all of it.

        `prompt_tokens` is the likely size of the prompt as sent, `output_rate` the model's usual tokens per
        second, `hour_cache` whether the request asked for one-hour caching.
        """
        if self.free:
            return Usage(), Source.REPORTED
        usage = _lifetimes(self.usage, hour_cache)
        steps = [_lifetimes(Usage.from_json(step), hour_cache) for step in self.steps]
        if self.final and not usage.doubtful:
            guessed = any(step.doubtful for step in steps)
            return iterations.with_steps(usage, steps), Source.ESTIMATED if guessed else Source.REPORTED
        changes: dict[str, Any] = {}
        if not self.final or "output_tokens" in usage.doubtful:
            thinking = max(likely_tokens(self.thinking_bytes), round(self._thinking_so_far() * output_rate))
            seen = min(likely_tokens(self.text_bytes) + thinking, max_tokens)
            changes["output_tokens"] = max(seen, self.counted_output)
            changes["web_search_requests"] = max(self.searches, usage.web_search_requests)
        prompt = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
        missing = max(0, prompt_tokens - prompt) if usage.doubtful & PROMPT_COUNTS else 0
        read = 0 if self.final else likely_tokens(self.result_bytes)
        changes["input_tokens"] = usage.input_tokens + missing + read
        return iterations.with_steps(replace(usage, **changes), steps), Source.ESTIMATED

    def to_json(self) -> dict[str, Any]:
        """What a hold stores, so that another process can settle this attempt."""
        stored = {name: getattr(self, name) for name in STORED}
        return stored | {"usage": self.usage.to_json(), "thinking_seconds": self._thinking_so_far()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        attempt = cls(number=stored["number"], asked=True, usage=Usage.from_json(stored["usage"]))
        for name in STORED:
            setattr(attempt, name, stored.get(name, getattr(attempt, name)))
        return attempt

    def _beginning(self, message: dict[str, Any]) -> None:
        self.began = True
        self.model_served = str(message.get("model") or "")[:200]
        self.request_id = str(message.get("id") or "")[:200]
        self._count(message.get("usage"))
        if (
            message.get("stop_reason") is not None
        ):  # it is whole already: only programmatic tool calls begin so
            self._ended(message["stop_reason"])

    def _block(self, block: dict[str, Any]) -> None:
        self.final = False
        if self.content_at is None:
            self.content_at = _now()
        kind = str(block.get("type"))
        if kind in THINKING:
            self.thinking_at = _now()
        elif kind == "text":
            self.text_bytes += text_bytes(str(block.get("text") or ""))
        elif kind == SEARCH_RESULT and isinstance(block.get("content"), list):
            self.searches += 1
        if kind.endswith("_tool_result"):
            self.result_bytes += len(repr(block.get("content")))

    def _thought(self) -> None:
        self.thinking_seconds = self._thinking_so_far()
        self.thinking_at = None

    def _thinking_so_far(self) -> float:
        return self.thinking_seconds + (0.0 if self.thinking_at is None else _now() - self.thinking_at)

    def _ending(self, event: StreamEvent) -> None:
        usage, stop_reason = event.get("usage"), event["delta"].get("stop_reason")
        self.stop_reason = str(stop_reason or self.stop_reason)
        if isinstance(usage, dict) and usage.get("output_tokens") is not None:
            self._count(usage)
            self._ended(stop_reason)

    def _count(self, usage: Any) -> None:
        """Takes in the latest counts; what they leave out stays as it was."""
        self.usage = self.usage.merge(usage)
        steps = iterations.beside(usage)
        if steps is not None:
            self.steps = steps

    def _ended(self, stop_reason: Any) -> None:
        self.final = True
        self.stop_reason = str(stop_reason or self.stop_reason)
        if "output_tokens" not in self.usage.doubtful:
            self.counted_output = self.usage.output_tokens


def _lifetimes(usage: Usage, hour_cache: bool) -> Usage:
    """This usage with a lifetime for every cache write."""
    known = usage.cache_creation_5m + usage.cache_creation_1h
    rest = max(0, usage.cache_creation_input_tokens - known)
    if hour_cache:
        return replace(usage, cache_creation_1h=usage.cache_creation_1h + rest)
    return replace(usage, cache_creation_5m=usage.cache_creation_5m + rest)
