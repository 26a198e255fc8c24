"""Recorded streams read again, through the same decoding, cleaning and fold as a live one."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from providers.envelope import Origin
from providers.errors import InterruptedStream, ProviderError, from_error_object
from providers.event_reader import EventReader
from providers.fold import Fold
from providers.openai_chat import ChatReader
from providers.openai_responses import ResponsesReader
from providers.types import Json, StreamEvent

CHUNK_BYTES = 64 * 1024
# Every event of a Responses stream says its type, and no chunk of Chat Completions does.
_OF_RESPONSES = re.compile(rb'"type"\s*:\s*"response\.')
_FIRST_BYTES = 64 * 1024


class Reader(Protocol):
    """Bytes of a recording in, events of Anthropic's Messages stream out; neither raises."""

    @property
    def failure(self) -> ProviderError | None: ...

    def feed(self, chunk: bytes) -> list[StreamEvent]: ...

    def close(self) -> list[StreamEvent]: ...


class _EitherReader:
    """For vendors that answer on both of OpenAI's wires: the beginning of the bytes says which."""

    def __init__(self, provider: str) -> None:
        self._origin = Origin(provider=provider)
        self._reader: ChatReader | ResponsesReader | None = None
        self._first = b""

    @property
    def failure(self) -> ProviderError | None:
        return None if self._reader is None else self._reader.failure

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        if self._reader is not None:
            return self._reader.feed(chunk)
        self._first += chunk
        if len(self._first) < _FIRST_BYTES:
            return []
        return self._chosen().feed(self._first)

    def close(self) -> list[StreamEvent]:
        if self._reader is not None:
            return self._reader.close()
        reader = self._chosen()
        return reader.feed(self._first) + reader.close()

    def _chosen(self) -> ChatReader | ResponsesReader:
        kind = ResponsesReader if _OF_RESPONSES.search(self._first[:_FIRST_BYTES]) else ChatReader
        self._reader = kind(origin=self._origin)
        return self._reader


READERS: Mapping[str, Callable[[], Reader]] = {
    "anthropic": EventReader,
    "openai-chat": ChatReader,
    "openai-responses": ResponsesReader,
    "azure": lambda: _EitherReader("azure"),
    "copilot": lambda: _EitherReader("copilot"),
}


def replay_file(provider: str, path: str | Path) -> Json:
    """The message of a recorded stream: `{"file", "message"}`, or `{"file", "error", "partial"}`.

    `provider` is a key of READERS. `partial` is null when not even its beginning could be read. Raises
    KeyError for a provider whose streams cannot be replayed, OSError when the file cannot be read.
    """
    reader = READERS[provider]()
    folding = Fold()
    try:
        with open(path, "rb") as recording:
            while chunk := recording.read(CHUNK_BYTES):
                _apply(folding, reader.feed(chunk))
        _apply(folding, reader.close())
        if not folding.complete:
            raise _failure(folding, reader)
    except ProviderError as error:
        return {"file": str(path), "error": error.to_json(), "partial": folding.message or None}
    return {"file": str(path), "message": folding.message}


def _apply(folding: Fold, events: list[StreamEvent]) -> None:
    for event in events:
        folding.apply(event)


def _failure(folding: Fold, reader: Reader) -> ProviderError:
    if folding.error is not None:
        return from_error_object(folding.error)
    return reader.failure or InterruptedStream()
