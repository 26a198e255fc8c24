"""The fold: stream events of Anthropic's Messages API added up to the message that they describe.

`Fold` takes one event at a time and can be stored and resumed between any two. Its laws, which the browser's
fold shares (tests/vectors/fold.json is run against both):

1.  `message_start` gives the message; a later one changes nothing.
2.  `content_block_start` appends its block as received and opens it. Its index must be the number of blocks
    so far, and no block may be open; else the order is broken. An index that exists already is a repetition:
    the open block with the same type and id again is skipped; anything else (a second answer spliced into the
    stream) is appended without being opened, as Anthropic's SDK does, and if it has an input it is *broken*.
3.  Deltas go to the block of their index, which must exist. `text_delta` and `thinking_delta` append to the
    field of that name; `signature_delta` sets `signature`; `citations_delta` appends to `citations`;
    `compaction_delta` sets its fields that are not null; `input_json_delta` appends to the open block's raw
    text, and is skipped when the block is not open. A delta of another type is skipped; one that does not fit
    a block of a known type breaks the order.
4.  `content_block_stop` closes the open block: its raw text, unless blank, becomes `input` by
    `tool_input.parse_input`; if that text was not one whole JSON object, the block is broken. For a block
    that is not open it changes nothing.
5.  `message_delta` sets each field of its `delta` on the message, each field of its `usage` on the message's
    usage, and each other field of its own on the message. Fields named `type` and `content` are left, and
    null never replaces a value.
6.  A block of type `fallback` sets the message's `model` to the model it names under `to`.
7.  `message_stop` completes the message, `error` ends it; nothing after either changes anything. Other events
    are skipped.

State, as JSON:

    {"message": the message so far or null, the open block as far as it came (its `input` still as it began),
     "open": {"index": 1, "json": "raw text of the input so far"} or null,
     "broken": [indexes of blocks whose input must not be used],
     "complete": false,
     "error": the error event's object or null}
"""

from collections.abc import Iterable
from typing import Any, TypeGuard

from providers.errors import InterruptedStream, ProtocolError, from_error_object
from providers.tool_input import parse_input
from providers.types import Block, Json, Message, StreamEvent, Usage

# What the deltas may change in blocks of the types that are known; other types take any delta.
_FIELDS_OF: dict[str, frozenset[str]] = {
    "text": frozenset({"text", "citations"}),
    "thinking": frozenset({"thinking", "signature"}),
    "redacted_thinking": frozenset(),
    "compaction": frozenset({"compaction"}),
    "tool_use": frozenset({"input"}),
    "server_tool_use": frozenset({"input"}),
    "mcp_tool_use": frozenset({"input"}),
}

_NOT_SET = ("type", "content")  # of a message, whatever a change to it says


class Fold:
    """A message in the making. `apply` raises ProtocolError when the order of events is broken."""

    __slots__ = ("_blocks", "_json", "_message", "_open", "_texts", "broken", "complete", "error")

    def __init__(self) -> None:
        self.complete = False
        self.error: Json | None = None
        self.broken: list[int] = []
        self._message: Message | None = None  # its content lies in _blocks
        self._blocks: list[Block] = []  # closed blocks are shared with readers and never changed in place
        self._open: int | None = None
        # Parts of the open block's texts, by field, and of its input: joined when somebody looks.
        self._texts: dict[str, list[str]] = {}
        self._json: list[str] = []

    def apply(self, event: StreamEvent) -> None:
        if self.complete or self.error is not None:
            return
        kind = event.get("type")
        if kind == "content_block_delta":
            self._delta(event)
        elif kind == "content_block_start":
            self._start_block(event)
        elif kind == "content_block_stop":
            self._stop_block(self._index(event))
        elif kind == "message_start":
            self._start(event)
        elif kind == "message_delta":
            self._change_message(event)
        elif kind == "message_stop":
            self._begun(event)
            self.complete = True
        elif kind == "error":
            error = event.get("error")
            self.error = error if isinstance(error, dict) else {}

    @property
    def message(self) -> Message:
        """The message so far, the open block included; {} before it began. Not to be changed."""
        return {} if self._message is None else {**self._message, "content": self.blocks()}

    def blocks(self) -> list[Block]:
        blocks = list(self._blocks)
        if self._open is not None:
            blocks[self._open] = self._opened_block(self._open)
        return blocks

    @property
    def open(self) -> int | None:
        """The index of the block that has begun and not ended."""
        return self._open

    @property
    def usage(self) -> Usage:
        return Usage.from_json((self._message or {}).get("usage"))

    def runnable(self) -> list[Block]:
        """The tool calls that may be run: whole in their input, of a message that stopped for them."""
        if not self.complete or (self._message or {}).get("stop_reason") != "tool_use":
            return []
        return [
            block
            for index, block in enumerate(self._blocks)
            if block.get("type") == "tool_use" and index not in self.broken and index != self._open
        ]

    def state(self) -> Json:
        opened = None if self._open is None else {"index": self._open, "json": _joined(self._json)}
        return {
            "message": None if self._message is None else self.message,
            "open": opened,
            "broken": list(self.broken),
            "complete": self.complete,
            "error": self.error,
        }

    @classmethod
    def resume(cls, state: Json) -> "Fold":
        """The fold that gave this state; it goes on as if it had never been stored."""
        fold = cls()
        fold.complete, fold.error, fold.broken = state["complete"], state["error"], list(state["broken"])
        if state["message"] is not None:
            fold._message = {**state["message"], "content": []}
            fold._blocks = list(state["message"]["content"])
        if state["open"] is not None:
            fold._open_block(state["open"]["index"])
            fold._json = [state["open"]["json"]]
        return fold

    def _start(self, event: StreamEvent) -> None:
        message = event.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, list) or not all(_is_block(block) for block in content):
            raise ProtocolError("The answer began without a message.")
        if self._message is None:
            self._message = {**event["message"], "content": []}
            self._blocks = list(content)

    def _start_block(self, event: StreamEvent) -> None:
        message = self._begun(event)
        block = event.get("content_block")
        index = event.get("index")
        if not _is_block(block) or not isinstance(index, int):
            raise ProtocolError("A block of the answer began without its content.")
        at = len(self._blocks)
        if 0 <= index < at:
            self._repeated_start(index, block)
            return
        if index != at or self._open is not None:
            raise ProtocolError("The blocks of the answer came in no order.")
        self._blocks.append(block)
        self._open_block(index)
        if block["type"] == "fallback" and isinstance(served := block.get("to"), dict) and "model" in served:
            message["model"] = served["model"]

    def _repeated_start(self, index: int, block: Block) -> None:
        before = self._blocks[index]
        if index == self._open and (block["type"], block.get("id")) == (before["type"], before.get("id")):
            return
        if "input" in block:
            self.broken.append(len(self._blocks))
        self._blocks.append(block)

    def _open_block(self, index: int) -> None:
        self._open = index
        block = self._blocks[index] = dict(self._blocks[index])
        self._texts = {
            field: [block[field]] for field in ("text", "thinking") if isinstance(block.get(field), str)
        }
        self._json = []

    def _delta(self, event: StreamEvent) -> None:
        index = event.get("index")
        delta = event.get("delta")
        if index is None or index != self._open or not isinstance(delta, dict):
            self._late_delta(event)
            return
        kind = delta.get("type")
        if (field := _text_field(kind)) is not None:
            parts = self._texts.get(field)
            if parts is None:
                self._must_fit(self._blocks[index], field)
                parts = self._texts[field] = []
            parts.append(_text(delta.get(field)))
        elif kind == "input_json_delta":
            if not self._json:
                self._must_fit(self._blocks[index], "input")
            self._json.append(_text(delta.get("partial_json")))
        else:
            self._change_block(self._blocks[index], delta)

    def _late_delta(self, event: StreamEvent) -> None:
        """A delta for a closed block: it still lands there, save for input, which was parsed already."""
        self._begun(event)
        index, delta = self._index(event), event.get("delta")
        if not isinstance(delta, dict):
            raise ProtocolError("A change to the answer came without its content.")
        block = self._blocks[index] = dict(self._blocks[index])
        if (field := _text_field(delta.get("type"))) is not None:
            self._must_fit(block, field)
            before = block.get(field)
            block[field] = (before if isinstance(before, str) else "") + _text(delta.get(field))
        elif delta.get("type") != "input_json_delta":
            self._change_block(block, delta)

    def _change_block(self, block: Block, delta: Json) -> None:
        """The deltas that come whole. `block` is our own copy."""
        match delta.get("type"):
            case "signature_delta":
                self._must_fit(block, "signature")
                block["signature"] = _text(delta.get("signature"))
            case "citations_delta":
                self._must_fit(block, "citations")
                block["citations"] = [*(block.get("citations") or []), delta.get("citation")]
            case "compaction_delta":
                self._must_fit(block, "compaction")
                block.update({key: delta[key] for key in delta if key != "type" and delta[key] is not None})

    def _stop_block(self, index: int) -> None:
        if index != self._open:
            return
        block = self._opened_block(index)
        raw = _joined(self._json)
        if raw.strip():
            block["input"], whole = parse_input(raw)
            if not whole:
                self.broken.append(index)
        self._blocks[index] = block
        self._open, self._texts, self._json = None, {}, []

    def _opened_block(self, index: int) -> Block:
        return {**self._blocks[index], **{field: _joined(parts) for field, parts in self._texts.items()}}

    def _change_message(self, event: StreamEvent) -> None:
        message = self._begun(event)
        changes, usage = event.get("delta"), event.get("usage")
        if isinstance(usage, dict):
            before = message.get("usage")
            message["usage"] = dict(before) if isinstance(before, dict) else {}
            _set(message["usage"], usage)
        if isinstance(changes, dict):
            _set(message, changes)
        _set(message, {key: event[key] for key in event if key not in ("delta", "usage")})

    def _begun(self, event: StreamEvent) -> Message:
        if self._message is None:
            raise ProtocolError(f"The answer began with {event['type']}.")
        return self._message

    def _index(self, event: StreamEvent) -> int:
        index = event.get("index")
        if not isinstance(index, int) or not 0 <= index < len(self._blocks):
            raise ProtocolError("A change to the answer names a block that is not there.")
        return index

    def _must_fit(self, block: Block, field: str) -> None:
        kind = block["type"]
        if field not in _FIELDS_OF.get(kind, {field}):
            raise ProtocolError(f"A block of type {kind} got a change of its {field}.")


def fold(events: Iterable[StreamEvent]) -> Message:
    """The message of a whole stream.

    Raises InterruptedStream, with the message so far as `partial`, when `message_stop` is missing; the typed
    error of an `error` event; ProtocolError for a broken order.
    """
    folding = Fold()
    for event in events:
        folding.apply(event)
    if folding.error is not None:
        raise from_error_object(folding.error)
    if not folding.complete:
        raise InterruptedStream(partial=folding.message)
    return folding.message


def _is_block(value: Any) -> TypeGuard[Block]:
    return isinstance(value, dict) and isinstance(value.get("type"), str)


def _text_field(kind: object) -> str | None:
    if kind == "text_delta":
        return "text"
    return "thinking" if kind == "thinking_delta" else None


def _joined(parts: list[str]) -> str:
    """The text, kept joined, so that looking again costs nothing. Without a look a delta is an append."""
    if len(parts) > 1:
        parts[:] = ["".join(parts)]
    return parts[0] if parts else ""


def _set(target: Json, changes: Json) -> None:
    for key, value in changes.items():
        if key not in _NOT_SET and (value is not None or key not in target):
            target[key] = value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ProtocolError("A change to the answer is not text.")
    return value
