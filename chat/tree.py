"""The tree of a conversation's messages without their content: what is above, below and beside a message.

One query reads it, by the conversation: a recursive one downwards would be at the mercy of the planner, whose
statistics know nothing of chains. A tree may be large, so it is not read under the database's write lock:
actions read first, write, and look whether the conversation's version is still the one that they read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import connection

from usage import rows

from .models import Message

ABOVE = """
    WITH RECURSIVE above(id, parent_id, depth, size) AS (
        SELECT id, parent_id, 0, length(blocks) FROM chat_message WHERE id = %s
        UNION ALL
        SELECT m.id, m.parent_id, a.depth + 1, length(m.blocks)
        FROM chat_message m JOIN above a ON m.id = a.parent_id
    )
    SELECT id, size FROM above ORDER BY depth DESC"""

RUNS_ABOVE = """
    WITH RECURSIVE above(id, parent_id) AS (
        SELECT id, parent_id FROM chat_message WHERE id = %s
        UNION ALL
        SELECT m.id, m.parent_id FROM chat_message m JOIN above a ON m.id = a.parent_id
    )
    SELECT r.id FROM chat_run r JOIN above a ON r.message_id = a.id"""


class Tree:
    """The messages of a conversation: each with its parent, and which are deleted."""

    def __init__(self, conversation: UUID) -> None:
        found = Message.objects.filter(conversation=conversation).order_by("id")
        self.parents: dict[UUID, UUID | None] = {}
        self.deleted: set[UUID] = set()
        for message, parent, deleted_at in found.values_list("id", "parent_id", "deleted_at"):
            self.parents[message] = parent
            if deleted_at is not None:
                self.deleted.add(message)

    def is_hidden(self, message: UUID) -> bool:
        """Whether it or a message above it is deleted."""
        return message in self.deleted or self.is_below_deleted(message)

    def is_below_deleted(self, message: UUID) -> bool:
        """Whether a message above it is deleted."""
        above = self.parents[message] if self.deleted else None
        while above is not None and above not in self.deleted:
            above = self.parents[above]
        return above is not None

    def beside(self, message: UUID) -> list[UUID]:
        """A message's siblings that are not deleted, itself among them if it is not, oldest first."""
        return self._children.get(self.parents[message], [])

    def below(self, message: UUID) -> list[UUID]:
        """The message and what is visible below it, parents before their children."""
        found = [message]
        for above in found:
            found += self._children.get(above, [])
        return found

    def leaves(self, message: UUID) -> list[UUID]:
        """Where the visible branches through this message end, the newest first; at least itself."""
        return sorted((one for one in self.below(message) if one not in self._children), reverse=True)

    @cached_property
    def _children(self) -> dict[UUID | None, list[UUID]]:
        children: dict[UUID | None, list[UUID]] = {}
        for message, parent in self.parents.items():
            if message not in self.deleted:
                children.setdefault(parent, []).append(message)
        return children


def deleted_in(conversation: UUID) -> set[UUID]:
    """The deleted messages of a conversation: few or none, and found without reading the others."""
    gone = Message.objects.filter(conversation=conversation, deleted_at__isnull=False)
    return set(gone.values_list("id", flat=True))


@dataclass(frozen=True, slots=True)
class Step:
    """A message of a branch by its id, and how many characters its blocks have."""

    id: UUID
    size: int


def steps_to(message: UUID) -> list[Step]:
    """The branch that ends in this message, without its content, first message first, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(ABOVE, [rows.prepared(Message, "id", message)])
        return [Step(_id(key), size) for key, size in cursor.fetchall()]


def runs_on(head: UUID) -> set[UUID]:
    """The runs of the answers on the branch that ends in this message, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(RUNS_ABOVE, [rows.prepared(Message, "id", head)])
        return {_id(key) for (key,) in cursor.fetchall()}


def _id(key: Any) -> UUID:
    found: UUID = Message._meta.pk.to_python(key)
    return found
