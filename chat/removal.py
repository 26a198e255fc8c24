"""Removes conversations that nobody sees any more (version 0), in short transactions.

Those are copies that were never finished (`forks`), and conversations whose time is over (`retention`). A
process that is killed in the middle leaves the rest to the next one.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Length

from usage import rows
from usage.writer import write_turn

from .models import Conversation, JournalEntry, Message, Run

BATCH_ROWS, BATCH_SIZE = 25, 500_000  # rows; characters, after which no other row is added


def remove(conversation: UUID) -> None:
    """All of it: messages with their runs and what runs have left, then itself. One that is seen stays."""
    unseen = Conversation.objects.filter(id=conversation, version=0)
    with write_turn(), transaction.atomic():
        if not unseen.update(head=None):
            return
    while ids := _latest(conversation):
        _remove_runs(ids)
        with write_turn(), transaction.atomic():
            # Made later than a child of theirs by another machine's clock: the child goes with another batch.
            Message.objects.filter(parent__in=ids).exclude(id__in=ids).update(parent=None)
            _delete(ids)
    with write_turn(), transaction.atomic():
        unseen.delete()


def _latest(conversation: UUID) -> list[UUID]:
    """The messages that go next: as many as hold up nobody."""
    latest = Message.objects.filter(conversation=conversation).order_by("-id")
    ids, size = [], 0
    for id, length in latest.annotate(length=Length("blocks_text")).values_list("id", "length")[:BATCH_ROWS]:
        ids.append(id)
        size += length
        if size >= BATCH_SIZE:
            break
    return ids


def _remove_runs(messages: list[UUID]) -> None:
    """What is left of a journal may be long; it has gone where an answer is complete."""
    runs = list(Run.objects.filter(message__in=messages).values_list("id", flat=True))
    while entries := list(
        JournalEntry.objects.filter(run__in=runs).order_by("id").values_list("id", flat=True)[:BATCH_ROWS]
    ):
        with write_turn(), transaction.atomic():
            JournalEntry.objects.filter(id__in=entries).delete()
    with write_turn(), transaction.atomic():
        Run.objects.filter(id__in=runs).delete()


def _delete(messages: list[UUID]) -> None:
    """Without a look at their children, which are gone, or have been cut loose."""
    table = rows.quoted(Message._meta.db_table)
    keys = [rows.prepared(Message, "id", one) for one in messages]
    marks = ", ".join(["%s"] * len(keys))
    rows.run(f"DELETE FROM {table} WHERE id IN ({marks})", *keys)  # noqa: S608
