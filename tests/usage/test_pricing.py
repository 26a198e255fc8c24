"""Costs to the nano-dollar, against a calculation in Decimal that shares nothing with the product's.

The dollars below are those of Anthropic's pricing page, per million tokens, as a person reads them.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from providers import catalogue
from providers.types import Usage
from usage.prices.prices import listed
from usage.prices.pricing import Rates, Tariff, cost_nano, upper_bound_nano

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PAGE = {
    "claude-sonnet-5-5": {"in": "2", "out": "10", "read": "0.1", "5m": "2.5", "1h": "4"},
    "claude-haiku-5-5": {"in": "0.1", "out": "0.5", "read": "0.01", "5m": "0.125", "1h": "0.2"},
    "claude-haiku-5-5 above 100K": {"in": "0.5", "out": "2.5", "read": "0.05", "5m": "0.625", "1h": "1"},
    "claude-opus-5-5": {"in": "4", "out": "20", "read": "0.2", "5m": "5", "1h": "8"},
    "claude-opus-5-5 fast": {"in": "8", "out": "40", "read": "0.4", "5m": "10", "1h": "16"},
}
SEARCH = Decimal("0.01")


def nano_dollars(price: str, usage: Usage, *, factor: str = "1") -> int:
    """The independent calculation."""
    page = {name: Decimal(dollars) / 1_000_000 for name, dollars in PAGE[price].items()}
    tokens = (
        usage.input_tokens * page["in"]
        + usage.output_tokens * page["out"]
        + usage.cache_read_input_tokens * page["read"]
        + usage.cache_creation_5m * page["5m"]
        + usage.cache_creation_1h * page["1h"]
    )
    dollars = tokens * Decimal(factor) + usage.web_search_requests * SEARCH
    return int((dollars * 1_000_000_000).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def tariff(model: str, **asked: Any) -> Tariff:
    spec = catalogue.spec(f"anthropic/{model}")
    assert spec is not None
    found = listed(spec, NOON)
    assert found is not None
    return found.asking(**{"hour_cache": False, "speed": "", "geo": ""} | asked)


def used(**counts: Any) -> Usage:
    writes = counts.get("cache_creation_5m", 0) + counts.get("cache_creation_1h", 0)
    return Usage(**{"cache_creation_input_tokens": writes, **counts})


@pytest.mark.parametrize(
    "usage",
    [
        used(input_tokens=1, output_tokens=1),
        used(input_tokens=3, output_tokens=7, cache_read_input_tokens=901),
        used(input_tokens=12, output_tokens=345, cache_creation_5m=6789),
        used(input_tokens=12, output_tokens=345, cache_creation_5m=11, cache_creation_1h=23),
        used(input_tokens=5, output_tokens=1, web_search_requests=3),
        used(input_tokens=999_999, output_tokens=127_999, cache_read_input_tokens=1),
    ],
)
@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-opus-5-5"])
def test_every_bucket_is_priced_exactly(model: str, usage: Usage) -> None:
    assert cost_nano(usage, tariff(model)) == nano_dollars(model, usage)


def test_a_half_nano_dollar_is_rounded_up_once() -> None:
    """One token at $0.0005 per million is half a nano-dollar."""
    half = Tariff(rates=Rates(500, 500, 500, 500, 500), source="test")
    assert cost_nano(used(input_tokens=1), half) == 1
    assert cost_nano(used(input_tokens=1, output_tokens=1), half) == 1  # rounded once, not twice
    assert cost_nano(used(input_tokens=1, output_tokens=1, cache_read_input_tokens=1), half) == 2
    assert cost_nano(used(), half) == 0


@pytest.mark.parametrize(
    ("usage", "price"),
    [
        (used(input_tokens=100_000, output_tokens=10), "claude-haiku-5-5"),
        (used(input_tokens=100_001, output_tokens=10), "claude-haiku-5-5 above 100K"),
        (used(input_tokens=1, output_tokens=9, cache_read_input_tokens=99_999), "claude-haiku-5-5"),
        (
            used(input_tokens=1, output_tokens=9, cache_read_input_tokens=100_000),
            "claude-haiku-5-5 above 100K",
        ),
        (
            used(input_tokens=1, cache_creation_5m=50_000, cache_creation_1h=50_000),
            "claude-haiku-5-5 above 100K",
        ),
        (used(input_tokens=50_000, output_tokens=90_000), "claude-haiku-5-5"),
    ],
)
def test_strictly_above_the_threshold_the_whole_request_costs_more(usage: Usage, price: str) -> None:
    """T33, T34: cached tokens count towards the size, the answer does not; at the threshold nothing
    changes.
    """
    assert cost_nano(usage, tariff("claude-haiku-5-5")) == nano_dollars(price, usage)


def test_cache_reads_are_not_priced_as_input() -> None:
    """T31."""
    read = used(cache_read_input_tokens=1_000_000)
    assert cost_nano(read, tariff("claude-sonnet-5-5")) == 100_000_000


def test_modifiers_multiply_tokens_and_not_searches() -> None:
    usage = used(input_tokens=1001, output_tokens=333, web_search_requests=2)
    sonnet = tariff("claude-sonnet-5-5")
    for changes, factor in [
        ({"inference_geo": "us"}, "1.1"),
        ({"service_tier": "batch"}, "0.5"),
        ({"service_tier": "batch", "inference_geo": "us"}, "0.55"),
        ({"service_tier": "standard", "inference_geo": "global"}, "1"),
    ]:
        modified = Usage.from_json({**usage.to_json(), **changes})
        assert cost_nano(modified, sonnet) == nano_dollars("claude-sonnet-5-5", usage, factor=factor)
    in_us = tariff("claude-sonnet-5-5", geo="us")
    assert cost_nano(usage, in_us) == nano_dollars("claude-sonnet-5-5", usage, factor="1.1")


def test_the_fast_mode_has_rates_of_its_own() -> None:
    usage = used(input_tokens=1001, output_tokens=333, cache_read_input_tokens=77)
    fast = tariff("claude-opus-5-5", speed="fast")
    assert cost_nano(usage, fast) == nano_dollars("claude-opus-5-5 fast", usage)
    said_otherwise = Usage.from_json({**usage.to_json(), "speed": "standard"})
    assert cost_nano(said_otherwise, fast) == nano_dollars("claude-opus-5-5", usage)


def test_a_tariff_survives_being_stored() -> None:
    stored = tariff("claude-haiku-5-5", hour_cache=True, geo="us")
    assert Tariff.from_json(json.loads(json.dumps(stored.to_json()))) == stored


def test_the_bound_covers_every_way_the_call_can_go() -> None:
    haiku = tariff("claude-haiku-5-5", hour_cache=True)
    bound = upper_bound_nano(
        haiku, prompt_tokens=100_001, max_tokens=500, cached=True, searches=2, context=1_000_000
    )
    dearest = used(cache_creation_1h=100_001, output_tokens=500, web_search_requests=2)
    assert bound >= cost_nano(dearest, haiku)
    plain = upper_bound_nano(
        tariff("claude-sonnet-5-5"), prompt_tokens=10, max_tokens=5, cached=False, searches=0, context=1
    )
    assert plain == 10 * 2_000 + 5 * 10_000
