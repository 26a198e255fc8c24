"""What is fed, and what must hold whatever the bytes are.

Reading never raises; the fold may refuse with a ProviderError. How the bytes are cut changes nothing. No more
text comes out than went in. After a failure, and after the end, nothing more comes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from providers.envelope import Origin
from providers.errors import ProviderError
from providers.event_reader import EventReader
from providers.fold import Fold
from providers.openai_chat import ChatReader
from providers.openai_responses import ResponsesReader
from providers.sse import Decoder, ServerSentEvent
from providers.types import StreamEvent, Usage

Check = Callable[[bytes], None]
TEXTS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
# JSON that a server sends as an object is written out again, numbers in full.
GROWTH = 8


class Reader(Protocol):
    failure: Any

    def feed(self, chunk: bytes) -> list[StreamEvent]: ...

    def close(self) -> list[StreamEvent]: ...


def anthropic(data: bytes) -> None:
    events, failure = _read(EventReader(), [data])
    fold = Fold()
    try:
        for event in events:
            fold.apply(event)
            Usage.from_json(fold.message.get("usage"))
    except ProviderError:
        pass
    _bounded(events, data)
    for cuts in _cuts(data):
        again, failed = _read(EventReader(), cuts)
        assert _shown(again) == _shown(events), "the cuts changed the events"
        assert type(failed) is type(failure)


def chat(data: bytes) -> None:
    _foreign(lambda: ChatReader(origin=Origin(provider="openai")), data)


def responses(data: bytes) -> None:
    _foreign(lambda: ResponsesReader(origin=Origin(provider="openai")), data)


def sse(data: bytes) -> None:
    found = _decoded([data])
    for cuts in _cuts(data):
        assert _decoded(cuts) == found, "the cuts changed the events"
    assert sum(len(event.data) for event in found[0]) <= len(data)


CHECKS: dict[str, Check] = {"sse": sse, "anthropic": anthropic, "chat": chat, "responses": responses}


def _foreign(make: Callable[[], Reader], data: bytes) -> None:
    events, failure = _read(make(), [data])
    fold = Fold()
    for event in events:
        fold.apply(event)  # what we have built ourselves must always be whole
    Usage.from_json(fold.message.get("usage"))
    assert fold.complete or failure is not None, "the answer neither ended nor failed"
    assert not (fold.complete and failure is not None), "the answer ended and failed"
    _bounded(events, data)
    for cuts in _cuts(data):
        again, failed = _read(make(), cuts)
        assert _told(again) == _told(events), "the cuts changed the answer"
        assert type(failed) is type(failure)


def _read(reader: Reader, chunks: Sequence[bytes]) -> tuple[list[StreamEvent], ProviderError | None]:
    events: list[StreamEvent] = []
    for chunk in chunks:
        over = reader.failure is not None
        more = reader.feed(chunk)
        assert not (over and more), "something came after a failure"
        events += more
    events += reader.close()
    failure = reader.failure
    assert failure is None or isinstance(failure, ProviderError)
    return events, failure


def _decoded(chunks: Sequence[bytes]) -> tuple[list[ServerSentEvent], bool]:
    decoder = Decoder()
    found: list[ServerSentEvent] = []
    try:
        for chunk in chunks:
            found += decoder.feed(chunk)
        found += decoder.close()
    except ProviderError:
        return found, True
    return found, decoder.failure is not None


def _cuts(data: bytes) -> list[list[bytes]]:
    choice = random.Random(len(data))
    bytewise = [data[place : place + 1] for place in range(len(data))] if len(data) <= 600 else [data]
    pieces, place = [], 0
    while place < len(data):
        size = choice.randint(1, 60)
        pieces.append(data[place : place + size])
        place += size
    return [bytewise, pieces]


def _bounded(events: Sequence[StreamEvent], data: bytes) -> None:
    size = sum(len(text) for _, text in _told(events))
    assert size <= GROWTH * len(data), "more came out than went in"
    said = sum(len(text) for kind, text in _told(events) if kind == "text_delta")
    assert said <= len(data), "text was doubled"


def _told(events: Sequence[StreamEvent]) -> list[tuple[str, str]]:
    """The events by type, with the text of their deltas, neighbours of one kind joined."""
    told: list[tuple[str, str]] = []
    for event in events:
        kind, text = str(event.get("type")), ""
        delta = event.get("delta")
        if kind == "content_block_delta" and isinstance(delta, dict):
            kind = str(delta.get("type"))
            text = str(delta.get(TEXTS.get(kind, ""), ""))
            if told and told[-1][0] == kind:
                text = told.pop()[1] + text
        told.append((kind, text))
    return told


def _shown(events: Sequence[StreamEvent]) -> list[Any]:
    return [repr(event) for event in events]
