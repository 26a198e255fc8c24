"""What is sent to the Messages API for a request: the body, its version and its beta headers.

A request may hold what an answer held before, and answers hold more than requests may. What the vendor
refuses in a request is left out here, and nothing else. Facts are from Anthropic's documentation: "Versions",
"Beta headers", "Citations", "Extended thinking", "Token counting".
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from providers import caching
from providers.catalogue import ModelSpec
from providers.types import Block, Json, MessageRequest

VERSION = "2026-10-21"
# Since VERSION, sampling parameters are refused even at their defaults; the models that still honour them do
# so here.
VERSION_WITH_SAMPLING = "2023-06-01"
SAMPLING = frozenset({"temperature", "top_p", "top_k"})
OAUTH_BETA = "oauth-2025-04-20"
# Thinking of other vendors: its signature is an envelope of our own, which only they can open.
FOREIGN_SIGNATURE = "parley1."
# The field of MessageRequest.extra that names further beta flags; it is sent as a header.
BETAS = "betas"

# What a token count may name beside model and messages ("Count tokens in a Message").
_COUNTED = (
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "cache_control",
    "speed",
)
# The tools that the vendor runs itself; with them, and with sources that it would have to fetch, it counts
# nothing.
_SERVER_TOOLS = ("web_search", "web_fetch", "code_execution", "tool_search_tool", "mcp_toolset")
_FETCHED = frozenset({"url", "file"})


def body(request: MessageRequest, spec: ModelSpec | None) -> Json:
    """The body of a streamed call, with markers for the vendor's cache where the model has one."""
    made = _fit_for_input(request.body(stream=True))
    if spec is not None:
        made["max_tokens"] = min(made["max_tokens"], spec.max_output)
        made = caching.place(made, spec)
    return made


def counting_body(request: MessageRequest) -> Json | None:
    """The body that asks how many tokens a request has; None when it holds what the vendor does not count."""
    made = _fit_for_input(request.body(stream=False))
    tools = made.get("tools") or ()
    if "mcp_servers" in made or any(_kind(tool).startswith(_SERVER_TOOLS) for tool in tools):
        return None
    for block in _all_blocks(made["messages"]):
        source = block.get("source")
        if isinstance(source, dict) and source.get("type") in _FETCHED:
            return None
    wanted = ("model", *_COUNTED, "messages")
    return {name: made[name] for name in wanted if name in made}


def version(request: MessageRequest, spec: ModelSpec | None) -> str:
    """The API version: the current one, or the older one for sampling on a model that honours it."""
    sampling = request.temperature is not None or SAMPLING & request.extra.keys()
    return VERSION_WITH_SAMPLING if sampling and (spec is None or spec.sampling) else VERSION


def betas(request: MessageRequest) -> list[str]:
    """The beta flags that the request cannot do without, and those that it names itself."""
    named = request.extra.get(BETAS)
    flags = [flag for flag in named if isinstance(flag, str)] if isinstance(named, list) else []
    flags += [flag for flag, is_used in _BETAS if is_used(request)]
    tools = {_kind(tool) for tool in request.tools or ()}
    kinds = {_kind(block) for block in _all_blocks(request.messages)}
    flags += [flag for flag, used in _BETAS_OF_TOOLS.items() if tools & used]
    flags += [flag for flag, used in _BETAS_OF_BLOCKS.items() if kinds & used]
    return merged(flags)


def merged(*lists: Iterable[str]) -> list[str]:
    """All flags of some lists or headers' values, each once, in the order of their first appearance."""
    flags = (flag.strip() for given in lists for value in given for flag in value.split(","))
    return list(dict.fromkeys(flag for flag in flags if flag))


Used = Callable[[MessageRequest], bool]


def _has(field: str) -> Used:
    return lambda request: request.extra.get(field) is not None


def _inside(field: str, key: str) -> Used:
    return lambda request: key in (getattr(request, field) or {})


def _edits(request: MessageRequest) -> set[str]:
    management = request.extra.get("context_management")
    edits = management.get("edits") if isinstance(management, dict) else None
    return {_kind(edit) for edit in edits} if isinstance(edits, list) else set()


def _compacts(request: MessageRequest) -> bool:
    return any(kind.startswith("compact_") for kind in _edits(request))


def _has_toolset(request: MessageRequest) -> bool:
    return any(_kind(tool) == "mcp_toolset" for tool in request.tools or ())


def _has_servers_alone(request: MessageRequest) -> bool:
    return bool(request.extra.get("mcp_servers")) and not _has_toolset(request)


# Flag by flag, what needs it (documentation: "Beta headers", and the page of each feature).
_BETAS: tuple[tuple[str, Used], ...] = (
    ("fast-mode-2026-02-01", lambda request: request.extra.get("speed") == "fast"),
    ("mcp-client-2025-11-20", _has_toolset),
    ("mcp-client-2025-04-04", _has_servers_alone),
    ("context-management-2025-06-27", _has("context_management")),
    ("compact-2026-01-12", _compacts),
    ("compact-2026-09-04", _has("compaction")),
    ("task-budgets-2026-03-13", _inside("output_config", "task_budget")),
    ("server-side-fallback-2026-07-01", _has("fallbacks")),
    ("fallback-credit-2026-07-01", _has("fallback_credit_token")),
    ("message-threads-2026-08-12", _has("thread")),
    ("thinking-binding-controls-2026-08-01", _inside("thinking", "block_binding")),
    (
        "thinking-display-updates-2026-08-18",
        lambda request: (request.thinking or {}).get("display") == "updates",
    ),
    (
        "mid-conversation-output-config-2026-07-01",
        lambda request: any("output_config" in (message or ()) for message in request.messages),
    ),
)
_BETAS_OF_TOOLS: dict[str, frozenset[str]] = {
    "advisor-tool-2026-03-01": frozenset({"advisor_20260301"}),
    "computer-use-2025-11-24": frozenset({"computer_20251124"}),
    "computer-use-2025-01-24": frozenset({"computer_20250124"}),
}
_BETAS_OF_BLOCKS: dict[str, frozenset[str]] = {
    "mcp-client-2025-11-20": frozenset({"mcp_tool_use", "mcp_tool_result", "mcp_tool_listing"}),
    "compact-2026-01-12": frozenset({"compaction"}),
    "server-side-fallback-2026-07-01": frozenset({"fallback"}),
    "advisor-tool-2026-03-01": frozenset({"advisor_tool_result"}),
    "mid-conversation-tool-changes-2026-07-01": frozenset({"tool_addition", "tool_removal"}),
}


def _fit_for_input(made: Json) -> Json:
    made.pop(BETAS, None)
    made["messages"] = [_message(message) for message in made["messages"]]
    if isinstance(made.get("system"), list):
        made["system"] = [_without_citations(block) for block in made["system"]]
    return made


def _message(message: Any) -> Any:
    """The message as it may be sent; the same object where nothing in it is in the way."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        return message
    fit = _replayed if message.get("role") == "assistant" else _without_citations
    fitted = [fit(block) for block in content if not _is_unsealed(block)]
    same = len(fitted) == len(content) and all(new is old for new, old in zip(fitted, content, strict=True))
    return message if same else {**message, "content": fitted}


def _is_unsealed(block: Any) -> bool:
    """Thinking that this vendor never signed: cut before its signature, or another vendor's; and other
    vendors' opaque blocks, which say whose they are (providers.envelope.Origin).
    """
    if _kind(block) != "thinking":
        return isinstance(block, dict) and isinstance(block.get("origin"), dict)
    signature = block.get("signature")
    return not isinstance(signature, str) or not signature or signature.startswith(FOREIGN_SIGNATURE)


def _without_citations(block: Any) -> Any:
    """A person's block: cited text is an answer's alone since VERSION, inside search results too.

    `citations` of documents and search results, an object, says whether to cite them, and stays.
    """
    if _kind(block) == "text" and "citations" in block:
        return {name: value for name, value in block.items() if name != "citations"}
    content = block.get("content") if isinstance(block, dict) else None
    if _kind(block) in ("search_result", "tool_result") and isinstance(content, list):
        stripped = [_without_citations(inner) for inner in content]
        if any(new is not old for new, old in zip(stripped, content, strict=True)):
            return {**block, "content": stripped}
    return block


def _replayed(block: Any) -> Any:
    """An answer's block: `file_id` of a citation is sent by the vendor and not taken back ("Citations")."""
    citations = block.get("citations") if _kind(block) == "text" else None
    if not isinstance(citations, list):
        return block
    if not any(isinstance(one, dict) and "file_id" in one for one in citations):
        return block
    return {**block, "citations": [_without_file(citation) for citation in citations]}


def _without_file(citation: Any) -> Any:
    if not isinstance(citation, dict):
        return citation
    return {name: value for name, value in citation.items() if name != "file_id"}


def _kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else ""


def _all_blocks(messages: list[Any]) -> Iterator[Block]:
    """The blocks of all messages, and those inside tool results and documents."""
    stack: list[Any] = [message.get("content") for message in messages if isinstance(message, dict)]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            yield value
            stack.append(value.get("content"))
            source = value.get("source")
            if isinstance(source, dict):
                stack.append(source.get("content"))
