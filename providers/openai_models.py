"""Entries of `GET /models`: OpenAI's say little, compatible servers add facts under names of their own."""

from datetime import UTC, date, datetime

from providers.access import ListedModel
from providers.catalogue import Capability
from providers.cleaning import clean_text
from providers.types import LARGEST_COUNT, Json

NAME_LENGTH = 200

# OpenRouter, vLLM, Groq, Mistral, LM Studio, in this order.
_CONTEXT = (
    "context_length",
    "max_model_len",
    "context_window",
    "max_context_length",
    "loaded_context_length",
)
_OUTPUT = ("max_completion_tokens", "max_output_tokens")
# What OpenAI lists beside the models that one can talk with (its model pages).
_OTHER_KINDS = (
    "babbage",
    "dall-e",
    "davinci",
    "embedding",
    "gpt-image",
    "gpt-audio",
    "moderation",
    "realtime",
    "sora",
    "transcribe",
    "tts",
    "whisper",
)
# OpenRouter's `supported_parameters`.
_PARAMETERS: dict[str, Capability] = {
    "tools": "tools",
    "stop": "stop_sequences",
    "structured_outputs": "structured_output",
    "parallel_tool_calls": "parallel_tools",
    "tool_choice": "forced_tools",
}


def listed(item: Json) -> ListedModel | None:
    """The model, or None for what is no model to talk with, or has no id."""
    model = item.get("id")
    if not isinstance(model, str) or not model:
        return None
    model = clean_text(model)[:NAME_LENGTH]
    if item.get("owned_by") in ("openai", "openai-internal", "system") and _is_other(model):
        return None
    name = next((text for key in ("name", "display_name") if isinstance(text := item.get(key), str)), "")
    top = item.get("top_provider")
    return ListedModel(
        model,
        clean_text(name)[:NAME_LENGTH] or model,
        context=_size(item, _CONTEXT),
        max_output=_size(item, _OUTPUT) or (_size(top, _OUTPUT) if isinstance(top, dict) else None),
        capabilities=_capabilities(item),
        deprecated_on=_day(item.get("deprecation") or item.get("deprecated_at")),
        retires_on=_day(item.get("expiration_date")),
    )


def _is_other(model: str) -> bool:
    return any(kind in model for kind in _OTHER_KINDS)


def _size(item: Json, names: tuple[str, ...]) -> int | None:
    for name in names:
        value = item.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_COUNT:
            return value
    return None


def _capabilities(item: Json) -> frozenset[Capability] | None:
    """What the server says that the model can do; None where it says nothing."""
    parameters = item.get("supported_parameters")
    if isinstance(parameters, list):
        able = {_PARAMETERS[name] for name in parameters if isinstance(name, str) and name in _PARAMETERS}
        return frozenset(able | _by_input(item))
    told = item.get("capabilities")
    if isinstance(told, dict) and isinstance(told.get("completion_chat"), bool):  # Mistral
        names: dict[str, Capability] = {"function_calling": "tools", "vision": "vision"}
        return frozenset(able for name, able in names.items() if told.get(name) is True)
    return None


def _by_input(item: Json) -> set[Capability]:
    shape = item.get("architecture")
    inputs = shape.get("input_modalities") if isinstance(shape, dict) else None
    names: dict[str, Capability] = {"image": "vision", "file": "pdf"}
    return {names[kind] for kind in inputs if kind in names} if isinstance(inputs, list) else set()


def _day(value: object) -> date | None:
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).date()
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
