"""Whether a model can do what a request asks, judged by the flags of its ModelSpec before anything is sent.

The rules are those of the vendors' documentation (Anthropic: "Extended thinking", "Effort", "Tool use",
"Structured outputs", "Working with messages"; OpenAI: "Reasoning", "Function calling"), held as flags in the
catalogue. What no flag speaks of is left to the adapter and the vendor.
"""

from collections.abc import Callable, Iterator
from typing import Any, get_args

from providers.catalogue import Capability, Effort, ModelSpec, ThinkingKind
from providers.errors import Unsupported
from providers.types import Block, Json, MessageRequest

SAMPLING = ("temperature", "top_p", "top_k")
# Efforts above this one are refused beside the thinking kinds that are limited.
LIMITED_EFFORTS: tuple[Effort, ...] = ("none", "minimal", "low", "medium", "high")
SERVER_TOOLS: dict[str, tuple[Capability, str]] = {
    "web_search": ("web_search", "search the web by itself"),
    "web_fetch": ("web_fetch", "open web pages by itself"),
    "code_execution": ("code_execution", "run code by itself"),
}


def must_be_able(request: MessageRequest, spec: ModelSpec) -> None:
    """Raises Unsupported, with a sentence that names the model, for the first thing it cannot do.

    Nothing is changed and nothing was sent. Sizes are not judged here: a vendor's limits may be above ours.
    """
    for rule in _RULES:
        if (cannot := rule(request, spec)) is not None:
            raise Unsupported(f"{spec.name} cannot {cannot}.", sent=False)


def _tools(request: MessageRequest, spec: ModelSpec) -> str | None:
    for tool in request.tools or ():
        kind = _text(tool.get("type"))
        server = next((needs for prefix, needs in SERVER_TOOLS.items() if kind.startswith(prefix)), None)
        if server is not None:
            flag, words = server
            if flag not in spec.capabilities:
                return words
        elif "tools" not in spec.capabilities:
            return "use tools"
    return None


def _tool_choice(request: MessageRequest, spec: ModelSpec) -> str | None:
    choice = request.tool_choice or {}
    if choice.get("type") in ("any", "tool"):
        if "forced_tools" not in spec.capabilities:
            return "be made to use a tool; let it choose by itself"
        if _thinks(request, spec) and "forced_tools_with_thinking" not in spec.capabilities:
            return "be made to use a tool while it thinks; switch thinking off, or let it choose by itself"
    if (
        choice.get("disable_parallel_tool_use") is True
        and not {"tools", "parallel_tools"} <= spec.capabilities
    ):
        return "be kept from using several tools at once"
    return None


def _content(request: MessageRequest, spec: ModelSpec) -> str | None:
    for block in _blocks(request):
        kind = block.get("type")
        if kind == "image" and "vision" not in spec.capabilities:
            return "read images"
        if kind == "document":
            if _is_pdf(block) and "pdf" not in spec.capabilities:
                return "read PDF documents"
            citations = block.get("citations")
            if (
                isinstance(citations, dict)
                and citations.get("enabled")
                and "citations" not in spec.capabilities
            ):
                return "cite documents"
        if kind == "tool_use" and "tools" not in spec.capabilities:
            return "go on with a conversation in which tools were used"
    return None


def _roles(request: MessageRequest, spec: ModelSpec) -> str | None:
    roles = [message.get("role") for message in request.messages]
    if "system" in roles and "mid_system" not in spec.capabilities:
        return "take instructions in the middle of a conversation"
    if roles and roles[-1] == "assistant" and "prefill" not in spec.capabilities and not _paused(request):
        return "go on with an answer that was begun for it"
    return None


def _format(request: MessageRequest, spec: ModelSpec) -> str | None:
    wanted = (request.output_config or {}).get("format") or request.extra.get("output_format")
    if wanted is not None and "structured_output" not in spec.capabilities:
        return "answer in the form of a schema"
    return None


def _stop_sequences(request: MessageRequest, spec: ModelSpec) -> str | None:
    if request.stop_sequences and "stop_sequences" not in spec.capabilities:
        return "stop at given words"
    return None


def _thinking(request: MessageRequest, spec: ModelSpec) -> str | None:
    thinking = request.thinking
    if thinking is None:
        return None
    kind = _text(thinking.get("type"))
    if kind not in spec.thinking.kinds and not (kind == "disabled" and not spec.thinking.kinds):
        return _THINKING_WORDS.get(kind, f"think in the way {kind[:40]!r}")
    effort = _effort(request) or spec.default_effort
    if kind in spec.thinking.limited_kinds and effort is not None and effort not in LIMITED_EFFORTS:
        return f"{_THINKING_WORDS[kind]} at an effort above high"
    display = thinking.get("display")
    if display in ("summarized", "omitted") and display not in spec.thinking.displays:
        return f"have its thinking {display}"
    return None


def _efforts(request: MessageRequest, spec: ModelSpec) -> str | None:
    effort = _effort(request)
    if effort is None or effort in spec.efforts:
        return None
    if not spec.efforts:
        return "be told how much effort to make"
    return f"work at effort {effort[:40]!r}; it takes {', '.join(spec.efforts)}"


def _sampling(request: MessageRequest, spec: ModelSpec) -> str | None:
    asked = [name for name in SAMPLING if _sampled(request, name)]
    if asked and not spec.sampling:
        return f"be given a {asked[0]}"
    return None


def _speed(request: MessageRequest, spec: ModelSpec) -> str | None:
    if request.extra.get("speed") == "fast" and "fast" not in spec.capabilities:
        return "answer in the fast mode"
    return None


_RULES: tuple[Callable[[MessageRequest, ModelSpec], str | None], ...] = (
    _tools,
    _tool_choice,
    _content,
    _roles,
    _format,
    _stop_sequences,
    _thinking,
    _efforts,
    _sampling,
    _speed,
)
_THINKING_WORDS: dict[str, str] = dict.fromkeys(get_args(ThinkingKind), "think") | {
    "adaptive": "choose by itself how long to think",
    "enabled": "think within a given number of tokens",
    "disabled": "answer without thinking",
    "between_tools": "think between tools only",
}


def _thinks(request: MessageRequest, spec: ModelSpec) -> bool:
    if request.thinking is None:
        return spec.thinking.default_on
    return request.thinking.get("type") != "disabled"


def _effort(request: MessageRequest) -> str | None:
    effort = (request.output_config or {}).get("effort")
    return None if effort is None else _text(effort)


def _sampled(request: MessageRequest, name: str) -> bool:
    value = request.temperature if name == "temperature" else None
    return (request.extra.get(name) if value is None else value) is not None


def _paused(request: MessageRequest) -> bool:
    """Whether the last message is an answer that the vendor paused: it ends in the work of a server tool."""
    content = request.messages[-1].get("content")
    last = content[-1] if isinstance(content, list) and content else None
    kind = _text(last.get("type")) if isinstance(last, dict) else ""
    return kind == "server_tool_use" or (kind.endswith("_tool_result") and kind != "tool_result")


def _is_pdf(block: Block) -> bool:
    source = block.get("source")
    if not isinstance(source, dict):
        return False
    return source.get("media_type") == "application/pdf" or source.get("type") == "url"


def _blocks(request: MessageRequest) -> Iterator[Block]:
    """Every content block of the messages, those within tool results too."""
    stack: list[Any] = [message.get("content") for message in reversed(request.messages)]
    while stack:
        content = stack.pop()
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict):
                yield block
                if block.get("type") == "tool_result":
                    stack.append(block.get("content"))


def _text(value: Json | object) -> str:
    return value if isinstance(value, str) else ""
