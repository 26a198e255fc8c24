"""Salesforce: a list of strings goes in, one text comes out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from providers import errors
from providers.fold import fold
from providers.heard import Head
from providers.salesforce import SalesforceAdapter
from providers.transport import Transport
from providers.types import Json, MessageRequest
from tests.providers.loopback import loopback
from tests.providers.salesforce_org import (
    MODEL,
    ORGANISATION,
    Org,
    access,
    answers,
    calls,
    collect,
    generation,
)


@pytest.fixture
def adapter(pool: Transport) -> SalesforceAdapter:
    return SalesforceAdapter(through=lambda: pool)


@pytest.fixture
def question() -> MessageRequest:
    return MessageRequest(model=MODEL, messages=[{"role": "user", "content": "Hello?"}], max_tokens=100)


async def test_an_answer_is_one_delta(adapter: SalesforceAdapter, question: MessageRequest):
    heads: list[Head] = []
    async with loopback(Org(answers(200, generation(), x_request_id="r-1"))) as server:
        stream = adapter.stream(question, access(server.url), heard=heads.append)
        events = [event async for event in stream]
    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    message = fold(events)
    assert message["content"] == [{"type": "text", "text": "Hello"}]
    assert (message["stop_reason"], message["model"], message["id"]) == ("end_turn", "gpt-4o", "chat-1")
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (11, 4)
    assert heads == [Head(status=200, request_id="r-1", vendor_account=ORGANISATION)]


async def test_the_request_is_strings_by_role(adapter: SalesforceAdapter):
    document = {
        "type": "document",
        "title": "Notes",
        "source": {"type": "text", "media_type": "text/plain", "data": "abc"},
    }
    request = MessageRequest(
        model="My Model/1",
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": "One"},
            {"role": "user", "content": [{"type": "text", "text": "Two"}, document]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "Three"},
                    {"type": "content_quality", "origin": {"provider": "salesforce", "account": ""}},
                ],
            },
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}]},
            {"role": "system", "content": "Stay calm."},
            {"role": "user", "content": "Four"},
        ],
        max_tokens=100,
    )
    async with loopback(Org()) as server:
        await collect(adapter, request, access(server.url))
    (asked,) = calls(server)
    assert asked.path == "/einstein/platform/v1/models/My%20Model%2F1/chat-generations"
    assert json.loads(asked.body) == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One\n\nTwo\n\nNotes:\nabc"},
            {"role": "assistant", "content": "Three"},
            {"role": "user", "content": "Instruction of the system: Stay calm.\n\nFour"},
        ]
    }


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}}


@pytest.mark.parametrize(
    "changed",
    [
        {"messages": [{"role": "user", "content": [IMAGE]}]},
        {"messages": [{"role": "user", "content": [PDF]}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "new_kind"}]}]},
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        {"messages": [{"role": "critic", "content": "a"}]},
        {"messages": []},
        {"tools": [{"name": "find", "input_schema": {}}]},
        {"output_config": {"format": {"type": "json_schema"}}},
        {"temperature": 0.5},
        {"thinking": {"type": "adaptive"}},
        {"extra": {"top_p": 0.5}},
    ],
)
async def test_what_is_no_text_is_refused_before_anything_is_sent(
    changed: Json, adapter: SalesforceAdapter, question: MessageRequest
):
    request = MessageRequest(**{"model": MODEL, "messages": question.messages, "max_tokens": 10, **changed})
    async with loopback(Org()) as server:
        with pytest.raises(errors.Unsupported) as caught:
            await collect(adapter, request, access(server.url))
        assert server.exchanges == []
    assert caught.value.sent is False
    assert caught.value.safe_message.startswith("Salesforce's")


async def test_harmless_fields_are_left_out(adapter: SalesforceAdapter, question: MessageRequest):
    request = MessageRequest(
        model=MODEL,
        messages=question.messages,
        max_tokens=10,
        thinking={"type": "disabled"},
        metadata={"user_id": "u"},
        extra={"cache_control": {"type": "ephemeral"}},
    )
    async with loopback(Org()) as server:
        await collect(adapter, request, access(server.url))
    assert json.loads(calls(server)[0].body) == {"messages": [{"role": "user", "content": "Hello?"}]}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("stop", "end_turn"),
        ("end_turn", "end_turn"),
        ("LENGTH", "max_tokens"),
        ("max_tokens", "max_tokens"),
        ("content_filter", "refusal"),
        ("something new", "end_turn"),
        (None, "end_turn"),
        (7, "end_turn"),
    ],
)
async def test_the_reason_of_the_end(
    told: object, reason: str, adapter: SalesforceAdapter, question: MessageRequest
):
    body = generation(parameters={"finish_reason": told})
    async with loopback(Org(answers(200, body))) as server:
        assert fold(await collect(adapter, question, access(server.url)))["stop_reason"] == reason


async def test_a_refusal_is_shown_with_its_words(adapter: SalesforceAdapter, question: MessageRequest):
    body = generation("", parameters={"finish_reason": "stop", "refusal": "I will not."})
    async with loopback(Org(answers(200, body))) as server:
        message = fold(await collect(adapter, question, access(server.url)))
    assert message["content"] == []
    assert message["stop_reason"] == "refusal"
    assert message["stop_details"] == {"type": "refusal", "category": None, "explanation": "I will not."}


async def test_what_the_scan_finds_stands_beside_the_text(
    adapter: SalesforceAdapter, question: MessageRequest
):
    quality = {"scanToxicity": {"isDetected": True, "categories": [{"categoryName": "hate", "score": 0.9}]}}
    async with loopback(Org(answers(200, generation(contentQuality=quality)))) as server:
        message = fold(await collect(adapter, question, access(server.url)))
    assert message["content"] == [
        {"type": "text", "text": "Hello"},
        {
            "type": "content_quality",
            **quality,
            "origin": {"provider": "salesforce", "account": ORGANISATION},
        },
    ]
    assert message["stop_reason"] == "end_turn"


async def test_a_clean_scan_says_nothing(adapter: SalesforceAdapter, question: MessageRequest):
    body = generation(contentQuality={"scanToxicity": {"isDetected": False, "categories": []}})
    async with loopback(Org(answers(200, body))) as server:
        message = fold(await collect(adapter, question, access(server.url)))
    assert [block["type"] for block in message["content"]] == ["text"]


async def test_stop_sequences_are_looked_for_in_the_answer(
    adapter: SalesforceAdapter, question: MessageRequest
):
    request = MessageRequest(
        model=MODEL, messages=question.messages, max_tokens=9, stop_sequences=["END", "lo", ""]
    )
    async with loopback(Org(answers(200, generation("Hello END")))) as server:
        message = fold(await collect(adapter, request, access(server.url)))
    assert message["content"] == [{"type": "text", "text": "Hel"}]
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "lo")
    assert b"END" not in calls(server)[0].body


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 6},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            {
                "input_tokens": 4,
                "cache_read_input_tokens": 6,
                "output_tokens": 4,
                "output_tokens_details": {"thinking_tokens": 3},
            },
        ),
        ({"inputTokens": 5, "outputTokens": 6}, {"input_tokens": 5, "output_tokens": 6}),
        ({"prompt_tokens": -1, "completion_tokens": "many"}, {}),
        (None, {}),
    ],
)
async def test_what_was_used_is_told_as_far_as_it_is_known(
    usage: object, expected: Json, adapter: SalesforceAdapter, question: MessageRequest
):
    async with loopback(Org(answers(200, generation(usage=usage)))) as server:
        events = await collect(adapter, question, access(server.url))
    assert events[-2]["usage"] == expected


async def test_text_is_cleaned(adapter: SalesforceAdapter, question: MessageRequest):
    body = json.dumps(generation("XX")).replace("XX", "a\\u0000b\\ud800").encode()
    async with loopback(Org(answers(200, body))) as server:
        message = fold(await collect(adapter, question, access(server.url)))
    assert message["content"][0]["text"] == "ab\ufffd"


async def test_an_answer_of_no_length_needs_no_call(adapter: SalesforceAdapter, question: MessageRequest):
    async with loopback(Org()) as server:
        events = await collect(adapter, replace(question, max_tokens=0), access(server.url))
        assert server.exchanges == []
    message = fold(events)
    assert (message["content"], message["stop_reason"]) == ([], "max_tokens")
