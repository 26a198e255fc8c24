"""The bell: after a commit, open pages hear that something is newer. It has no content and may be lost."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from usage import rows

from . import sockets
from .events import Changed, Part
from .models import Conversation


def ring(conversation: UUID, what: list[Part], *, head: UUID | None = None, model: str = "") -> int:
    """Raises the conversation's version, and tells its people's pages after the commit; returns the version.

    `head` and `model` change with it when somebody spoke. The row stays locked until the transaction ends.
    """
    table = rows.quoted(Conversation._meta.db_table)
    changes, values = "version = version + 1", []
    if head is not None:
        changes += ", head_id = %s, model = %s, active_at = %s"
        values = [
            rows.prepared(Conversation, "head", head),
            model,
            rows.prepared(Conversation, "active_at", timezone.now()),
        ]
    key = rows.prepared(Conversation, "id", conversation)
    found = rows.first(
        f"UPDATE {table} SET {changes} WHERE id = %s RETURNING version, owner_id",  # noqa: S608
        *values,
        key,
    )
    if found is None:
        raise Conversation.DoesNotExist
    version, owner = int(found[0]), Conversation._meta.pk.to_python(found[1])
    frame = Changed(conversation=conversation, version=version, what=what)
    transaction.on_commit(lambda: sockets.tell([owner], frame))
    return version
