"""Every recorded stream of Anthropic's API: folded as the vendor's SDK does, the same however it is cut."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import msgspec
import pytest

from providers.errors import InterruptedStream
from providers.event_reader import EventReader
from providers.fold import Fold, fold
from providers.replay import replay_file
from providers.sse import Decoder, ServerSentEvent, encode
from providers.types import StreamEvent
from tests.corpus import CORPUS, Recording, anthropic_streams, needs_corpus

SEED = 20261120
SMALL = 8 * 1024  # bytes; a smaller recording is cut everywhere
each_recording = pytest.mark.parametrize("recording", anthropic_streams(), ids=str)


def read(whole: bytes) -> list[StreamEvent]:
    reader = EventReader()
    events = reader.feed(whole) + reader.close()
    assert reader.failure is None
    return events


def decode(*pieces: bytes) -> list[ServerSentEvent]:
    decoder = Decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.close()


def without_nulls(value: Any) -> Any:
    """The oracle's form: what was never sent is absent or null there."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@each_recording
def test_the_fold_equals_the_sdks_message(recording: Recording) -> None:
    assert recording.read_by_sdk
    assert without_nulls(fold(read(recording.bytes()))) == without_nulls(recording.expected())


@needs_corpus
def test_a_replay_gives_the_message() -> None:
    for recording in anthropic_streams():
        replayed = replay_file("anthropic", recording.path)
        assert without_nulls(replayed["message"]) == without_nulls(recording.expected())


@needs_corpus
def test_a_whole_answer_sent_in_blocks_folds_to_itself() -> None:
    answers = [
        json.loads(path.read_text("utf-8")) for path in sorted(CORPUS.glob("anthropic-*.response.json"))
    ]
    messages = [answer for answer in answers if answer.get("type") == "message"]
    assert len(messages) > 30
    for message in messages:
        start = {**message, "content": [], "stop_reason": None}
        events: list[StreamEvent] = [{"type": "message_start", "message": start}]
        for index, block in enumerate(message["content"]):
            events.append({"type": "content_block_start", "index": index, "content_block": block})
            events.append({"type": "content_block_stop", "index": index})
        changes = {"stop_reason": message["stop_reason"]}
        events += [{"type": "message_delta", "delta": changes}, {"type": "message_stop"}]
        folded = fold(read(b"".join(encode(event) for event in events)))
        assert msgspec.json.encode(folded["content"]) == msgspec.json.encode(message["content"])
        assert without_nulls(folded) == without_nulls(message)


@each_recording
def test_one_byte_at_a_time_gives_the_same_events(recording: Recording) -> None:
    whole = recording.bytes()
    decoder = Decoder()
    events: list[ServerSentEvent] = []
    for position in range(len(whole)):
        events += decoder.feed(whole[position : position + 1])
    assert events + decoder.close() == decode(whole)


@each_recording
def test_a_cut_anywhere_gives_the_same_events(recording: Recording) -> None:
    whole = recording.bytes()
    uncut = decode(whole)
    for cut in range(1, len(whole)) if len(whole) <= SMALL else cuts(whole):
        assert decode(whole[:cut], whole[cut:]) == uncut, f"cut at {cut}"


def cuts(whole: bytes) -> list[int]:
    """In and after each blank line, inside each character of several bytes, and 300 places by chance."""
    blank = [
        place for found in re.finditer(rb"\r?\n\r?\n", whole) for place in (found.end() - 1, found.end())
    ]
    inside = [place for place, byte in enumerate(whole) if byte & 0xC0 == 0x80]
    chance = random.Random(SEED).sample(range(1, len(whole)), 300)
    return sorted({*blank, *inside, *chance} - {0, len(whole)})


@needs_corpus
@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_other_line_ends_give_the_same_events(line_end: bytes) -> None:
    for recording in anthropic_streams():
        whole = recording.bytes()
        rewritten = whole.replace(b"\r\n", b"\n").replace(b"\n", line_end)
        middle = rewritten.index(line_end) + 1  # between CR and LF, where there are both
        assert decode(rewritten) == decode(rewritten[:middle], rewritten[middle:]) == decode(whole), (
            recording.name
        )


@each_recording
def test_an_end_before_the_stop_event_is_an_interruption(recording: Recording) -> None:
    whole = recording.bytes()
    events = read(whole)
    assert events[-1]["type"] == "message_stop"
    folding = Fold()
    for event in events[:-1]:
        folding.apply(event)
        assert not folding.complete
        assert folding.runnable() == []
    with pytest.raises(InterruptedStream) as caught:
        fold(events[:-1])
    assert caught.value.partial == folding.message

    last = whole.rindex(b"}")  # of the stop event: with it the event is whole
    for cut in range(last - 30, last + 2):
        reader = EventReader()
        left = reader.feed(whole[:cut]) + reader.close()
        assert reader.failure is None
        assert left == (events if cut > last else events[:-1])


@each_recording
def test_a_fold_resumed_after_any_event_goes_on_as_if_uncut(recording: Recording) -> None:
    uncut, resumed = Fold(), Fold()
    before = msgspec.json.encode(resumed.state())
    for event in read(recording.bytes()):
        resumed = Fold.resume(msgspec.json.decode(before))
        assert msgspec.json.encode(resumed.state()) == before
        uncut.apply(event)
        resumed.apply(event)
        # The order of keys counts: blocks are sent back as they came.
        before = msgspec.json.encode(uncut.state())
        assert msgspec.json.encode(resumed.state()) == before


@needs_corpus
def test_encoding_the_events_gives_a_stream_of_the_same_events() -> None:
    for recording in anthropic_streams():
        events = read(recording.bytes())
        assert read(b"".join(encode(event) for event in events)) == events, recording.name
