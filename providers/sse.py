"""Server-sent events: an incremental decoder from bytes, and the encoder.

Written to the HTML standard ("Server-sent events", parsing an event stream): lines end in LF, CR or CRLF and
in nothing else, U+2028 least of all; lines that begin with a colon are comments; several `data` lines are
joined with LF; one byte order mark at the very start is skipped. HTTP libraries offer line iterators for
text; they cut at other characters too, and are not used.
"""

import msgspec

from providers.errors import ProtocolError
from providers.types import StreamEvent

MAX_EVENT_BYTES = 8 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_USUAL_HEADS = {
    f"event: {name}".encode(): name
    for name in (
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
    )
}
_encoder = msgspec.json.Encoder()


class ServerSentEvent(msgspec.Struct, frozen=True, gc=False):
    """One event. `data` is valid UTF-8; `event` is "message" where unnamed; `id` is its own or ""."""

    event: str
    data: bytes
    id: str = ""


class Decoder:
    """Bytes in, events out, however the bytes are cut.

    `feed` raises ProtocolError for an event that is larger than the cap or no UTF-8. Events that came before
    it in the same bytes are returned first: then `failure` is set, and the next call raises it.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.failure: ProtocolError | None = None
        self._max = max_event_bytes
        # The beginning of an event that has not ended: no empty chunks, no line end but LF, no blank line.
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        if self.failure is not None:
            raise self.failure
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_lf(chunk)
        if self._pending:
            # Only the new bytes, or the border before them, can hold the blank line.
            if b"\n\n" not in chunk and not (chunk.startswith(b"\n") and self._pending[-1].endswith(b"\n")):
                self._keep(chunk)
                return self._found([])
            self._pending.append(chunk)
            chunk = b"".join(self._pending)
            self._pending.clear()
            self._pending_bytes = 0
        *blocks, rest = chunk.split(b"\n\n")
        events: list[ServerSentEvent] = []
        for block in blocks:
            if (event := self._event(block)) is not None:
                events.append(event)
            elif self.failure is not None:
                return self._found(events)
        self._keep(rest)
        return self._found(events)

    def close(self) -> list[ServerSentEvent]:
        """The end of the bytes: an event without its blank line, whole or cut; the caller must judge."""
        if self.failure is not None:
            raise self.failure
        rest = b"".join(self._pending)
        self._pending.clear()
        event = self._event(rest)
        return self._found([] if event is None else [event])

    def _found(self, events: list[ServerSentEvent]) -> list[ServerSentEvent]:
        if self.failure is not None and not events:
            raise self.failure
        return events

    def _keep(self, chunk: bytes) -> None:
        if chunk:
            self._pending.append(chunk)
            self._pending_bytes += len(chunk)
            if self._pending_bytes > self._max + 1:  # the line end of a last line may be among them
                self._pending.clear()
                self._fail("An event of the answer is too large.")

    def _with_lf(self, chunk: bytes) -> bytes:
        """CRLF and CR made LF. A CR at the end counts at once; an LF right after it belongs to it."""
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _event(self, block: bytes) -> ServerSentEvent | None:
        """The event of some lines; None when they hold none, or when they fail (then `failure` is set)."""
        if len(block) > self._max:
            self._fail("An event of the answer is too large.")
            return None
        if self._at_start:
            self._at_start = False
            block = block.removeprefix(_BOM)
        name, data, event_id = _fields(block)
        if not data:
            return None
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                self._fail("An event of the answer is not UTF-8.")
                return None
        return ServerSentEvent(name, data, event_id)

    def _fail(self, reason: str) -> None:
        self.failure = ProtocolError(reason)


def _fields(block: bytes) -> tuple[str, bytes, str]:
    """Name, data and id of the event that these lines make; empty data when they make none."""
    # Nearly every event is one line with a usual name and one of data: read without further ado.
    head, _, data = block.partition(b"\ndata: ")
    usual = _USUAL_HEADS.get(head)
    if usual is not None and b"\n" not in data:
        return usual, data, ""
    name, event_id = b"", b""
    lines: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            lines.append(value)
        elif field == b"event":
            name = value
        elif field == b"id" and b"\0" not in value:
            event_id = value
    event = name.decode(errors="replace") or "message"
    return event, b"\n".join(lines), event_id.decode(errors="replace")


def encode(event: StreamEvent) -> bytes:
    """One event of Anthropic's Messages stream as bytes, its type as the event's name."""
    name: bytes = event["type"].encode()
    if b"\n" in name or b"\r" in name:
        raise ValueError("the type of an event must be one line")
    return b"event: " + name + b"\ndata: " + _encoder.encode(event) + b"\n\n"
