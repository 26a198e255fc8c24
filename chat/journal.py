"""The journal: what a run received is stored here before anybody is shown it.

One committer per process collects the events of all its live runs and stores them in one transaction: at once
when little happens, spaced by a few milliseconds under load, neighbouring deltas merged. Only when the commit
has answered do the rows get shown. So the cost of a delta falls as load rises, and what was shown is always
stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import msgspec
from django.db import DatabaseError, InterfaceError, connection

from providers.errors import ProtocolError
from providers.fold import Fold
from providers.types import StreamEvent
from usage.writer import Writer, may_pass

from .live import LiveRun
from .models import JournalEntry, Run
from .notes import Notes

committer = Writer("chat-committer", threads=1)

T = TypeVar("T")
log = logging.getLogger(__name__)

SPACING = 0.02  # seconds between two commits under load
SPACING_PER_ROW = 0.0008  # seconds more for each run in the last one
SPACING_LONGEST = 0.1  # seconds
SPACING_URGENT = 0.004  # seconds, when a run has nothing to show yet
CALM = 4  # a commit of at most so many rows is followed by the next one at once
AWAY_LONGEST = 1.0  # seconds between tries while the database is away

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[dict[str, object]]).decode


@dataclass(frozen=True, slots=True)
class Row:
    """One run's events of one commit; `events` is their JSON list."""

    run: UUID
    fence: int
    seq: int
    events: bytes


class Journal:
    """What the runs of this process receive, on its way to the database. Belongs to the host's event loop."""

    def __init__(self, notes: Notes) -> None:
        self.rows = self.bytes = 0  # stored so far
        self._notes = notes  # the other processes hear up to which numbers runs are stored
        self._dirty: list[LiveRun] = []  # those with pending events
        self._news = asyncio.Event()
        self._pause: asyncio.Future[None] | None = None
        self._in_flight: asyncio.Future[None] | None = None
        self._stored: asyncio.Future[None] | None = None  # somebody waits for the next commit

    def append(self, live: LiveRun, event: StreamEvent) -> None:
        live.pending.append(event)
        if len(live.pending) == 1:
            self._dirty.append(live)
            self._news.set()
            if live.seq <= 1 and self._pause is not None and not self._pause.done():
                self._pause.get_loop().call_later(SPACING_URGENT, _let_go, self._pause)

    async def commit_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._news.wait()
            self._news.clear()
            started = loop.time()
            batch = [(live, live.pending) for live in self._dirty if live.pending]
            self._dirty = []
            for live, _events in batch:
                live.pending = []
            if batch:
                await self._commit(batch)
            if len(batch) > CALM:
                spacing = min(SPACING + SPACING_PER_ROW * len(batch), SPACING_LONGEST)
                await self._rest(started + spacing)

    async def _rest(self, until: float) -> None:
        """Waits until then (loop time), less if a run that has nothing to show yet receives something."""
        loop = asyncio.get_running_loop()
        self._pause = loop.create_future()
        timer = loop.call_at(until, _let_go, self._pause)
        await self._pause
        timer.cancel()

    async def take(self, live: LiveRun) -> list[StreamEvent]:
        """The events of a run that no commit has stored or is storing now: its last ones go into its last
        write.
        """
        rest, live.pending = live.pending, []
        if self._in_flight is not None:
            await asyncio.shield(self._in_flight)
        return rest

    def show(self, live: LiveRun, events: list[StreamEvent]) -> None:
        """Shows a run's last events, which its last write has stored in the message."""
        if events:
            live.publish(live.seq + 1, _encode(merge(events)))
        self._notes.runs_went_on({live.run: live.seq + 1})

    async def caught_up(self, live: LiveRun) -> None:
        """Waits until everything that the run has received is stored."""
        while live.pending or self._in_flight is not None:
            if self._in_flight is not None:
                await asyncio.shield(self._in_flight)
            else:
                self._stored = self._stored or asyncio.get_running_loop().create_future()
                await asyncio.shield(self._stored)

    async def _commit(self, batch: list[tuple[LiveRun, list[StreamEvent]]]) -> None:
        self._in_flight = asyncio.get_running_loop().create_future()
        try:
            await self._store_and_publish(batch)
        finally:
            self._in_flight.set_result(None)
            self._in_flight = None
            if self._stored is not None:
                self._stored.set_result(None)
                self._stored = None

    async def _store_and_publish(self, batch: list[tuple[LiveRun, list[StreamEvent]]]) -> None:
        try:
            rows = [Row(live.run, live.fence, live.seq + 1, _encode(merge(events))) for live, events in batch]
            kept = await stored(lambda: store(rows))
        except Exception:  # the committer must outlive whatever one run makes of it
            if len(batch) > 1:
                log.exception("A commit of %d runs was refused; each is tried alone", len(batch))
                for one in batch:
                    await self._store_and_publish([one])
                return
            log.exception("Run %s cannot be stored; it ends", batch[0][0].run)
            batch[0][0].end("unstored")
            return
        for (live, _events), row in zip(batch, rows, strict=True):
            if row.run in kept:
                live.publish(row.seq, row.events)
                self.rows += 1
                self.bytes += len(row.events)
            else:
                live.end("fenced")
        self._notes.runs_went_on({row.run: row.seq for row in rows if row.run in kept})


async def stored(write: Callable[[], T]) -> T:
    """Runs a write of the journal in the committer, for as long as it takes while the database is away.

    The write must bear being run twice: its commit answer may have been lost. Errors that will not pass are
    raised.
    """
    pause = 0.02
    while True:
        try:
            return await committer.run(write, patience=0)
        except (DatabaseError, InterfaceError) as error:
            if not may_pass(error):
                raise
            log.warning(
                "The database is away (%s); what was received waits to be stored", type(error).__name__
            )
            await asyncio.sleep(pause)
            pause = min(AWAY_LONGEST, pause * 2)


def _let_go(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)


def store(rows: list[Row]) -> set[UUID]:
    """Stores the rows of runs whose fence still matches, in the caller's transaction; returns those runs.

    One statement for all of them: sqlite3 gives up the interpreter at every row that it steps to, and waits
    to get it back from a busy event loop. A commit of 500 rows would mostly be that waiting. Where rows can
    be locked, those of the runs are, in id order: whoever claims one waits for this, or is seen here.
    """
    adapt = Run._meta.pk.get_db_prep_value
    keys = {row.run: adapt(row.run, connection) for row in rows}
    journal, runs = (connection.ops.quote_name(model._meta.db_table) for model in (JournalEntry, Run))
    marks = ", ".join(["(%s, %s, %s, %s)"] * len(rows))
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH live AS (SELECT id, fence FROM {runs} WHERE id IN ({_marks(keys)}) "  # noqa: S608
            f"AND status IN ('queued', 'running', 'waiting') ORDER BY id{lock}) "
            f"INSERT INTO {journal} (run_id, seq, events) "
            f"SELECT v.column1, v.column2, v.column3 FROM (VALUES {marks}) v JOIN live r "
            "ON r.id = v.column1 AND r.fence = v.column4 "
            "WHERE TRUE ON CONFLICT (run_id, seq) DO NOTHING",
            [
                *keys.values(),
                *(
                    value
                    for row in rows
                    for value in (keys[row.run], row.seq, row.events.decode(), row.fence)
                ),
            ],
        )
        if cursor.rowcount == len(rows):
            return set(keys)
        cursor.execute(
            f"SELECT id, fence FROM {runs} WHERE id IN ({_marks(keys)}) "  # noqa: S608 - names from the models
            "AND status IN ('queued', 'running', 'waiting')",
            list(keys.values()),
        )
        fences = {str(key).replace("-", ""): fence for key, fence in cursor.fetchall()}
    return {row.run for row in rows if fences.get(row.run.hex) == row.fence}


def _marks(values: Sized) -> str:
    return ", ".join(["%s"] * len(values))


def read(run: UUID, after: int = 0) -> tuple[int, list[StreamEvent]]:
    """The last number and all stored events of a run after number `after`."""
    entries = JournalEntry.objects.filter(run=run, seq__gt=after).order_by("seq")
    rows = list(entries.values_list("seq", "events"))
    events = [event for _seq, text in rows for event in _decode(text)]
    return (rows[-1][0] if rows else after), events


def fold(run: UUID) -> tuple[int, Fold]:
    """The last number, and the answer as far as the journal of a run can be read."""
    seq, events = read(run)
    folded = Fold()
    _apply(folded, run, events)
    return seq, folded


def fold_step(run: UUID, after: int) -> Fold | None:
    """What the journal of a run holds of the step that began after this number; None when it holds nothing.

    The blocks of earlier steps, whose indexes go on in this one, are empty texts in it.
    """
    _seq, events = read(run, after)
    if not events:
        return None
    before = next((event["index"] for event in events if event["type"] == "content_block_start"), 0)
    step = Fold()
    content = [{"type": "text", "text": ""} for _ in range(before)]
    step.apply({"type": "message_start", "message": {"type": "message", "content": content, "usage": {}}})
    _apply(step, run, events)
    return step


def _apply(folded: Fold, run: UUID, events: list[StreamEvent]) -> None:
    try:
        for event in events:
            folded.apply(event)
    except ProtocolError:
        log.exception("The journal of run %s cannot be read to its end", run)


def merge(events: Iterable[StreamEvent]) -> list[StreamEvent]:
    """Joins neighbouring deltas of the same kind and block, which changes nothing that a fold can see."""
    merged: list[StreamEvent] = []
    parts: list[str] = []  # the texts of the last merged event and of those that belong to it
    before: tuple[object, str] | None = None
    for event in events:
        place = _place(event)
        if place is not None and place == before:
            parts.append(event["delta"][_JOINED[place[1]]])
            continue
        _join(merged, parts)
        merged.append(event)
        parts = [event["delta"][_JOINED[place[1]]]] if place is not None else []
        before = place
    _join(merged, parts)
    return merged


_JOINED = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


def _place(event: StreamEvent) -> tuple[object, str] | None:
    """Block and kind of a delta that may be joined with its neighbour; None for every other event."""
    if event.get("type") != "content_block_delta":
        return None
    delta = event["delta"]
    kind = delta.get("type")
    return (event["index"], kind) if kind in _JOINED and len(delta) == 2 else None


def _join(merged: list[StreamEvent], parts: list[str]) -> None:
    if len(parts) > 1:
        delta = merged[-1]["delta"]
        merged[-1] = {**merged[-1], "delta": {**delta, _JOINED[delta["type"]]: "".join(parts)}}
