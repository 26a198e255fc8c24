from __future__ import annotations

import json
from typing import Any

import pytest

from providers.types import Usage
from usage.calls import attempts
from usage.calls.attempts import Attempt


def start(**usage: Any) -> dict[str, Any]:
    counts = {"input_tokens": 40, "output_tokens": 1} | usage
    return {"type": "message_start", "message": {"id": "msg_1", "model": "served", "usage": counts}}


def delta(**fields: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": fields}


def block(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": 0, "content_block": {"type": kind, **fields}}


def end(**usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}


STOP = {"type": "message_stop"}


def seen(*events: dict[str, Any]) -> Attempt:
    attempt = Attempt(number=1, asked=True)
    for event in events:
        attempt.observe(event)
    return attempt


def charge(attempt: Attempt, **facts: Any) -> tuple[Usage, str]:
    defaults = {"prompt_tokens": 25, "max_tokens": 1000, "output_rate": 50.0, "hour_cache": False}
    return attempt.charge(**(defaults | facts))


def test_the_vendors_final_count_is_taken_as_it_is() -> None:
    usage, source = charge(seen(start(), delta(text="x" * 500), end(output_tokens=7), STOP))
    assert (usage.input_tokens, usage.output_tokens, source) == (40, 7, "reported")


def test_an_explicit_zero_is_a_count() -> None:
    """T48."""
    usage, source = charge(seen(start(), delta(text="x" * 500), end(output_tokens=0), STOP))
    assert (usage.output_tokens, source) == (0, "reported")


def test_counts_are_cumulative_and_an_absent_one_erases_nothing() -> None:
    """T51."""
    attempt = seen(
        start(cache_read_input_tokens=900),
        delta(text="hello"),
        end(output_tokens=3),
        end(output_tokens=9, input_tokens=41),
        STOP,
    )
    usage, source = charge(attempt)
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (41, 900, 9)
    assert source == "reported"


def test_a_cut_answer_is_counted_from_its_text_and_not_from_the_placeholder() -> None:
    """T49: 35 bytes are 10 tokens."""
    usage, source = charge(seen(start(), delta(text="x" * 20), delta(partial_json="y" * 15)))
    assert (usage.input_tokens, usage.output_tokens, source) == (40, 10, "estimated")


def test_letters_of_several_bytes_weigh_more() -> None:
    assert charge(seen(start(), delta(text="字" * 35)))[0].output_tokens == 30
    assert charge(seen(start(), delta(text="\ud83d")))[0].output_tokens == 1


def test_no_estimate_is_above_max_tokens_or_below_a_count_that_was_given() -> None:
    assert charge(seen(start(), delta(text="x" * 7000)), max_tokens=64)[0].output_tokens == 64
    went_on = seen(start(), delta(text="x"), end(output_tokens=80), delta(text="x"))
    assert charge(went_on)[0].output_tokens == 80
    assert charge(went_on)[1] == "estimated"


def test_without_a_beginning_the_prompt_is_charged_as_it_was_sent() -> None:
    usage, source = charge(seen())
    assert (usage.input_tokens, usage.output_tokens, source) == (25, 0, "estimated")


def test_an_attempt_that_was_turned_down_costs_nothing() -> None:
    attempt = seen()
    attempt.free = True
    assert charge(attempt) == (Usage(), "reported")


@pytest.mark.parametrize("nonsense", [-5, float("nan"), "many", 10**15, None, True, [1], 1.5])
def test_counts_that_cannot_be_are_replaced_and_flagged(nonsense: Any) -> None:
    """threats.md §9: usage missing, negative, NaN, text, huge."""
    output = seen(start(), delta(text="x" * 35), end(output_tokens=nonsense), STOP)
    assert (charge(output)[0].output_tokens, charge(output)[1]) == (10, "estimated")
    prompt = seen(start(input_tokens=nonsense), delta(text="hello"), end(output_tokens=2), STOP)
    assert (charge(prompt)[0].input_tokens, charge(prompt)[1]) == (25, "estimated")
    cached = seen(
        start(input_tokens=5, cache_read_input_tokens=nonsense), delta(text="hi"), end(output_tokens=2), STOP
    )
    usage, source = charge(cached)
    if nonsense is None:  # null is how vendors write "none"
        assert (usage.input_tokens, source) == (5, "reported")
    else:
        assert (usage.input_tokens + usage.cache_read_input_tokens, source) == (25, "estimated")


def test_a_stream_without_any_usage_is_estimated() -> None:
    begun = {"type": "message_start", "message": {"id": "m", "model": "x"}}
    usage, source = charge(
        seen(
            begun, delta(text="x" * 35), {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, STOP
        )
    )
    assert (usage.input_tokens, usage.output_tokens, source) == (25, 10, "estimated")


def test_events_of_any_shape_are_borne() -> None:
    for event in [
        {},
        {"type": None},
        {"type": "content_block_delta"},
        {"type": "content_block_delta", "delta": None},
        {"type": "content_block_delta", "delta": {"text": 5}},
        {"type": "message_start"},
        {"type": "message_start", "message": []},
        {"type": "content_block_start", "content_block": 7},
        {"type": "message_delta", "delta": None, "usage": {"output_tokens": 1}},
        {"type": "never heard of"},
    ]:
        seen(event)


def test_thinking_that_is_not_shown_is_charged_by_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr(attempts, "_now", lambda: float(next(clock)))
    attempt = seen(start(), block("thinking", thinking="", signature=""))
    attempt.observe({"type": "content_block_stop", "index": 0})
    seconds = attempt.thinking_seconds
    assert seconds >= 2
    assert charge(attempt)[0].output_tokens == seconds * 50
    attempt.observe(delta(thinking="x" * 7000))
    assert charge(attempt, max_tokens=10_000)[0].output_tokens == 2000  # its text is more


def test_an_open_thought_counts_up_to_now(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr(attempts, "_now", lambda: float(next(clock)))
    attempt = seen(start(), block("redacted_thinking", data="sealed"))
    assert charge(attempt, max_tokens=10_000)[0].output_tokens >= 150


def test_web_searches_of_a_cut_answer_are_counted_by_their_results() -> None:
    results = [{"type": "web_search_result", "url": "https://example.org", "encrypted_content": "x" * 700}]
    attempt = seen(
        start(),
        block("server_tool_use", name="web_search"),
        block("web_search_tool_result", content=results),
        block("web_search_tool_result", content={"type": "web_search_tool_result_error"}),
    )
    usage, source = charge(attempt)
    assert (usage.web_search_requests, source) == (1, "estimated")
    assert usage.input_tokens > 40 + 200


def test_cache_writes_without_a_lifetime_follow_what_was_asked() -> None:
    """T32: message_start splits 100 writes, the total grows to 160 while the answer is made."""
    split = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 100}
    attempt = seen(
        start(cache_creation_input_tokens=100, cache_creation=split),
        delta(text="hi"),
        end(output_tokens=2, cache_creation_input_tokens=160),
        STOP,
    )
    hour, _ = charge(attempt, hour_cache=True)
    assert (hour.cache_creation_5m, hour.cache_creation_1h) == (0, 160)
    unsplit = seen(start(cache_creation_input_tokens=100), delta(text="hi"), end(output_tokens=2), STOP)
    assert charge(unsplit)[0].cache_creation_5m == 100
    assert charge(unsplit, hour_cache=True)[0].cache_creation_1h == 100
    both = {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 70}
    mixed = seen(start(cache_creation_input_tokens=100, cache_creation=both), end(output_tokens=2), STOP)
    usage, _ = charge(mixed, hour_cache=True)
    assert (usage.cache_creation_5m, usage.cache_creation_1h) == (30, 70)


def test_an_answer_that_is_whole_from_its_beginning_is_counted_there() -> None:
    event = start(input_tokens=0, output_tokens=0)
    event["message"]["stop_reason"] = "tool_use"
    usage, source = charge(seen(event, STOP))
    assert (usage.input_tokens, usage.output_tokens, source) == (0, 0, "reported")


def test_an_attempt_survives_being_stored_at_any_moment() -> None:
    events = [
        start(cache_creation_input_tokens=9, cache_read_input_tokens=3, service_tier="standard"),
        block("text", text="He"),
        delta(text="llo"),
        end(output_tokens=44),
        STOP,
    ]
    for cut in range(len(events) + 1):
        attempt = seen(*events[:cut])
        again = Attempt.from_json(json.loads(json.dumps(attempt.to_json())))
        assert charge(again) == charge(attempt)


def test_leaving_says_how_it_ended() -> None:
    def left(*events: dict[str, Any]) -> str:
        attempt = seen(*events)
        attempt.leave()
        return attempt.outcome

    assert left(start(), end(output_tokens=1), STOP) == "completed"
    assert left(start(), delta(text="x")) == "stopped"
    refusal = {"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": {"output_tokens": 1}}
    assert left(start(), refusal, STOP) == "refused"
    never_asked = Attempt(number=1)
    never_asked.leave()
    assert never_asked.free
