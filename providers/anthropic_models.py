"""The list of models as Anthropic sends it: what it says of each is taken, and what it does not say is left
unsaid (documentation: "List Models", "Get a Model").
"""

from datetime import date
from typing import Any, cast, get_args

from providers.access import ListedModel
from providers.catalogue import Capability, Effort, Thinking, ThinkingKind
from providers.cleaning import clean_text, decode
from providers.errors import ProtocolError
from providers.types import LARGEST_COUNT, Json

NAME_LENGTH = 200

# What every model behind this API can do, so that its capabilities do not mention it.
_ALWAYS: tuple[Capability, ...] = ("tools", "parallel_tools", "caching", "stop_sequences")
# Its names, and ours. Web search and code execution lie inside server_tools.
_NAMES: dict[str, Capability] = {
    "image_input": "vision",
    "pdf_input": "pdf",
    "structured_outputs": "structured_output",
    "citations": "citations",
}
_SERVER_TOOLS: dict[str, tuple[Capability, ...]] = {
    "web_search": ("web_search", "web_fetch"),
    "code_execution": ("code_execution",),
}


def page(body: bytes) -> Json:
    """One page of the list. Raises ProtocolError."""
    try:
        found, _ = decode(body)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("data"), list):
        raise _unreadable()
    return found


def listed(item: Json) -> ListedModel:
    """One model of the list. Raises ProtocolError when it has no id."""
    model, name = item.get("id"), item.get("display_name")
    if not isinstance(model, str):
        raise _unreadable()
    known = item.get("capabilities")
    capabilities: Json | None = known if isinstance(known, dict) else None
    return ListedModel(
        clean_text(model)[:NAME_LENGTH],
        clean_text(name if isinstance(name, str) and name else model)[:NAME_LENGTH],
        context=_size(item.get("max_input_tokens")),
        max_output=_size(item.get("max_tokens")),
        capabilities=_capabilities(capabilities) if capabilities is not None else None,
        efforts=_efforts(capabilities.get("effort")) if capabilities is not None else None,
        thinking=_thinking(capabilities.get("thinking")) if capabilities is not None else None,
        api="messages",
        deprecated_on=_day(item.get("deprecated_at")),
        retires_on=_day(item.get("retires_at")),
    )


def _capabilities(said: Json) -> frozenset[Capability]:
    found: set[Capability] = set(_ALWAYS)
    found |= {ours for theirs, ours in _NAMES.items() if _supported(said.get(theirs))}
    tools = said.get("server_tools")
    if isinstance(tools, dict):
        for name, ours in _SERVER_TOOLS.items():
            found |= set(ours) if _supported(tools.get(name)) else set()
    return frozenset(found)


def _efforts(said: Any) -> tuple[Effort, ...]:
    if not _supported(said):
        return ()
    return tuple(cast(Effort, level) for level in get_args(Effort) if _supported(said.get(level)))


def _thinking(said: Any) -> Thinking | None:
    """The kinds that a request may name; whether it thinks unasked, the list does not say."""
    types = said.get("types") if isinstance(said, dict) else None
    if not isinstance(types, dict):
        return None
    if not _supported(said):
        return Thinking()
    kinds = tuple(cast(ThinkingKind, kind) for kind in get_args(ThinkingKind) if _supported(types.get(kind)))
    return Thinking(kinds=kinds, displays=("summarized", "omitted"))


def _supported(value: Any) -> bool:
    return isinstance(value, dict) and value.get("supported") is True


def _size(value: Any) -> int | None:
    return value if type(value) is int and 0 < value <= LARGEST_COUNT else None


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def _unreadable() -> ProtocolError:
    return ProtocolError("The provider's list of models could not be read.")
