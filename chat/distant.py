"""Runs that other processes host, as far as pages of this process follow them.

The bell names the runs that went on; without it a second passes. Then one query reads, for all of them, what
is stored after the number that this process has, and whether they have ended. So a follower here sees the
same rows as one in the run's own process, a moment later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from functools import partial
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection

from usage import rows

from .live import Window
from .models import JournalEntry, Run
from .reading import read

LOOK_EVERY = 1.0  # seconds between looks that nobody rang for
SPACING = 0.02  # seconds between two looks
SPACING_PER_RUN = 0.0004  # seconds more for each run of the last one
SPACING_LONGEST = 0.1  # seconds

log = logging.getLogger(__name__)


class Distant:
    """The windows on runs of other processes; its methods belong to the host's event loop."""

    def __init__(self) -> None:
        self.windows: dict[UUID, Window] = {}
        self._due: set[UUID] = set()
        self._news = asyncio.Event()

    def window(self, run: UUID, message: UUID, conversation: UUID, after: int) -> Window:
        """The window on a run; a new one begins at number `after`, and is read from there on."""
        found = self.windows.get(run)
        if found is None:
            found = self.windows[run] = Window(run=run, message=message, conversation=conversation, seq=after)
            self.went_on({run: after + 1})
        return found

    def went_on(self, numbers: dict[UUID, int]) -> None:
        """Somebody says that runs are at these numbers."""
        due = {run for run, seq in numbers.items() if run in self.windows and self.windows[run].seq < seq}
        if due:
            self._due |= due
            self._news.set()

    def forget(self, run: UUID) -> None:
        self.windows.pop(run, None)

    async def look_forever(self) -> None:
        loop = asyncio.get_running_loop()
        looked_at_all = loop.time()
        while True:
            await self._wait(looked_at_all + LOOK_EVERY)
            self._forget_unfollowed()
            if loop.time() >= looked_at_all + LOOK_EVERY:
                looked_at_all = loop.time()
                self._due = set(self.windows)
            due, self._due = self._due & set(self.windows), set()
            if due:
                await self._look(due)
                await asyncio.sleep(min(SPACING + SPACING_PER_RUN * len(due), SPACING_LONGEST))

    async def _wait(self, until: float) -> None:
        """Until somebody rings, or, while anything is followed, until then (loop time)."""
        try:
            async with asyncio.timeout_at(until if self.windows else None):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    def _forget_unfollowed(self) -> None:
        for run in [run for run, window in self.windows.items() if not window.followers]:
            del self.windows[run]

    async def _look(self, due: Collection[UUID]) -> None:
        known = {run: self.windows[run].seq for run in due}
        try:
            found = await read(partial(look, known))
        except (DatabaseError, InterfaceError) as error:
            log.warning("Runs of other processes could not be read: %s", type(error).__name__)
            return
        for run in due:
            window = self.windows.get(run)
            if window is None:
                continue
            status, entries = found.get(run, ("gone", []))
            for seq, events in entries:
                if seq == window.seq + 1:
                    window.publish(seq, events)
            if status not in Run.LIVE:
                window.finish(status)
                self.forget(run)


def look(known: dict[UUID, int]) -> dict[UUID, tuple[str, list[tuple[int, bytes]]]]:
    """Status and stored rows (number, JSON list of events) of runs, each after its known number.

    One query for all of them; a run that is missing in the result exists no more.
    """
    adapt = Run._meta.pk.get_db_prep_value
    keys = {run: adapt(run, connection) for run in known}
    runs, journal = rows.quoted(Run._meta.db_table), rows.quoted(JournalEntry._meta.db_table)
    marks = ", ".join(["(%s, %s)"] * len(known))
    values = [value for run, number in known.items() for value in (keys[run], number)]
    found: dict[UUID, tuple[str, list[tuple[int, bytes]]]] = {}
    for key, status, seq, events in _select(
        f"SELECT r.id, r.status, j.seq, j.events FROM (VALUES {marks}) v "  # noqa: S608 - names from the models
        f"JOIN {runs} r ON r.id = v.column1 "
        f"LEFT JOIN {journal} j ON j.run_id = r.id AND j.seq > v.column2 ORDER BY r.id, j.seq",
        values,
    ):
        _status, entries = found.setdefault(Run._meta.pk.to_python(key), (status, []))
        if seq is not None:
            entries.append((seq, events.encode()))
    return found


def _select(query: str, values: list[Any]) -> list[tuple[str, str, int | None, str]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())
