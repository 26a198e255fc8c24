"""The wire of /v1/messages and /v1/messages/count_tokens."""

import pytest

from providers.fold import fold
from tests.simulator.conftest import VERSION, Caller, Serve, directive, joined_text


async def test_a_stream_has_the_vendors_events_in_their_order(caller: Caller) -> None:
    events = await caller.events(directive(text="One two", deltas=2, thinking="Hm."))
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["message_start", "content_block_start", "content_block_delta"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert [event["index"] for event in events if event["type"] == "content_block_start"] == [0, 1]
    assert events[0]["message"]["content"] == [] and events[0]["message"]["stop_reason"] is None


async def test_the_streamed_message_folds_to_the_whole_one(caller: Caller) -> None:
    prompt = directive(
        text="Some words.",
        thinking="First this, then that.",
        tool_use=[
            {"id": "toolu_1", "name": "look", "input": {"q": "é", "n": [1, {"a": None}]}},
            {"id": "t2"},
        ],
    )
    streamed, whole = fold(await caller.events(prompt)), await caller.whole(prompt)
    assert streamed["content"] == whole["content"]
    assert streamed["stop_reason"] == whole["stop_reason"] == "tool_use"
    assert streamed["usage"] == whole["usage"]


async def test_every_block_of_a_list_is_sent_as_it_is(caller: Caller) -> None:
    blocks = [
        {"type": "redacted_thinking", "data": "sealed"},
        {
            "type": "text",
            "text": "A cited sentence.",
            "citations": [{"type": "char_location", "cited_text": "x"}],
        },
        {"type": "brand_new_block", "anything": {"deep": [1, 2, 3]}},
    ]
    message = fold(await caller.events(directive(blocks=blocks)))
    assert message["content"] == blocks


async def test_answers_carry_the_vendors_headers(caller: Caller) -> None:
    answer = await caller.ask(directive(text="x"))
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["request-id"].startswith("req_")
    assert len(answer.headers["anthropic-organization-id"]) == 36
    for limit in ("requests", "tokens", "input-tokens", "output-tokens"):
        assert int(answer.headers[f"anthropic-ratelimit-{limit}-limit"]) > 0
        assert answer.headers[f"anthropic-ratelimit-{limit}-reset"].endswith("Z")


async def test_an_organisation_belongs_to_a_key(serve: Serve) -> None:
    caller = await serve(keys={"sk-one": "org-1", "sk-two": "org-2"})
    for headers in ({"x-api-key": "sk-two"}, {"authorization": "Bearer sk-two"}):
        answer = await caller.http.get("/v1/models", headers=headers)
        assert answer.headers["anthropic-organization-id"] == "org-2"


async def test_counting_needs_no_max_tokens_and_grows_with_the_text(caller: Caller) -> None:
    counts = []
    for text in ("short", "a text that is a good deal longer than the other one"):
        body = {"model": "parley-demo", "messages": [{"role": "user", "content": text}]}
        answer = await caller.http.post("/v1/messages/count_tokens", json=body)
        assert answer.status_code == 200
        counts.append(answer.json()["input_tokens"])
    assert 0 < counts[0] < counts[1]


async def test_a_marked_prefix_is_written_to_the_cache_once_and_then_read(caller: Caller) -> None:
    marked = [{"type": "text", "text": "word " * 1500, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    first, second = [(await caller.whole("Hello", system=marked))["usage"] for _ in range(2)]
    assert first["cache_creation_input_tokens"] == first["cache_creation"]["ephemeral_1h_input_tokens"] > 1024
    assert first["cache_read_input_tokens"] == 0
    assert second["cache_read_input_tokens"] == first["cache_creation_input_tokens"]
    assert second["cache_creation_input_tokens"] == 0
    assert first["input_tokens"] == second["input_tokens"] < 20


async def test_a_short_prefix_is_not_cached(caller: Caller) -> None:
    marked = [{"type": "text", "text": "short", "cache_control": {"type": "ephemeral"}}]
    usage = (await caller.whole("Hello", system=marked))["usage"]
    assert usage["cache_creation_input_tokens"] == usage["cache_read_input_tokens"] == 0


async def test_a_growing_conversation_reads_what_it_wrote(caller: Caller) -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "word " * 1500}]}]
    fields = {"cache_control": {"type": "ephemeral"}, "messages": messages}
    first = (await caller.whole("", **fields))["usage"]
    messages += [
        {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]},
        {"role": "user", "content": [{"type": "text", "text": "And then?"}]},
    ]
    second = (await caller.whole("", **fields))["usage"]
    assert second["cache_read_input_tokens"] == first["cache_creation_input_tokens"]
    assert second["cache_creation_input_tokens"] > 0


async def test_no_tokens_wanted_gives_an_empty_answer(caller: Caller) -> None:
    message = await caller.whole("Warm up", max_tokens=0)
    assert message["content"] == [] and message["stop_reason"] == "max_tokens"


@pytest.mark.parametrize("stream", [True, False])
async def test_any_query_string_and_beta_header_is_accepted(caller: Caller, stream: bool) -> None:
    headers = {"anthropic-beta": "some-flag-2026-01-01", "x-stainless-lang": "python"}
    body = caller.body(directive(text="fine"), stream=stream)
    answer = await caller.http.post("/v1/messages?beta=true", json=body, headers=headers)
    assert answer.status_code == 200


async def test_one_connection_serves_many_requests(caller: Caller) -> None:
    for _ in range(3):
        assert joined_text(await caller.events(directive(text="again"))) == "again"
    counts = (await caller.stats())["counts"]
    assert counts["connections"] == 1 and counts["requests"] == 3 and counts["streams_finished"] == 3


async def test_older_api_version_still_takes_sampling(caller: Caller) -> None:
    body = caller.body(directive(text="x"), temperature=0.5)
    older = await caller.http.post("/v1/messages", json=body, headers={"anthropic-version": "2023-06-01"})
    newer = await caller.http.post("/v1/messages", json=body, headers=VERSION)
    assert (older.status_code, newer.status_code) == (200, 400)
