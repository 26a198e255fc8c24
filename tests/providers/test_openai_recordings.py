"""Every recorded stream of OpenAI's two wires: what the vendor's SDK reads in it, we read."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from providers.errors import (
    AuthenticationError,
    InterruptedStream,
    InvalidRequest,
    NotFound,
    ProviderError,
    RateLimited,
)
from providers.fold import Fold, fold
from providers.openai_chat import ChatReader
from providers.openai_errors import from_answer
from providers.openai_responses import ResponsesReader
from providers.openai_stream import WireReader
from providers.replay import replay_file
from providers.types import StreamEvent
from tests.corpus import OPENAI_WIRE, Recording, needs_corpus, recordings
from tests.providers.openai_oracle import of_message, of_recorded

SEED = 20261120
SMALL = 8 * 1024  # bytes; a smaller recording is cut everywhere

STREAMS = recordings(*OPENAI_WIRE)
READ = [recording for recording in STREAMS if recording.read_by_sdk]
FAILED = [recording for recording in STREAMS if not recording.read_by_sdk]
each_stream = pytest.mark.parametrize("recording", STREAMS, ids=str)
each_read = pytest.mark.parametrize("recording", READ, ids=str)

# xAI's and Google's models count reasoning beside `completion_tokens`, as their `total_tokens` show; the SDK
# leaves it there, we count it as the output that it is billed as. (feature, tokens by which we differ)
REASONING_BESIDE = {
    "openai-chat-fantasy-xai-grok-3-mini-thinking-streaming-1-418f69": 271,
    "copilot-codecompanion-copilot-tools-streaming-reasoning-09a70c": 92,
}


def reader_of(recording: Recording) -> WireReader:
    return ChatReader() if recording.api == "chat" else ResponsesReader()


def read(reader: WireReader, *pieces: bytes) -> list[StreamEvent]:
    events = [event for piece in pieces for event in reader.feed(piece)]
    return events + reader.close()


@each_read
def test_text_calls_stop_reason_and_usage_are_the_sdks(recording: Recording) -> None:
    reader = reader_of(recording)
    ours = of_message(fold(read(reader, recording.bytes())))
    assert reader.failure is None
    expected = of_recorded(recording.api, recording.expected())
    if recording.name in REASONING_BESIDE:
        beside = REASONING_BESIDE[recording.name]
        expected = replace(expected, usage={**expected.usage, "output": expected.usage["output"] + beside})
    assert ours == expected


@needs_corpus
def test_there_are_few_exceptions() -> None:
    assert len(REASONING_BESIDE) <= 5


@each_stream
def test_blocks_come_one_after_the_other(recording: Recording) -> None:
    """The laws of a stream: dense indexes, one block open, nothing outside of it."""
    events = read(reader_of(recording), recording.bytes())
    open_block, next_index = None, 0
    assert events[0]["type"] == "message_start"
    for event in events[1:]:
        match event["type"]:
            case "content_block_start":
                assert open_block is None
                assert event["index"] == next_index
                open_block, next_index = next_index, next_index + 1
            case "content_block_delta":
                assert event["index"] == open_block
            case "content_block_stop":
                assert event["index"] == open_block
                open_block = None
            case kind:
                assert kind in ("message_delta", "message_stop")
                assert open_block is None


@each_stream
def test_one_byte_at_a_time_gives_the_same_events(recording: Recording) -> None:
    whole = recording.bytes()
    if len(whole) > 16 * SMALL:
        pytest.skip("too long to be fed by bytes; it is cut elsewhere")
    assert outcome(recording, *(whole[at : at + 1] for at in range(len(whole)))) == outcome(recording, whole)


@each_stream
def test_a_cut_anywhere_gives_the_same_events(recording: Recording) -> None:
    whole = recording.bytes()
    uncut = outcome(recording, whole)
    places = range(1, len(whole)) if len(whole) <= SMALL else cuts(whole)
    for cut in places:
        assert outcome(recording, whole[:cut], whole[cut:]) == uncut, f"cut at {cut}"


def outcome(recording: Recording, *pieces: bytes) -> tuple[list[StreamEvent], str | None]:
    reader = reader_of(recording)
    events = read(reader, *pieces)
    return events, None if reader.failure is None else str(reader.failure)


def cuts(whole: bytes) -> list[int]:
    """Places by chance, and some inside characters of several bytes."""
    chance = random.Random(SEED)
    inside = [place for place, byte in enumerate(whole) if byte & 0xC0 == 0x80]
    places = chance.sample(range(1, len(whole)), 12) + chance.sample(inside, min(6, len(inside)))
    return sorted(set(places))


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@needs_corpus
def test_line_ends_do_not_matter(line_end: bytes) -> None:
    for recording in STREAMS:
        whole = recording.bytes().replace(b"\r\n", b"\n")
        assert outcome(recording, whole.replace(b"\n", line_end)) == outcome(recording, whole), recording.name


@each_read
def test_an_end_before_the_end_is_an_interruption(recording: Recording) -> None:
    whole = recording.bytes()
    end = last_needed(recording, whole)
    chance = random.Random(SEED)
    for cut in [*chance.sample(range(1, end), min(12, end - 1)), end - 1]:
        reader = reader_of(recording)
        events = read(reader, whole[:cut])
        assert all(event["type"] != "message_stop" for event in events)
        if events:
            assert isinstance(reader.failure, InterruptedStream)
            folding = Fold()
            for event in events:
                folding.apply(event)
            assert folding.runnable() == []
        else:
            assert isinstance(reader.failure, ProviderError)


def last_needed(recording: Recording, whole: bytes) -> int:
    """Where the bytes may end at the soonest: behind the last finish_reason, or the event that completes."""
    if recording.api == "responses":
        return whole.rindex(b"}")
    ends = [
        at
        for at in range(len(whole))
        if whole.startswith(b'"finish_reason"', at)
        and whole[at + len(b'"finish_reason"') :].lstrip(b": ").startswith(b'"')
    ]
    first = ends[0] if len(recording.expected()["choices"]) == 1 else ends[-1]
    closing = whole.find(b"\n", first)
    return closing - 1 if closing > 0 else len(whole) - 1


@pytest.mark.parametrize("recording", FAILED, ids=str)
def test_an_error_in_the_stream_is_an_error_of_its_kind(recording: Recording) -> None:
    reader = reader_of(recording)
    events = read(reader, recording.bytes())
    failure = reader.failure
    expected = recording.expected()["sdk_error"]
    assert failure is not None
    assert not isinstance(failure, InterruptedStream)
    assert failure.safe_message[:60] == expected["message"][:60]
    if (expected["body"] or {}).get("code") == "rate_limit_exceeded":
        assert isinstance(failure, RateLimited)
    else:
        assert isinstance(failure, InvalidRequest)
    assert all(event["type"] != "message_stop" for event in events)


@each_read
def test_a_replay_gives_the_message(recording: Recording) -> None:
    replayed = replay_file(recording.provider, recording.path)
    message = fold(read(reader_of(recording), recording.bytes()))
    assert of_message(replayed["message"]) == of_message(message)


@each_stream
def test_a_fold_resumed_after_any_event_goes_on_as_if_uncut(recording: Recording) -> None:
    uncut, resumed = Fold(), Fold()
    for event in read(reader_of(recording), recording.bytes()):
        state = msgspec.json.decode(msgspec.json.encode(resumed.state()))
        resumed = Fold.resume(state)
        uncut.apply(event)
        resumed.apply(event)
    assert resumed.state() == uncut.state()


@pytest.mark.parametrize("recording", recordings(*OPENAI_WIRE, kind="response"), ids=str)
def test_an_answer_that_was_not_streamed_says_the_same(recording: Recording) -> None:
    answer = recording.response()
    reader = reader_of(recording)
    message = fold(reader.whole(msgspec.json.encode(answer)))
    assert reader.failure is None
    ours, theirs = of_message(message), of_recorded(recording.api, answer)
    assert (ours.text, ours.calls, ours.usage) == (theirs.text, theirs.calls, theirs.usage)
    assert ours.stop_reason == theirs.stop_reason


@pytest.mark.parametrize("recording", recordings(*OPENAI_WIRE, kind="error"), ids=str)
def test_a_recorded_refusal_is_an_error_of_its_kind(recording: Recording) -> None:
    refusal = recording.error()
    body: Any = refusal["body"]
    failure = from_answer(refusal["status"], refusal["headers"], msgspec.json.encode(body))
    code = (body.get("error") or {}).get("code")
    by_status: dict[int, type[ProviderError]] = {400: InvalidRequest, 401: AuthenticationError, 404: NotFound}
    wanted = NotFound if code == "model_not_found" else by_status[refusal["status"]]
    assert type(failure) is wanted
    assert not failure.retryable
    assert failure.sent is False
    said = (body.get("error") or {}).get("message") or body.get("detail")
    assert failure.safe_message[:20] == said[:20]
