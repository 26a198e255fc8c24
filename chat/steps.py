"""An answer in several steps: the vendor pauses in the middle of its own tools, and is asked to go on.

A step is one metered call. The next one sends the answer so far back as it is, with the same tools and no
word of the person's (Anthropic, "Stop reasons": pause_turn), to the account that gave it. For the reader it
is one message: the indexes of its blocks go on, and only the last step ends it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from providers.fold import Fold
from providers.types import Json, MessageRequest, StreamEvent

from .thinking import is_sealed, is_thinking
from .transcript import Asking, is_empty

MOST = 8  # steps of one answer
PAUSED = "pause_turn"


class Joint:
    """Makes the streams of an answer's steps one stream. `events` is called with each event in its order."""

    def __init__(self) -> None:
        self.step = 1
        self._blocks = 0  # of this answer so far
        self._offset = 0
        self._paused = False

    def next_step(self) -> None:
        self.step += 1
        self._offset = self._blocks
        self._paused = False

    @property
    def goes_on(self) -> bool:
        """Whether the step that has ended is to be followed by another."""
        return self._paused and self.step < MOST

    def events(self, event: StreamEvent) -> Sequence[StreamEvent]:
        """The event as part of the whole answer: none for the seams between the steps."""
        kind = event["type"]
        if kind == "content_block_delta" or kind == "content_block_stop":
            return (self._shifted(event),)
        if kind == "content_block_start":
            self._blocks = max(self._blocks, self._offset + int(event["index"]) + 1)
            return (self._shifted(event),)
        if kind == "message_start":
            return self._begin(event) if self.step == 1 else self._seam(event["message"])
        if kind == "message_delta":
            reason = (event.get("delta") or {}).get("stop_reason")
            self._paused = self._paused if reason is None else reason == PAUSED
        return () if kind == "message_stop" and self.goes_on else (event,)

    def _shifted(self, event: StreamEvent) -> StreamEvent:
        return {**event, "index": event["index"] + self._offset} if self._offset else event

    def _begin(self, event: StreamEvent) -> Sequence[StreamEvent]:
        self._blocks = len(event["message"].get("content") or ())
        return (event,)

    def _seam(self, message: Json) -> Sequence[StreamEvent]:
        """The beginning of a later step: its count of tokens, and the blocks that it begins with."""
        seam: list[StreamEvent] = []
        if (usage := message.get("usage")) is not None:
            seam.append({"type": "message_delta", "delta": {}, "usage": usage})
        for block in message.get("content") or ():
            seam.append({"type": "content_block_start", "index": self._blocks, "content_block": block})
            seam.append({"type": "content_block_stop", "index": self._blocks})
            self._blocks += 1
        return seam


def next_asking(
    first: Asking, received: Fold, model: str, accounts: Collection[str], *, whole: bool
) -> Asking:
    """What asks the vendor to go on with the answer that it paused.

    `first` is what the first step asked, `model` the ref of the one that answered last, `accounts` are those
    that have answered since ("" where unknown), `whole` says that all steps were asked with what belongs to
    the account. Thinking of one account goes back to it; if there were two, none does.
    """
    base = first.request if whole or first.elsewhere is None else first.elsewhere
    account = next(iter(accounts)) if len(set(accounts)) == 1 else ""
    elsewhere = _with_answer(first.elsewhere or first.request, model, received, thinking=False)
    if not account:
        return replace(first, request=elsewhere, only_account=None, elsewhere=None)
    request = _with_answer(base, model, received, thinking=True)
    if (container := container_of(received.message)) is not None:
        request = replace(request, extra={**request.extra, "container": container["id"]})
    if request == elsewhere:
        return replace(first, request=request, only_account=None, elsewhere=None)
    return replace(first, request=request, only_account=account, elsewhere=elsewhere)


def container_of(message: Json) -> Json | None:
    """The container in which an answer's code ran, as far as the vendor named one: id and end."""
    container = message.get("container")
    if not isinstance(container, dict) or not isinstance(container.get("id"), str):
        return None
    return {"id": container["id"], "expires_at": str(container.get("expires_at") or "")}


def _with_answer(request: MessageRequest, model: str, received: Fold, *, thinking: bool) -> MessageRequest:
    """The request, followed by the answer so far: calls of the vendor's own tools wait in it to be run."""
    blocks = [
        block
        for block in received.blocks()
        if not is_empty(block) and not (is_thinking(block) and not (thinking and is_sealed(block)))
    ]
    messages = [*request.messages, {"role": "assistant", "content": blocks}]
    return replace(request, model=model, messages=messages)
