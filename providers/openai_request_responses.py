"""A request as the body of `POST /responses` (OpenAI's API reference, "Create a model response").

Nothing is kept at the vendor (`store` is false): the whole conversation goes with each call, encrypted
reasoning included, which is given back exactly as it came and only to the account that it came from.
"""

from providers.catalogue import ModelSpec
from providers.errors import Unsupported
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

LEAST_TOKENS = 16  # the vendor refuses a smaller max_output_tokens
COUNTED = (
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
)


def responses_body(request: MessageRequest, spec: ModelSpec | None, dialect: Dialect, names: Names) -> Json:
    """The body of a streamed call. Raises InvalidRequest or Unsupported, with `sent` False.

    `names` learns the names of tools that had to be shortened.
    """
    must_be_readable(request)
    chosen = options(request, spec, dialect)
    body: Json = {
        "model": request.model,
        "input": _input(request, dialect, names),
        "max_output_tokens": max(LEAST_TOKENS, request.max_tokens),
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
    }
    if dialect.official:
        body["stream_options"] = {"include_obfuscation": False}
    if system := system_text(request.system):
        body["instructions"] = system
    if chosen.effort is not None:
        body["reasoning"] = _reasoning(chosen.effort, request)
    for name in ("temperature", "top_p", "service_tier", "safety_identifier"):
        if (value := getattr(chosen, name)) is not None:
            body[name] = value
    if chosen.cache_key is not None:
        body["prompt_cache_key"] = chosen.cache_key
    if chosen.schema is not None:
        body["text"] = {"format": {"type": "json_schema", **chosen.schema}}
    _add_tools(body, request, spec, names)
    return body


def counting_body(request: MessageRequest, spec: ModelSpec | None, dialect: Dialect) -> Json:
    """The body of `POST /responses/input_tokens`: what of a call makes its prompt."""
    body = responses_body(request, spec, dialect, Names())
    return {name: body[name] for name in COUNTED if name in body}


def _reasoning(effort: str, request: MessageRequest) -> Json:
    shown = effort != "none" and (request.thinking or {}).get("display") != "omitted"
    return {"effort": effort, **({"summary": "auto"} if shown else {})}


def _add_tools(body: Json, request: MessageRequest, spec: ModelSpec | None, names: Names) -> None:
    tools = [{"type": "function", **function} for function in functions(request, names)]
    for tool in request.tools or []:
        if is_hosted(tool):
            tools.append(_hosted(tool, spec))
            if isinstance(uses := tool.get("max_uses"), int):
                body["max_tool_calls"] = uses
    if not tools:
        return
    body["tools"] = tools
    choice = request.tool_choice or {}
    match choice.get("type"):
        case None | "auto":
            body["tool_choice"] = "auto"
        case "any":
            body["tool_choice"] = "required"
        case "tool":
            body["tool_choice"] = {"type": "function", "name": names.short(text_of(choice, "name"))}
        case "none":
            body["tool_choice"] = "none"
        case _:
            raise Unsupported("This model knows no such choice of tools.", sent=False)
    if (switch := parallel(request.tool_choice)) is not None:
        body["parallel_tool_calls"] = switch


def _hosted(tool: Json, spec: ModelSpec | None) -> Json:
    """A tool that the vendor runs. Of Anthropic's, OpenAI has web search (guide "Web search")."""
    kind = str(tool.get("type"))
    able = spec is not None and "web_search" in spec.capabilities
    if not kind.startswith("web_search") or not able or tool.get("blocked_domains"):
        raise Unsupported(f"This model cannot run the tool {kind[:50]!r} as asked.", sent=False)
    search: Json = {"type": "web_search"}
    if domains := tool.get("allowed_domains"):
        search["filters"] = {"allowed_domains": domains}
    if isinstance(place := tool.get("user_location"), dict):
        search["user_location"] = place
    return search


def _input(request: MessageRequest, dialect: Dialect, names: Names) -> list[Json]:
    items: list[Json] = []
    for turn in turns(request):
        if turn.role == "system":
            items.append(_message("developer", [Text(system_text(turn.blocks))]))
        elif turn.role == "user":
            items += _user(turn)
        else:
            items += _Answer(dialect, request.model, names).items(turn)
    return items


def _user(turn: Turn) -> list[Json]:
    """The results of tools first; then the person's words."""
    items: list[Json] = []
    words: list[Part] = []
    for block in turn.blocks:
        if block["type"] == "tool_result":
            items.append(_output(block))
        else:
            words += parts(block)
    return [*items, _message("user", words)] if words else items


def _output(block: Block) -> Json:
    found = result(block)
    failed = block.get("is_error") is True
    output: str | list[Json]
    if found.media:
        content: list[Part] = [*([Text(marked_error(""))] if failed else []), *found.parts]
        output = _content(content)
    else:
        output = "\n\n".join(found.texts)
        output = marked_error(output) if failed else output
    answered = call_id(block, "tool_use_id", "responses")
    return {"type": "function_call_output", "call_id": answered, "output": output}


class _Answer:
    """One answer of the model, as the items that it came as."""

    def __init__(self, dialect: Dialect, model: str, names: Names) -> None:
        self._origin = dialect.origin(model)
        self._needs_content = dialect.official
        self._names = names
        self._items: list[Json] = []
        self._texts: list[str] = []
        self._phase: str | None = None

    def items(self, turn: Turn) -> list[Json]:
        for block in turn.blocks:
            match block["type"]:
                case "text":
                    self._texts.append(text_of(block, "text"))
                case "thinking":
                    self._thinking(self._origin.open(block.get("signature")))
                case "redacted_thinking" | "fallback":
                    pass
                case "tool_use":
                    self._end_message()
                    self._items.append(self._call(block))
                case _ if "origin" in block:
                    self._end_message()
                    if (item := self._origin.unmarked(block)) is not None:
                        self._items.append(item)
                case _:
                    self._texts.append(history_text(block))
        self._end_message()
        return _without_loose_reasoning(self._items)

    def _thinking(self, sealed: Json | None) -> None:
        if sealed is None:
            return
        self._end_message()
        item = sealed.get("item")
        if isinstance(item, dict) and item.get("type") == "reasoning":
            # Without its encrypted content it is but a name, and the vendor has kept nothing under it.
            if item.get("encrypted_content") or not self._needs_content:
                self._items.append(item)
        phase = sealed.get("phase")
        self._phase = phase if isinstance(phase, str) else None

    def _call(self, block: Block) -> Json:
        return {
            "type": "function_call",
            "call_id": call_id(block, "id", "responses"),
            "name": self._names.short(text_of(block, "name")),
            "arguments": compact(block.get("input") or {}),
        }

    def _end_message(self) -> None:
        text = "".join(self._texts)
        self._texts = []
        if text:
            message: Json = {"type": "message", "role": "assistant", "content": text}
            if self._phase is not None:
                message["phase"] = self._phase
            self._items.append(message)
            self._phase = None


def _without_loose_reasoning(items: list[Json]) -> list[Json]:
    """Reasoning at the end of an answer led to nothing that is left; the vendor refuses it alone."""
    while items and items[-1].get("type") == "reasoning":
        items = items[:-1]
    return items


def _message(role: str, found: list[Part]) -> Json:
    return {"type": "message", "role": role, "content": _content(found)}


def _content(found: list[Part]) -> list[Json]:
    content: list[Json] = []
    for part in found:
        match part:
            case Text(text):
                content.append({"type": "input_text", "text": text})
            case Image(url):
                content.append({"type": "input_image", "image_url": url, "detail": "auto"})
            case Pdf():
                if part.before:
                    content.append({"type": "input_text", "text": part.before})
                if part.url:
                    content.append({"type": "input_file", "file_url": part.url})
                else:
                    content.append({"type": "input_file", "filename": part.name, "file_data": part.data})
    return content
