"""One live run in the process that hosts it: what was received, what is committed, who follows.

A row is what one commit stored. Rows stay in memory for followers that are nearly in step; who is further
behind reads the state from the journal. Everything here happens on the host's event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Literal, Protocol
from uuid import UUID

from providers.fold import Fold
from providers.types import StreamEvent

ROWS_KEPT = 256

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
        self.is_first = False  # the first answer of its conversation
        self.closing = False  # its last write has begun: nothing ends it any more
        self.finished: str | None = None

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
