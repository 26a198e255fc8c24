"""The bell: after a commit, open pages hear that something is newer. It has no content and may be lost.

Pages of this process hear it at once, those of others by a note (`notes`), or by their look each second.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from usage import rows

from . import sockets
from .events import Part
from .host import host
from .models import Conversation
from .notes import Change


class _Kept:
    """Says of an argument that it was not given, where None has a meaning."""


KEPT: Final = _Kept()


def ring(conversation: UUID, what: list[Part], *, head: UUID | _Kept | None = KEPT, model: str = "") -> int:
    """Raises the conversation's version, and tells its people's pages after the commit; returns the version.

    `head` changes with it when another branch is shown (None: nothing is left to show), and with `model` when
    somebody spoke. The row stays locked until the transaction ends.
    """
    changes, values = _changed_now()
    if not isinstance(head, _Kept):
        changes += ", head_id = %s"
        values.append(rows.prepared(Conversation, "head", head))
    if model:
        changes += ", model = %s, active_at = %s"
        values += [model, rows.prepared(Conversation, "active_at", timezone.now())]
    key = rows.prepared(Conversation, "id", conversation)
    found = rows.first(
        f"UPDATE {rows.quoted(Conversation._meta.db_table)} SET {changes} "  # noqa: S608
        "WHERE id = %s RETURNING version, owner_id",
        *values,
        key,
    )
    if found is None:
        raise Conversation.DoesNotExist
    version, owner = int(found[0]), Conversation._meta.pk.to_python(found[1])
    change = Change(conversation, owner, version, what)
    transaction.on_commit(lambda: host.call(_rung, change))
    return version


def gone(conversation: UUID, owner: UUID, version: int) -> None:
    """The conversation is not to be found any more, of which this version was the last: after the commit the
    lists of its people grow shorter.
    """
    change = Change(conversation, owner, version + 1, ["sidebar"])
    transaction.on_commit(lambda: host.call(_rung, change))


def stop(run: UUID) -> None:
    """The run ends after the commit, wherever it is hosted; its row says so already."""
    transaction.on_commit(lambda: host.call(_stopped, run))


def _rung(change: Change) -> None:
    sockets.announce(change)
    host.notes.changed(change)


def _stopped(run: UUID) -> None:
    host.end_here(run, "stop")
    host.notes.stop(run)


def _changed_now() -> tuple[str, list[Any]]:
    """The change that every ring makes. The time is the database's: others ask by it what is new."""
    if connection.vendor == "postgresql":
        return "version = version + 1, changed_at = clock_timestamp()", []
    return "version = version + 1, changed_at = %s", [
        rows.prepared(Conversation, "changed_at", timezone.now())
    ]
