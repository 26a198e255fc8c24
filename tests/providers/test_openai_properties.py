"""Whatever comes on OpenAI's wires, however it is cut: events that the fold takes, or an error of ours."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from providers.assembly import Assembly
from providers.errors import ProviderError
from providers.fold import Fold
from providers.openai_chat import ChatReader
from providers.openai_responses import ResponsesReader
from providers.openai_stream import WireReader
from providers.types import Json, StreamEvent
from tests.providers.generated import generated

texts = st.text(max_size=12) | st.sampled_from(["", "a", "STOP", "ST", "OP", "\0", "\ud83d", "\ude00"])
indexes = st.integers(0, 3) | st.none()
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Objects with some of these fields; now and then one holds junk."""
    return st.fixed_dictionaries({}, optional={name: value | junk for name, value in fields.items()})


arguments = st.sampled_from(["", "{", '{"q":', "1}", "}", '{"a": "b"}', "{]"]) | texts
calls = some(
    index=indexes,
    id=st.sampled_from(["", "call_1", "call_2", "über"]),
    function=some(name=st.sampled_from(["", "find", "read"]), arguments=arguments),
)
deltas = some(
    content=texts | st.lists(some(type=st.sampled_from(["text", "thinking"]), text=texts), max_size=2),
    refusal=texts,
    reasoning=texts,
    reasoning_content=texts,
    reasoning_opaque=texts,
    reasoning_details=st.lists(some(type=texts, index=indexes, text=texts), max_size=2),
    tool_calls=st.lists(calls, max_size=3),
    function_call=some(name=st.just("old"), arguments=arguments),
    annotations=st.lists(some(type=texts, url_citation=some(url=texts)), max_size=2),
)
choices = some(
    index=st.integers(0, 2),
    delta=deltas,
    finish_reason=st.sampled_from([None, "stop", "tool_calls", "length", "content_filter", "other"]),
)
counts = some(prompt_tokens=st.integers(), completion_tokens=st.integers(), prompt_tokens_details=junk)
chunks = some(id=texts, model=texts, choices=st.lists(choices, max_size=3), usage=counts)

items = some(
    type=st.sampled_from(["message", "reasoning", "function_call", "web_search_call", "tool_use"]),
    id=st.sampled_from(["i0", "i1", "i2"]),
    call_id=texts,
    name=st.sampled_from(["find", "read"]),
    arguments=arguments,
    phase=texts,
    content=st.lists(some(type=texts, text=texts, refusal=texts, annotations=junk), max_size=2),
    summary=st.lists(some(text=texts), max_size=2),
    encrypted_content=texts,
)
EVENTS = [
    "created",
    "in_progress",
    "output_item.added",
    "output_item.done",
    "output_text.delta",
    "output_text.done",
    "output_text.annotation.added",
    "refusal.delta",
    "refusal.done",
    "reasoning_summary_text.delta",
    "reasoning_text.delta",
    "function_call_arguments.delta",
    "function_call_arguments.done",
    "web_search_call.searching",
    "completed",
    "incomplete",
    "no.such.event",
]
events = some(
    type=st.sampled_from([f"response.{name}" for name in EVENTS]),
    sequence_number=st.integers(0, 20),
    output_index=st.integers(0, 3),
    item_id=st.sampled_from(["i0", "i1", "i2"]),
    content_index=st.integers(0, 2),
    summary_index=st.integers(0, 2),
    item=items,
    delta=texts | arguments,
    text=texts,
    refusal=texts,
    arguments=arguments,
    annotation=some(type=texts, url=texts),
    response=some(
        id=texts,
        model=texts,
        output=st.lists(items, max_size=3),
        usage=junk,
        incomplete_details=some(reason=texts),
    ),
)


def written(values: list[Json], done: bool) -> bytes:
    lines = [b"data: " + json.dumps(value).encode() + b"\n\n" for value in values]
    return b"".join(lines) + (b"data: [DONE]\n\n" if done else b"")


def outcome(reader: WireReader, whole: bytes, cuts: list[int]) -> tuple[list[StreamEvent], str]:
    places = [0, *sorted({cut % (len(whole) + 1) for cut in cuts}), len(whole)]
    found: list[StreamEvent] = []
    for begin, end in itertools.pairwise(places):
        found += reader.feed(whole[begin:end])
    found += reader.close()
    assert reader.failure is None or isinstance(reader.failure, ProviderError)
    return found, str(reader.failure)


def must_fold(found: list[StreamEvent]) -> None:
    """The laws of a stream: one block open at a time, indexes dense, text that can be stored."""
    folding, opened, blocks = Fold(), None, 0
    for event in found:
        folding.apply(event)
        if event["type"] == "content_block_start":
            assert (opened, event["index"]) == (None, blocks)
            opened, blocks = event["index"], blocks + 1
        elif event["type"] == "content_block_delta":
            assert event["index"] == opened
        elif event["type"] == "content_block_stop":
            assert event["index"] == opened
            opened = None
        elif event["type"] == "message_delta":
            assert opened is None
    ids = [block["id"] for block in folding.blocks() if block["type"] == "tool_use"]
    assert len(ids) == len(set(ids))
    for text in strings(found):
        text.encode()
        assert "\0" not in text


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *strings(item))


cut_places = st.lists(st.integers(0, 5000), max_size=5)


@generated
@given(st.lists(chunks, max_size=8), st.booleans(), cut_places, st.booleans())
def test_chat_chunks_of_any_kind(values: list[Json], done: bool, cuts: list[int], stops: bool) -> None:
    def reader() -> ChatReader:
        return ChatReader(Assembly(model="m", stop_sequences=["STOP", "OP"] if stops else ()))

    whole = written([{**value, "id": "chat-1"} for value in values], done)
    found = outcome(reader(), whole, [])
    must_fold(found[0])
    assert outcome(reader(), whole, cuts) == found


@generated
@given(st.lists(events, max_size=10), cut_places, st.booleans())
def test_response_events_of_any_kind(values: list[Json], cuts: list[int], stops: bool) -> None:
    def reader() -> ResponsesReader:
        return ResponsesReader(Assembly(model="m", stop_sequences=["STOP", "OP"] if stops else ()))

    begin = {"type": "response.created", "response": {"id": "resp_1"}}
    whole = written([begin, *values], False)
    found = outcome(reader(), whole, [])
    must_fold(found[0])
    assert outcome(reader(), whole, cuts) == found


@generated
@given(st.lists(events, max_size=6))
def test_a_whole_response_of_any_kind(values: list[Json]) -> None:
    for value in values:
        reader = ResponsesReader()
        must_fold(reader.whole(json.dumps(value.get("response")).encode()))
        assert reader.ended or isinstance(reader.failure, ProviderError)


@generated
@given(st.lists(chunks, max_size=6))
def test_a_whole_completion_of_any_kind(values: list[Json]) -> None:
    for value in values:
        reader = ChatReader()
        must_fold(reader.whole(json.dumps(value).encode()))
        assert reader.ended or isinstance(reader.failure, ProviderError)


@generated
@given(st.binary(max_size=200), cut_places)
def test_bytes_of_any_kind(whole: bytes, cuts: list[int]) -> None:
    for kind in (ChatReader, ResponsesReader):
        must_fold(outcome(kind(), whole, cuts)[0])
        must_fold(outcome(kind(), b"data: " + whole, cuts)[0])


@generated
@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(['{"a"', ":", "[1", ",2", "]", "}"])), max_size=30)
)
def test_interleaved_calls_get_their_own_input(pieces: list[tuple[int, str]]) -> None:
    """However the pieces of three calls are mixed, each call's input is its own pieces in their order."""
    start = [
        {"index": n, "id": f"call_{n}", "function": {"name": f"tool_{n}", "arguments": ""}} for n in range(3)
    ]
    told = [{"tool_calls": start}]
    told += [{"tool_calls": [{"index": n, "function": {"arguments": part}}]} for n, part in pieces]
    values: list[Json] = [{"id": "c", "choices": [{"index": 0, "delta": delta}]} for delta in told]
    values.append({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    found, failure = outcome(ChatReader(), written(values, True), [])
    assert failure == "None"
    must_fold(found)
    for n in range(3):
        parts = [
            event["delta"]["partial_json"]
            for event in found
            if event["type"] == "content_block_delta" and event["index"] == n
        ]
        assert "".join(parts) == "".join(part for call, part in pieces if call == n)


@generated
@given(st.lists(texts, max_size=10), st.integers(1, 3))
def test_text_up_to_the_first_stop_sequence(parts: list[str], size: int) -> None:
    """Searched piece by piece, the text ends where the whole would be cut."""
    stops = ["STOP", "OP", "aa"][:size]
    plain = [part for part in parts if part.isascii() and "\0" not in part]
    assembly = Assembly(stop_sequences=stops)
    for part in plain:
        assembly.text("t", part)
    assembly.end("end_turn")
    folding = Fold()
    for event in assembly.take():
        folding.apply(event)
    whole = "".join(plain)
    places = [place for stop in stops if (place := whole.find(stop)) >= 0]
    got = "".join(block["text"] for block in folding.blocks())
    reason = folding.message["stop_reason"]
    if not places:
        assert (got, reason) == (whole, "end_turn")
    else:
        assert reason == "stop_sequence"
        assert whole.startswith(got + folding.message["stop_sequence"])
        assert not any(stop in got for stop in stops)
