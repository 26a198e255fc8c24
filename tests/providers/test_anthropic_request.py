"""What the Anthropic adapter sends: per model, per API version, and of what answers held."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from providers.anthropic_request import betas, body, counting_body, merged, version
from providers.catalogue import ModelSpec, catalogue
from providers.types import MessageRequest


def a_model(**wanted: Any) -> ModelSpec:
    """Some model of the catalogue that has these facts."""
    return next(
        model
        for model in catalogue().models
        if model.api == "messages" and all(getattr(model, name) == value for name, value in wanted.items())
    )


def asked(*content: Any, **fields: Any) -> MessageRequest:
    messages = [{"role": "user", "content": one} for one in content or ("Hi",)]
    return MessageRequest(model="m", messages=messages, max_tokens=100, **fields)


def answered(*blocks: dict[str, Any], **fields: Any) -> MessageRequest:
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": list(blocks)},
    ]
    return MessageRequest(model="m", messages=turns, max_tokens=100, **fields)


def sent(request: MessageRequest) -> list[dict[str, Any]]:
    """The blocks of the last message as they are sent."""
    content: list[dict[str, Any]] = body(request, None)["messages"][-1]["content"]
    return content


# Versions


@pytest.mark.parametrize("field", ["temperature", "top_p", "top_k"])
def test_sampling_goes_with_the_older_version_where_the_model_honours_it(field: str) -> None:
    given: dict[str, Any] = {"temperature": 0.5} if field == "temperature" else {"extra": {field: 1}}
    assert version(asked(**given), a_model(sampling=True)) == "2023-06-01"
    assert version(asked(**given), a_model(sampling=False)) == "2026-10-21"
    assert version(asked(**given), None) == "2023-06-01"
    assert version(asked(), a_model(sampling=True)) == "2026-10-21"


def test_max_tokens_stay_below_what_the_model_writes() -> None:
    model = a_model()
    assert body(replace(asked(), max_tokens=10**9), model)["max_tokens"] == model.max_output
    assert body(replace(asked(), max_tokens=10**9), None)["max_tokens"] == 10**9


# What answers held


def test_citations_are_taken_from_a_persons_text_and_left_in_an_answers() -> None:
    cited = {"type": "text", "text": "So.", "citations": [{"type": "char_location", "cited_text": "x"}]}
    assert sent(asked([cited])) == [{"type": "text", "text": "So."}]
    assert sent(answered(cited)) == [cited]


def test_citations_inside_a_persons_search_results_are_taken_too() -> None:
    found = {
        "type": "search_result",
        "title": "T",
        "source": "s",
        "citations": {"enabled": True},
        "content": [{"type": "text", "text": "x", "citations": [{"type": "char_location"}]}],
    }
    inside = {"type": "tool_result", "tool_use_id": "t", "content": [found]}
    for blocks in ([found], [inside]):
        [block] = sent(asked(blocks))
        result = block["content"][0] if block["type"] == "tool_result" else block
        assert result["content"] == [{"type": "text", "text": "x"}]
        assert result["citations"] == {"enabled": True}, "that is a wish, and stays"


def test_a_citations_file_is_not_sent_back() -> None:
    citation = {"type": "page_location", "file_id": "file_1", "document_index": 0}
    [block] = sent(answered({"type": "text", "text": "So.", "citations": [citation]}))
    assert block["citations"] == [{"type": "page_location", "document_index": 0}]
    assert citation["file_id"] == "file_1", "what was received is left as it is"


@pytest.mark.parametrize("signature", ["parley1.abc", "", None])
def test_thinking_that_this_vendor_did_not_seal_is_left_out(signature: str | None) -> None:
    foreign = {"type": "thinking", "thinking": "Hm.", "signature": signature}
    own = {"type": "thinking", "thinking": "Hm.", "signature": "sealed"}
    said = {"type": "text", "text": "So."}
    assert sent(answered(foreign, own, said)) == [own, said]


def test_opaque_blocks_of_other_vendors_are_left_out() -> None:
    marked = {"type": "content_quality", "x": 1, "origin": {"provider": "salesforce", "account": "a"}}
    assert sent(answered(marked, {"type": "text", "text": "So."})) == [{"type": "text", "text": "So."}]


def test_what_needs_no_mending_is_the_same_object() -> None:
    request = answered({"type": "unheard_of", "z": 1, "a": [None]})
    made = body(request, None)
    assert all(new is old for new, old in zip(made["messages"], request.messages, strict=True))


# Beta flags


def test_flags_are_merged_by_the_whole_token() -> None:
    assert merged(["a-1,b-2", "a-10"], ["b-2 , a-1", ""]) == ["a-1", "b-2", "a-10"]


def test_a_plain_request_needs_no_flag() -> None:
    assert betas(asked(thinking={"type": "adaptive"}, output_config={"effort": "low"})) == []


@pytest.mark.parametrize(
    ("request_", "flags"),
    [
        (asked(extra={"speed": "fast"}), ["fast-mode-2026-02-01"]),
        (asked(extra={"speed": "standard"}), []),
        (asked(extra={"mcp_servers": [{"name": "s"}]}), ["mcp-client-2025-04-04"]),
        (
            asked(extra={"mcp_servers": [{"name": "s"}]}, tools=[{"type": "mcp_toolset"}]),
            ["mcp-client-2025-11-20"],
        ),
        (asked(extra={"context_management": {"edits": []}}), ["context-management-2025-06-27"]),
        (
            asked(extra={"context_management": {"edits": [{"type": "compact_20260112"}]}}),
            ["context-management-2025-06-27", "compact-2026-01-12"],
        ),
        (asked(output_config={"task_budget": {}}), ["task-budgets-2026-03-13"]),
        (asked(thinking={"block_binding": {}}), ["thinking-binding-controls-2026-08-01"]),
        (answered({"type": "mcp_tool_use", "id": "m"}), ["mcp-client-2025-11-20"]),
        (asked(extra={"betas": ["mine-1", "mine-1"]}), ["mine-1"]),
    ],
)
def test_a_feature_brings_its_flag(request_: MessageRequest, flags: list[str]) -> None:
    assert betas(request_) == flags
    assert "betas" not in body(request_, None), "flags go into a header"


# Token counts


def test_a_count_names_only_what_counts() -> None:
    request = asked(
        system="Be brief.",
        tools=[{"name": "look", "input_schema": {"type": "object"}}],
        stop_sequences=["END"],
        metadata={"user_id": "x"},
        extra={"service_tier": "auto", "speed": "fast"},
    )
    counted = counting_body(request)
    assert counted is not None
    assert set(counted) == {"model", "messages", "system", "tools", "speed"}


@pytest.mark.parametrize(
    "request_",
    [
        asked(tools=[{"type": "web_search_20250305", "name": "web_search"}]),
        asked(tools=[{"type": "code_execution_20250825", "name": "code_execution"}]),
        asked(extra={"mcp_servers": []}),
        asked([{"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}]),
        asked([{"type": "document", "source": {"type": "file", "file_id": "f"}}]),
        asked([{"type": "tool_result", "content": [{"type": "image", "source": {"type": "url"}}]}]),
    ],
)
def test_what_the_vendor_does_not_count_is_not_asked(request_: MessageRequest) -> None:
    assert counting_body(request_) is None
