"""Failures seen elsewhere in this field: what tokens cost and how they are counted. See docs/money.md.

Beside these, test_priced_recordings.py prices every recorded answer against a calculation of its own.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from providers import catalogue
from providers.openai_chat import ChatReader
from usage.calls.attempts import Attempt
from usage.models import Source
from usage.prices.prices import listed
from usage.prices.pricing import Rates, Tariff, cost_nano, upper_bound_nano

ROOT = Path(__file__).resolve().parents[2]
# A thousand pico-dollars are a nano-dollar: tokens × these numbers are nano-dollars.
PLAIN = Rates(1_000, 10_000, 100, 2_000, 4_000)
LONG = Rates(2_000, 20_000, 200, 4_000, 8_000)
TIERED = Tariff(rates=PLAIN, long_context_above=272_000, long_context=LONG, source="test")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def charged(*usages: dict[str, Any], tariff: Tariff = TIERED) -> tuple[int, Source, Attempt]:
    """An answer whose beginning and following events carry these usage objects."""
    attempt = Attempt(number=1, asked=True)
    attempt.observe({"type": "message_start", "message": {"id": "m", "model": "m", "usage": usages[0]}})
    for usage in usages[1:]:
        attempt.observe({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage})
    attempt.observe({"type": "message_stop"})
    billed, source = attempt.charge(prompt_tokens=10, max_tokens=1000, output_rate=50, hour_cache=False)
    return cost_nano(billed, tariff), source, attempt


def test_t11_a_long_prompt_is_held_at_the_price_of_long_prompts() -> None:
    for prompt, rates in ((272_000, PLAIN), (272_001, LONG)):
        bound = upper_bound_nano(
            TIERED, prompt_tokens=prompt, max_tokens=7, cached=False, searches=0, context=400_000
        )
        assert bound == prompt * rates.input // 1000 + 7 * rates.output // 1000


def test_t30_writes_to_the_cache_are_billed_once() -> None:
    """Their total and its two parts are the same tokens."""
    split = {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 100}
    start = {
        "input_tokens": 5,
        "cache_creation_input_tokens": 400,
        "cache_creation": split,
        "output_tokens": 1,
    }
    cost, source, _ = charged(start, {"output_tokens": 3, "cache_creation_input_tokens": 400})
    assert (cost, source) == (5 * 1 + 300 * 2 + 100 * 4 + 3 * 10, "reported")


def test_t31_t32_a_streams_reads_and_hour_writes_keep_their_own_prices() -> None:
    """The last event repeats the totals and says nothing of lifetimes."""
    split = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 400}
    start = {
        "input_tokens": 5,
        "cache_read_input_tokens": 1_000,
        "cache_creation_input_tokens": 400,
        "cache_creation": split,
        "output_tokens": 1,
    }
    last = {
        "input_tokens": 5,
        "cache_read_input_tokens": 1_000,
        "cache_creation_input_tokens": 400,
        "output_tokens": 3,
    }
    cost, _, _ = charged(start, last)
    assert cost == 5 * 1 + 1_000 * 100 // 1000 + 400 * 4 + 3 * 10


MESSAGE = {"type": "message", "input_tokens": 23_000, "output_tokens": 100}


def test_t37_what_compaction_read_is_billed_beside_the_top() -> None:
    last = {
        "input_tokens": 23_000,
        "output_tokens": 100,
        "iterations": [{"type": "compaction", "input_tokens": 180_000, "output_tokens": 900}, MESSAGE],
    }
    cost, source, attempt = charged({"input_tokens": 23_000, "output_tokens": 1}, last)
    assert (cost, source) == (203_000 + 1_000 * 10, "reported")
    again = Attempt.from_json(msgspec.json.decode(msgspec.json.encode(attempt.to_json())))
    usage, _ = again.charge(prompt_tokens=10, max_tokens=1000, output_rate=50, hour_cache=False)
    assert (usage.input_tokens, usage.output_tokens) == (203_000, 1_000)
    assert cost_nano(usage, TIERED) == cost


def test_t37_each_run_is_priced_by_its_own_size() -> None:
    """Together they are above the threshold, the longer one alone is too, the answer is not."""
    last = {
        "input_tokens": 23_000,
        "output_tokens": 100,
        "iterations": [{"type": "compaction", "input_tokens": 280_000, "output_tokens": 900}, MESSAGE],
    }
    cost, _, _ = charged({"input_tokens": 23_000, "output_tokens": 1}, last)
    assert cost == (280_000 * 2 + 900 * 20) + (23_000 + 100 * 10)


@pytest.mark.parametrize("output", [0, 50])
def test_t36_of_the_vendors_own_fallbacks_those_that_wrote_nothing_are_free(output: int) -> None:
    """One that wrote is counted at the price that is known, and marked: its own model's is not."""
    last = {
        "input_tokens": 412,
        "output_tokens": 264,
        "iterations": [
            {"type": "message", "model": "first", "input_tokens": 408, "output_tokens": output},
            {"type": "fallback_message", "model": "second", "input_tokens": 412, "output_tokens": 264},
        ],
    }
    cost, source, _ = charged({"input_tokens": 408, "output_tokens": 1}, last)
    both = 412 + 264 * 10
    assert (cost, source) == ((both, "reported") if not output else (both + 408 + 50 * 10, "estimated"))


@pytest.mark.parametrize("kind", ["advisor_message", "something_new"])
def test_t36_a_run_of_another_model_is_never_free_and_marked(kind: str) -> None:
    last = {
        "input_tokens": 23_000,
        "output_tokens": 100,
        "iterations": [MESSAGE, {"type": kind, "input_tokens": 70, "output_tokens": 7}],
    }
    cost, source, _ = charged({"input_tokens": 23_000, "output_tokens": 1}, last)
    assert (cost, source) == (23_070 + 107 * 10, "estimated")


@pytest.mark.parametrize("nonsense", [None, {}, "many", [None, 7, "x"], [{"type": "message"}]])
def test_runs_in_no_possible_form_change_nothing(nonsense: object) -> None:
    last = {"input_tokens": 10, "output_tokens": 100, "iterations": nonsense}
    assert charged({"input_tokens": 10, "output_tokens": 1}, last)[:2] == (10 + 100 * 10, "reported")


def test_t38_no_model_but_the_demo_is_free() -> None:
    """What is on the list has a price above zero, or none at all and is refused."""
    free = [
        spec.ref
        for spec in catalogue.specs()
        if (tariff := listed(spec, NOON)) is not None and not (tariff.rates.input and tariff.rates.output)
    ]
    assert free == ["demo/parley-demo"]


def test_t53_a_batch_is_priced_by_its_factor_and_its_size() -> None:
    tariff = Tariff(rates=PLAIN, long_context_above=10, long_context=LONG, batch_percent=50, source="test")
    start = {"input_tokens": 11, "output_tokens": 1, "service_tier": "batch"}
    cost, _, _ = charged(start, {"output_tokens": 4}, tariff=tariff)
    assert cost == (11 * 2 + 4 * 20) // 2


def of_chat(**usage: Any) -> tuple[int, Source]:
    """What an answer on OpenAI's wire with this usage costs."""
    answer = {
        "id": "c",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}],
        "usage": usage,
    }
    attempt = Attempt(number=1, asked=True)
    for event in ChatReader().whole(msgspec.json.encode(answer)):
        attempt.observe(event)
    found, source = attempt.charge(prompt_tokens=1_000, max_tokens=1000, output_rate=50, hour_cache=False)
    return cost_nano(found, TIERED), source


def test_t66_t67_t69_cached_tokens_are_taken_out_of_the_prompt_and_priced_as_cached() -> None:
    cost = of_chat(
        prompt_tokens=1_000,
        completion_tokens=3,
        total_tokens=1_003,
        prompt_tokens_details={"cached_tokens": 900},
    )
    assert cost == (100 + 900 * 100 // 1000 + 3 * 10, "reported")


def test_t68_a_prompt_smaller_than_its_cached_part_is_not_free() -> None:
    """Such a server counts them apart, or wrongly: the prompt as sent stands in, and the line says so."""
    cost = of_chat(
        prompt_tokens=100,
        completion_tokens=3,
        total_tokens=1_003,
        prompt_tokens_details={"cached_tokens": 900},
    )
    assert cost == (100 + 900 * 100 // 1000 + 3 * 10, "estimated")


def rows() -> dict[int, str]:
    """The table of docs/money.md: number of the case -> its last column."""
    text = (ROOT / "docs" / "money.md").read_text("utf-8")
    return {int(number): row for number, row in re.findall(r"^\| T(\d\d) \|(.*)\|$", text, re.M)}


def test_every_case_has_a_row() -> None:
    assert sorted(rows()) == list(range(1, 75))


def test_rows_name_tests_that_exist() -> None:
    """As `folder/test_file.py::name`; where one file has several, the further ones as `::name`."""
    for number, row in rows().items():
        file = None
        for path, name in re.findall(r"`([a-z_]+/\w+\.py)?(?:::(\w+))?`", row):
            if path:
                file = ROOT / "tests" / path
                assert file.is_file(), (number, path)
            if name:
                assert file is not None, (number, name)
                assert f"def {name}(" in file.read_text("utf-8"), (number, path, name)


def test_cases_that_are_tested_here_are_in_their_rows() -> None:
    found = rows()
    for file in ("test_money_cases.py", "test_money_cases_of_prices.py"):
        names = re.findall(
            r"^(?:async )?def (test_(?:t\d\d_)+\w+)\(", Path(__file__).with_name(file).read_text(), re.M
        )
        for name in names:
            for number in re.findall(r"t(\d\d)_", name):
                assert name in found[int(number)], (number, name)
