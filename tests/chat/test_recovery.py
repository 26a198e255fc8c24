"""Runs whose host is gone: claimed once, kept, billed; never taken from a host that lives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from chat import reading, recovery
from chat.models import Conversation, JournalEntry, Message, Run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


def lost(owner: User, *events: dict[str, Any], **fields: Any) -> Run:
    conversation = Conversation.objects.create(owner=owner, title="T", model="anthropic/claude-sonnet-5-5")
    question = Message.objects.create(
        conversation=conversation, role="user", author=owner, blocks_text='[{"type":"text","text":"Hi"}]'
    )
    answer = Message.objects.create(
        conversation=conversation,
        parent=question,
        role="assistant",
        status="running",
        model=conversation.model,
    )
    run = Run.objects.create(
        message=answer,
        conversation=conversation,
        host="gone",
        lease_until=timezone.now(),
        **({"status": "running"} | fields),
    )
    if events:
        JournalEntry.objects.create(run=run, seq=1, events=json.dumps(events))
    return run


def said(text: str) -> list[dict[str, Any]]:
    return [
        {
            "type": "message_start",
            "message": {"content": [], "usage": {"input_tokens": 1, "output_tokens": 1}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
    ]


async def test_what_was_stored_is_kept_and_marked_interrupted(owner: User) -> None:
    run = await reading.read(lambda: lost(owner, *said("Half an ans")))
    await recovery.recover(run)
    message = await reading.read(lambda: Message.objects.get(runs=run))
    assert (message.status, message.text) == ("interrupted", "Half an ans")
    assert not await reading.read(lambda: JournalEntry.objects.exists())


async def test_a_run_that_was_told_to_stop_is_stopped(owner: User) -> None:
    run = await reading.read(lambda: lost(owner, *said("Half"), stop_requested_at=timezone.now()))
    await recovery.recover(run)
    assert (await reading.read(lambda: Run.objects.get())).status == "stopped"


async def test_without_content_it_is_started_again_but_only_once(owner: User) -> None:
    run = await reading.read(lambda: lost(owner))
    await recovery.recover(run)
    again = await reading.read(lambda: Run.objects.get())
    assert (again.status, again.attempts, again.fence) == ("queued", 1, 2)
    await recovery.recover(again)
    assert (await reading.read(lambda: Run.objects.get())).status == "interrupted"


async def test_a_lease_that_moves_is_not_claimed(owner: User) -> None:
    run = await reading.read(lambda: lost(owner, *said("Half")))
    await reading.read(lambda: Run.objects.update(lease_until=timezone.now()))
    await recovery.recover(run)
    assert (await reading.read(lambda: Run.objects.get())).status == "running"


async def test_of_two_claimers_one_wins(owner: User) -> None:
    run = await reading.read(lambda: lost(owner, *said("Half")))
    await recovery.recover(run)
    await recovery.recover(run)
    claimed = await reading.read(lambda: Run.objects.get())
    assert (claimed.status, claimed.fence) == ("interrupted", 2)


def watch(run: Run, *looks: float) -> list[Run]:
    """What a watch says at the last of these looks, in seconds of its own clock."""
    watch = recovery.Watch()
    verdicts = [watch.stood_still([run], at) for at in looks]
    return verdicts[-1]


def test_a_lease_that_stood_still_for_a_whole_period_is_lost(owner: User) -> None:
    run = lost(owner)
    assert watch(run, 100, 105, 110, 114) == []
    assert watch(run, 100, 105, 110, 115) == [run]


def test_a_lease_that_moved_is_watched_anew(owner: User) -> None:
    run, watching = lost(owner), recovery.Watch()
    for at in (100, 105, 110):
        assert watching.stood_still([run], at) == []
    run.lease_until = timezone.now()
    assert watching.stood_still([run], 115) == []
    assert watching.stood_still([run], 120) == []
    run.fence += 1
    assert watching.stood_still([run], 125) == []
    assert watching.stood_still([run], 130) == []


def test_after_a_time_without_looks_every_lease_is_watched_anew(owner: User) -> None:
    """The database was away, or this process was frozen: nobody could renew what it would now take."""
    run = lost(owner)
    assert watch(run, 100, 105, 160) == []
    assert watch(run, 100, 105, 160, 165, 170) == []
    assert watch(run, 100, 105, 160, 165, 170, 175) == [run]
