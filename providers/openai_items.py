"""Items of an answer of the Responses API: what is remembered of each, and words that stand for ours."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from providers.openai_stream import usage_of
from providers.types import Json

INCOMPLETE = {
    "max_output_tokens": "max_tokens",
    "max_messages": "max_tokens",
    "steered": "max_tokens",
    "content_filter": "refusal",
}
MOST_ITEMS = 10_000
MOST_SKIPPED = 100  # numbers between two events that are remembered as missing
IMPLIED = {
    "output_text": "message",
    "refusal": "message",
    "reasoning_summary_text": "reasoning",
    "reasoning_text": "reasoning",
    "function_call_arguments": "function_call",
}
# Blocks of these types mean something upward; no item of OpenAI's has such a type.
OURS = frozenset(
    {"text", "thinking", "redacted_thinking", "tool_use", "tool_result", "server_tool_use", "fallback"}
)
BEGINNINGS = frozenset({"response.created", "response.in_progress", "response.queued"})
ENDINGS = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}


@dataclass(slots=True)
class Item:
    """One item of the answer: its kind, and the keys of its blocks. `parts` are by content index."""

    place: int
    kind: str
    id: str = ""
    done: bool = False
    key: Hashable = None
    parts: dict[int, Hashable] = field(default_factory=dict)
    cited: set[tuple[int, int]] = field(default_factory=set)
    summary: object = None  # the part of the reasoning's summary that came last
    early: list[str] = field(default_factory=list)


def usage_in(response: Json) -> Json:
    vendor = response.get("usage")
    vendor = vendor if isinstance(vendor, dict) else {}
    details = ("input_tokens_details", "output_tokens_details")
    usage = usage_of(vendor, ("input_tokens", "output_tokens"), details)
    tools = response.get("tool_usage")
    search = tools.get("web_search") if isinstance(tools, dict) else None
    searches = search.get("num_requests") if isinstance(search, dict) else None
    if isinstance(searches, int) and searches > 0:
        usage["server_tool_use"] = {"web_search_requests": searches}
    if isinstance(tier := response.get("service_tier"), str):
        usage["service_tier"] = tier
    return usage


def rest_of(whole: object, written: str) -> str:
    """What of the whole text has not been written yet; "" too where the two differ: shown is shown."""
    if isinstance(whole, str) and whole.startswith(written):
        return whole[len(written) :]
    return ""


def content_index(event: Json) -> int:
    index = event.get("content_index")
    return index if isinstance(index, int) else 0
