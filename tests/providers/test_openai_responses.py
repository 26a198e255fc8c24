"""The Responses API read into Anthropic's events: its items, their order, and what goes back unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from providers.assembly import Assembly
from providers.envelope import Origin
from providers.errors import InterruptedStream, ProtocolError
from providers.openai_responses import ResponsesReader
from providers.types import Json
from tests.providers.openai_answers import DONE
from tests.providers.openai_calls import read

ORIGIN = Origin(provider="openai", account="org-1", model="gpt")


def reader() -> ResponsesReader:
    return ResponsesReader(origin=ORIGIN)


def event(kind: str, place: int | None = None, /, **fields: Any) -> Json:
    return {"type": f"response.{kind}", **({} if place is None else {"output_index": place}), **fields}


def added(place: int, kind: str, /, **fields: Any) -> Json:
    return event("output_item.added", place, item={"type": kind, "id": f"i{place}", **fields})


def done(place: int, kind: str, /, **fields: Any) -> Json:
    return event("output_item.done", place, item={"type": kind, "id": f"i{place}", **fields})


def text(value: str, **fields: Any) -> Json:
    return {"type": "output_text", "text": value, "annotations": [], **fields}


def completed(*output: Json, status: str = "completed", **fields: Any) -> Json:
    response = {"id": "resp_1", "model": "gpt-1", "status": status, "output": list(output), **fields}
    return event(status, response=response)


CREATED = event("created", response={"id": "resp_1", "model": "gpt-1"})


def test_calls_that_interleave_keep_their_order_and_their_ids() -> None:
    message = read(
        reader(),
        CREATED,
        added(0, "function_call", call_id="call_a", name="one", arguments=""),
        added(1, "function_call", call_id="call_b", name="two", arguments=""),
        event("function_call_arguments.delta", 1, item_id="i1", delta='{"y":'),
        event("function_call_arguments.delta", 0, item_id="i0", delta='{"x":1}'),
        event("function_call_arguments.delta", 1, item_id="i1", delta="2}"),
        done(1, "function_call", call_id="call_b", name="two", arguments='{"y":2}'),
        done(0, "function_call", call_id="call_a", name="one", arguments='{"x":1}'),
        completed(),
    )
    assert message["content"] == [
        {"type": "tool_use", "id": "call_a", "name": "one", "input": {"x": 1}},
        {"type": "tool_use", "id": "call_b", "name": "two", "input": {"y": 2}},
    ]
    assert message["stop_reason"] == "tool_use"


@pytest.mark.parametrize("whole", ['{"x":1}', '{ "x": 1 }'])
def test_what_the_done_event_says_of_the_input_counts(whole: str) -> None:
    message = read(
        reader(),
        added(0, "function_call", call_id="a", name="one"),
        event("function_call_arguments.delta", 0, delta='{"x":'),
        event("function_call_arguments.delta", 0, delta="1}" if " " in whole else ""),
        event("function_call_arguments.done", 0, arguments=whole),
        completed(),
    )
    assert message["content"][0]["input"] == {"x": 1}


def test_two_versions_of_an_input_are_a_protocol_error() -> None:
    cut = reader()
    read(
        cut,
        added(0, "function_call", call_id="a", name="one"),
        event("function_call_arguments.delta", 0, delta='{"x":1}'),
        event("function_call_arguments.done", 0, arguments='{"x":2}'),
        completed(),
    )
    assert isinstance(cut.failure, ProtocolError)


def test_reasoning_is_sealed_whole_and_its_parts_stand_apart() -> None:
    item = {
        "type": "reasoning",
        "id": "i0",
        "encrypted_content": "sealed",
        "summary": [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}],
    }
    message = read(
        reader(),
        added(0, "reasoning", encrypted_content="partial"),
        event("reasoning_summary_text.delta", 0, summary_index=0, delta="One"),
        event("reasoning_summary_text.delta", 0, summary_index=0, delta="."),
        event("reasoning_summary_text.delta", 0, summary_index=1, delta="Two."),
        event("output_item.done", 0, item=item),
        completed(item),
    )
    [thinking] = message["content"]
    assert thinking["thinking"] == "One.\n\nTwo."
    assert ORIGIN.open(thinking["signature"]) == {"item": item}


def test_reasoning_that_is_not_shown_is_kept_all_the_same() -> None:
    item = {"type": "reasoning", "id": "i0", "encrypted_content": "sealed", "summary": []}
    message = read(reader(), added(0, "reasoning"), event("output_item.done", 0, item=item), completed())
    [thinking] = message["content"]
    assert (thinking["type"], thinking["thinking"]) == ("thinking", "")
    assert ORIGIN.open(thinking["signature"]) == {"item": item}


def test_encrypted_reasoning_that_is_no_text_is_kept_exactly() -> None:
    item = {"type": "reasoning", "id": "i0", "encrypted_content": "a\0\ud83d", "summary": []}
    message = read(reader(), event("output_item.done", 0, item=item), completed())
    assert ORIGIN.open(message["content"][0]["signature"]) == {"item": item}


def test_the_phase_of_a_message_goes_with_the_reasoning_before_it() -> None:
    item = {"type": "reasoning", "id": "i0", "summary": []}
    message = read(
        reader(),
        event("output_item.done", 0, item=item),
        done(1, "message", phase="commentary", content=[text("I look.")]),
        done(2, "message", phase="final_answer", content=[text("Done.")]),
        completed(),
    )
    sealed = [ORIGIN.open(block["signature"]) for block in message["content"] if block["type"] == "thinking"]
    assert sealed == [{"phase": "commentary", "item": item}, {"phase": "final_answer"}]
    assert [block["type"] for block in message["content"]] == ["thinking", "text", "thinking", "text"]


def test_items_of_hosted_and_unknown_tools_are_kept_whole_in_their_place() -> None:
    search = {"type": "web_search_call", "id": "i0", "action": {"query": "q"}, "status": "completed"}
    novelty = {"type": "novelty", "id": "i1", "deep": {"er": [1]}}
    message = read(
        reader(),
        added(0, "web_search_call"),
        event("web_search_call.searching", 0),
        added(2, "message"),
        event("output_text.delta", 2, content_index=0, delta="Found."),
        event("output_item.done", 0, item=search),
        event("output_item.done", 1, item=novelty),
        done(2, "message", content=[text("Found.")]),
        completed(),
    )
    origin = {"provider": "openai", "account": "org-1"}
    assert message["content"] == [
        {**search, "origin": origin},
        {"type": "text", "text": "Found."},
        {**novelty, "origin": origin},
    ]
    assert message["stop_reason"] == "end_turn"


@pytest.mark.parametrize("kind", ["tool_use", "fallback", "text"])
def test_an_item_cannot_pass_for_a_block_of_ours(kind: str) -> None:
    cut = reader()
    read(cut, CREATED, done(0, kind, name="x", input={}), completed())
    assert isinstance(cut.failure, ProtocolError)


def test_annotations_are_citations_once() -> None:
    source = {"type": "url_citation", "url": "https://a.example/", "title": "A", "start_index": 0}
    at = {"content_index": 0}
    message = read(
        reader(),
        added(0, "message"),
        event("output_text.delta", 0, delta="x", **at),
        event("output_text.annotation.added", 0, annotation=source, annotation_index=0, **at),
        event("output_text.done", 0, text="x", **at),
        event("content_part.done", 0, part=text("x", annotations=[source]), **at),
        done(0, "message", content=[text("x", annotations=[source])]),
        completed(),
    )
    assert message["content"] == [{"type": "text", "text": "x", "citations": [source]}]


def test_a_refusal_is_text_and_a_stop_reason() -> None:
    message = read(
        reader(),
        added(0, "message"),
        event("refusal.delta", 0, content_index=0, delta="I wo"),
        event("refusal.done", 0, content_index=0, refusal="I won't."),
        done(0, "message", content=[{"type": "refusal", "refusal": "I won't."}]),
        completed(),
    )
    assert message["content"] == [{"type": "text", "text": "I won't."}]
    assert (message["stop_reason"], message["stop_details"]["explanation"]) == ("refusal", "I won't.")


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("max_output_tokens", "max_tokens"),
        ("content_filter", "refusal"),
        ("max_messages", "max_tokens"),
        ("novelty", "novelty"),
        (None, "max_tokens"),
    ],
)
def test_why_an_answer_is_incomplete(told: str | None, reason: str) -> None:
    end = completed(status="incomplete", incomplete_details={"reason": told} if told else None)
    assert read(reader(), CREATED, end)["stop_reason"] == reason


def test_parts_of_a_message_are_blocks_of_their_own() -> None:
    message = read(
        reader(),
        added(0, "message"),
        event("output_text.delta", 0, content_index=0, delta="a"),
        event("content_part.done", 0, content_index=0, part=text("ab")),
        event("output_text.delta", 0, content_index=1, delta="c"),
        done(0, "message", content=[text("ab"), text("cd")]),
        completed(),
    )
    assert [block["text"] for block in message["content"]] == ["ab", "cd"]


def test_what_the_stream_left_out_is_taken_from_its_end() -> None:
    call = {"type": "function_call", "id": "i1", "call_id": "a", "name": "one", "arguments": "{}"}
    said = {"type": "message", "id": "i0", "content": [text("All at once.")]}
    message = read(reader(), CREATED, completed(said, call))
    assert [block["type"] for block in message["content"]] == ["text", "tool_use"]
    again = read(
        reader(), added(0, "message"), event("output_item.done", 0, item=said), completed(said, call)
    )
    assert again["content"] == message["content"]


def test_events_of_items_that_nobody_announced() -> None:
    message = read(
        reader(),
        event("reasoning_text.delta", 0, delta="hm"),
        event("output_text.delta", 1, content_index=0, delta="Hi"),
        event("function_call_arguments.delta", 2, delta="{"),
        done(2, "function_call", call_id="a", name="one", arguments="{}"),
        completed(),
    )
    assert [block["type"] for block in message["content"]] == ["thinking", "text", "tool_use"]
    assert message["content"][1]["text"] == "Hi"


def test_only_ids_say_which_item_an_event_is_of() -> None:
    message = read(
        reader(),
        {"type": "response.output_item.added", "item": {"type": "message", "id": "m1"}},
        {"type": "response.output_item.added", "item": {"type": "message", "id": "m2"}},
        {"type": "response.output_text.delta", "item_id": "m1", "delta": "a"},
        {"type": "response.output_text.delta", "item_id": "m2", "delta": "b"},
        {"type": "response.output_text.delta", "item_id": "m1", "delta": "c"},
        completed(),
    )
    assert [block["text"] for block in message["content"]] == ["ac", "b"]


def test_usage_is_told_in_our_words() -> None:
    usage = {
        "input_tokens": 90,
        "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 6},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 30},
        "total_tokens": 140,
    }
    end = completed(usage=usage, tool_usage={"web_search": {"num_requests": 2}}, service_tier="default")
    assert read(reader(), CREATED, end)["usage"] == {
        "input_tokens": 20,
        "cache_read_input_tokens": 64,
        "cache_creation_input_tokens": 6,
        "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 30},
        "server_tool_use": {"web_search_requests": 2},
        "service_tier": "default",
    }


def test_a_mark_of_the_other_wires_end_ends_nothing() -> None:
    cut = reader()
    read(cut, CREATED, DONE)
    assert isinstance(cut.failure, InterruptedStream)
    assert read(reader(), CREATED, DONE, completed())["stop_reason"] == "end_turn"


def test_servers_that_number_every_event_alike_are_read() -> None:
    numbered = [
        {**one, "sequence_number": 0}
        for one in (
            CREATED,
            added(0, "message"),
            *[event("output_text.delta", 0, delta="la")] * 2,
            completed(),
        )
    ]
    assert read(reader(), *numbered)["content"] == [{"type": "text", "text": "lala"}]


def test_a_stop_sequence_is_found_though_the_wire_has_none() -> None:
    stopping = ResponsesReader(Assembly(stop_sequences=["END"]), origin=ORIGIN)
    told = [event("output_text.delta", 0, delta=part) for part in ("one E", "ND two")]
    message = read(stopping, CREATED, added(0, "message"), *told)
    assert message["content"] == [{"type": "text", "text": "one "}]
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "END")


def test_events_in_the_wrong_order_are_a_protocol_error() -> None:
    """What comes after a later event cannot be put in its place any more, and must not be lost in silence."""
    told = [CREATED, added(0, "message"), *(event("output_text.delta", 0, delta=part) for part in "abc")]
    numbered = [{**one, "sequence_number": number} for number, one in enumerate(told, start=1)]
    swapped = reader()
    message = read(swapped, *numbered[:2], numbered[3], numbered[2], numbered[4], completed())
    assert isinstance(swapped.failure, ProtocolError)
    assert message["content"] == [{"type": "text", "text": "b"}]
