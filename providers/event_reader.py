"""From the bytes of a stream to clean events of Anthropic's Messages API: what an adapter yields."""

import contextlib

import msgspec

from providers.cleaning import REPLACEMENT, clean, clean_text, decode
from providers.errors import ProtocolError
from providers.sse import MAX_EVENT_BYTES, Decoder, ServerSentEvent
from providers.types import Json, StreamEvent

# The deltas whose text is cut anywhere, and the field that it is in.
_CUT_TEXTS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


class EventReader:
    """Decodes, cleans and passes on; `ping` events are dropped.

    Text may be cut between the two halves of a surrogate pair, each half escaped in its own delta. So a first
    half at the end of a delta is held back and joined to the next delta of that text; alone, it becomes
    U+FFFD.

    `feed` and `close` do not raise. When `failure` is set, the events returned before it are good and nothing
    more will come; so the same bytes give the same events and the same failure, however they are cut.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.failure: ProtocolError | None = None
        self._decoder = Decoder(max_event_bytes)
        self._held: _HeldHalf | None = None

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        if self.failure is not None:
            return []
        events: list[StreamEvent] = []
        try:
            for found in self._decoder.feed(chunk):
                self._read(found, events)
            self.failure = self._decoder.failure
        except ProtocolError as failure:
            self.failure = failure
        return events

    def close(self) -> list[StreamEvent]:
        """The end of the bytes. A last event without its blank line counts if whole; cut, it is dropped."""
        if self.failure is not None:
            return []
        events: list[StreamEvent] = []
        with contextlib.suppress(ProtocolError):
            for found in self._decoder.close():
                self._read(found, events)
        if self._held is not None:
            events.append(self._held.given_up())
            self._held = None
        return events

    def _read(self, found: ServerSentEvent, events: list[StreamEvent]) -> None:
        try:
            event, dirty = decode(found.data)
        except ValueError:
            raise ProtocolError("An event of the answer is not JSON.") from None
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            raise ProtocolError("An event of the answer has no type.")
        if event["type"] == "ping":
            return
        if dirty or self._held is not None:
            self._mend(event, events)
        else:
            events.append(event)

    def _mend(self, event: StreamEvent, events: list[StreamEvent]) -> None:
        """The slow path: the event may hold NUL or lone surrogates, or half a pair waits for the other."""
        held, self._held = self._held, None
        place = _cut_text(event)
        if held is not None and (place is None or place != held.place):
            events.append(held.given_up())
            held = None
        if place is None:
            try:
                events.append(clean(event))
            except ValueError as error:
                raise ProtocolError(f"An event of the answer cannot be kept: {error}.") from None
            return
        _, kind = place
        delta: Json = event["delta"]
        field = _CUT_TEXTS[kind]
        text: str = (held.half if held is not None else "") + delta[field]
        if "\ud800" <= text[-1:] <= "\udbff":
            self._held = _HeldHalf(text[-1], place)
            text = text[:-1]
        events.append(clean({**event, "delta": {**delta, field: clean_text(text)}}))


class _HeldHalf(msgspec.Struct, frozen=True):
    """The first half of a surrogate pair, and the text (block index, delta type) that it belongs to."""

    half: str
    place: tuple[int, str]

    def given_up(self) -> StreamEvent:
        index, kind = self.place
        return {
            "type": "content_block_delta",
            "index": index,
            "delta": {"type": kind, _CUT_TEXTS[kind]: REPLACEMENT},
        }


def _cut_text(event: StreamEvent) -> tuple[int, str] | None:
    """Which text this event goes on with; None when it is no such delta."""
    delta, index = event.get("delta"), event.get("index")
    if event["type"] != "content_block_delta" or not isinstance(delta, dict) or not isinstance(index, int):
        return None
    kind = delta.get("type")
    if (
        not isinstance(kind, str)
        or kind not in _CUT_TEXTS
        or not isinstance(delta.get(_CUT_TEXTS[kind]), str)
    ):
        return None
    return index, kind
