"""Chat Completions as servers really speak it, read into Anthropic's events."""

from __future__ import annotations

from typing import Any

import pytest

from providers.assembly import Assembly, vendor_id
from providers.envelope import Origin
from providers.errors import InterruptedStream, ProtocolError
from providers.openai_chat import ChatReader
from providers.types import Block, Json, Usage
from tests.providers.openai_answers import DONE, USAGE, chunk, data
from tests.providers.openai_calls import read


def call(index: int | None = 0, /, **fields: Any) -> Json:
    """A piece of a tool call; `name` and `arguments` are its function's."""
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return {**({} if index is None else {"index": index}), "function": function, **fields}


def calling(*pieces: Json) -> list[Block]:
    """The blocks of an answer in which each of these pieces comes in a chunk of its own."""
    chunks = [chunk(tool_calls=[piece]) for piece in pieces]
    message = read(ChatReader(), *chunks, chunk("tool_calls"), DONE)
    assert message["stop_reason"] == "tool_use"
    return list(message["content"])


def tool(name: str, value: Json, call_id: str) -> Block:
    return {"type": "tool_use", "id": call_id, "name": name, "input": value}


def test_empty_pieces_open_no_block() -> None:
    nothing = [chunk(role="assistant", content=""), chunk(content=None), chunk(tool_calls=None), chunk()]
    message = read(ChatReader(), *nothing, chunk("stop"), DONE)
    assert (message["content"], message["stop_reason"]) == ([], "end_turn")


def test_two_calls_that_interleave() -> None:
    assert calling(
        call(0, id="a", name="one", arguments='{"x"'),
        call(1, id="b", name="two", arguments='{"y"'),
        call(0, arguments=":1}"),
        call(1, arguments=":2}"),
    ) == [tool("one", {"x": 1}, "a"), tool("two", {"y": 2}, "b")]


def test_calls_without_an_index() -> None:
    assert calling(
        call(None, id="a", name="one", arguments='{"x":'),
        call(None, arguments="1}"),
        call(None, id="b", name="two", arguments="{}"),
        call(None, id="b", name="two", arguments=" "),
    ) == [tool("one", {"x": 1}, "a"), tool("two", {}, "b")]


def test_calls_that_all_have_the_same_index() -> None:
    assert calling(
        call(0, id="a", name="one", arguments="{}"), call(0, id="b", name="two", arguments="{}")
    ) == [tool("one", {}, "a"), tool("two", {}, "b")]


def test_ids_and_names_that_are_repeated_or_changed_midway() -> None:
    assert calling(
        call(0, id="a", name="one", arguments='{"x":'),
        call(0, id="a", name="one", arguments="1"),
        call(0, id="other", name=None, arguments="}"),
        call(0, id="", name="", arguments=""),
    ) == [tool("one", {"x": 1}, "a")]


def test_a_name_that_comes_after_the_arguments() -> None:
    assert calling(call(0, id="a", arguments='{"x":'), call(0, name="one", arguments="1}")) == [
        tool("one", {"x": 1}, "a")
    ]


def test_arguments_as_an_object() -> None:
    assert calling(call(0, id="a", name="one", arguments={"x": "é"})) == [tool("one", {"x": "é"}, "a")]


def test_whole_calls_in_one_chunk_that_also_finishes() -> None:
    calls = [call(0, id="a", name="one", arguments="{}"), call(1, id="b", name="two", arguments="")]
    message = read(ChatReader(), chunk("stop", content="So:", tool_calls=calls), USAGE)
    assert message["content"] == [
        {"type": "text", "text": "So:"},
        tool("one", {}, "a"),
        tool("two", {}, "b"),
    ]
    assert message["stop_reason"] == "tool_use"


def test_a_call_of_before_there_were_tools() -> None:
    first = chunk(function_call={"name": "one", "arguments": '{"x"'})
    message = read(
        ChatReader(), first, chunk(function_call={"arguments": ":1}"}), chunk("function_call"), DONE
    )
    [block] = message["content"]
    assert (block["name"], block["input"]) == ("one", {"x": 1})
    assert message["stop_reason"] == "tool_use"


def test_ids_that_are_missing_or_twice_there_are_made() -> None:
    ids = [
        block["id"]
        for block in calling(
            call(0, name="one", arguments="{}"),
            call(1, name="one", arguments="{}", id="a"),
            call(2, name="one", arguments="{}", id="a"),
        )
    ]
    assert len(set(ids)) == 3
    assert ids[1] == "a"
    assert all(made.replace("_", "").isalnum() for made in ids)


def test_an_id_that_anthropics_wire_does_not_take_is_mapped_and_mapped_back() -> None:
    [block] = calling(call(0, id="functions.one:0", name="one", arguments="{}"))
    assert block["id"].replace("_", "").replace("-", "").isalnum()
    assert vendor_id(block["id"]) == "functions.one:0"
    assert vendor_id("toolu_1") == "toolu_1"
    assert vendor_id("parley_!") == "parley_!"


def test_a_call_without_a_name_is_a_protocol_error() -> None:
    reader = ChatReader()
    read(reader, chunk(tool_calls=[call(0, id="a", arguments="{}")]), chunk("tool_calls"), DONE)
    assert isinstance(reader.failure, ProtocolError)


def test_a_cut_call_is_not_runnable() -> None:
    message = read(
        ChatReader(),
        chunk(tool_calls=[call(0, id="a", name="o", arguments='{"x": "y')]),
        chunk("length"),
        DONE,
    )
    assert message["stop_reason"] == "max_tokens"
    assert message["content"] == [tool("o", {}, "a")]


def test_text_and_calls_in_choices_of_their_own_are_one_answer() -> None:
    first = chunk("tool_calls", content="Let me see.")
    second = chunk("tool_calls", tool_calls=[call(0, id="a", name="one", arguments="{}")])
    second["choices"][0]["index"] = 1
    message = read(ChatReader(), first, second)
    assert message["content"] == [{"type": "text", "text": "Let me see."}, tool("one", {}, "a")]
    assert message["stop_reason"] == "tool_use"


def test_an_answer_whose_choices_have_not_all_ended_is_cut() -> None:
    second = chunk(content="b")
    second["choices"][0]["index"] = 1
    reader = ChatReader()
    read(reader, chunk("stop", content="a"), second)
    assert isinstance(reader.failure, InterruptedStream)


def test_choices_null_and_chunks_of_other_matters() -> None:
    others: list[Json] = [
        {"choices": [], "id": "", "model": "", "prompt_filter_results": []},
        {"choices": None, "copilot_references": []},
        {"id": "chat-1", "choices": [None, {"index": 0, "delta": None}]},
    ]
    message = read(ChatReader(), *others, chunk(content="x"), chunk("stop"), DONE)
    assert (message["id"], message["model"]) == ("chat-1", "")
    assert message["content"] == [{"type": "text", "text": "x"}]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "reasoning_text"])
def test_reasoning_becomes_thinking_under_each_of_its_names(name: str) -> None:
    told = [chunk(**{name: "Let"}), chunk(**{name: " me"}), chunk(content="x"), chunk("stop")]
    message = read(ChatReader(), *told, DONE)
    thinking, text = message["content"]
    assert (thinking["type"], thinking["thinking"]) == ("thinking", "Let me")
    assert Origin(provider="openai").open(thinking["signature"]) == {"field": name}
    assert text == {"type": "text", "text": "x"}


def test_reasoning_sent_under_two_names_is_not_doubled() -> None:
    message = read(ChatReader(), chunk(reasoning="a", reasoning_content="a"), chunk("stop"), DONE)
    assert [block["thinking"] for block in message["content"]] == ["a"]


def test_an_opaque_string_that_comes_late_gets_a_block_of_its_own() -> None:
    calls = [call(0, id="a", name="one", arguments="{}")]
    told = [chunk(reasoning_text="t"), chunk(content="x"), chunk(reasoning_opaque="seal", tool_calls=calls)]
    message = read(ChatReader(), *told, chunk("tool_calls"))
    assert [block["type"] for block in message["content"]] == ["thinking", "text", "thinking", "tool_use"]
    late = message["content"][2]
    assert late["thinking"] == ""
    assert Origin(provider="openai").open(late["signature"]) == {"opaque": "seal"}


def test_details_of_reasoning_are_gathered_and_sealed() -> None:
    pieces = [
        [{"type": "reasoning.text", "index": 0, "text": "a", "signature": None}],
        [{"type": "reasoning.text", "index": 0, "text": "b", "signature": "s"}],
        [{"type": "reasoning.encrypted", "index": 1, "data": "x"}],
    ]
    told = [chunk(reasoning="ab" if n == 0 else None, reasoning_details=d) for n, d in enumerate(pieces)]
    message = read(ChatReader(), *told, chunk("stop"), DONE)
    [thinking] = message["content"]
    assert Origin(provider="openai").open(thinking["signature"]) == {
        "field": "reasoning",
        "details": [
            {"type": "reasoning.text", "index": 0, "text": "ab", "signature": "s"},
            {"type": "reasoning.encrypted", "index": 1, "data": "x"},
        ],
    }


def test_content_in_parts() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "x"},
        {"type": "reference", "reference_ids": [1]},
    ]
    message = read(ChatReader(), chunk(content=parts), chunk("stop"), DONE)
    assert [block.get("thinking") or block.get("text") for block in message["content"]] == ["hm", "x"]


def test_a_refusal_is_text_and_a_stop_reason() -> None:
    message = read(ChatReader(), chunk(refusal="I "), chunk(refusal="won't."), chunk("stop"), DONE)
    assert message["content"] == [{"type": "text", "text": "I won't."}]
    assert message["stop_reason"] == "refusal"
    assert message["stop_details"] == {"type": "refusal", "category": None, "explanation": "I won't."}


def test_a_filtered_answer_is_a_refusal() -> None:
    message = read(ChatReader(), chunk(content="x"), chunk("content_filter"), DONE)
    assert message["stop_reason"] == "refusal"
    assert message["stop_details"]["explanation"] is None


def test_an_unknown_finish_is_passed_on() -> None:
    assert read(ChatReader(), chunk(content="x"), chunk("eos"), DONE)["stop_reason"] == "eos"


def test_a_stop_sequence_that_the_server_names() -> None:
    told = chunk("stop")
    told["choices"][0]["stop_reason"] = "END"
    message = read(ChatReader(stop_sequences=["END"]), chunk(content="x"), told, DONE)
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "END")


def test_annotations_are_citations() -> None:
    source = {"url": "https://a.example/", "title": "A", "start_index": 0, "end_index": 1}
    told = chunk(annotations=[{"type": "url_citation", "url_citation": source}])
    message = read(ChatReader(), chunk(content="x"), told, chunk("stop"), DONE)
    [text] = message["content"]
    assert text["citations"] == [{"type": "url_citation", **source}]


def test_sources_beside_the_answer_are_citations() -> None:
    told = {**chunk("stop", content="x [1]"), "citations": ["https://a.example/"]}
    [text] = read(ChatReader(), told, DONE)["content"]
    assert text["citations"] == [{"type": "url_citation", "url": "https://a.example/"}]
    told["search_results"] = [{"title": "A", "url": "https://a.example/"}]
    [text] = read(ChatReader(), told, DONE)["content"]
    assert text["citations"] == [{"type": "url_citation", "url": "https://a.example/", "title": "A"}]


USAGES: list[tuple[Json, Json]] = [
    ({"prompt_tokens": 9, "completion_tokens": 5}, {"input_tokens": 9, "output_tokens": 5}),
    (
        {
            "prompt_tokens": 90,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 20},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        {
            "input_tokens": 6,
            "cache_read_input_tokens": 64,
            "cache_creation_input_tokens": 20,
            "output_tokens": 5,
            "output_tokens_details": {"thinking_tokens": 3},
        },
    ),
    (
        {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 20}},
        {"cache_read_input_tokens": 20, "output_tokens": 5},
    ),
    (
        {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 21, "reasoning_tokens": 7},
        {"input_tokens": 9, "output_tokens": 12, "output_tokens_details": {"thinking_tokens": 7}},
    ),
    ({"prompt_tokens": -9, "completion_tokens": "5"}, {}),
    ({"prompt_tokens": float("nan"), "completion_tokens": 10**12}, {}),
    ({"prompt_tokens": True, "completion_tokens": 5.5}, {}),
    ({}, {}),
]


@pytest.mark.parametrize(("vendor", "ours"), USAGES)
def test_usage_is_told_in_our_words_and_never_made_up(vendor: Json, ours: Json) -> None:
    usage = {"id": "c", "choices": [], "usage": vendor}
    message = read(ChatReader(), chunk(content="x"), chunk("stop"), usage, DONE)
    assert message["usage"] == ours
    assert Usage.from_json(message["usage"]).estimated == ("input_tokens" not in ours)


def test_the_latest_usage_counts_and_is_not_summed() -> None:
    first: Json = {"id": "c", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}
    message = read(ChatReader(), first, chunk(content="x"), chunk("stop"), first, USAGE, USAGE, DONE)
    assert message["usage"] == {"input_tokens": 9, "output_tokens": 5}


def test_text_is_cleaned_across_pieces() -> None:
    pieces = ["a\0b", "\ud83d", "\ude42", "\ud83d", "c"]
    message = read(ChatReader(), *(chunk(content=piece) for piece in pieces), chunk("stop"), DONE)
    assert message["content"] == [{"type": "text", "text": "ab\U0001f642\ufffdc"}]


def test_long_names_come_back_whole() -> None:
    reader = ChatReader(Assembly(names={"short_1": "a.long/name"}))
    told = chunk(tool_calls=[call(0, id="a", name="short_1", arguments="{}")])
    assert read(reader, told, chunk("tool_calls"), DONE)["content"] == [tool("a.long/name", {}, "a")]


def test_text_is_given_out_while_it_comes() -> None:
    reader = ChatReader()
    for piece in ("a", "b"):
        events = [event for part in data(chunk(content=piece)) for event in reader.feed(part)]
        assert events[-1]["delta"] == {"type": "text_delta", "text": piece}


def test_a_stop_sequence_holds_back_only_what_may_be_its_beginning() -> None:
    reader = ChatReader(Assembly(stop_sequences=["\n\nHuman:"]))
    given: list[str] = []
    for piece in ("Hi", " you\n", "\nand ", "me\n\nHu", "man: no"):
        for part in data(chunk(content=piece)):
            events = [event for event in reader.feed(part) if event["type"] == "content_block_delta"]
            given.append("".join(event["delta"]["text"] for event in events))
    assert given == ["Hi", " you", "\n\nand ", "me", ""]
    assert reader.ended
