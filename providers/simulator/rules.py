"""What Anthropic's Messages API refuses, as far as it helps to find mistakes in our own requests.

Sources: Anthropic's API reference ("Messages", "Versions", "Errors") and the guides on extended thinking and
tool use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from providers.simulator.call import Call
from providers.simulator.replies import Refusal
from providers.types import Json

VERSIONS: Final = ("2026-10-21", "2023-06-01")
NO_SAMPLING: Final = "2026-10-21"
BODY_LIMIT: Final = 32 * 1000 * 1000
KNOWN: Final = frozenset(
    "model max_tokens messages system stop_sequences stream thinking output_config tools tool_choice "
    "cache_control metadata container service_tier speed inference_geo diagnostics "
    "temperature top_p top_k".split()
)
BETA: Final = frozenset(
    "mcp_servers context_management compaction fallbacks fallback_credit_token thread billing_policy".split()
)
NOT_COUNTED: Final = frozenset({"max_tokens", "stream"})
THINKING: Final = ("adaptive", "enabled", "disabled", "between_tools")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One accepted request, in the words of Anthropic's Messages API whatever wire it came by.

    body: as it was sent there; of another wire what counts as prompt (`tools`, `system`, `messages`).
    text: of the last user message; system: all system text; max_tokens: None when tokens are only counted;
    thinks: whether thinking was asked for, None when the request does not say; shows_thinking: with its text.
    """

    body: Json
    model: str
    messages: Sequence[Json]
    text: str
    system: str
    max_tokens: int | None
    stream: bool
    thinks: bool | None
    shows_thinking: bool
    stop_sequences: Sequence[str]


def read(call: Call, *, counting: bool = False, version_required: bool = True) -> Asked:
    """Check a request to /v1/messages, or with `counting` to /v1/messages/count_tokens.

    Raises Refusal as the vendor would answer.
    """
    headers = call.headers
    version = headers.get("anthropic-version", "" if version_required else NO_SAMPLING)
    if not version:
        raise Refusal(400, "anthropic-version: header is required")
    if version not in VERSIONS:
        raise Refusal(400, f'anthropic-version: "{version}" is not a valid version')
    body = call.json()
    _check_fields(body, version, beta="anthropic-beta" in headers, counting=counting)
    messages = _check_messages(body["messages"])
    thinks, shown = _check_thinking(body.get("thinking"), body.get("max_tokens"))
    return Asked(
        body=body,
        model=body["model"],
        messages=messages,
        text=last_text(messages),
        system=_text_of(body.get("system", "")),
        max_tokens=body.get("max_tokens"),
        stream=body.get("stream") is True,
        thinks=thinks,
        shows_thinking=shown,
        stop_sequences=body.get("stop_sequences") or (),
    )


def last_text(messages: Sequence[Json]) -> str:
    """The text of the last user message; "" when it has none (only tool results, images)."""
    for message in reversed(messages):
        if message["role"] == "user":
            return _text_of(message["content"])
    return ""


def is_tool_result(message: Json) -> bool:
    """Whether a user message only brings results of tools."""
    content = message["content"]
    return message["role"] == "user" and isinstance(content, list) and _kinds(content) == {"tool_result"}


def _check_fields(body: Json, version: str, *, beta: bool, counting: bool) -> None:
    allowed = (KNOWN | BETA if beta else KNOWN) - (NOT_COUNTED if counting else frozenset())
    for name in body:
        if name not in allowed:
            raise Refusal(400, f"{name}: Extra inputs are not permitted")
    for name in ("model", "messages") if counting else ("model", "max_tokens", "messages"):
        if name not in body:
            raise Refusal(400, f"{name}: Field required")
    _require(isinstance(body["model"], str) and body["model"] != "", "model: Input should be a valid string")
    if not counting:
        limit = body["max_tokens"]
        _require(type(limit) is int and limit >= 0, "max_tokens: Input should be greater than or equal to 0")
    _require(isinstance(body.get("stream", False), bool), "stream: Input should be a valid boolean")
    for name in ("temperature", "top_p", "top_k"):
        if name in body and version == NO_SAMPLING:
            raise Refusal(400, f"{name}: not supported with anthropic-version {version}")
    stops = body.get("stop_sequences")
    _require(
        stops is None
        or (isinstance(stops, list) and all(isinstance(stop, str) and stop.strip() for stop in stops)),
        "stop_sequences: each stop sequence must contain non-whitespace",
    )
    system = body.get("system", "")
    _require(
        isinstance(system, str) or (isinstance(system, list) and _kinds(system) <= {"text"}),
        "system: Input should be a string or a list of text blocks",
    )
    tools = body.get("tools")
    _require(tools is None or isinstance(tools, list), "tools: Input should be a valid list")


def _check_messages(messages: Any) -> list[Json]:
    _require(isinstance(messages, list), "messages: Input should be a valid list")
    _require(bool(messages), "messages: at least one message is required")
    open_calls: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        _require(isinstance(message, dict), f"{where}: Input should be an object")
        role, content = message.get("role"), message.get("content")
        _require(
            role in ("user", "assistant", "system"),
            f'{where}.role: Input should be "user", "assistant" or "system"',
        )
        _require(
            isinstance(content, str | list), f"{where}.content: Input should be a string or a list of blocks"
        )
        _require(
            bool(content) or (role == "assistant" and index == len(messages) - 1),
            f"{where}: all messages must have non-empty content",
        )
        blocks = content if isinstance(content, list) else []
        for number, block in enumerate(blocks):
            _require(
                isinstance(block, dict) and isinstance(block.get("type"), str),
                f"{where}.content.{number}: no type",
            )
            if block["type"] == "text" and not block.get("text"):
                raise Refusal(400, f"{where}.content.{number}: text content blocks must be non-empty")
        open_calls = _check_pairs(where, blocks, open_calls)
    _require(not open_calls, _unanswered(open_calls))
    last = messages[-1]
    if last["role"] == "assistant" and not _continues(last["content"]):
        raise Refusal(
            400,
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message.",
        )
    return list(messages)


def _check_pairs(where: str, blocks: Sequence[Json], open_calls: set[str]) -> set[str]:
    """Pair tool calls with results; the calls that the next message has to answer."""
    results = {str(block.get("tool_use_id")) for block in blocks if block["type"] == "tool_result"}
    if open_calls - results:
        raise Refusal(400, f"{where}: {_unanswered(open_calls - results)}")
    if results - open_calls:
        raise Refusal(
            400,
            f"{where}: unexpected `tool_use_id` found in `tool_result` blocks: "
            f"{', '.join(sorted(results - open_calls))}. "
            "Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
        )
    return {str(block.get("id")) for block in blocks if block["type"] == "tool_use"}


def _unanswered(calls: set[str]) -> str:
    return (
        "`tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(sorted(calls))}. "
        "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _continues(content: Any) -> bool:
    """Whether an answer at the end asks to go on after a paused server tool."""
    return (
        isinstance(content, list)
        and bool(content)
        and str(content[-1].get("type")) not in ("text", "thinking")
    )


def _check_thinking(thinking: Any, max_tokens: Any) -> tuple[bool | None, bool]:
    if thinking is None:
        return None, False
    _require(isinstance(thinking, dict), "thinking: Input should be an object")
    kind = thinking.get("type")
    _require(kind in THINKING, f"thinking.type: Input should be one of {', '.join(THINKING)}")
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        _require(
            type(budget) is int and budget >= 1024, "thinking.enabled.budget_tokens: must be at least 1024"
        )
        _require(
            max_tokens is None or budget < max_tokens,
            "`max_tokens` must be greater than `thinking.budget_tokens`",
        )
    elif "budget_tokens" in thinking:
        raise Refusal(400, f"thinking.{kind}.budget_tokens: Extra inputs are not permitted")
    display = thinking.get("display", "omitted")
    _require(display in ("summarized", "omitted", "updates"), "thinking.display: unknown value")
    return kind != "disabled", display != "omitted"


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise Refusal(400, message)


def _kinds(blocks: Sequence[Any]) -> set[object]:
    return {block.get("type") if isinstance(block, dict) else None for block in blocks}


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] for block in content if block.get("type") == "text")
