"""The fold against made-up streams: tests/vectors/fold.json, which the browser's fold is run against too.

A case holds `events`; the `message` that they fold to; `state_after`: the state after the first N events, by
N as text; and, where the order is broken, `breaks_at`: the place of the event that is refused (`message` is
then what came before it).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import errors
from providers.fold import Fold, fold
from tests.providers.generated import generated
from tests.providers.loopback import STOP, block, end, hello, start, stop, text

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "fold.json").read_text("utf-8")
)
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])


@each_vector
def test_a_vector_folds_to_its_message_and_states(vector: dict[str, Any]) -> None:
    folding = Fold()
    states = vector["state_after"]
    for place, event in enumerate(vector["events"]):
        if place == vector.get("breaks_at"):
            with pytest.raises(errors.ProtocolError):
                folding.apply(event)
            break
        folding.apply(event)
        assert folding.state() == states.get(str(place + 1), folding.state())
    assert folding.message == vector["message"]


@each_vector
def test_a_vector_resumed_at_each_state_goes_on(vector: dict[str, Any]) -> None:
    for place, state in vector["state_after"].items():
        resumed = Fold.resume(json.loads(json.dumps(state)))
        for event in vector["events"][int(place) : vector.get("breaks_at")]:
            resumed.apply(event)
        assert resumed.message == vector["message"]


@each_vector
def test_folding_never_changes_the_events(vector: dict[str, Any]) -> None:
    before = json.dumps(vector["events"])
    folding = Fold()
    for event in vector["events"][: vector.get("breaks_at")]:
        folding.apply(event)
    assert json.dumps(vector["events"]) == before


def test_a_message_once_looked_at_does_not_change() -> None:
    folding = Fold()
    looks = []
    for event in hello():
        folding.apply(event)
        looks.append(
            (folding.message, json.dumps(folding.message), folding.state(), json.dumps(folding.state()))
        )
    assert all(json.dumps(message) == shown for message, shown, _, _ in looks)
    assert all(json.dumps(state) == shown for _, _, state, shown in looks)


@generated
@given(st.lists(st.text(max_size=8), max_size=40), st.lists(st.booleans(), min_size=40, max_size=40))
def test_merging_neighbouring_deltas_changes_nothing(parts: list[str], joins: list[bool]) -> None:
    merged: list[str] = []
    for part, joined in zip(parts, joins, strict=False):
        if merged and joined:
            merged[-1] += part
        else:
            merged.append(part)

    def whole(texts: list[str]) -> Any:
        return fold([start(), block(0), *[text(0, part) for part in texts], stop(0), end(), STOP])

    assert whole(parts) == whole(merged)


def test_a_hundred_thousand_deltas_fold_in_linear_time() -> None:
    folding = Fold()
    folding.apply(start())
    folding.apply(block(0))
    for _ in range(100_000):
        folding.apply(text(0, "word "))
    [whole] = folding.blocks()
    assert len(whole["text"]) == 500_000


def test_a_stream_without_its_stop_event_is_interrupted_and_keeps_its_text() -> None:
    with pytest.raises(errors.InterruptedStream) as caught:
        fold(hello()[:4])
    assert caught.value.partial is not None
    assert caught.value.partial["content"] == [{"type": "text", "text": "Hello, you"}]


def test_an_error_event_is_raised_as_its_type() -> None:
    with pytest.raises(errors.Overloaded, match="busy"):
        fold([*hello()[:3], {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}])


def call(place: int, *fragments: str, ended: bool = True) -> list[dict[str, Any]]:
    began = block(place, "tool_use", id=f"toolu_{place}", name="weigh", input={})
    deltas = [
        {
            "type": "content_block_delta",
            "index": place,
            "delta": {"type": "input_json_delta", "partial_json": part},
        }
        for part in fragments
    ]
    return [began, *deltas, *([stop(place)] if ended else [])]


@pytest.mark.parametrize(
    ("events", "runs"),
    [
        ([*call(0, '{"n":1}'), *call(1), end("tool_use"), STOP], ["toolu_0", "toolu_1"]),
        ([*call(0, '{"n":1}'), *call(1, '{"n":'), end("tool_use"), STOP], ["toolu_0"]),
        ([*call(0, '{"n":1}'), end("max_tokens"), STOP], []),
        ([*call(0, '{"n":1}'), end("refusal"), STOP], []),
        ([*call(0, '{"n":1}'), end("tool_use")], []),
        ([*call(0, '{"n":1}', ended=False), end("tool_use"), STOP], []),
        (
            [
                block(0, "server_tool_use", id="srvtoolu_0", name="web_search", input={}),
                stop(0),
                end("tool_use"),
                STOP,
            ],
            [],
        ),
    ],
    ids=["whole", "cut input", "at max_tokens", "refused", "interrupted", "still open", "the vendor's own"],
)
def test_only_whole_calls_of_a_message_that_stopped_for_them_can_be_run(
    events: list[dict[str, Any]], runs: list[str]
) -> None:
    folding = Fold()
    for event in [start(), *events]:
        folding.apply(event)
    assert [call["id"] for call in folding.runnable()] == runs


def test_usage_is_read_from_the_message() -> None:
    folding = Fold()
    assert folding.usage.estimated
    for event in hello():
        folding.apply(event)
    assert (folding.usage.input_tokens, folding.usage.output_tokens) == (3, 9)
    assert not folding.usage.estimated


odd: st.SearchStrategy[Any] = st.sampled_from([None, 5, "", "a", [], {}, {"type": 5}])
kinds = st.sampled_from(["text", "tool_use", "thinking", "odd"])
deltas = st.sampled_from(["text", "thinking", "input_json", "signature", "citations", "compaction"])
events_of_any_kind: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
            ]
        ),
        "index": st.sampled_from([0, 1, 2, -1, None, "0"]),
        "message": odd | st.just({"content": [{"type": "text"}]}) | st.just({"content": [{}]}),
        "content_block": odd | kinds.map(lambda kind: {"type": kind, "input": {}, "text": 5}),
        "delta": odd
        | st.tuples(deltas, odd).map(
            lambda pair: {
                "type": f"{pair[0]}_delta",
                **dict.fromkeys(["text", "thinking", "partial_json", "signature", "citation"], pair[1]),
            }
        ),
        "usage": odd,
    }
)


@generated
@given(st.lists(events_of_any_kind, max_size=12))
def test_whatever_comes_is_folded_or_refused_by_name(events: list[dict[str, Any]]) -> None:
    folding = Fold()
    for event in [start(), *events]:
        try:
            folding.apply(event)
        except errors.ProtocolError:
            return
        state = json.dumps(folding.state())
        assert json.dumps(Fold.resume(json.loads(state)).state()) == state
