"""What a person set, as this model takes it; and a note where it takes something else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chat import remarks, wishes
from chat.wishes import Granted
from providers.catalogue import Effort, ModelSpec, Thinking, spec
from providers.types import CODE_EXECUTION, WEB_SEARCH

SONNET = spec("anthropic/claude-sonnet-5-5")
OPUS_4_5 = spec("anthropic/claude-opus-4-5")
OPUS_4_8 = spec("anthropic/claude-opus-4-8")
HAIKU_4_5 = spec("anthropic/claude-haiku-4-5")


def like(model: ModelSpec | None = SONNET, **facts: Any) -> ModelSpec:
    assert model is not None
    return msgspec.structs.replace(model, **facts)


def grant(model: ModelSpec | None, **settings: Any) -> Granted:
    return wishes.grant(settings, model)


def said(granted: Granted) -> list[str]:
    return remarks.sentences(granted.notes, "Sonnet")


def test_nothing_is_set_where_nothing_was_wished() -> None:
    granted = grant(SONNET)
    assert (granted.output_config, granted.tools, granted.system, granted.notes) == (None, None, None, ())
    assert granted.max_tokens == wishes.MAX_TOKENS


def test_thinking_is_asked_for_in_the_kind_that_the_model_takes() -> None:
    shown = {"type": "adaptive", "display": "summarized"}
    assert grant(SONNET).thinking == shown, "it thinks anyway, so its reasoning is shown"
    assert grant(OPUS_4_8, thinking="on").thinking == shown
    assert grant(OPUS_4_8).thinking is None
    assert grant(OPUS_4_8, thinking="off").thinking == {"type": "disabled"}
    assert grant(OPUS_4_5, thinking="on").thinking == {
        "type": "enabled",
        "budget_tokens": wishes.THINKING_BUDGET,
    }


def test_a_model_that_thinks_between_tools_alone_is_asked_for_that() -> None:
    assert grant(SONNET, thinking="off").thinking == {"type": "between_tools"}


def test_thinking_that_cannot_be_switched_off_stays_on_with_a_word() -> None:
    always = like(thinking=Thinking(kinds=("adaptive",), default_on=True))
    granted = grant(always, thinking="off")
    assert granted.thinking == {"type": "adaptive"}
    assert said(granted) == ["Thinking cannot be switched off for Sonnet."]


def test_a_model_of_which_nothing_is_known_is_left_to_its_own_way() -> None:
    granted = grant(None, thinking="on", max_tokens=99)
    assert (granted.thinking, granted.max_tokens) == (None, 99)


@pytest.mark.parametrize(
    ("wish", "efforts", "used"),
    [
        ("low", ("low", "medium", "high"), "low"),
        ("max", ("low", "medium", "high"), "high"),
        ("xhigh", ("low", "high", "max"), "high"),
        ("none", ("low", "high"), "low"),
        ("minimal", ("none", "low"), "none"),
    ],
)
def test_an_effort_is_brought_to_the_nearest_below(wish: str, efforts: tuple[Effort, ...], used: str) -> None:
    granted = grant(like(efforts=efforts, default_effort=efforts[-1]), effort=wish)
    assert granted.output_config == {"effort": used}
    assert said(granted) == (
        [] if wish == used else [f"Sonnet does not take effort {wish} here; {used} was used."]
    )


def test_an_effort_is_left_out_where_the_model_takes_none() -> None:
    granted = grant(HAIKU_4_5, effort="high")
    assert granted.output_config is None
    assert said(granted) == ["Sonnet takes no effort setting; high was not used."]


def test_without_thinking_a_model_may_take_less_effort() -> None:
    granted = grant(SONNET, thinking="off", effort="max")
    assert granted.output_config == {"effort": "high"}
    assert said(granted) == ["Sonnet does not take effort max here; high was used."]
    eager = like(default_effort="max")
    assert grant(eager, thinking="off").output_config == {"effort": "high"}
    assert said(grant(eager, thinking="off")) == [
        "Sonnet takes no more effort than high while thinking is off."
    ]


def test_the_vendors_tools_come_in_a_fixed_order() -> None:
    granted = grant(SONNET, code_execution=True, web_search=True)
    assert granted.tools is not None
    assert [tool["type"] for tool in granted.tools] == [WEB_SEARCH, CODE_EXECUTION]
    assert granted.tools[0]["max_uses"] == 5
    assert granted.runs_code


def test_tools_that_the_model_lacks_are_left_out_with_a_word() -> None:
    granted = grant(like(capabilities=frozenset()), code_execution=True, web_search=True)
    assert granted.tools is None
    assert said(granted) == [
        "Sonnet cannot search the web by itself.",
        "Sonnet cannot run code by itself.",
    ]
