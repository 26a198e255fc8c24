"""What one open page is sent: frames about its conversations, and the events of the runs that it follows.

It sends by itself, so that a page that reads slowly still hears Stop. Of stream events it sends only so many
bytes that the page has not acknowledged; meanwhile rows wait with the run, and become one frame.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import msgspec
from django.db import DatabaseError, InterfaceError

from . import snapshots
from .events import Events, Finished, Frame, State, encode
from .live import Window

FRAMES_MOST = 200  # waiting frames other than stream events; more, and the page is closed and comes back
OUTSTANDING_MOST = 512 * 1024  # bytes of stream events that the page has not said to have
ACKNOWLEDGE_WITHIN = 90.0  # seconds, once so much is outstanding; a hidden tab's timers run once a minute
TRY_AGAIN = 1.0  # seconds, after the database did not answer

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Followed:
    """A run that the page is shown, up to number `sent`; `outstanding`: (number, bytes) not acknowledged."""

    window: Window
    sent: int
    outstanding: deque[tuple[int, int]] = field(default_factory=deque)

    def acknowledge(self, number: int) -> int:
        """The page has this number; returns how many bytes are no longer outstanding."""
        freed = 0
        while self.outstanding and self.outstanding[0][0] <= number:
            freed += self.outstanding.popleft()[1]
        return freed


class Feed:
    """Belongs to the host's event loop; `send` gives the page one frame, as text."""

    def __init__(self, send: Callable[[str], Awaitable[None]]) -> None:
        self._send_text = send
        self._followed: dict[UUID, Followed] = {}
        self._frames: deque[Frame] = deque()
        self._news = asyncio.Event()
        self._outstanding = 0  # bytes
        self._full_since: float | None = None  # monotonic seconds

    @property
    def overflows(self) -> bool:
        """The page takes nothing any more: too many frames wait, or it acknowledges nothing."""
        waits = self._full_since is not None and time.monotonic() - self._full_since > ACKNOWLEDGE_WITHIN
        return waits or len(self._frames) > FRAMES_MOST

    def put(self, frame: Frame) -> None:
        self._frames.append(frame)
        self._news.set()

    def wake(self) -> None:
        """A followed run has news."""
        self._news.set()

    def follow(self, window: Window, after: int = 0) -> None:
        """Shows a run after number `after`.

        A run that is followed already, and is hosted elsewhere now, goes on after what was sent of it.
        """
        followed = self._followed.get(window.run)
        if followed is None:
            self._followed[window.run] = followed = Followed(window, after)
        elif followed.window is not window:
            followed.window.followers.discard(self)
            followed.window = window
        window.followers.add(self)
        if window.seq > followed.sent or window.finished:
            self._news.set()

    def follows(self, run: UUID) -> bool:
        return run in self._followed

    def forget_runs(self) -> None:
        for followed in self._followed.values():
            followed.window.followers.discard(self)
        self._followed.clear()
        self._outstanding, self._full_since = 0, None

    def acknowledged(self, numbers: Iterable[tuple[UUID, int]]) -> None:
        """The page has these runs up to these numbers."""
        for run, number in numbers:
            followed = self._followed.get(run)
            if followed is None:
                continue
            followed.sent = max(followed.sent, min(number, followed.window.seq))
            self._outstanding -= followed.acknowledge(number)
        if self._full_since is not None and self._outstanding < OUTSTANDING_MOST:
            self._full_since = None
            self._news.set()

    async def send_forever(self) -> None:
        with suppress(OSError):  # the page has gone; its disconnect follows
            while True:
                await self._news.wait()
                self._news.clear()
                try:
                    await self._send_all()
                except (DatabaseError, InterfaceError) as error:
                    log.warning("A state could not be read, trying again: %s", type(error).__name__)
                    await asyncio.sleep(TRY_AGAIN)
                    self._news.set()

    async def _send_all(self) -> None:
        while self._frames:
            await self._send_text(encode(self._frames.popleft()))
        for followed in list(self._followed.values()):
            await self._send_news(followed)

    async def _send_news(self, followed: Followed) -> None:
        window = followed.window
        if window.seq > followed.sent:
            if self._outstanding >= OUTSTANDING_MOST:
                self._full_since = self._full_since or time.monotonic()
                return
            await self._send_rows(followed)
        if window.finished and followed.sent >= window.seq and self._followed.get(window.run) is followed:
            del self._followed[window.run]
            window.followers.discard(self)
            self._outstanding -= followed.acknowledge(followed.sent)
            done = Finished(window.conversation, window.run, window.message, window.finished)
            await self._send_text(encode(done))

    async def _send_rows(self, followed: Followed) -> None:
        """ONE frame with all that the page has not got; the whole state where memory does not reach back so
        far.
        """
        window, sent, seq = followed.window, followed.sent, followed.window.seq
        about = (window.conversation, window.run, window.message)
        events = window.rows_after(sent)
        if events is not None:
            frame: Frame = Events(*about, sent, seq, msgspec.Raw(events))
        else:
            snapshot = await snapshots.of_run(window.run)
            if snapshot is None or snapshot.seq <= sent:  # finished meanwhile: the page fetches the turn
                followed.sent = seq
                return
            seq, frame = snapshot.seq, State(*about, snapshot.seq, snapshot.state)
        text = encode(frame)
        followed.sent = seq
        followed.outstanding.append((seq, len(text)))
        self._outstanding += len(text)
        await self._send_text(text)
