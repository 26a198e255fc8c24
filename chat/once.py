"""What a person asks for is made once: a double click, or a second try, finds what the first one made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError

from accounts.models import User

from .models import Conversation, Message, Run
from .tree import Tree


class Conflict(Exception):
    """The request contradicts what is stored; the message says how."""


@dataclass(slots=True)
class Sent:
    """What a send made, or had made before when the same client id came twice (`again`).

    `at_head` says that it stands below what was the end of the shown branch, and has no siblings.
    """

    conversation: Conversation
    question: Message | None
    answer: Message
    run: Run
    at_head: bool = False
    again: bool = False

    @property
    def first(self) -> Message:
        return self.question or self.answer


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks for: a text (None: another answer) to a model, perhaps beside a message."""

    user: User
    text: str | None
    model: str
    client_id: UUID | None
    conversation: Conversation | None = None
    beside: Message | None = None

    def made(self, question: Message | None, answer: Message) -> bool:
        """Whether this is what made these messages."""
        first = question or answer
        return (
            (question.text if question else None, answer.model) == (self.text, self.model)
            and (self.conversation is None or self.conversation.id == first.conversation_id)
            and (self.beside is None or self.beside.parent_id == first.parent_id)
        )


def once(asked: Asked, make: Callable[[], Sent]) -> Sent:
    """One message per client id: a double click, or a second try, finds what the first one made."""
    try:
        return make()
    except (IntegrityError, Conflict):
        before = _made_before(asked)
        if before is None:
            raise
        return before


def _made_before(asked: Asked) -> Sent | None:
    mine = Message.objects.for_user(asked.user).select_related("conversation")
    first = mine.filter(author=asked.user, client_id=asked.client_id).first() if asked.client_id else None
    if first is None:
        return None
    question = first if first.role == Message.Role.USER else None
    answer = first if question is None else question.children.order_by("id").first()
    run = answer.runs.order_by("created_at").first() if answer is not None else None
    if answer is None or run is None or not asked.made(question, answer):
        raise Conflict("This was sent before with another text or model. Reload the page to see it.")
    if Tree(first.conversation_id).is_hidden(first.id):
        raise Conflict("This was sent before, and deleted since.")
    return Sent(first.conversation, question, answer, run, again=True)
