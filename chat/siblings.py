"""Where messages stand among their siblings: the versions of one question, the answers to one question."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from .models import Conversation, Message


@dataclass(frozen=True, slots=True)
class Place:
    """Number `number` of `count` visible siblings, and the neighbours."""

    number: int = 1
    count: int = 1
    previous: UUID | None = None
    next: UUID | None = None


ALONE = Place()


def places(messages: Iterable[Message], conversation: Conversation) -> dict[UUID, Place]:
    """The places of messages of this conversation that have visible siblings, in one query."""
    parents = {message.parent_id for message in messages}
    if not parents:
        return {}
    wanted = Q(parent__in=parents - {None})
    if None in parents:
        wanted |= Q(parent=None, conversation=conversation)
    families: dict[UUID | None, list[UUID]] = {}
    visible = Message.objects.filter(wanted).visible().order_by("id")
    for parent, sibling in visible.values_list("parent_id", "id"):
        families.setdefault(parent, []).append(sibling)
    return {
        sibling: Place(
            number,
            len(family),
            family[number - 2] if number > 1 else None,
            family[number] if number < len(family) else None,
        )
        for family in families.values()
        if len(family) > 1
        for number, sibling in enumerate(family, 1)
    }
