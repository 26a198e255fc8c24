"""What requests to both of OpenAI's wires share: turns of a conversation, names and ids of tools, options.

A request comes in the vocabulary of Anthropic's Messages API. What cannot be said to OpenAI is refused with a
sentence before anything is sent; only hints (cache_control, another vendor's thinking) are left out.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Any, get_args

import msgspec

from providers.assembly import vendor_id
from providers.catalogue import Effort, ModelSpec
from providers.errors import InvalidRequest, Unsupported
from providers.openai_dialect import Dialect, Wire
from providers.types import Block, Json, MessageRequest

TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# The longest ids of tool calls that the two wires take (API reference, `tool_calls[].id`, `call_id`).
ID_LENGTHS: dict[Wire, int] = {"chat": 40, "responses": 64}
EFFORTS: tuple[str, ...] = get_args(Effort)  # from the least to the most
# Fields of a tool that only say how the vendor may treat it, without changing what it does.
_TOOL_HINTS = frozenset({"cache_control", "eager_input_streaming"})
_TOOL_FIELDS = frozenset({"type", "name", "description", "input_schema", "strict"})
_ERROR = "Error: "
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Turn:
    """Successive messages of one role, as one list of blocks."""

    role: str
    blocks: list[Block]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What both wires say alike. None: not said."""

    effort: str | None
    temperature: float | None
    top_p: float | None
    service_tier: str | None
    schema: Json | None
    cache_key: str | None
    safety_identifier: str | None


class Names:
    """The names of tools as OpenAI takes them (64 characters of [A-Za-z0-9_-]), and the way back."""

    def __init__(self) -> None:
        self.full: dict[str, str] = {}

    def short(self, name: str) -> str:
        if TOOL_NAME.fullmatch(name):
            return name
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
        short = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:53] + "_" + digest
        self.full[short] = name
        return short


def turns(request: MessageRequest) -> list[Turn]:
    """The conversation, neighbours of one role joined, its tool calls and results in pairs.

    Raises InvalidRequest where a call has no result right after it or a result no call, Unsupported for a
    conversation that ends with the assistant's words.
    """
    joined: list[Turn] = []
    for message in request.messages:
        role = text_of(message, "role")
        if role not in ("user", "assistant", "system"):
            raise InvalidRequest("A message has a role that is not known.", sent=False)
        blocks = blocks_of(message.get("content"))
        if joined and joined[-1].role == role:
            joined[-1].blocks += blocks
        else:
            joined.append(Turn(role, blocks))
    _must_pair(joined)
    if not joined or joined[-1].role == "assistant":
        raise Unsupported("This model cannot go on with an answer that has begun.", sent=False)
    return joined


def must_be_readable(request: MessageRequest) -> None:
    """Raises InvalidRequest where a part of the request is not of the kind that it has to be."""
    objects: list[Any] = [request.thinking, request.output_config, request.tool_choice, request.metadata]
    lists: list[Any] = [request.messages, request.tools or []]
    stops: Any = request.stop_sequences or []
    readable = (
        all(value is None or isinstance(value, dict) for value in objects)
        and all(isinstance(value, list) and all(isinstance(item, dict) for item in value) for value in lists)
        and isinstance(stops, list)
        and all(isinstance(stop, str) for stop in stops)
    )
    if not readable:
        raise InvalidRequest("The request could not be read.", sent=False)


def blocks_of(content: object) -> list[Block]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list) or not all(
        isinstance(block, dict) and isinstance(block.get("type"), str) for block in content
    ):
        raise InvalidRequest("A message has no content that could be sent.", sent=False)
    return list(content)


def text_of(place: Json, name: str) -> str:
    value = place.get(name)
    if not isinstance(value, str):
        raise InvalidRequest(f"A part of the request has no {name}.", sent=False)
    return value


def system_text(system: object) -> str:
    if system is None:
        return ""
    return "\n\n".join(text for block in blocks_of(system) if (text := _plain(block)))


def call_id(block: Block, name: str, wire: Wire) -> str:
    """The id of a call as its vendor gave it; one from elsewhere that is too long is replaced by its hash."""
    given = vendor_id(text_of(block, name))
    if len(given) <= ID_LENGTHS[wire]:
        return given
    return "call_" + hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def marked_error(text: str) -> str:
    return text if text.startswith(_ERROR) else _ERROR + (text or "the tool failed.")


def compact(value: object) -> str:
    """JSON text. Raises ValueError for what no JSON can hold."""
    return _encode(value).decode()


def functions(request: MessageRequest, names: Names) -> list[Json]:
    """The request's tools as `{name, description, parameters, strict}`; server tools are the caller's."""
    return [_function(tool, names) for tool in request.tools or [] if not is_hosted(tool)]


def is_hosted(tool: Json) -> bool:
    return tool.get("type") not in (None, "custom")


def options(request: MessageRequest, spec: ModelSpec | None, dialect: Dialect) -> Options:
    """Raises Unsupported for every field that OpenAI's wire has no word for."""
    extra = dict(request.extra)
    extra.pop("cache_control", None)
    extra.pop("stream", None)
    top_p = extra.pop("top_p", None)
    tier = extra.pop("service_tier", None)
    config = {**(request.output_config or {})}
    config.pop("effort", None)
    schema = _schema(config.pop("format", None) or extra.pop("output_format", None))
    left = [name for name, value in (*extra.items(), *config.items()) if value is not None]
    if left:
        raise Unsupported(f"This model has nothing like {', '.join(map(str, left))[:200]}.", sent=False)
    if tier not in (None, "auto", "standard_only"):
        raise Unsupported("This model has no such service tier.", sent=False)
    effort = effort_of(request, spec)
    samples = not _reasons(effort, spec)
    return Options(
        effort=effort,
        temperature=request.temperature if samples else None,
        top_p=top_p if samples else None,
        service_tier=({"auto": "auto", "standard_only": "default"}[tier] if tier else None)
        if dialect.official
        else None,
        schema=schema,
        cache_key=_cache_key(request) if dialect.official else None,
        safety_identifier=_safety_identifier(request) if dialect.official else None,
    )


def effort_of(request: MessageRequest, spec: ModelSpec | None) -> str | None:
    """How much the model shall reason, from effort or the kind of thinking; None leaves it to the model.

    It is said explicitly wherever the model's efforts are known, since what an absent one means changes.
    """
    thinking = request.thinking or {}
    asked = (request.output_config or {}).get("effort")
    kind = thinking.get("type")
    wanted: str | None = spec.default_effort if spec is not None else None
    if kind in ("adaptive", "between_tools") and wanted == "none":
        wanted = "medium"
    if kind == "disabled":
        wanted = "none"
    elif isinstance(asked, str):
        wanted = asked
    elif kind == "enabled":
        budget = thinking.get("budget_tokens")
        budget = budget if isinstance(budget, int) else 16_000
        wanted = "low" if budget < 4_000 else "medium" if budget < 16_000 else "high"
    if wanted is None or spec is None:
        return None if wanted == "none" else wanted
    return _nearest(wanted, spec.efforts)


def strict_fits(schema: object) -> bool:
    """Whether a JSON schema is within what OpenAI enforces (documentation, "Structured outputs"): every
    object names all its properties as required and allows no others."""
    if isinstance(schema, list):
        return all(strict_fits(item) for item in schema)
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if properties is not None or schema.get("type") == "object":
        names = set(properties) if isinstance(properties, dict) else set()
        required = schema.get("required")
        if schema.get("additionalProperties") is not False:
            return False
        if names != set(required if isinstance(required, list) else []):
            return False
    return all(strict_fits(value) for value in schema.values())


def parallel(choice: Json | None) -> bool | None:
    """False where only one call at a time may come; None: not said."""
    return False if choice is not None and choice.get("disable_parallel_tool_use") is True else None


def _must_pair(conversation: list[Turn]) -> None:
    open_calls: dict[str, str] = {}
    for turn in conversation:
        for block in turn.blocks:
            if block["type"] != "tool_result":
                continue
            if turn.role != "user" or open_calls.pop(text_of(block, "tool_use_id"), None) is None:
                raise InvalidRequest("A tool result answers no call of the message before it.", sent=False)
        if open_calls:
            name = next(iter(open_calls.values()))[:100]
            raise InvalidRequest(f"The call of the tool {name!r} has no result.", sent=False)
        for block in turn.blocks:
            if block["type"] == "tool_use":
                if turn.role != "assistant" or text_of(block, "id") in open_calls:
                    raise InvalidRequest("A tool call is not where it could be.", sent=False)
                open_calls[block["id"]] = text_of(block, "name")
    if open_calls:
        name = next(iter(open_calls.values()))[:100]
        raise InvalidRequest(f"The call of the tool {name!r} has no result.", sent=False)


def _plain(block: Block) -> str:
    if block["type"] != "text":
        raise Unsupported("This model takes only text as instructions.", sent=False)
    return text_of(block, "text")


def _function(tool: Json, names: Names) -> Json:
    name = text_of(tool, "name")
    unknown = [
        key
        for key, value in tool.items()
        if key not in _TOOL_FIELDS | _TOOL_HINTS and value not in (None, False, [], ["direct"])
    ]
    if unknown:
        raise Unsupported(
            f"This model has nothing like {unknown[0][:50]} of the tool {name[:64]}.", sent=False
        )
    schema = tool.get("input_schema")
    if not isinstance(schema, dict):
        raise InvalidRequest(f"The tool {name[:64]} has no input_schema.", sent=False)
    strict = tool.get("strict") is True
    if strict and not strict_fits(schema):
        raise Unsupported(f"This model cannot hold the tool {name[:64]} to its schema.", sent=False)
    function: Json = {"name": names.short(name)}
    if isinstance(description := tool.get("description"), str):
        function["description"] = description
    return {**function, "parameters": schema, "strict": strict}


def _schema(form: object) -> Json | None:
    if form is None:
        return None
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        raise Unsupported("This model knows no such form of answer.", sent=False)
    schema = form.get("schema")
    if not isinstance(schema, dict):
        raise InvalidRequest("The form of the answer has no schema.", sent=False)
    title = schema.get("title")
    name = re.sub(r"[^A-Za-z0-9_-]", "_", title)[:64] if isinstance(title, str) and title else "answer"
    return {"name": name, "schema": schema, "strict": strict_fits(schema)}


def _nearest(wanted: str, efforts: tuple[Effort, ...]) -> str | None:
    """The effort of the model's that comes nearest: not above what is wanted, unless it has nothing less."""
    if wanted in efforts or not efforts:
        return wanted if efforts else None
    ranked = sorted(efforts, key=EFFORTS.index)
    if wanted not in EFFORTS:
        raise Unsupported("This model has no such effort.", sent=False)
    some = [effort for effort in ranked if effort != "none"] or ranked
    if wanted == "none":
        return ranked[0]
    below = [effort for effort in some if EFFORTS.index(effort) <= EFFORTS.index(wanted)]
    return below[-1] if below else some[0]


def _reasons(effort: str | None, spec: ModelSpec | None) -> bool:
    """Whether the model reasons in this call; then it refuses temperature and top_p."""
    if effort is None:
        return spec is not None and (bool(spec.efforts) or spec.thinking.default_on)
    return effort != "none"


def _cache_key(request: MessageRequest) -> str:
    """The same for all calls of one conversation, another for every other."""
    return _digest([request.model, request.system, request.tools, request.messages[:1], request.metadata])


def _safety_identifier(request: MessageRequest) -> str | None:
    user = (request.metadata or {}).get("user_id")
    return _digest(user) if isinstance(user, str) and user else None


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).hexdigest()
