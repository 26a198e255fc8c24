"""One run as this process shows it, and as its host writes it.

    Window          its last stored rows, and who follows them
      └── LiveRun   in the process that hosts it: what was received, what waits to be stored

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

from .origins import Answered

ROWS_KEPT = 64

Ending = Literal["stop", "shutdown", "fenced", "unstored"]


class Follower(Protocol):
    """A socket's window on runs: it is woken, and then reads what it has not sent yet."""

    def wake(self) -> None: ...

    def follow(self, window: Window) -> None: ...


class Window:
    """What this process shows of a run, wherever the run is hosted: its last stored rows, and who follows.

    `seq` is the last stored row that is known here.
    """

    def __init__(self, *, run: UUID, message: UUID, conversation: UUID, seq: int = 0) -> None:
        self.run = run
        self.message = message
        self.conversation = conversation
        self.seq = seq
        self.rows: deque[tuple[int, bytes]] = deque(maxlen=ROWS_KEPT)
        self.followers: set[Follower] = set()
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

    def hand_over(self, window: Window) -> None:
        """The run goes on elsewhere: who follows it here follows it there, after what was shown here."""
        for follower in list(self.followers):
            follower.follow(window)

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


class LiveRun(Window):
    """A run in the process that hosts it: `received` holds every event, `pending` those not stored yet.

    A run that is started again goes on after what was stored of its first start: `seq` and `received` say
    how far that was.
    """

    def __init__(
        self,
        *,
        run: UUID,
        message: UUID,
        conversation: UUID,
        fence: int,
        seq: int = 0,
        received: Fold | None = None,
    ) -> None:
        super().__init__(run=run, message=message, conversation=conversation, seq=seq)
        self.fence = fence
        self.received = received or Fold()
        self.pending: list[StreamEvent] = []
        self.task: asyncio.Task[None] | None = None
        self.begun = False  # the task has taken its first step
        self.ending: Ending | None = None
        self.seconds: dict[str, float] = {}  # how long a folded block took, by its index
        self._begun_at: dict[str, float] = {}
        self.answered: Answered | None = None  # where the answer comes from, once somebody was asked
        self.is_first = False  # the first answer of its conversation
        self.closing = False  # its last write has begun: nothing ends it any more

    def note(self, event: StreamEvent) -> None:
        """Takes the time of blocks that are shown folded; for every event but deltas."""
        kind, index = event.get("type"), str(event.get("index"))
        if kind == "content_block_start" and event["content_block"].get("type") != "text":
            self._begun_at[index] = time.monotonic()
        elif kind == "content_block_stop" and (begun_at := self._begun_at.pop(index, None)) is not None:
            self.seconds[index] = round(time.monotonic() - begun_at, 1)

    def end(self, reason: Ending) -> None:
        """Ends the task at its next step; the first reason counts, and none once the last write has begun.

        A task that has not begun reads the reason at its first step: cancelled, it would never take one.
        """
        if self.ending is None and not self.closing:
            self.ending = reason
            if self.task is not None and self.begun:
                self.task.cancel()
