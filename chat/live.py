"""One live run in the process that hosts it: what was received, what is committed, who follows.

A row is what one commit stored. Rows stay in memory for followers that are nearly in step; who is further
behind reads the state from the journal. Everything here happens on the host's event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Literal, Protocol
from uuid import UUID

from providers.fold import Fold
from providers.types import StreamEvent

ROWS_KEPT = 64

Ending = Literal["stop", "shutdown", "fenced", "unstored"]


class Follower(Protocol):
    """A socket's window on runs: it is woken, and then reads what it has not sent yet."""

    def wake(self) -> None: ...


class LiveRun:
    """`received` holds every event, `pending` those not stored yet; `seq` is the last stored row."""

    def __init__(self, *, run: UUID, message: UUID, conversation: UUID, fence: int) -> None:
        self.run = run
        self.message = message
        self.conversation = conversation
        self.fence = fence
        self.received = Fold()
        self.pending: list[StreamEvent] = []
        self.seq = 0
        self.rows: deque[tuple[int, bytes]] = deque(maxlen=ROWS_KEPT)
        self.followers: set[Follower] = set()
        self.task: asyncio.Task[None] | None = None
        self.ending: Ending | None = None
        self.seconds: dict[str, float] = {}  # how long a folded block took, by its index
        self._begun_at: dict[str, float] = {}
        self.is_first = False  # the first answer of its conversation
        self.closing = False  # its last write has begun: nothing ends it any more
        self.finished: str | None = None

    def note(self, event: StreamEvent) -> None:
        """Takes the time of blocks that are shown folded; for every event but deltas."""
        kind, index = event.get("type"), str(event.get("index"))
        if kind == "content_block_start" and event["content_block"].get("type") != "text":
            self._begun_at[index] = time.monotonic()
        elif kind == "content_block_stop" and (begun_at := self._begun_at.pop(index, None)) is not None:
            self.seconds[index] = round(time.monotonic() - begun_at, 1)

    def publish(self, seq: int, events: bytes) -> None:
        """Row `seq` is committed (events: a JSON list): show it."""
        self.seq = seq
        self.rows.append((seq, events))
        for follower in self.followers:
            follower.wake()

    def finish(self, status: str) -> None:
        """The message is complete in the database; followers are told, and this object is done."""
        self.finished = status
        for follower in list(self.followers):
            follower.wake()

    def rows_after(self, seq: int) -> bytes | None:
        """All events after number `seq` as one JSON list; None when memory no longer reaches back so far."""
        behind = self.seq - seq
        if behind <= 0:
            return b"[]"
        if behind == 1 and self.rows:
            return self.rows[-1][1]
        if behind > len(self.rows):
            return None
        newer = [self.rows[position][1][1:-1] for position in range(-behind, 0)]
        return b"[" + b",".join(newer) + b"]"

    def end(self, reason: Ending) -> None:
        """Ends the task at its next step; the first reason counts, and none once the last write has begun."""
        if self.ending is None and not self.closing:
            self.ending = reason
            if self.task is not None:
                self.task.cancel()
