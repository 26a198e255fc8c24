"""A request for one model, as another of the catalogue is asked it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from providers import catalogue
from providers.abilities import must_be_able
from providers.catalogue import ModelSpec
from providers.fitting import fitted
from providers.types import Json, MessageRequest


def spec(ref: str) -> ModelSpec:
    found = catalogue.spec(ref)
    assert found is not None
    return found


def request(**fields: Any) -> MessageRequest:
    fields = {"max_tokens": 16_000, **fields}
    return MessageRequest(model="m", messages=[{"role": "user", "content": "Hello?"}], **fields)


WAYS: list[Json | None] = [
    None,
    {"type": "adaptive", "display": "summarized"},
    {"type": "enabled", "budget_tokens": 4_000, "display": "omitted"},
    {"type": "disabled"},
    {"type": "between_tools"},
    {"type": "a way of tomorrow"},
]
EFFORTS = [None, "none", "minimal", "low", "medium", "high", "xhigh", "max", "all there is"]


@pytest.mark.parametrize("model", catalogue.specs(), ids=lambda one: one.ref)
def test_every_model_is_able_to_do_what_was_fitted_to_it(model: ModelSpec) -> None:
    for thinking, effort in product(WAYS, EFFORTS):
        config = {"effort": effort} if effort else None
        asked = request(thinking=thinking, output_config=config, temperature=0.5, extra={"top_p": 0.9})
        must_be_able(fitted(asked, model), model)


def test_adaptive_thinking_becomes_a_budget_where_the_model_wants_one() -> None:
    asked = request(thinking={"type": "adaptive", "display": "summarized"}, output_config={"effort": "max"})
    found = fitted(asked, spec("anthropic/claude-haiku-4-5"))
    assert found.thinking is not None
    assert (found.thinking["type"], found.thinking["budget_tokens"]) == ("enabled", 8_000)
    assert found.output_config is None


def test_a_budget_stays_below_half_of_the_answer() -> None:
    asked = request(thinking={"type": "adaptive"}, max_tokens=3_000)
    found = fitted(asked, spec("anthropic/claude-haiku-4-5"))
    assert found.thinking == {"type": "enabled", "budget_tokens": 1_500}


def test_what_the_request_asks_for_stays() -> None:
    schema = {"type": "json_schema", "schema": {"type": "object"}}
    asked = request(
        tools=[{"name": "look", "input_schema": {"type": "object"}}],
        output_config={"format": schema, "effort": "max"},
        extra={"metadata": {}, "top_k": 3},
    )
    found = fitted(asked, spec("anthropic/claude-haiku-5-5"))
    assert found.tools == asked.tools
    assert found.output_config == {"format": schema, "effort": "max"}
    assert found.extra == {"metadata": {}}


def test_an_answer_is_no_longer_than_the_models_longest() -> None:
    assert fitted(request(max_tokens=500_000), spec("anthropic/claude-haiku-4-5")).max_tokens == 64_000
