"""Faults of a stream: what a caller sees on the wire, and that the simulator forgets nobody."""

import json
import zlib
from typing import Any

import pytest

from tests.simulator.conftest import Caller, Serve, decoded, directive, joined_text


def kinds(body: bytes) -> list[str]:
    return [event["type"] for event in decoded(body)]


async def test_an_error_event_ends_the_stream(caller: Caller) -> None:
    wire = await caller.wire(directive(deltas=9, error_event_after=4, error="api_error", message="Broken."))
    events = decoded(wire.body)
    assert wire.ended and len(events) == 5
    assert events[-1]["error"] == {"type": "api_error", "message": "Broken."}
    assert events[-1]["request_id"] in wire.head


async def test_an_error_event_may_be_the_first(caller: Caller) -> None:
    events = await caller.events(directive(error_event_after=0))
    assert [event["type"] for event in events] == ["error"]
    assert events[0]["error"]["type"] == "overloaded_error"


async def test_a_cut_ends_the_connection_but_not_the_body(caller: Caller) -> None:
    wire = await caller.wire(directive(deltas=9, cut_after=4))
    assert not wire.ended and not wire.reset
    assert kinds(wire.body) == ["message_start", "content_block_start", *["content_block_delta"] * 2]
    assert (await caller.stats("streams_broken:1"))["counts"]["streams_open"] == 0


async def test_a_cut_may_fall_inside_an_event(caller: Caller) -> None:
    wire = await caller.wire(directive(deltas=9, cut_bytes=700))
    assert len(wire.body) == 700 and not wire.ended


async def test_a_reset_is_a_reset(caller: Caller) -> None:
    reader, writer, _ = await caller.connect(directive(deltas=9, reset_after=4))
    with pytest.raises(ConnectionResetError):
        while await reader.read(65536):
            pass
    writer.close()
    await caller.stats("streams_broken:1")


async def test_a_hanging_stream_ends_when_its_caller_leaves(caller: Caller) -> None:
    reader, writer, _ = await caller.connect(directive(deltas=9, hang_after=4))
    await reader.readuntil(b"w1 ")
    assert (await caller.stats())["counts"]["streams_open"] == 1
    writer.close()
    assert (await caller.stats("streams_cancelled:1"))["counts"]["streams_open"] == 0


async def test_after_the_stop_event_the_connection_can_stay_open(caller: Caller) -> None:
    reader, writer, _ = await caller.connect(directive(text="x", stop_then_hold=True))
    await reader.readuntil(b'"message_stop"}\n\n')
    assert (await caller.stats())["counts"]["streams_open"] == 1
    writer.close()
    await caller.stats("streams_cancelled:1")


async def test_pings_go_on_while_a_stream_hangs(caller: Caller) -> None:
    reader, writer, _ = await caller.connect(directive(deltas=9, hang_after=4, ping_every=0.01))
    for _ in range(3):
        await reader.readuntil(b"event: ping\n")
    writer.close()
    await caller.stats("streams_cancelled:1")


async def test_pings_between_events(caller: Caller) -> None:
    wire = await caller.wire(directive(deltas=4, ping_events=2))
    found = kinds(wire.body)
    assert found.count("ping") == 4 and found[2] == "ping" and found[-1] == "message_stop"


async def test_an_endless_stream_goes_on_until_its_caller_leaves(caller: Caller) -> None:
    reader, writer, _ = await caller.connect(directive(deltas=-1, rate=2000))
    await reader.readuntil(b"w300 ")
    writer.close()
    await caller.stats("streams_cancelled:1")


async def test_an_endless_stream_without_pauses_leaves_others_their_turn(caller: Caller) -> None:
    reader, writer, _ = await caller.connect(directive(deltas=-1))
    await reader.readuntil(b"w100 ")
    assert joined_text(await caller.events(directive(text="me too"))) == "me too"
    writer.close()
    await caller.stats("streams_cancelled:1")


async def test_a_gate_holds_the_stream_until_it_is_opened(caller: Caller) -> None:
    reader, writer, _ = await caller.connect(directive(text="one two", deltas=2, gates={"middle": 3}))
    await reader.readuntil(b'"one"')
    assert (await caller.stats("waiting.middle:1"))["counts"]["streams_open"] == 1
    await caller.http.post("/_simulator/gates/middle")
    await reader.readuntil(b'"message_stop"')
    assert (await caller.stats("streams_finished:1"))["counts"]["waiting.middle"] == 0
    writer.close()
    assert (await caller.ask(directive(text="x", gates={"middle": 1}))).status_code == 200, "it stays open"


async def test_a_caller_may_leave_at_a_gate(caller: Caller) -> None:
    _, writer, _ = await caller.connect(directive(deltas=4, gates={"first": 0}, ping_every=0.01))
    await caller.stats("waiting.first:1")
    writer.close()
    await caller.stats("streams_cancelled:1")


async def test_a_caller_may_leave_before_the_answer_begins(caller: Caller) -> None:
    _, writer = await caller.send(directive(text="x", header_delay=600))
    await caller.stats("requests:1")
    writer.close()
    assert (await caller.stats("left_early:1"))["counts"].get("streams_started", 0) == 0


async def test_delays_hold_back_the_head_and_the_first_delta(caller: Caller) -> None:
    answer = await caller.ask(directive(text="x", header_delay=0.05, first_delay=0.05))
    assert answer.elapsed.total_seconds() >= 0.1
    refused = await caller.ask(directive(status=500, header_delay=0.05))
    assert refused.elapsed.total_seconds() >= 0.05


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({"duplicate": 3}, ["w0 ", "w0 ", "w1 ", "w2 "]),
        ({"reorder": 3}, ["w1 ", "w0 ", "w2 "]),
        ({"late": "message"}, ["w0 ", "w1 ", "w2 ", "late"]),
        ({"late": "block"}, ["w0 ", "w1 ", "w2 ", "late"]),
    ],
)
async def test_events_come_twice_late_or_in_the_wrong_order(
    caller: Caller, fields: dict[str, Any], after: list[str]
) -> None:
    events = await caller.events(directive(deltas=3, **fields))
    assert [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"] == after
    assert (events[-1]["type"] == "message_stop") is (fields.get("late") != "message")


async def test_unknown_events_are_mixed_in(caller: Caller) -> None:
    events = await caller.events(directive(deltas=3, unknown=["event", "delta", "field"], after=3))
    assert [event["type"] for event in events[3:6]] == ["weather_report", "content_block_delta", "ping"]
    assert joined_text([event for event in events if event.get("delta", {}).get("type") != "colour_delta"])


@pytest.mark.parametrize(("newline", "ending"), [("crlf", b"\r\n"), ("cr", b"\r")])
async def test_lines_may_end_otherwise(caller: Caller, newline: str, ending: bytes) -> None:
    wire = await caller.wire(directive(text="some text", newline=newline))
    assert wire.body.count(ending * 2) == len(decoded(wire.body)) > 5
    assert b"\n" not in wire.body.replace(ending, b"")
    assert joined_text(decoded(wire.body)) == "some text"


@pytest.mark.parametrize("chunk", [1, 7, "random"])
async def test_bytes_may_be_handed_over_in_odd_pieces(caller: Caller, chunk: int | str) -> None:
    wire = await caller.wire(directive(text="Ghent, Liège, 東京, 🙂", chunk=chunk, seed=4))
    assert joined_text(decoded(wire.body)) == "Ghent, Liège, 東京, 🙂"
    writes = (await caller.stats())["counts"]["writes"]
    assert writes > len(wire.body) / 42


async def test_bytes_that_are_no_text(caller: Caller) -> None:
    wire = await caller.wire(directive(text="x", garbage="bad_utf8"))
    with pytest.raises(UnicodeDecodeError):
        wire.body.decode()
    assert wire.ended


async def test_an_event_that_is_no_json(caller: Caller) -> None:
    wire = await caller.wire(directive(text="x", garbage="bad_json", after=1))
    with pytest.raises(json.JSONDecodeError):
        decoded(wire.body)


async def test_an_event_of_any_size(caller: Caller) -> None:
    wire = await caller.wire(directive(text="x", garbage="giant_event", size=3_000_000))
    assert max(len(event.get("delta", {}).get("text", "")) for event in decoded(wire.body)) == 3_000_000


async def test_a_page_in_place_of_a_stream(caller: Caller) -> None:
    answer = await caller.ask(directive(garbage="html_200"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")


async def test_nothing_in_place_of_a_stream(caller: Caller) -> None:
    answer = await caller.ask(directive(garbage="empty_200"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_a_whole_message_in_place_of_a_stream(caller: Caller) -> None:
    answer = await caller.ask(directive(text="Whole", garbage="json_200"))
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["content"][0]["text"] == "Whole"


async def test_a_small_body_that_unpacks_to_a_large_one(caller: Caller) -> None:
    wire = await caller.wire(directive(garbage="gzip", size=5_000_000))
    assert "content-encoding: gzip" in wire.head and len(wire.body) < 50_000
    assert len(zlib.decompress(wire.body, wbits=31)) > 5_000_000


async def test_many_callers_who_leave_are_all_counted(serve: Serve) -> None:
    caller = await serve(scripted=True)
    connections = [await caller.connect(directive(deltas=-1, rate=50)) for _ in range(60)]
    await caller.stats("streams_open:60")
    for _, writer, _ in connections:
        writer.close()
    counts = (await caller.stats("streams_cancelled:60"))["counts"]
    assert counts["streams_open"] == 0 and counts["connections"] == 61


async def test_waiting_for_a_count_that_does_not_come_ends_with_a_timeout(caller: Caller) -> None:
    answer = await caller.http.get(
        "/_simulator/stats", params={"wait": "streams_started:1", "timeout": "0.01"}
    )
    assert answer.status_code == 504
    for query in ("wait=x", "wait=x:y", "wait=x:1&timeout=soon"):
        assert (await caller.http.get(f"/_simulator/stats?{query}")).status_code == 400
