"""Where the vendor's cache of prompts is told to remember (Anthropic, "Prompt caching").

A request is cached as a prefix, in the order tools, system, messages. A marker asks to keep everything up to
its block, and to look up what earlier requests have kept up to 20 blocks before it. So there are four:

    tools      the last definition: kept when only the system prompt changes
    system     its last block
    before     the last block of the question before the last answer: there the previous request had its last
               marker, and finds what it kept however many blocks an answer with many tool calls has
    now        the last block of all, which the next request will look for

Nothing moves for it: a marker is no part of what is compared.
"""

from typing import Any

from providers.catalogue import ModelSpec
from providers.types import Block, Json

MOST = 4  # markers in a request
LEAST_TOKENS = 512  # the shortest prompt that any model caches, where a model's own number is unknown
DENSEST = 2  # bytes per token, below which no text comes
MARKER = {"type": "ephemeral"}  # five minutes, renewed by each use

# Blocks that take a marker. Thinking never does, nor does an empty text; unknown kinds are left alone.
_MARKED = frozenset(
    {
        "text",
        "image",
        "document",
        "search_result",
        "tool_use",
        "tool_result",
        "server_tool_use",
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
        "mcp_tool_use",
        "mcp_tool_result",
        "container_upload",
    }
)
_LARGE = frozenset({"image", "document", "container_upload"})


def place(body: Json, spec: ModelSpec) -> Json:
    """The body with markers, for a model that caches; a new object, of which unchanged parts are shared.

    The body is returned as it is when the model does not cache, when the caller has placed markers itself,
    and when the prompt is surely shorter than what is cached.
    """
    if "caching" not in spec.capabilities or _is_marked(body) or _is_surely_short(body, spec):
        return body
    placed = dict(body)
    if isinstance(tools := body.get("tools"), list):
        placed["tools"] = _marked_at(tools, _last_tool(tools))
    placed["system"] = _marked_system(body.get("system"))
    if placed["system"] is None:
        del placed["system"]
    messages = list(body["messages"])
    for place in _ends(messages):
        messages[place] = _marked_message(messages[place])
    placed["messages"] = messages
    return placed


def _is_marked(value: Any) -> bool:
    """Whether a marker of the caller's is anywhere; a tool's schema and input may name a field like it."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict):
            if item.get("cache_control") is not None:
                return True
            stack.extend(
                inner
                for name, inner in item.items()
                if name not in ("input", "input_schema") and isinstance(inner, dict | list)
            )
    return False


def _is_surely_short(body: Json, spec: ModelSpec) -> bool:
    enough = (spec.min_cache_tokens or LEAST_TOKENS) * DENSEST
    stack: list[Any] = [body.get("tools"), body.get("system"), body.get("messages")]
    size = 0
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            size += len(item) if item.isascii() else len(item.encode("utf-8", "surrogatepass"))
        elif isinstance(item, dict):
            if item.get("type") in _LARGE:
                return False
            size += sum(map(len, item))
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        if size >= enough:
            return False
    return True


def _last_tool(tools: list[Json]) -> int | None:
    """A tool whose definition is loaded later is in no prefix; a toolset takes no marker."""
    for place in range(len(tools) - 1, -1, -1):
        tool = tools[place]
        if tool.get("defer_loading") is not True and not str(tool.get("type", "")).endswith("toolset"):
            return place
    return None


def _marked_system(system: Any) -> Any:
    if isinstance(system, str):
        return [{"type": "text", "text": system, "cache_control": MARKER}] if system.strip() else system
    return _marked_at(system, _last_block(system)) if isinstance(system, list) else None


def _ends(messages: list[Json]) -> list[int]:
    """The messages whose ends are marked: the last one, and the last question before it."""
    ends = [place for place in range(len(messages) - 1, -1, -1) if _can_be_marked(messages[place])]
    if not ends or ends[0] != len(messages) - 1:
        return ends[:1]
    before = [place for place in ends[1:] if messages[place].get("role") == "user"]
    return [ends[0], *before[:1]]


def _can_be_marked(message: Any) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return bool(content.strip())
    return isinstance(content, list) and _last_block(content) is not None


def _marked_message(message: Json) -> Json:
    content = message["content"]
    if isinstance(content, str):
        return {**message, "content": [{"type": "text", "text": content, "cache_control": MARKER}]}
    return {**message, "content": _marked_at(content, _last_block(content))}


def _last_block(blocks: list[Block]) -> int | None:
    for place in range(len(blocks) - 1, -1, -1):
        block: Any = blocks[place]
        kind = block.get("type") if isinstance(block, dict) else None
        if kind in _MARKED and (kind != "text" or str(block.get("text") or "").strip()):
            return place
    return None


def _marked_at(items: list[Json], place: int | None) -> list[Json]:
    if place is None:
        return items
    return [{**item, "cache_control": MARKER} if at == place else item for at, item in enumerate(items)]
