"""A request as the body of `POST /chat/completions` (OpenAI's API reference, "Create chat completion")."""

from providers.catalogue import ModelSpec
from providers.errors import Unsupported
from providers.openai_chat import REASONING_FIELDS
from providers.openai_dialect import Dialect
from providers.openai_request import (
    Names,
    Turn,
    call_id,
    compact,
    functions,
    is_hosted,
    marked_error,
    must_be_readable,
    options,
    parallel,
    system_text,
    text_of,
    turns,
)
from providers.openai_request_parts import Image, Part, Pdf, Text, history_text, parts, result
from providers.types import Block, Json, MessageRequest

MOST_STOPS = 4


def chat_body(request: MessageRequest, spec: ModelSpec | None, dialect: Dialect, names: Names) -> Json:
    """The body of a streamed call. Raises InvalidRequest or Unsupported, with `sent` False.

    `names` learns the names of tools that had to be shortened.
    """
    must_be_readable(request)
    chosen = options(request, spec, dialect)
    body: Json = {
        "model": request.model,
        "messages": _messages(request, dialect, names),
        dialect.max_tokens_field: request.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if dialect.official:
        body["stream_options"]["include_obfuscation"] = False
        body["store"] = False
    if chosen.effort is not None:
        body["reasoning_effort"] = chosen.effort
    for name in ("temperature", "top_p", "service_tier", "safety_identifier"):
        if (value := getattr(chosen, name)) is not None:
            body[name] = value
    if chosen.cache_key is not None:
        body["prompt_cache_key"] = chosen.cache_key
    if chosen.schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": chosen.schema}
    if stops := vendor_stops(request, spec, dialect):
        body["stop"] = stops
    _add_tools(body, request, dialect, names)
    return body


def vendor_stops(request: MessageRequest, spec: ModelSpec | None, dialect: Dialect) -> list[str]:
    """The stop sequences that the server itself looks for; the answer is searched for all of them anyway.

    Models that reason refuse the field (API reference, `stop`).
    """
    stops = request.stop_sequences or []
    able = not dialect.official
    if spec is not None:
        able = "stop_sequences" in spec.capabilities and not spec.efforts and not spec.thinking.default_on
    return stops if able and len(stops) <= MOST_STOPS else []


def _add_tools(body: Json, request: MessageRequest, dialect: Dialect, names: Names) -> None:
    if hosted := [tool for tool in request.tools or [] if is_hosted(tool)]:
        raise Unsupported(f"This model cannot run the tool {str(hosted[0].get('type'))[:50]!r}.", sent=False)
    tools = functions(request, names)
    if not tools:
        return
    if not dialect.official:  # for them a tool without the word is not strict
        tools = [{k: v for k, v in tool.items() if k != "strict" or v} for tool in tools]
    body["tools"] = [{"type": "function", "function": tool} for tool in tools]
    choice = request.tool_choice or {}
    match choice.get("type"):
        case None | "auto":
            body["tool_choice"] = "auto"
        case "any":
            body["tool_choice"] = "required"
        case "tool":
            named = names.short(text_of(choice, "name"))
            body["tool_choice"] = {"type": "function", "function": {"name": named}}
        case "none":
            body["tool_choice"] = "none"
        case _:
            raise Unsupported("This model knows no such choice of tools.", sent=False)
    if (switch := parallel(request.tool_choice)) is not None:
        body["parallel_tool_calls"] = switch


def _messages(request: MessageRequest, dialect: Dialect, names: Names) -> list[Json]:
    messages: list[Json] = []
    if system := system_text(request.system):
        messages.append({"role": dialect.system_role, "content": system})
    conversation = turns(request)
    # Reasoning is wanted back only while the tools that it asked for are being answered.
    loop = max(
        (
            place
            for place, turn in enumerate(conversation)
            if turn.role == "user" and not any(block["type"] == "tool_result" for block in turn.blocks)
        ),
        default=-1,
    )
    for place, turn in enumerate(conversation):
        if turn.role == "system":
            messages.append({"role": dialect.system_role, "content": system_text(turn.blocks)})
        elif turn.role == "user":
            messages += _user(turn)
        else:
            messages += _assistant(turn, request.model, dialect, names, in_loop=place > loop)
    return messages


def _user(turn: Turn) -> list[Json]:
    """The results of tools first, each a message; then the tools' pictures and the person's words."""
    messages: list[Json] = []
    pictures: list[Json] = []
    words: list[Json] = []
    for block in turn.blocks:
        if block["type"] == "tool_result":
            messages.append(_tool_message(block, pictures))
        else:
            words += _content(parts(block))
    content = pictures + words
    if content and all(part["type"] == "text" for part in content):
        messages.append({"role": "user", "content": "\n\n".join(part["text"] for part in content)})
    elif content:
        messages.append({"role": "user", "content": content})
    return messages


def _tool_message(block: Block, pictures: list[Json]) -> Json:
    """A tool message holds text only; what else the tool gave follows in the user's message."""
    answered = call_id(block, "tool_use_id", "chat")
    found = result(block)
    texts = list(found.texts)
    if found.media:
        texts.append(f"[{len(found.media)} attached to the next message]")
        pictures.append({"type": "text", "text": f"[Attachments of the tool result {answered}]"})
        pictures += _content(list(found.media))
    text = "\n\n".join(texts)
    if block.get("is_error") is True:
        text = marked_error(text)
    return {"role": "tool", "tool_call_id": answered, "content": text}


def _assistant(turn: Turn, model: str, dialect: Dialect, names: Names, *, in_loop: bool) -> list[Json]:
    origin = dialect.origin(model)
    texts: list[str] = []
    calls: list[Json] = []
    reasoning: Json = {}
    for block in turn.blocks:
        match block["type"]:
            case "text":
                texts.append(text_of(block, "text"))
            case "thinking":
                _remember(reasoning, block, origin.open(block.get("signature")), dialect, in_loop)
            case "redacted_thinking" | "fallback":
                pass
            case "tool_use":
                function = {
                    "name": names.short(text_of(block, "name")),
                    "arguments": compact(block.get("input") or {}),
                }
                calls.append({"id": call_id(block, "id", "chat"), "type": "function", "function": function})
            case _ if "origin" not in block:
                texts.append(history_text(block))
    text = "".join(texts)
    if not text and not calls:
        return []
    message: Json = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = calls
    return [{**message, **reasoning}]


def _remember(reasoning: Json, block: Block, item: Json | None, dialect: Dialect, in_loop: bool) -> None:
    """What a server wants back of its reasoning: GitHub Copilot its opaque string, OpenRouter its details,
    servers with `reasoning_content` (DeepSeek, Moonshot) this text while tools are being used."""
    if item is None:
        return
    thought = block.get("thinking")
    thought = thought if isinstance(thought, str) else ""
    if dialect.opaque_reasoning:
        if thought:
            reasoning["reasoning_text"] = reasoning.get("reasoning_text", "") + thought
        if isinstance(opaque := item.get("opaque"), str):
            reasoning["reasoning_opaque"] = opaque
    elif isinstance(details := item.get("details"), list):
        reasoning["reasoning_details"] = [*reasoning.get("reasoning_details", []), *details]
    elif item.get("field") == REASONING_FIELDS[0] and in_loop and thought:
        reasoning[REASONING_FIELDS[0]] = reasoning.get(REASONING_FIELDS[0], "") + thought


def _content(found: list[Part]) -> list[Json]:
    content: list[Json] = []
    for part in found:
        match part:
            case Text(text):
                content.append({"type": "text", "text": text})
            case Image(url):
                content.append({"type": "image_url", "image_url": {"url": url}})
            case Pdf() if part.url:
                raise Unsupported("This model cannot fetch a document from an address.", sent=False)
            case Pdf():
                if part.before:
                    content.append({"type": "text", "text": part.before})
                file = {"filename": part.name, "file_data": part.data}
                content.append({"type": "file", "file": file})
    return content
