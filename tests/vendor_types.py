"""The vendor's own types of a request, as a judge: Anthropic's SDK describes each field of each block.

The SDK describes and does not check; pydantic does, and here it refuses what the SDK does not name. Strictly:
a block must be one of the request's kinds; the SDK's objects of an answer, which take anything, do not count.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anthropic.types
import anthropic.types.beta
from anthropic.types import message_count_tokens_params, message_create_params
from anthropic.types.beta import message_create_params as beta_create_params
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic_core import core_schema
from typing_extensions import NoExtraItems, is_typeddict

STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


def must_accept(body: dict[str, Any], *, beta: bool = False) -> None:
    """Raises pydantic's ValidationError, which names the place, for what the vendor's types do not allow."""
    _consumed(_judges()["beta" if beta else "messages"].validate_python(body))


def must_accept_count(body: dict[str, Any]) -> None:
    _consumed(_judges()["count"].validate_python(body))


def without_unnamed(value: Any) -> Any:
    """A recorded answer less what the vendor sends and its own SDK names nowhere: null in every recording."""
    if isinstance(value, dict):
        assert value.get("abort_reason") is None
        return {key: without_unnamed(inner) for key, inner in value.items() if key != "abort_reason"}
    return [without_unnamed(inner) for inner in value] if isinstance(value, list) else value


@functools.cache
def _judges() -> dict[str, TypeAdapter[Any]]:
    for kind in _classes(is_typeddict):
        takes_more = getattr(kind, "__extra_items__", NoExtraItems) is not NoExtraItems
        kind.__pydantic_config__ = {**STRICT, "extra": "allow" if takes_more else "forbid"}
    with _models_are_no_blocks():
        return {
            "messages": TypeAdapter(message_create_params.MessageCreateParamsStreaming),
            "beta": TypeAdapter(beta_create_params.MessageCreateParamsStreaming),
            "count": TypeAdapter(message_count_tokens_params.MessageCountTokensParams),
        }


@contextmanager
def _models_are_no_blocks() -> Iterator[None]:
    """Meanwhile an object of an answer counts only as itself, and not as any dict with its fields."""
    models = set(_classes(lambda value: isinstance(value, type) and issubclass(value, BaseModel)))
    for model in models:
        model.__get_pydantic_core_schema__ = lambda source, _handler: core_schema.is_instance_schema(source)
    try:
        yield
    finally:
        for model in models:
            del model.__get_pydantic_core_schema__


def _classes(wanted: Callable[[Any], bool]) -> Iterator[Any]:
    for package in (anthropic.types, anthropic.types.beta):
        for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            module = importlib.import_module(found.name)
            yield from (value for value in vars(module).values() if wanted(value))


def _consumed(value: Any) -> None:
    """Walks through all of it: pydantic checks the items of an Iterable only when they are taken."""
    if isinstance(value, dict):
        for inner in value.values():
            _consumed(inner)
    elif not isinstance(value, str | bytes | int | float | None):
        for inner in value:
            _consumed(inner)
