from __future__ import annotations

from typing import Any

import pytest

from providers.types import MessageRequest, Usage
from usage.estimates import IMAGE_TOKENS, likely_tokens, measure, seen_usage, text_bytes


def request(content: Any, **fields: Any) -> MessageRequest:
    return MessageRequest(
        **{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": content}]} | fields
    )


@pytest.mark.parametrize(("size", "tokens"), [(0, 0), (1, 1), (3, 1), (4, 2), (7, 2), (35, 10), (36, 11)])
def test_three_and_a_half_bytes_are_a_token(size: int, tokens: int) -> None:
    assert likely_tokens(size) == tokens


def test_text_is_measured_as_it_is_sent() -> None:
    assert [text_bytes(text) for text in ("abc", "é", "字", "😀", "\ud83d")] == [3, 2, 3, 4, 3]


def test_the_bound_is_above_what_is_likely_and_grows_with_everything_sent() -> None:
    plain = measure(request("x" * 1000))
    assert plain.bound > 1000 / 2.5
    assert plain.bound > plain.likely > 1000 / 3.5
    tools = [{"name": "t", "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}}}]
    for larger in (
        request("x" * 1000, system="Be brief."),
        request("x" * 1000, tools=tools),
        request([{"type": "text", "text": "x" * 1000}]),
        request("字" * 1000),
    ):
        assert measure(larger).bound > plain.bound


def test_an_image_counts_by_its_most_and_not_by_its_bytes() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 1_000_000}
    size = measure(request([{"type": "image", "source": source}]))
    assert IMAGE_TOKENS <= size.bound < IMAGE_TOKENS + 100
    result = {"type": "tool_result", "content": [{"type": "image", "source": source}]}
    assert measure(request([result])).bound < IMAGE_TOKENS + 200


def test_what_is_to_be_cached_is_seen_anywhere() -> None:
    def marked(**marker: str) -> MessageRequest:
        return request([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", **marker}}])

    assert (measure(request("x")).cached, measure(request("x")).hour_cache) == (False, False)
    assert (measure(marked()).cached, measure(marked()).hour_cache) == (True, False)
    assert (measure(marked(ttl="1h")).cached, measure(marked(ttl="1h")).hour_cache) == (True, True)
    assert measure(request("x", extra={"cache_control": {"type": "ephemeral"}})).cached


def test_web_searches_are_bounded_by_what_the_request_allows() -> None:
    def searching(**fields: Any) -> int:
        tool = {"type": "web_search_20260209", "name": "web_search", **fields}
        return measure(request("x", tools=[tool, {"name": "mine", "input_schema": {}}])).searches

    assert (searching(), searching(max_uses=3), searching(max_uses="all")) == (10, 3, 10)


def test_a_deep_request_is_measured_without_recursion() -> None:
    deep: Any = "x"
    for _ in range(50_000):
        deep = [deep]
    assert measure(request(deep)).bound > 0


def test_what_was_received_of_an_answer_is_counted_from_its_blocks() -> None:
    message = {
        "content": [
            {"type": "thinking", "thinking": "x" * 7, "signature": "s" * 900},
            {"type": "text", "text": "x" * 7},
            {"type": "tool_use", "id": "t", "name": "n", "input": {"query": "xx"}},
        ]
    }
    assert seen_usage(message, Usage(input_tokens=3)).output_tokens == likely_tokens(21)
    assert seen_usage(message, Usage(output_tokens=500)).output_tokens == 500
    assert seen_usage({}, Usage()).output_tokens == 0
