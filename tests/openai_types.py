"""Request bodies judged by the types of OpenAI's own SDK, which it describes and does not check itself.

Strictly: a field that a type does not name is refused, and every list is looked through to its end.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from types import ModuleType
from typing import Any

import openai.types
import openai.types.chat
import openai.types.responses
import openai.types.shared_params
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from openai.types.responses.input_token_count_params import InputTokenCountParams
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from pydantic import TypeAdapter
from typing_extensions import is_typeddict

from providers.types import Json

_PACKAGES = (openai.types, openai.types.chat, openai.types.responses, openai.types.shared_params)
_TYPES: dict[str, Any] = {
    "chat": CompletionCreateParamsStreaming,
    "responses": ResponseCreateParamsStreaming,
    "input_tokens": InputTokenCountParams,
}


def must_accept(place: str, body: Json) -> None:
    """Raises pydantic's ValidationError, naming the place, for a body that the SDK's types do not allow."""
    _exhaust(_judge(place).validate_python(body))


@functools.cache
def _judge(place: str) -> TypeAdapter[Any]:
    for package in _PACKAGES:
        _make_strict(package)
    return TypeAdapter(_TYPES[place])


@functools.cache
def _make_strict(package: ModuleType) -> None:
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for value in vars(importlib.import_module(found.name)).values():
            if is_typeddict(value):
                value.__pydantic_config__ = {"extra": "forbid"}


def _exhaust(value: Any) -> None:
    """pydantic judges the items of an Iterable one by one, as somebody takes them."""
    if isinstance(value, dict):
        value = value.values()
    elif value is None or isinstance(value, str | int | float | bytes):
        return
    for item in value:
        _exhaust(item)
