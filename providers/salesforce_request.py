"""A request as Salesforce's chat-generations takes it: text alone, by three roles."""

from typing import Any

from providers.errors import Unsupported
from providers.types import Block, Json, MessageRequest

# Fields of Anthropic's that change nothing of the answer; without them the request asks for the same.
_HARMLESS = frozenset({"cache_control", "service_tier", "metadata"})
# What a model thought in an earlier answer, and items that only their own vendor can read, stay behind.
_LEFT_OUT = frozenset({"thinking", "redacted_thinking"})


def body(request: MessageRequest) -> Json:
    """The JSON body. Raises Unsupported for what cannot be said in it.

    Stop sequences are not sent; they are looked for in the answer. Salesforce takes no limit of its length.
    """
    _must_be_plain(request)
    messages: list[Json] = []
    if system := _joined(request.system):
        messages.append({"role": "system", "content": system})
    for message in request.messages:
        role = message.get("role")
        text = _joined(message.get("content"))
        if not text:
            continue
        if role == "system":
            role, text = "user", f"Instruction of the system: {text}"
        if role not in ("user", "assistant"):
            raise Unsupported("Salesforce's models do not know this role in a conversation.", sent=False)
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += f"\n\n{text}"
        else:
            messages.append({"role": role, "content": text})
    if not messages or messages[-1]["role"] != "user":
        raise Unsupported(
            "Salesforce's models answer only to a message of the person that comes last.", sent=False
        )
    return {"messages": messages}


def _must_be_plain(request: MessageRequest) -> None:
    if request.tools:
        raise Unsupported("Salesforce's Models API offers no tools.", sent=False)
    if (request.output_config or {}).get("format") is not None:
        raise Unsupported("Salesforce's Models API takes no schema for the answer.", sent=False)
    if request.temperature is not None:
        raise Unsupported("Salesforce's Models API takes no temperature.", sent=False)
    if (request.thinking or {}).get("type", "disabled") != "disabled":
        raise Unsupported("Salesforce's Models API cannot be asked to think.", sent=False)
    if unknown := sorted(request.extra.keys() - _HARMLESS):
        raise Unsupported(f"Salesforce's Models API knows nothing like {unknown[0][:40]!r}.", sent=False)


def _joined(content: Any) -> str:
    """The text of a system prompt or a message's content."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n\n".join(text for block in content if (text := _text(block)))


def _text(block: Block) -> str:
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text") or "")
    if kind in _LEFT_OUT or "origin" in block:
        return ""
    source = block.get("source")
    if kind == "document" and isinstance(source, dict) and source.get("type") == "text":
        title = block.get("title")
        data = str(source.get("data") or "")
        return f"{title}:\n{data}" if isinstance(title, str) and title else data
    what = {"image": "images", "document": "such documents"}.get(str(kind), "anything but text")
    if kind in ("tool_use", "tool_result", "server_tool_use"):
        what = "conversations in which tools were used"
    raise Unsupported(f"Salesforce's Models API does not take {what}.", sent=False)
