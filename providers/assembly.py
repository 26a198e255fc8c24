"""Events of Anthropic's Messages stream, built from the pieces in which other vendors answer.

Vendors let pieces interleave; upward one block is open at a time. So the pieces stand in a queue in the order
in which they began: the events of the first are given out as they come, those of the others wait for their
turn. Text is cleaned here (NUL, lone surrogates), once, and searched for stop sequences where the vendor does
not do it.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Hashable, Mapping, Sequence

from providers.cleaning import REPLACEMENT, clean, clean_text
from providers.errors import ProtocolError
from providers.types import Block, Json, StreamEvent

ID_LENGTH = 64  # of a tool call's id, upward
NAME_LENGTH = 200
MAPPED = "parley_"  # begins the ids that stand for others

_FIT = re.compile(r"[A-Za-z0-9_-]+")
# The delta of each kind of block that grows, and the field of its text.
_DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}


class Assembly:
    """One answer in the making. `take` gives the events since the last time.

    `model` is what the answer is said to be from unless the vendor names it. `names` are the full names of
    tools whose names were shortened for the vendor.
    """

    def __init__(
        self, *, model: str = "", stop_sequences: Sequence[str] = (), names: Mapping[str, str] | None = None
    ) -> None:
        self.begun = False
        self.done = False
        self.stopped = False  # by a stop sequence found here: the vendor may be writing on
        self.called = False  # a tool
        self.cited = False  # a source
        self.usage: Json = {}
        self._model = model
        self._stops = [stop for stop in stop_sequences if stop]
        self._names = names or {}
        self._seed = ""
        self._ids: set[str] = set()
        self._events: list[StreamEvent] = []
        self._pieces: dict[Hashable, _Piece] = {}
        self._queue: list[_Piece] = []
        self._index = -1

    def take(self) -> list[StreamEvent]:
        events, self._events = self._events, []
        return events

    def begin(self, message_id: object = None, model: object = None) -> None:
        """The message begins; a second time changes nothing. Whoever opens a block has begun."""
        if self.begun:
            return
        self.begun = True
        known = clean_text(message_id)[:NAME_LENGTH] if isinstance(message_id, str) else ""
        self._seed = known or secrets.token_hex(12)
        named = clean_text(model)[:NAME_LENGTH] if isinstance(model, str) else ""
        message: Json = {
            "id": known or f"msg_{self._seed}",
            "type": "message",
            "role": "assistant",
            "model": named or self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            # Vendors tell it at the end. A zero here would pass for a count.
            "usage": {},
        }
        self._events.append({"type": "message_start", "message": message})

    def has(self, key: Hashable) -> bool:
        return key in self._pieces

    def text(self, key: Hashable, text: str) -> None:
        """More of a text; its block begins with the first that is not empty."""
        if text and not self.done:
            self._grow(key, {"type": "text", "text": ""}, text)

    def thinking(self, key: Hashable, text: str = "") -> None:
        """More of some reasoning; its block begins even without text."""
        if not self.done:
            self._grow(key, {"type": "thinking", "thinking": "", "signature": ""}, text)

    def tool(self, key: Hashable, call_id: object, name: str) -> None:
        """A tool call begins; `arguments` says its input. Ids that are missing, twice there or unfit for
        Anthropic's wire are replaced; `vendor_id` leads back where there was one."""
        if self.done:
            return
        self.begin()
        self.called = True
        name = clean_text(name)
        block = {
            "type": "tool_use",
            "id": self._own_id(call_id),
            "name": self._names.get(name, name),
            "input": {},
        }
        self._open(key, block)

    def arguments(self, key: Hashable, text: str) -> None:
        if text and not self.done:
            self._append(self._pieces[key], text)

    def delta(self, key: Hashable, delta: Json) -> None:
        """A delta that comes whole, of the block's own kind."""
        if not self.done and not (piece := self._pieces[key]).closed:
            self._flush(piece)
            self._give(piece, _kept(delta))

    def cite(self, key: Hashable, source: Json) -> None:
        """A source of a text, whose block begins with it if it has to."""
        if self.done:
            return
        if key not in self._pieces:
            self._open(key, {"type": "text", "text": ""})
        self.cited = True
        self.delta(key, {"type": "citations_delta", "citation": source})

    def reserve(self, key: Hashable) -> None:
        """The place of a block that comes whole, later, by `fill`."""
        if not self.done:
            self._open(key, None)

    def fill(self, key: Hashable, block: Block) -> None:
        piece = self._pieces[key]
        if piece.block is None and not self.done:
            piece.block = _kept(block)
            self.close(key)

    def close(self, key: Hashable) -> None:
        piece = self._pieces.get(key)
        if piece is None or piece.closed or self.done:
            return
        if piece.half:
            piece.half = ""
            self._append(piece, REPLACEMENT)
        self._flush(piece)
        piece.closed = True
        if self._queue and self._queue[0] is piece:
            self._advance()

    def written(self, key: Hashable) -> str:
        """The text that a block has got so far."""
        piece = self._pieces.get(key)
        return "" if piece is None else piece.written

    def is_open(self, key: Hashable) -> bool:
        piece = self._pieces.get(key)
        return piece is not None and not piece.closed

    def end(
        self, stop_reason: str, *, stop_sequence: str | None = None, stop_details: Json | None = None
    ) -> None:
        """Closes what is open and ends the message. What comes later is not heard."""
        if self.done:
            return
        self.begin()
        for piece in list(self._queue):
            if piece.block is None:
                self._queue.remove(piece)
        for key in list(self._pieces):
            self.close(key)
        if self.done:  # a stop sequence was found in what was held back
            return
        self._finish(stop_reason, stop_sequence, stop_details)

    def _finish(self, reason: str, stop_sequence: str | None, stop_details: Json | None) -> None:
        self.done = True
        changes = {
            "stop_reason": reason[:NAME_LENGTH],
            "stop_sequence": stop_sequence,
            "stop_details": stop_details,
        }
        last = {"type": "message_delta", "delta": changes, "usage": self.usage}
        self._events.append(clean(last, seals=False))
        self._events.append({"type": "message_stop"})

    def _grow(self, key: Hashable, start: Block, text: str) -> None:
        self.begin()
        piece = self._pieces.get(key)
        if piece is None:
            piece = self._open(key, start)
        if text and not piece.closed:
            self._append(piece, text)

    def _open(self, key: Hashable, block: Block | None) -> "_Piece":
        self.begin()
        piece = self._pieces[key] = _Piece(block)
        self._queue.append(piece)
        if len(self._queue) == 1:
            self._advance()
        return piece

    def _append(self, piece: "_Piece", text: str) -> None:
        text = piece.cleaned(text)
        if not text or piece.block is None or piece.closed:
            return
        piece.parts.append(text)
        if self._stops and piece.block["type"] == "text":
            text = self._searched(piece, piece.held + text)
            if self.done:
                return
        if text:
            kind, field = _DELTAS[piece.block["type"]]
            self._give(piece, {"type": kind, field: text})

    def _searched(self, piece: "_Piece", text: str) -> str:
        """What of the text can be given out; the rest may be the beginning of a stop sequence."""
        found = [(place, stop) for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            place, stop = min(found, key=lambda match: (match[0], -len(match[1])))
            piece.held = text[:place]
            self._stop_at(piece, stop)
            return ""
        longest = max(len(stop) for stop in self._stops) - 1
        keep = next(
            (
                size
                for size in range(min(longest, len(text)), 0, -1)
                if any(stop.startswith(text[-size:]) for stop in self._stops)
            ),
            0,
        )
        piece.held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def _stop_at(self, piece: "_Piece", stop: str) -> None:
        """The answer ends inside this piece: what began after it is left out."""
        if piece in self._queue:
            del self._queue[self._queue.index(piece) + 1 :]
        for before in [one for one in self._queue if one.block is None]:
            self._queue.remove(before)
        for one in list(self._queue):
            self._flush(one)
            one.closed = True
        if self._queue:
            self._advance()
        self.stopped = True
        self._finish("stop_sequence", stop, None)

    def _flush(self, piece: "_Piece") -> None:
        if piece.held:
            text, piece.held = piece.held, ""
            self._give(piece, {"type": "text_delta", "text": text})

    def _give(self, piece: "_Piece", delta: Json) -> None:
        if piece.started:
            self._events.append({"type": "content_block_delta", "index": self._index, "delta": delta})
            return
        last = piece.waiting[-1] if piece.waiting else None
        if last is not None and last["type"] == delta["type"] and piece.block is not None:
            kind, field = _DELTAS.get(piece.block["type"], ("", ""))
            if kind == delta["type"]:
                piece.waiting_text.append(delta[field])
                return
        piece.settle()
        piece.waiting.append(delta)

    def _advance(self) -> None:
        """Lets the first piece of the queue speak, and the next when it has ended."""
        while self._queue:
            piece = self._queue[0]
            if piece.block is None:
                return
            if not piece.started:
                piece.started = True
                self._index += 1
                self._events.append(
                    {"type": "content_block_start", "index": self._index, "content_block": piece.block}
                )
                piece.settle()
                self._events += [
                    {"type": "content_block_delta", "index": self._index, "delta": delta}
                    for delta in piece.waiting
                ]
                piece.waiting = []
            if not piece.closed:
                return
            self._events.append({"type": "content_block_stop", "index": self._index})
            del self._queue[0]

    def _own_id(self, call_id: object) -> str:
        known = clean_text(call_id) if isinstance(call_id, str) else ""
        given = upward_id(known) if 0 < len(known) <= NAME_LENGTH else ""
        while not given or given in self._ids:
            made = hashlib.sha256(f"{self._seed}/{len(self._ids)}/{given}".encode(errors="replace"))
            given = f"call_{made.hexdigest()[:24]}"
        self._ids.add(given)
        return given


class _Piece:
    """One block in the making; `block` is None while only its place is known."""

    __slots__ = (
        "block",
        "closed",
        "half",
        "held",
        "parts",
        "started",
        "waiting",
        "waiting_text",
    )

    def __init__(self, block: Block | None) -> None:
        self.block = block
        self.started = self.closed = False
        self.half = ""  # the first half of a surrogate pair, whose second may come
        self.held = ""  # of a text, what may be the beginning of a stop sequence
        self.parts: list[str] = []
        self.waiting: list[Json] = []
        self.waiting_text: list[str] = []  # goes on the last delta that waits

    @property
    def written(self) -> str:
        if len(self.parts) > 1:
            self.parts = ["".join(self.parts)]
        return self.parts[0] if self.parts else ""

    def cleaned(self, text: str) -> str:
        text, self.half = self.half + text, ""
        if text.isascii():
            return text.replace("\0", "") if "\0" in text else text
        if "\ud800" <= text[-1] <= "\udbff":
            text, self.half = text[:-1], text[-1]
        return clean_text(text)

    def settle(self) -> None:
        if self.waiting_text:
            last = self.waiting[-1]
            field = next(name for name in last if name != "type")
            self.waiting[-1] = {**last, field: "".join([last[field], *self.waiting_text])}
            self.waiting_text = []


def _kept(value: Json) -> Json:
    """A part of the answer that comes whole, cleaned. Raises ProtocolError when that would break a seal."""
    try:
        kept: Json = clean(value)
    except ValueError as error:
        raise ProtocolError(f"A part of the answer cannot be kept: {error}.") from None
    return kept


def upward_id(call_id: str) -> str:
    """A vendor's id of a tool call as Anthropic's wire takes it: [A-Za-z0-9_-], not long."""
    if len(call_id) <= ID_LENGTH and _FIT.fullmatch(call_id) and not call_id.startswith(MAPPED):
        return call_id
    raw = call_id.encode("utf-8", "surrogatepass")
    return MAPPED + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def vendor_id(call_id: str) -> str:
    """The vendor's own id that `upward_id` has mapped; other ids as they are."""
    if not call_id.startswith(MAPPED):
        return call_id
    text = call_id[len(MAPPED) :]
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return raw.decode("utf-8", "surrogatepass")
    except ValueError:
        return call_id
