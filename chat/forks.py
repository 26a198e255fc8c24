"""A branch as a conversation of its own: copies of its messages, in the order of their making.

Long branches are copied in several short transactions, for the database's write lock is everybody's. Until
the last one the new conversation has version 0 and nobody sees it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from itertools import pairwise
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.ids import uuid7
from accounts.models import User
from usage import rows
from usage.writer import write_turn

from . import bell
from .models import Conversation, Message
from .once import Conflict
from .removal import remove
from .tree import Step, Tree, steps_to

BATCH_ROWS = 100
BATCH_SIZE = 500_000  # characters
ABANDONED_AFTER = timedelta(hours=1)  # copying takes seconds


def fork(*, user: User, message: Message, client_id: UUID | None) -> Conversation:
    """A new conversation of the person with copies of the messages up to this one, which is complete.

    The same client id again finds the first one. Raises Conflict for a client id of something else, and when
    the message is deleted or still being written.
    """
    if (made := _made_before(user, message, client_id)) is not None:
        return made
    if message.status == Message.Status.RUNNING:
        raise Conflict("That answer is still being written. Fork it when it has ended.")
    if Tree(message.conversation_id).is_hidden(message.id):
        raise Conflict("That branch was deleted in the meantime. Undo that, or reload the page.")
    _discard_abandoned(user)
    source = message.conversation
    copy = Conversation(
        owner=user,
        team_id=source.team_id,
        title=source.title,
        title_is_automatic=source.title_is_automatic,
        model=source.model,
        settings=source.settings,
        version=0,
    )
    try:
        _copy(copy, message, client_id)
    except BaseException as error:
        remove(copy.id)
        made = _made_before(user, message, client_id) if isinstance(error, IntegrityError) else None
        if made is None:
            raise
        return made
    return copy


def _copy(copy: Conversation, last: Message, client_id: UUID | None) -> None:
    parent: UUID | None = None
    begun = False
    for batch in _batches(steps_to(last.id)):
        with write_turn(), transaction.atomic():
            if not begun:
                rows.insert(copy)
                begun = True
            ids = [uuid7() for _ in batch]
            _copy_messages(copy, batch, ids, parent)
            parent = ids[-1]
            if batch[-1].id == last.id:
                if client_id is not None:
                    Message.objects.filter(id=parent).update(author=copy.owner, client_id=client_id)
                copy.version = bell.ring(copy.id, ["sidebar"], head=parent)
    copy.head_id = parent


def _batches(steps: list[Step]) -> Iterator[list[Step]]:
    batch: list[Step] = []
    size = 0
    for step in steps:
        if batch and (len(batch) == BATCH_ROWS or size + step.size > BATCH_SIZE):
            yield batch
            batch, size = [], 0
        batch.append(step)
        size += step.size
    yield batch


def _copy_messages(copy: Conversation, batch: list[Step], ids: list[UUID], parent: UUID | None) -> None:
    new = [parent, *ids]
    with connection.cursor() as cursor:
        cursor.executemany(
            _copying(),
            [
                [
                    rows.prepared(Message, "id", made),
                    rows.prepared(Message, "conversation", copy.id),
                    rows.prepared(Message, "parent", above),
                    rows.prepared(Message, "id", step.id),
                ]
                for step, (above, made) in zip(batch, pairwise(new), strict=True)
            ],
        )


@cache
def _copying() -> str:
    """A row as it is, except for its place; client id and deletion are not copied."""
    own = {"id", "conversation_id", "parent_id"}
    kept = [
        str(field.column)
        for field in Message._meta.concrete_fields
        if field.column not in own | {"client_id", "deleted_at"}
    ]
    columns = rows.quoted(*kept)
    return (
        f"INSERT INTO {_table()} (id, conversation_id, parent_id, {columns}) "  # noqa: S608 - the model's own names
        f"SELECT %s, %s, %s, {columns} FROM {_table()} WHERE id = %s"
    )


def _made_before(user: User, message: Message, client_id: UUID | None) -> Conversation | None:
    """The conversation that this client id has made. Its last message is a copy of this one, or Conflict."""
    mine = Message.objects.for_user(user).select_related("conversation")
    last = mine.filter(author=user, client_id=client_id).first() if client_id is not None else None
    if last is None:
        return None
    if (last.role, last.created_at, last.blocks_text) != (
        message.role,
        message.created_at,
        message.blocks_text,
    ):
        raise Conflict("This was asked for before with another message. Reload the page.")
    return last.conversation


def _discard_abandoned(user: User) -> None:
    """Removes what a process left that was killed while it copied."""
    left = Conversation.objects.filter(owner=user, version=0, changed_at__lt=timezone.now() - ABANDONED_AFTER)
    for conversation in left.values_list("id", flat=True):
        remove(conversation)


def _table() -> str:
    return rows.quoted(Message._meta.db_table)
