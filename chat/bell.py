"""The bell: after a commit, open pages are told that something is newer. It carries no content and may be
lost."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import F

from . import sockets
from .events import Changed, Part
from .models import Conversation


def bump_and_ring(conversation: Conversation, what: list[Part]) -> None:
    """Raises the conversation's version, and tells its people's pages after the commit."""
    Conversation.objects.filter(id=conversation.id).update(version=F("version") + 1)
    conversation.refresh_from_db(fields=["version"])
    ring(conversation, what)


def ring(conversation: Conversation, what: list[Part]) -> None:
    """Tells the pages of the conversation's people, after the commit, that it is at its version now."""
    frame = Changed(conversation=conversation.id, version=conversation.version, what=what)
    people = people_of(conversation)
    transaction.on_commit(lambda: sockets.tell(people, frame))


def people_of(conversation: Conversation) -> list[UUID]:
    return [conversation.owner_id]
