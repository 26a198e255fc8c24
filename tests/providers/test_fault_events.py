"""Events that come otherwise than they should, and counts that cannot be, for every adapter on every wire.

The second half of the table of provider faults; test_faults.py is the first.
"""

from __future__ import annotations

import pytest

from providers import errors
from providers.types import Usage
from tests.providers.wires import TOOL, WIRES, Line, every_wire, streaming
from tests.providers.wires import line as line

# Events that come twice, late, in the wrong order, or that nobody knows


@pytest.mark.parametrize(
    ("kind", "after"),
    [("event", 1), ("event", 3), ("event", 5), ("delta", 3), ("delta", 5), ("field", 1), ("field", 4)],
)
@streaming
async def test_what_nobody_knows_changes_nothing(line: Line, kind: str, after: int) -> None:
    ended = await line.call(deltas=6, unknown=[kind], after=after)
    assert ended.error is None
    assert ended.text == "w0 w1 w2 w3 w4 w5 "


@pytest.mark.parametrize("place", ["block", "message"])
@streaming
async def test_a_late_piece_is_not_added_to_what_is_over(line: Line, place: str) -> None:
    ended = await line.call(deltas=3, late=place)
    if ended.error is None:
        assert ended.text in ("w0 w1 w2 ", "w0 w1 w2 late")
        assert "late" not in ended.text or place == "block", "nothing may follow the end"
    else:
        assert isinstance(ended.error, errors.ProtocolError)
    assert ended.text.count("w0 ") == 1


@pytest.mark.parametrize("number", range(1, 12))
@streaming
async def test_an_event_that_comes_twice_doubles_nothing(line: Line, number: int) -> None:
    """Two equal deltas without numbers are what a model sends that says a word twice: no reader can tell."""
    ended = await line.call(deltas=4, duplicate=number)
    if ended.error is not None:
        assert isinstance(ended.error, errors.ProtocolError)
        return
    said = ["w0 ", "w1 ", "w2 ", "w3 "]
    possible = {"".join(said)}
    if not line.wire.numbered:
        possible |= {"".join([*said[:at], said[at], *said[at:]]) for at in range(4)}
    assert ended.text in possible
    assert Usage.from_json(ended.fold.message["usage"]).output_tokens < 20


@pytest.mark.parametrize("number", range(1, 12))
@streaming
async def test_events_in_the_wrong_order_lose_and_double_nothing(line: Line, number: int) -> None:
    ended = await line.call(deltas=4, reorder=number)
    if ended.error is not None:
        assert isinstance(ended.error, errors.ProtocolError | errors.InterruptedStream)
        return
    assert ended.fold.complete
    if line.wire.numbered:
        assert ended.text == "w0 w1 w2 w3 "
    else:
        assert sorted(ended.text.split()) == ["w0", "w1", "w2", "w3"]


# Servers that speak the wire of Chat Completions otherwise


@pytest.mark.parametrize(
    "quirks",
    [
        ["no_done"],
        ["whole_call"],
        ["whole_call", "no_index"],
        ["repeat_name"],
        ["split_choices"],
        ["null_choices"],
        ["stop_with_calls"],
        ["no_done", "whole_call", "split_choices", "null_choices", "stop_with_calls"],
    ],
    ids="+".join,
)
@pytest.mark.parametrize("line", [wire for wire in WIRES if wire.api == "chat"], ids=str, indirect=True)
async def test_a_server_that_differs_is_understood(line: Line, quirks: list[str]) -> None:
    calls = [TOOL, TOOL | {"id": "call_2", "input": {"city": "Liège"}}]
    ended = await line.call(text="One moment.", tool_use=calls, quirks=quirks)
    assert ended.error is None and ended.text == "One moment."
    found = [block for block in ended.fold.message["content"] if block["type"] == "tool_use"]
    assert [call["input"] for call in found] == [{"city": "東京 🙂"}, {"city": "Liège"}]
    assert ended.fold.message["stop_reason"] == "tool_use"


# Counts that are none


@pytest.mark.parametrize("usage", ["missing", "negative", "nan", "text", "huge", "null"])
@every_wire
async def test_counts_that_are_none_are_doubtful(line: Line, usage: str) -> None:
    ended = await line.call(text="So it is.", usage=usage)
    assert ended.error is None and ended.text == "So it is."
    counted = Usage.from_json(ended.fold.message.get("usage"))
    assert counted.estimated
    numbers = [value for value in counted.to_json().values() if isinstance(value, int)]
    assert all(0 <= number < 10**8 for number in numbers)


@streaming
async def test_counts_that_are_repeated_count_once(line: Line) -> None:
    once = await line.call(text="So it is.", id="once")
    twice = await line.call(text="So it is.", id="then", usage_repeats=3)
    assert once.error is None and twice.error is None
    first, second = (Usage.from_json(ended.fold.message["usage"]) for ended in (once, twice))
    assert second.output_tokens == first.output_tokens
