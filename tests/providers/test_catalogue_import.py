"""Facts in the form of models.dev: read exactly, merged with what is known, refused with the place named."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from providers import catalogue, model_changes, models_dev
from providers.catalogue import ModelSpec
from providers.models_dev import BadForm, Entry

DAY = date(2026, 12, 1)
MODEL: dict[str, Any] = {
    "id": "m",
    "name": "Model M",
    "attachment": True,
    "reasoning": True,
    "tool_call": True,
    "temperature": True,
    "knowledge": "2026-05",
    "release_date": "2026-11-30",
    "modalities": {"input": ["text", "image", "pdf"], "output": ["text"]},
    "limit": {"context": 400000, "output": 128000},
    "cost": {"input": 1.25, "output": 10, "cache_read": 0.125},
}


def file(model: dict[str, Any], *, provider: str = "openai", name: str = "m") -> bytes:
    return json.dumps({provider: {"id": provider, "models": {name: model}}}).encode()


def entry(**change: Any) -> Entry:
    return models_dev.read(file(MODEL | change))["openai"]["m"]


def merged(known: ModelSpec | None = None, **change: Any) -> ModelSpec:
    return models_dev.merged("openai", "m", entry(**change), known, day=DAY, source="a file")


def test_a_new_model_has_its_facts_and_its_price_to_the_last_digit() -> None:
    spec = merged(cost={"input": 0.1, "output": 0.000001, "cache_read": 0.075, "cache_write": 0.3})
    assert (spec.ref, spec.name, spec.context, spec.max_output) == ("openai/m", "Model M", 400_000, 128_000)
    assert (spec.api, spec.knowledge, spec.released_on) == ("responses", "2026-05", date(2026, 11, 30))
    assert {"tools", "vision", "pdf"} <= spec.capabilities
    assert spec.sampling
    [price] = spec.prices
    assert (price.input, price.output, price.cache_read, price.cache_write_5m) == (
        100_000,
        1,
        75_000,
        300_000,
    )
    assert (price.valid_from, price.source) == (DAY, "a file")


def test_our_slugs_and_only_the_wanted_providers() -> None:
    text = json.dumps(
        {name: {"models": {"m": MODEL}} for name in ("github-copilot", "azure", "groq")}
    ).encode()
    assert set(models_dev.read(text)) == {"copilot", "azure", "groq"}
    assert set(models_dev.read(text, only=["copilot"])) == {"copilot"}


def test_a_known_model_keeps_what_the_file_does_not_speak_of() -> None:
    known = catalogue.spec("openai/gpt-6.2-sol")
    assert known is not None
    found = models_dev.merged(
        "openai", known.id, entry(cost={"input": 2, "output": 10}), known, day=DAY, source="f"
    )
    assert found.efforts == known.efforts
    assert found.thinking == known.thinking
    assert found.prices == known.prices  # nothing about the price is another
    dearer = entry(cost={"input": 3, "output": 12})
    found = models_dev.merged("openai", known.id, dearer, known, day=DAY, source="f")
    assert found.prices[:-1] == known.prices
    new = found.prices[-1]
    assert (new.input, new.output, new.batch_percent) == (3_000_000, 12_000_000, 50)
    assert new.long_context == known.prices[-1].long_context
    assert found.price_on(date(2026, 11, 30)) == known.prices[-1]


@pytest.mark.parametrize(
    "cost", [None, {}, {"input": 0, "output": 0}, {"input": 1}, {"input": 0, "output": 5}]
)
def test_a_price_that_is_unknown_or_zero_is_none(cost: Any) -> None:
    assert merged(cost=cost).prices == ()


def test_tiers_come_in_both_spellings() -> None:
    over = {"input": 2.5, "output": 15}
    [price] = merged(cost={"input": 1.25, "output": 10, "context_over_200k": over}).prices
    assert price.long_context is not None
    assert (price.long_context.threshold, price.long_context.input) == (200_000, 2_500_000)
    tier = {**over, "tier": {"type": "context", "size": 272000}}
    [price] = merged(cost={"input": 1.25, "output": 10, "tiers": [tier]}).prices
    assert price.long_context is not None
    assert price.long_context.threshold == 272_000


def test_a_size_that_is_said_wins_over_the_name_of_the_old_field() -> None:
    """T35: context_over_200k is the tier of other sizes too."""
    over = {"input": 2.5, "output": 15}
    tier = {**over, "tier": {"type": "context", "size": 272000}}
    cost = {"input": 1.25, "output": 10, "context_over_200k": over, "tiers": [tier]}
    known = merged(cost=cost)
    assert known.prices[0].long_context is not None
    assert known.prices[0].long_context.threshold == 272_000
    dearer = {"input": 1.25, "output": 10, "context_over_200k": {"input": 3, "output": 15}}
    price = merged(known, cost=dearer).prices[-1]
    assert price.long_context is not None
    assert (price.long_context.threshold, price.long_context.input) == (272_000, 3_000_000)


def test_models_that_do_not_answer_in_text_are_passed_over() -> None:
    assert models_dev.read(file(MODEL | {"modalities": {"input": ["text"], "output": ["audio"]}})) == {}


def test_what_changes_is_told_field_by_field_with_percent() -> None:
    old = merged()
    new = merged(
        old,
        limit={"context": 500000, "output": 128000},
        cost={"input": 1, "output": 12.5, "cache_read": 0.125},
        tool_call=False,
        status="deprecated",
    )
    assert model_changes.changes(old, old, day=DAY) == []
    assert model_changes.changes(old, new, day=DAY) == [
        ("context", "400,000", "500,000"),
        ("status", "active", "deprecated"),
        ("cannot", "", "tools"),
        ("input", "$1.25", "$1.00 (-20.0 %)"),
        ("output", "$10.00", "$12.50 (+25.0 %)"),
        ("cache_write_5m", "$1.25", "$1.00 (-20.0 %)"),
        ("cache_write_1h", "$1.25", "$1.00 (-20.0 %)"),
    ]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"limit": {"context": 0, "output": 5}}, "openai.models.m.limit.context"),
        ({"limit": {"context": 5}}, "openai.models.m: .*output"),
        ({"limit": {"context": 10**12, "output": 5}}, "openai.models.m.limit.context"),
        ({"limit": {"context": 5, "output": 5, "input": -1}}, "openai.models.m.limit.input"),
        ({"limit": None}, "openai.models.m: "),
        ({"cost": {"input": -1, "output": 1}}, "openai.models.m.cost.input"),
        ({"cost": {"input": 10**9, "output": 1}}, "openai.models.m.cost.input"),
        ({"cost": {"input": 0.00000001, "output": 1}}, "finer than a millionth"),
        ({"cost": {"input": [1], "output": 1}}, r"openai.models.m: .*cost.input"),
        ({"cost": {"input": 1, "output": 1, "tiers": [{"input": -2}]}}, r"cost.tiers\[0\].input"),
        ({"name": ""}, "openai.models.m.name"),
        ({"name": "a\u202eb\n"}, "openai.models.m.name"),
        ({"name": 5}, "openai.models.m: "),
        ({"release_date": "soon"}, "openai.models.m.release_date"),
        ({"tool_call": "yes"}, "openai.models.m: .*tool_call"),
    ],
)
def test_a_mistake_is_told_with_its_place(change: dict[str, Any], place: str) -> None:
    with pytest.raises(BadForm, match=place):
        models_dev.read(file(MODEL | change))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"openai": []}',
        b'{"openai": {"models": []}}',
        b'{"openai": {"models": {"m": 5}}}',
        b'{"openai": {"models": {"a b": {}}}}',
        b'{"openai": {"models": {"": {}}}}',
        b'{"openai": {"models": {"m": {"name": "M", "limit": {"context": NaN, "output": 1}}}}}',
        b"[" * 200_000,
    ],
)
def test_what_is_not_the_form_is_refused(text: bytes) -> None:
    with pytest.raises(BadForm):
        models_dev.read(text)
