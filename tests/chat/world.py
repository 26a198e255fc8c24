"""A small world for the law: one run, the processes that host it in turn, and pages that look at it.

Nothing here is played but the network: rows are stored, read, claimed and finished by the functions that the
servers use, in the test's database.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from accounts.models import User
from chat import distant, journal, records, recovery, snapshots
from chat.journal import Row
from chat.live import LiveRun, Window
from chat.models import Conversation, JournalEntry, Message, Run
from chat.records import Ended
from providers.fold import Fold

Event = dict[str, Any]


@dataclass
class Page:
    """What a person sees: a state at a number. `window` is what its socket's process knows of the run."""

    state: Fold
    seq: int
    window: Window
    seen: list[str] = field(default_factory=list)  # everything that was ever on it


class World:
    def __init__(self, owner: User) -> None:
        conversation = Conversation.objects.create(
            owner=owner, title="T", model="anthropic/claude-sonnet-5-5"
        )
        question = Message.objects.create(
            conversation=conversation, role="user", author=owner, blocks_text='[{"type":"text","text":"Hi"}]'
        )
        self.answer = Message.objects.create(
            conversation=conversation, parent=question, role="assistant", status="running", model="m"
        )
        self.run = Run.objects.create(
            message=self.answer, conversation=conversation, status="running", host="first"
        )
        self.host: LiveRun | None = self._host(0, Fold())
        self.lost: list[LiveRun] = []  # hosts that do not know yet that their run was taken
        self.pages: list[Page] = []
        self.sent: list[Event] = []

    def _host(self, seq: int, received: Fold) -> LiveRun:
        return LiveRun(
            run=self.run.id,
            message=self.answer.id,
            conversation=self.run.conversation_id,
            fence=self.run.fence,
            seq=seq,
            received=received,
        )

    @property
    def status(self) -> str:
        return str(Run.objects.get(id=self.run.id).status)

    # What happens

    def receive(self, event: Event) -> None:
        assert self.host is not None
        self.sent.append(event)
        self.host.received.apply(event)
        self.host.pending.append(event)

    def commit(self, host: LiveRun, *, answer_lost: bool = False) -> None:
        """What the committer does; after a lost answer it stores the same rows again."""
        events, host.pending = host.pending, []
        if not events:
            return
        row = Row(host.run, host.fence, host.seq + 1, json.dumps(journal.merge(events)).encode())
        kept = _store(row)
        if answer_lost:
            kept = _store(row)
        assert kept is (host is self.host), "a host whose run was taken stores nothing"
        if kept:
            host.publish(row.seq, row.events)

    def lose_host(self) -> None:
        """The process is gone, or frozen; another one claims the run, and ends it or starts it again."""
        assert self.host is not None
        self.lost.append(self.host)
        self.host = None
        asyncio.run(recovery.recover(Run.objects.get(id=self.run.id)))
        self.run.refresh_from_db()
        if self.run.status == Run.Status.QUEUED:
            assert records.begin_again(self.run, records.history(self.run)) is not None
            self.host = self._host(*journal.fold(self.run.id))
            self.sent.clear()

    def end(self, status: str) -> None:
        """The last write of the run, by the host that has it."""
        assert self.host is not None
        rest, self.host.pending = self.host.pending, []
        with transaction.atomic():
            assert records.finish(self.run.id, self.host.fence, Ended(status), self.host.received)
        if rest:
            self.host.publish(self.host.seq + 1, json.dumps(journal.merge(rest)).encode())
        self.host.finish(status)
        self.host = None

    # What people see

    def load(self, *, here: bool) -> None:
        """A page is loaded; its socket is on the host's process or on another one."""
        taken = snapshots.take(self.run.id)
        window: Window = Window(
            run=self.run.id, message=self.answer.id, conversation=self.run.conversation_id, seq=taken.seq
        )
        if here and self.host is not None:
            window = self.host
        page = Page(Fold.resume(json.loads(json.dumps(taken.state))), taken.seq, window)
        self.pages.append(page)
        self._look_at(page)

    def catch_up(self, page: Page) -> None:
        """ONE frame with what the page has not got: events, or the state where memory reaches not so far."""
        window = page.window
        if isinstance(window, LiveRun) and window is not self.host and window.finished is None:
            window = page.window = Window(
                run=window.run, message=window.message, conversation=window.conversation, seq=window.seq
            )
        if not isinstance(window, LiveRun):
            status, entries = distant.look({window.run: window.seq})[window.run]
            for seq, entry in entries:
                assert seq == window.seq + 1, "rows have no gaps"
                window.publish(seq, entry)
            if status not in Run.LIVE:
                window.finish(status)
        if window.seq > page.seq:
            events = window.rows_after(page.seq)
            if events is not None:
                for event in json.loads(events):
                    page.state.apply(event)
                page.seq = window.seq
            elif (taken := snapshots.take(window.run)).seq > page.seq:
                page.state, page.seq = Fold.resume(json.loads(json.dumps(taken.state))), taken.seq
        self._look_at(page)

    def _look_at(self, page: Page) -> None:
        page.seen.append(shown(page.state.blocks()))

    # What must hold

    def check(self) -> None:
        """What is stored is what the host received; a page at the last number equals a fresh one."""
        assert self.host is not None
        stored = snapshots.take(self.run.id)
        if not self.host.pending:
            assert stored.seq == self.host.seq
            assert stored.state == self.host.received.state()
        for page in self.pages:
            assert page.seq <= stored.seq
            if page.seq == stored.seq:
                assert page.state.state() == stored.state

    def check_end(self) -> None:
        """The finished message begins with all that any page was ever shown, and nothing is left open."""
        message = Message.objects.get(id=self.answer.id)
        assert message.status == self.status not in Run.LIVE
        assert not JournalEntry.objects.filter(run=self.run).exists()
        final = shown(message.blocks)
        for page in self.pages:
            for seen in page.seen:
                assert final.startswith(seen)
        assert shown_of(self.sent).startswith(final) or not self.sent


def _store(row: Row) -> bool:
    with transaction.atomic():
        return bool(journal.store([row]))


def shown(blocks: list[dict[str, Any]]) -> str:
    """All that a person can read of blocks, in order; a block that has begun is a mark of its own."""
    return "".join(
        f"\x1e{block.get('type')}\x1f{block.get('text') or block.get('thinking') or block.get('data') or ''}"
        for block in blocks
    )


def shown_of(events: list[Event]) -> str:
    fold = Fold()
    for event in events:
        fold.apply(event)
    return shown(fold.blocks())
