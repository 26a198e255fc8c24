"""The committer: fenced rows, batches that fail, commit answers that are lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DataError, OperationalError

from accounts.ids import uuid7
from accounts.models import User
from chat import journal
from chat.journal import Journal, Row
from chat.live import LiveRun, Window
from chat.models import Conversation, JournalEntry, Message, Run
from chat.notes import Notes
from usage.writer import writer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

START = {"type": "message_start", "message": {"content": [], "usage": {}}}


def running(owner: User) -> LiveRun:
    conversation = Conversation.objects.create(owner=owner, title="T", model="m")
    answer = Message.objects.create(conversation=conversation, role="assistant", status="running")
    run = Run.objects.create(message=answer, conversation=conversation, status="running", host="here")
    return LiveRun(run=run.id, message=answer.id, conversation=conversation.id, fence=1)


def row(live: LiveRun, seq: int, fence: int = 1) -> Row:
    return Row(live.run, fence, seq, json.dumps([START]).encode())


def stored(live: LiveRun) -> list[int]:
    return list(JournalEntry.objects.filter(run=live.run).order_by("seq").values_list("seq", flat=True))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the committer offers no event to wait for
            await asyncio.sleep(0)


def test_a_row_under_an_older_fence_is_refused(owner: User) -> None:
    mine, taken = running(owner), running(owner)
    Run.objects.filter(id=taken.run).update(fence=2)
    assert journal.store([row(mine, 1), row(taken, 1)]) == {mine.run}
    assert (stored(mine), stored(taken)) == ([1], [])


def test_a_finished_run_takes_no_more_rows(owner: User) -> None:
    live = running(owner)
    Run.objects.filter(id=live.run).update(status="stopped")
    assert journal.store([row(live, 1)]) == set()


def test_a_batch_that_is_sent_again_counts_as_stored_once(owner: User) -> None:
    live = running(owner)
    assert journal.store([row(live, 1)]) == {live.run}
    assert journal.store([row(live, 1)]) == {live.run}
    assert stored(live) == [1]


def test_what_is_stored_is_read_back_in_order(owner: User) -> None:
    live = running(owner)
    for seq in (2, 1, 3):
        journal.store([Row(live.run, 1, seq, json.dumps([{"type": "n", "n": seq}]).encode())])
    assert journal.read(live.run) == (3, [{"type": "n", "n": n} for n in (1, 2, 3)])
    assert journal.read(live.run, after=2) == (3, [{"type": "n", "n": 3}])
    assert journal.read(live.run, after=3) == (3, [])


async def test_nothing_is_shown_before_it_is_stored(owner: User) -> None:
    live = await writer.run(lambda: running(owner))
    seen: list[list[int]] = []

    class Watcher:
        def wake(self) -> None:
            seen.append([number for number, _events in live.rows])

        def follow(self, window: Window) -> None:
            """Nothing is handed over here."""

    live.followers.add(Watcher())
    committer = Journal(Notes())
    task = asyncio.create_task(committer.commit_forever())
    committer.append(live, START)
    await until(lambda: bool(seen))
    assert seen == [[1]]
    assert await writer.run(lambda: stored(live)) == [1]
    task.cancel()


async def test_only_the_culprit_of_a_failed_batch_ends(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = await writer.run(lambda: (running(owner), running(owner)))
    store = journal.store

    def choosy(rows: list[Row]) -> set[Any]:
        if any(one.run == bad.run for one in rows):
            raise DataError("a value that does not fit")
        return store(rows)

    monkeypatch.setattr(journal, "store", choosy)
    committer = Journal(Notes())
    task = asyncio.create_task(committer.commit_forever())
    committer.append(good, START)
    committer.append(bad, START)
    await until(lambda: good.seq == 1 and bad.ending is not None)
    assert (good.ending, bad.ending, bad.seq) == (None, "unstored", 0)
    task.cancel()


async def test_while_the_database_is_away_events_wait_and_nothing_is_lost(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await writer.run(lambda: running(owner))
    run, failures = writer.run, iter([OperationalError("gone"), OperationalError("gone")])

    async def away(work: Callable[[], Any], **_: Any) -> Any:
        if (failure := next(failures, None)) is not None:
            raise failure
        return await run(work)

    monkeypatch.setattr(journal.committer, "run", away)
    committer = Journal(Notes())
    task = asyncio.create_task(committer.commit_forever())
    committer.append(live, START)
    await until(lambda: live.seq == 1)
    assert live.ending is None
    task.cancel()


async def test_a_lost_commit_answer_stores_one_row(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    live = await writer.run(lambda: running(owner))
    run, losses = writer.run, iter([True])

    async def forgetful(work: Callable[[], Any], **_: Any) -> Any:
        result = await run(work)
        if next(losses, False):
            raise OperationalError("the answer to the commit was lost")
        return result

    monkeypatch.setattr(journal.committer, "run", forgetful)
    committer = Journal(Notes())
    task = asyncio.create_task(committer.commit_forever())
    committer.append(live, START)
    await until(lambda: live.seq == 1)
    assert await run(lambda: stored(live)) == [1]
    task.cancel()


async def test_the_last_events_are_taken_out_for_the_last_write(owner: User) -> None:
    live = await writer.run(lambda: running(owner))
    committer = Journal(Notes())
    committer.append(live, START)
    assert await committer.take(live) == [START]
    committer.show(live, [START])
    assert (live.seq, live.pending) == (1, [])


def test_ids_that_nobody_hosts_are_refused() -> None:
    assert journal.store([Row(uuid7(), 1, 1, b"[]")]) == set()
