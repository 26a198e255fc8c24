"""The request's body, and usage as vendors report it, well and badly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.types import MessageRequest, Usage
from tests.providers.generated import generated


def test_a_body_holds_only_what_was_given() -> None:
    request = MessageRequest(model="m", messages=[{"role": "user", "content": "?"}], max_tokens=5)
    assert request.body(stream=False) == {
        "model": "m",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "?"}],
    }
    full = MessageRequest(
        model="m",
        messages=[],
        max_tokens=0,
        system="s",
        thinking={"type": "adaptive"},
        output_config={"effort": "low"},
        tools=[],
        tool_choice={"type": "auto"},
        stop_sequences=["x"],
        temperature=0.0,
        metadata={"user_id": "u"},
        extra={"speed": "fast"},
    )
    assert full.body(stream=True) == {
        "model": "m",
        "max_tokens": 0,
        "messages": [],
        "system": "s",
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "low"},
        "tools": [],
        "tool_choice": {"type": "auto"},
        "stop_sequences": ["x"],
        "temperature": 0.0,
        "metadata": {"user_id": "u"},
        "speed": "fast",
        "stream": True,
    }


REPORTED: dict[str, Any] = {
    "input_tokens": 40,
    "output_tokens": 1,
    "cache_read_input_tokens": 900,
    "cache_creation_input_tokens": 10,
    "cache_creation": {"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": 3},
    "output_tokens_details": {"thinking_tokens": 0},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
    "service_tier": "standard",
    "speed": "fast",
    "inference_geo": "us",
}


def test_every_count_is_read_from_its_place() -> None:
    assert Usage.from_json(REPORTED) == Usage(
        input_tokens=40,
        output_tokens=1,
        cache_read_input_tokens=900,
        cache_creation_input_tokens=10,
        cache_creation_5m=7,
        cache_creation_1h=3,
        web_search_requests=2,
        web_fetch_requests=1,
        service_tier="standard",
        speed="fast",
        inference_geo="us",
    )


def test_the_latest_value_counts_and_an_absent_one_erases_nothing() -> None:
    later = Usage.from_json(REPORTED).merge(
        {"input_tokens": None, "output_tokens": 87, "output_tokens_details": {"thinking_tokens": 31}}
    )
    assert later == Usage.from_json(
        REPORTED | {"output_tokens": 87, "output_tokens_details": {"thinking_tokens": 31}}
    )
    assert later.merge({"output_tokens": 87}) == later
    assert later.merge({"output_tokens": 0}).output_tokens == 0
    assert later.merge({}) == later.merge(None) == later.merge("text") == later


def test_cache_writes_are_never_fewer_than_their_parts() -> None:
    parts = {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 6}
    assert Usage.from_json({"cache_creation": parts}).cache_creation_input_tokens == 11
    grown = Usage.from_json({"cache_creation": parts, "cache_creation_input_tokens": 11}).merge(
        {"cache_creation_input_tokens": 20}
    )
    assert (grown.cache_creation_input_tokens, grown.cache_creation_5m, grown.cache_creation_1h) == (20, 5, 6)


@pytest.mark.parametrize(
    "nonsense", [-1, float("nan"), float("inf"), "12", [], {}, True, 10**9, 10**400, 1.5, -(2**70)]
)
@pytest.mark.parametrize("field", ["input_tokens", "output_tokens", "cache_read_input_tokens"])
def test_an_impossible_count_is_absent_and_marks_the_usage(field: str, nonsense: Any) -> None:
    usage = Usage.from_json({"input_tokens": 5, "output_tokens": 6, field: nonsense})
    assert getattr(usage, field) == 0
    assert usage.estimated
    kept = Usage.from_json({"input_tokens": 5, "output_tokens": 6}).merge({field: nonsense})
    assert (kept.input_tokens, kept.output_tokens) == (5, 6)
    assert kept.estimated
    assert not kept.merge({field: 7}).estimated


@pytest.mark.parametrize("missing", [None, {}, [], "usage", 5, {"input_tokens": 5}, {"output_tokens": 5}])
def test_missing_counts_mark_the_usage(missing: Any) -> None:
    assert Usage.from_json(missing).estimated
    assert not Usage.from_json(missing).merge({"input_tokens": 1, "output_tokens": 1}).estimated


def test_whole_numbers_may_come_as_fractions() -> None:
    assert Usage.from_json({"input_tokens": 5.0, "output_tokens": 6}).input_tokens == 5


@pytest.mark.parametrize("name", ["x" * 65, "a\nb", 5, None, {}])
def test_a_name_that_is_none_is_left_out(name: Any) -> None:
    assert Usage.from_json(REPORTED | {"speed": name}).speed is None


anything = st.none() | st.integers() | st.floats() | st.text(max_size=2) | st.booleans()
usages = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            ["input_tokens", "output_tokens", "cache_creation_input_tokens", "speed"],
            st.integers(0, 99) | anything,
        ),
        "cache_creation": st.dictionaries(
            st.sampled_from(["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"]),
            st.integers(0, 99) | anything,
        )
        | anything,
    },
)


@generated
@given(usages, usages)
def test_usage_survives_being_stored(first: dict[str, Any], second: dict[str, Any]) -> None:
    usage = Usage.from_json(first).merge(second)
    assert Usage.from_json(usage.to_json()) == usage
    assert min(usage.input_tokens, usage.output_tokens, usage.cache_creation_input_tokens) >= 0
