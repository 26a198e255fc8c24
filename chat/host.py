"""This process as a host of live runs: its event loop, the runs that it writes, those of other processes that
its pages follow, the tasks that belong to no request.

`lifecycle` starts and stops it; everything else here is called on its loop, except `call`.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from .distant import Distant
from .journal import Journal
from .live import Ending, LiveRun
from .notes import Notes

log = logging.getLogger(__name__)


class Host:
    """`runs` are the live runs that this process writes; `journal` stores what they receive.

    `distant` are the runs of other processes that are followed here; `notes` tell the others what went on.
    """

    def __init__(self) -> None:
        self.begin_on(None)

    def begin_on(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Forgets everything and belongs to this loop from now on."""
        self.loop = loop
        self.runs: dict[UUID, LiveRun] = {}
        self.distant = Distant()
        self.notes = Notes()
        self.journal = Journal(self.notes)
        self.tasks: set[asyncio.Task[None]] = set()
        self._by_conversation: dict[UUID, set[LiveRun]] = {}

    def add(self, live: LiveRun) -> None:
        self.runs[live.run] = live
        self.distant.forget(live.run)
        self._by_conversation.setdefault(live.conversation, set()).add(live)

    def remove(self, live: LiveRun) -> None:
        self.runs.pop(live.run, None)
        siblings = self._by_conversation.get(live.conversation, set())
        siblings.discard(live)
        if not siblings:
            self._by_conversation.pop(live.conversation, None)

    def runs_of(self, conversation: UUID) -> list[LiveRun]:
        return list(self._by_conversation.get(conversation, ()))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task of this process: it gets a fresh context, and it is held until it is done."""
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("A task of the host failed", exc_info=task.exception())

    def call(self, work: Callable[..., object], *arguments: object) -> bool:
        """Runs `work` on the host's loop, from any thread; False when no loop serves here."""
        loop = self.loop
        if loop is None or loop.is_closed():
            return False
        loop.call_soon_threadsafe(work, *arguments)
        return True

    def end_here(self, run: UUID, reason: Ending) -> None:
        """Ends a run if it is hosted here."""
        if (live := self.runs.get(run)) is not None:
            live.end(reason)


host = Host()
