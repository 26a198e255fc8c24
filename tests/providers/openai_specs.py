"""Model specs for tests of OpenAI's wire."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import cast

from providers.catalogue import Api, Capability, Effort, ModelSpec, Price, Thinking


def spec_of(
    *,
    provider: str = "openai",
    api: Api = "chat",
    capabilities: Iterable[str] = (),
    efforts: tuple[Effort, ...] = (),
    default_effort: Effort | None = None,
    default_on: bool = False,
) -> ModelSpec:
    price = Price(
        valid_from=date(2026, 1, 1),
        input=1,
        output=1,
        cache_read=1,
        cache_write_5m=1,
        cache_write_1h=1,
        source="made up",
    )
    return ModelSpec(
        provider=provider,
        id="gpt-test",
        api=api,
        name="Test",
        display_name="Test",
        description="",
        context=100_000,
        max_output=10_000,
        status="active",
        capabilities=frozenset(cast(Iterable[Capability], capabilities)),
        thinking=Thinking(default_on=default_on),
        efforts=efforts,
        default_effort=default_effort or ("medium" if "medium" in efforts else next(iter(efforts), None)),
        prices=(price,),
    )
