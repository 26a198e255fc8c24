"""Recorded streams read again, through the same decoding, cleaning and fold as a live one."""

from pathlib import Path

from providers.errors import InterruptedStream, ProviderError, from_error_object
from providers.event_reader import EventReader
from providers.fold import Fold
from providers.types import Json, StreamEvent

CHUNK_BYTES = 64 * 1024
_READERS: dict[str, type[EventReader]] = {"anthropic": EventReader}


def replay_file(provider: str, path: str | Path) -> Json:
    """The message of a recorded stream: `{"file", "message"}`, or `{"file", "error", "partial"}`.

    `partial` is null when not even its beginning could be read. Raises KeyError for a provider whose streams
    cannot be replayed, OSError when the file cannot be read.
    """
    reader = _READERS[provider]()
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


def _failure(folding: Fold, reader: EventReader) -> ProviderError:
    if folding.error is not None:
        return from_error_object(folding.error)
    return reader.failure or InterruptedStream()
