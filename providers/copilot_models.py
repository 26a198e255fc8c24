"""What Copilot's list says of a model, in our words (the shape is that of microsoft/vscode-copilot-chat)."""

from typing import Any, get_args

from providers.access import ListedModel
from providers.catalogue import Api, Capability, Effort, Thinking, ThinkingKind
from providers.cleaning import clean_text
from providers.types import Json

NAME_LENGTH = 200

# The routes that are spoken here, the fullest first.
_ROUTES: tuple[tuple[str, Api], ...] = (
    ("/v1/messages", "messages"),
    ("/responses", "responses"),
    ("/chat/completions", "chat"),
)
_SUPPORTS: tuple[tuple[str, Capability], ...] = (
    ("tool_calls", "tools"),
    ("parallel_tool_calls", "parallel_tools"),
    ("vision", "vision"),
    ("structured_outputs", "structured_output"),
)
_EFFORTS: tuple[Effort, ...] = get_args(Effort)


def listed(item: Json) -> ListedModel | None:
    """One entry of the list; None for what is no chat model, is switched off, or has no route known here."""
    model = item.get("id")
    abilities = _object(item.get("capabilities"))
    if not isinstance(model, str) or not model or abilities.get("type", "chat") != "chat":
        return None
    if item.get("model_picker_enabled") is False or _object(item.get("policy")).get("state") == "disabled":
        return None
    api = _api(item.get("supported_endpoints"))
    if api is None:
        return None
    limits, supports = _object(abilities.get("limits")), _object(abilities.get("supports"))
    name = item.get("name")
    return ListedModel(
        clean_text(model)[:NAME_LENGTH],
        clean_text(name if isinstance(name, str) and name else model)[:NAME_LENGTH],
        context=_tokens(limits.get("max_context_window_tokens")),
        max_output=_tokens(limits.get("max_output_tokens")),
        capabilities=frozenset(flag for field, flag in _SUPPORTS if supports.get(field) is True),
        efforts=_efforts(supports.get("reasoning_effort")),
        api=api,
        thinking=_thinking(supports) if api == "messages" else None,
    )


def _api(endpoints: Any) -> Api | None:
    if endpoints is None:
        return "chat"
    offered = endpoints if isinstance(endpoints, list) else []
    return next((api for route, api in _ROUTES if route in offered), None)


def _efforts(told: Any) -> tuple[Effort, ...] | None:
    if not isinstance(told, list):
        return None
    return tuple(effort for effort in _EFFORTS if effort in told)


def _thinking(supports: Json) -> Thinking | None:
    kinds: list[ThinkingKind] = []
    if supports.get("adaptive_thinking") is True:
        kinds.append("adaptive")
    if _tokens(supports.get("max_thinking_budget")):
        kinds.append("enabled")
    return Thinking(kinds=(*kinds, "disabled")) if kinds else None


def _tokens(value: Any) -> int | None:
    return value if type(value) is int and 0 < value < 100_000_000 else None


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
