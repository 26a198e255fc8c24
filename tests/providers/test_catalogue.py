"""The catalogue: complete, checked as it is read, true to the vendor's documentation."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import msgspec
import pytest

from providers import catalogue
from providers.catalogue import CatalogueError, ModelSpec

TODAY = date(2026, 11, 20)


def known(ref: str) -> ModelSpec:
    found = catalogue.spec(ref)
    assert found is not None
    return found


def test_every_model_with_a_known_price_has_one_today_and_a_line_about_it() -> None:
    for spec in catalogue.specs():
        assert (spec.price_on(TODAY) is not None) == bool(spec.prices), spec.ref
        assert 0 < len(spec.name) <= 24
        assert 0 < len(spec.description) <= 70
        assert not spec.is_retired(TODAY)


def test_a_model_is_found_by_its_ref_and_by_its_dated_id() -> None:
    haiku = known("anthropic/claude-haiku-4-5")
    assert haiku.ref == "anthropic/claude-haiku-4-5"
    assert catalogue.spec("anthropic/claude-haiku-4-5-20251001") is haiku
    assert catalogue.spec("claude-haiku-4-5") is None
    assert catalogue.spec("openai/claude-haiku-4-5") is None
    assert haiku not in catalogue.specs("demo")


def test_the_demo_costs_nothing_and_thinks_on_request() -> None:
    [demo] = catalogue.specs("demo")
    assert demo.ref == "demo/parley-demo"
    assert demo.demo
    price = demo.price_on(TODAY)
    assert price is not None
    assert (price.input, price.output, price.cache_read, price.web_search_per_1000_nano) == (0, 0, 0, 0)
    assert "adaptive" in demo.thinking.kinds
    assert not demo.thinking.default_on
    assert [spec for spec in catalogue.specs() if spec.demo] == [demo]


def test_only_the_demo_is_free() -> None:
    for spec in catalogue.specs():
        for price in spec.prices:
            rates = (price.input, price.output, price.cache_read, price.cache_write_5m, price.cache_write_1h)
            assert spec.demo or min(rates) > 0, spec.ref


def test_prices_are_pico_dollars_and_dated() -> None:
    sonnet = known("anthropic/claude-sonnet-5-5")
    before, after = sonnet.price_on(date(2026, 10, 6)), sonnet.price_on(date(2026, 10, 7))
    assert before is not None
    assert after is not None
    assert (before.input, before.output, before.cache_read) == (2_000_000, 10_000_000, 200_000)
    assert after.cache_read == 100_000
    assert sonnet.price_on(date(2026, 9, 27)) is None
    assert (after.batch_percent, after.geo_us_percent) == (50, 110)
    assert after.web_search_per_1000_nano == 10_000_000_000


def test_a_long_prompt_and_a_fast_answer_have_rates_of_their_own() -> None:
    haiku = known("anthropic/claude-haiku-5-5").prices[-1]
    assert haiku.long_context is not None
    assert (haiku.input, haiku.long_context.threshold, haiku.long_context.input) == (
        100_000,
        100_000,
        500_000,
    )
    assert known("anthropic/claude-opus-5-5").prices[-1].fast is not None
    for spec in catalogue.specs():
        assert "fast" not in spec.capabilities or all(price.fast for price in spec.prices)


@pytest.mark.parametrize(
    ("model", "kinds", "default_on", "forced_tools", "prefill", "sampling"),
    [
        ("claude-opus-5-5", ("adaptive",), True, False, False, False),
        ("claude-sonnet-5-5", ("adaptive", "between_tools"), True, False, False, False),
        ("claude-haiku-5-5", ("adaptive", "disabled"), True, True, False, False),
        ("claude-fable-5-1", ("adaptive",), True, False, False, False),
        ("claude-fable-5", ("adaptive",), True, True, False, False),
        ("claude-opus-4-8", ("adaptive", "disabled"), False, True, False, False),
        ("claude-sonnet-4-6", ("adaptive", "enabled", "disabled"), False, True, False, True),
        ("claude-haiku-4-5", ("enabled", "disabled"), False, True, True, True),
    ],
)
def test_the_rules_of_a_model_are_its_flags(
    model: str, kinds: tuple[str, ...], default_on: bool, forced_tools: bool, prefill: bool, sampling: bool
) -> None:
    spec = known(f"anthropic/{model}")
    assert spec.thinking.kinds == kinds
    assert spec.thinking.default_on is default_on
    assert ("forced_tools" in spec.capabilities) is forced_tools
    assert ("prefill" in spec.capabilities) is prefill
    assert spec.sampling is sampling


def test_models_for_verified_organisations_are_marked() -> None:
    assert {spec.name for spec in catalogue.specs() if spec.restricted} == {
        "Mythos 5",
        "Mythos 5.1",
        "Mythos 5.2",
    }


def test_the_cheapest_model_is_one_that_everybody_may_use() -> None:
    assert catalogue.cheapest("anthropic").ref == "anthropic/claude-haiku-5-5"
    assert catalogue.cheapest("demo").ref == "demo/parley-demo"
    with pytest.raises(LookupError):
        catalogue.cheapest("nobody")


def test_what_no_source_gives_a_price_for_has_none() -> None:
    unpriced = {spec.ref for spec in catalogue.specs() if not spec.prices}
    assert unpriced == {"azure/model-router", "copilot/claude-sonnet-5"}
    assert known("copilot/claude-sonnet-5").price_on(TODAY) is None


def test_all_vendors_are_there_with_their_wires() -> None:
    assert {spec.provider for spec in catalogue.specs()} == {
        "anthropic",
        "openai",
        "azure",
        "copilot",
        "demo",
    }
    assert known("openai/gpt-6.2-sol").api == "responses"
    assert known("openai/gpt-4.1").api == "chat"
    assert known("azure/gpt-5.6-2026-07-09").id == "gpt-5.6"
    assert known("anthropic/claude-sonnet-4-5").deprecated_on == date(2026, 9, 30)
    assert known("anthropic/claude-haiku-5-5").knowledge == "2026-06"


def test_openai_prices_carry_their_tier_their_cache_writes_and_their_steps() -> None:
    terra = known("openai/gpt-6.1-terra").prices[-1]
    assert (terra.cache_write_5m, terra.cache_write_1h) == (1_250_000, 2_500_000)
    luna = known("openai/gpt-5.6-luna")
    before, after = luna.price_on(date(2026, 7, 29)), luna.price_on(date(2026, 7, 30))
    assert before is not None
    assert after is not None
    assert (before.input, before.output, after.input, after.output) == (
        1_000_000,
        6_000_000,
        200_000,
        1_200_000,
    )
    sol = known("openai/gpt-6.2-sol").prices[-1]
    assert sol.long_context is not None
    assert sol.fast is not None
    assert (sol.long_context.threshold, sol.long_context.input, sol.long_context.output) == (
        272_000,
        4_000_000,
        15_000_000,
    )
    assert (sol.fast.input, sol.fast.output, sol.batch_percent) == (4_000_000, 20_000_000, 50)


def test_a_read_from_the_cache_is_never_dearer_than_the_input_nor_a_write_cheaper() -> None:
    for spec in catalogue.specs():
        for price in spec.prices:
            for rates in filter(None, (price, price.long_context, price.fast)):
                assert rates.cache_read <= rates.input <= rates.cache_write_5m <= rates.cache_write_1h, (
                    spec.ref
                )


def test_efforts_and_thinking_agree() -> None:
    for spec in catalogue.specs():
        assert not spec.efforts or spec.thinking.kinds, spec.ref
        if spec.api == "responses":
            assert ("disabled" in spec.thinking.kinds) == ("none" in spec.efforts), spec.ref


def test_it_is_read_in_a_moment() -> None:
    text = catalogue.FILE.read_bytes()
    begun = time.perf_counter()
    catalogue.load(text)
    assert time.perf_counter() - begun < 0.05


def test_a_model_that_retires_does_so_on_its_day() -> None:
    sonnet = known("anthropic/claude-sonnet-4-5")
    assert sonnet.status == "deprecated"
    assert not sonnet.is_retired(date(2026, 11, 29))
    assert sonnet.is_retired(date(2026, 11, 30))


RATES = {"input": 1, "output": 1, "cache_read": 1, "cache_write_5m": 1, "cache_write_1h": 1}
PRICE: dict[str, Any] = {"valid_from": "2026-01-01", "source": "made up", **RATES}
MODEL: dict[str, Any] = {
    "provider": "p",
    "id": "m",
    "name": "M",
    "display_name": "M",
    "description": "d",
    "context": 100,
    "max_output": 10,
    "status": "active",
    "prices": [PRICE],
}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"prices": [PRICE, PRICE]}, "valid from a later day"),
        ({"max_input": 101}, "max_input"),
        ({"prices": [PRICE | {"input": -1}]}, "a rate is negative"),
        ({"prices": [PRICE | {"input": 0.5}]}, r"\$.models\[0\].prices\[0\].input"),
        ({"prices": [PRICE | {"fast": RATES | {"output": -5}}]}, "a rate is negative"),
        ({"prices": [PRICE | {"valid_from": "soon"}]}, "valid_from"),
        ({"prices": [PRICE | {"cache_write": 1}]}, "cache_write"),
        ({"capabilities": ["flying"]}, "capabilities"),
        ({"thinking": {"kinds": ["adaptive"], "limited_kinds": ["disabled"]}}, "limited_kinds"),
        ({"thinking": {"default_display": "omitted"}}, "default_display"),
        ({"efforts": ["low"]}, "default_effort"),
        ({"default_effort": "low"}, "default_effort"),
        ({"max_output": 101}, "max_output"),
        ({"aliases": ["m"]}, "twice: p/m"),
        ({"provider": "a/b"}, "provider"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(change: dict[str, Any], place: str) -> None:
    assert catalogue.load(file_of(MODEL)).models[0].ref == "p/m"
    with pytest.raises(CatalogueError, match=place):
        catalogue.load(file_of(MODEL | change))


def file_of(*models: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"as_of": "2026-11-20", "models": models})


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff", b'{"as_of":"2026-11-20"}'])
def test_a_file_that_is_none_is_told(text: bytes) -> None:
    with pytest.raises(CatalogueError):
        catalogue.load(text)
