"""A model's facts with some of them replaced, checked as those of the catalogue are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.catalogue import ModelSpec

# What an admin may correct. Prices have rows of their own; what costs nothing is not theirs to say.
FACTS = frozenset(
    {
        "api",
        "capabilities",
        "context",
        "default_effort",
        "deprecated_on",
        "description",
        "efforts",
        "knowledge",
        "max_input",
        "max_output",
        "min_cache_tokens",
        "retires_on",
        "sampling",
        "thinking",
    }
)


def corrected(spec: ModelSpec, facts: Mapping[str, Any]) -> ModelSpec:
    """The model with these facts in place of its own. Raises ValueError, naming the place."""
    if unknown := sorted(set(facts) - FACTS):
        raise ValueError(f"not a fact that can be corrected: {', '.join(unknown)}")
    merged = msgspec.to_builtins(spec) | dict(facts)
    if merged["default_effort"] not in merged["efforts"]:
        efforts = merged["efforts"]
        merged["default_effort"] = "medium" if "medium" in efforts else (efforts[-1] if efforts else None)
    try:
        return msgspec.convert(merged, ModelSpec)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


def described(provider: str, model: str, facts: Mapping[str, Any]) -> ModelSpec:
    """A model of which only an admin's facts are known. Raises ValueError where they are too few."""
    if "context" not in facts or "max_output" not in facts:
        raise ValueError("context and max_output are needed")
    plain = ModelSpec(
        provider=provider,
        id=model,
        name=model,
        display_name=model,
        description="Described by an admin",
        context=facts["context"],
        max_output=facts["max_output"],
        status="active",
    )
    return corrected(plain, facts)


def renamed(spec: ModelSpec, name: str) -> ModelSpec:
    """The model under an admin's name for it, "" for its own."""
    if not name:
        return spec
    return msgspec.structs.replace(spec, name=name, display_name=name)
