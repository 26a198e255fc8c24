"""What a request is about, fetched through the person who makes it."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from accounts.rights import person_of

from ..models import Conversation, Message


def conversation_of(request: HttpRequest, conversation_id: UUID) -> Conversation:
    return get_object_or_404(Conversation.objects.for_user(person_of(request)), id=conversation_id)


def message_of(
    request: HttpRequest, conversation_id: UUID, message_id: UUID, role: Message.Role | None = None
) -> Message:
    """The message with its conversation; not found when it has another role than this one."""
    mine = Message.objects.for_user(person_of(request)).select_related("conversation")
    found = get_object_or_404(mine, id=message_id, conversation=conversation_id)
    if role is not None and found.role != role:
        raise Http404
    return found


def given_id(value: str) -> UUID | None:
    """An id from the address; None for what is none."""
    try:
        return UUID(value)
    except ValueError:
        return None
