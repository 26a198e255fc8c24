"""What people do to conversations. Each is one transaction; open pages are told after its commit.

start, send, go_on, retry   -> a person's turn (or none) and an answer whose run begins after the commit
stop                        -> the run ends, wherever it is hosted
configure                   -> settings for the next answers
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import msgspec
from django.conf import settings as server
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from usage import rows
from usage.writer import write_turn

from . import bell, generation, records, titles
from .host import host
from .models import Conversation, Message, Run

LEASE = timedelta(seconds=15)
GO_ON = "Please go on exactly where you stopped."

P = ParamSpec("P")
R = TypeVar("R")


class Conflict(Exception):
    """The request contradicts what is stored; the message says how."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a send made, or had made before when the same client id came twice."""

    conversation: Conversation
    question: Message | None
    answer: Message
    run: Run
    again: bool = False


def action(function: Callable[P, R]) -> Callable[P, R]:
    """One transaction, in this process's turn to write."""

    @wraps(function)
    def acted(*args: P.args, **kwargs: P.kwargs) -> R:
        with write_turn(), transaction.atomic():
            return function(*args, **kwargs)

    return acted


def start(*, user: User, text: str, model: str, settings: dict[str, Any], client_id: UUID | None) -> Sent:
    """A new conversation with its first question. Raises Conflict for a client id of another text."""
    return _once(user, client_id, text, lambda: _start(user, text, model, settings, client_id))


def send(
    *,
    user: User,
    conversation: Conversation,
    parent: UUID | None,
    text: str,
    model: str,
    client_id: UUID | None,
) -> Sent:
    """The person's next turn below `parent`; below a message that is no longer the head it becomes a sibling.

    Raises Conflict when the client id was used for another text, or when `parent` is of another conversation.
    """
    return _once(user, client_id, text, lambda: _send(user, conversation, parent, text, model, client_id))


def go_on(*, user: User, answer: Message) -> Sent:
    """A new turn that asks the model to go on with a cut answer, whose kept text is in its context."""
    conversation = answer.conversation
    return _once(user, None, GO_ON, lambda: _send(user, conversation, answer.id, GO_ON, answer.model, None))


@action
def retry(*, user: User, answer: Message) -> Sent:
    """Another answer to the same question, beside the one that failed."""
    conversation = answer.conversation
    again = Message(conversation=conversation, parent_id=answer.parent_id, model=answer.model)
    conversation.version = bell.ring(conversation.id, ["turns", "sidebar"], head=again.id, model=answer.model)
    if Run.objects.filter(conversation=conversation, status__in=Run.LIVE).exists():
        raise Conflict("An answer is being written already.")
    return Sent(conversation, None, again, _begin(conversation, again))


@action
def stop(*, conversation: Conversation, message: UUID) -> bool:
    """Stops the live run of an answer; False when nothing runs any more. Again: the same."""
    run = Run.objects.filter(conversation=conversation, message=message, status__in=Run.LIVE).first()
    if run is None:
        return False
    Run.objects.filter(id=run.id, stop_requested_at=None).update(stop_requested_at=timezone.now())
    transaction.on_commit(lambda: host.end(run.id, "stop"))
    return True


@action
def configure(*, conversation: Conversation, settings: dict[str, Any]) -> None:
    """Keeps the settings of the next answers."""
    Conversation.objects.filter(id=conversation.id).update(settings=settings)
    conversation.settings = settings


def _once(user: User, client_id: UUID | None, text: str, make: Callable[[], Sent]) -> Sent:
    """One message per client id: a double click, or a second try, finds what the first one made."""
    try:
        with write_turn(), transaction.atomic():
            return make()
    except IntegrityError:
        if client_id is None:
            raise
        return _made_before(user, client_id, text)


def _made_before(user: User, client_id: UUID, text: str) -> Sent:
    mine = Message.objects.for_user(user).select_related("conversation")
    question = mine.get(author=user, client_id=client_id)
    if question.text != text:
        raise Conflict("This message was sent before with another text. Reload the page to see it.")
    answer = question.children.order_by("created_at", "id").first()
    run = answer.runs.order_by("created_at").first() if answer is not None else None
    if answer is None or run is None:
        raise Conflict("This message was sent before. Reload the page to see it.")
    return Sent(question.conversation, question, answer, run, again=True)


def _start(user: User, text: str, model: str, settings: dict[str, Any], client_id: UUID | None) -> Sent:
    conversation = Conversation(owner=user, title=titles.provisional(text), model=model, settings=settings)
    rows.insert(conversation)
    return _ask(user, conversation, None, text, model, client_id)


def _send(
    user: User, conversation: Conversation, parent: UUID | None, text: str, model: str, client_id: UUID | None
) -> Sent:
    sent = _ask(user, conversation, parent or conversation.head_id, text, model, client_id)
    if sent.question is not None and sent.question.parent_id is not None:
        _must_be_answerable(conversation, sent.question.parent_id)
    return sent


def _must_be_answerable(conversation: Conversation, parent: UUID) -> None:
    """Raises Conflict, which undoes what the transaction wrote. The conversation's row is locked by now."""
    status = rows.one(
        f"SELECT status FROM {rows.quoted(Message._meta.db_table)} "  # noqa: S608
        "WHERE id = %s AND conversation_id = %s",
        rows.prepared(Message, "id", parent),
        rows.prepared(Message, "conversation", conversation.id),
    )
    if status is None:
        raise Conflict("The message that this one answers is gone. Reload the page.")
    if status == Message.Status.RUNNING:
        raise Conflict("The answer before this is still being written. Stop it, or wait for its end.")


def _ask(
    user: User, conversation: Conversation, parent: UUID | None, text: str, model: str, client_id: UUID | None
) -> Sent:
    question = Message(
        conversation=conversation,
        parent_id=parent,
        role=Message.Role.USER,
        author=user,
        client_id=client_id,
        blocks_text=msgspec.json.encode([{"type": "text", "text": text}]).decode(),
    )
    answer = Message(conversation=conversation, parent_id=question.id, model=model)
    conversation.version = bell.ring(conversation.id, ["turns", "sidebar"], head=answer.id, model=model)
    conversation.head_id, conversation.model = answer.id, model
    rows.insert(question)
    return Sent(conversation, question, answer, _begin(conversation, answer))


def _begin(conversation: Conversation, answer: Message) -> Run:
    """Stores an empty answer and its run, whose task begins after the commit."""
    answer.role, answer.status = Message.Role.ASSISTANT, Message.Status.RUNNING
    run = Run(
        message=answer,
        conversation=conversation,
        host=server.PROCESS_NAME,
        lease_until=timezone.now() + LEASE,
    )
    rows.insert(answer)
    prepared = records.begin(run)
    transaction.on_commit(lambda: generation.launch(run, prepared))
    return run
