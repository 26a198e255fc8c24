"""What people do to conversations. Each is one transaction; open pages are told after its commit.

start, send, edit, go_on, retry   -> a person's turn (or none) and an answer whose run begins after the commit
stop                              -> the run ends, wherever it is hosted
configure                         -> settings for the next answers

What is done to branches as a whole stands in `branches`. Histories are read before the write lock is taken:
they never change. Only what could have become untrue in between is looked at again under it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import msgspec
from django.conf import settings as server
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from usage import rows
from usage.writer import write_turn

from . import bell, generation, records, titles, tree
from .models import Conversation, Message, Run
from .once import Asked, Conflict, Sent, once

LEASE = timedelta(seconds=server.LEASE_SECONDS)
SENT_ALONG = ("web_search",)  # settings that come with a message
GO_ON = "Please go on exactly where you stopped."

P = ParamSpec("P")
R = TypeVar("R")


def action(function: Callable[P, R]) -> Callable[P, R]:
    """One transaction, in this process's turn to write."""

    @wraps(function)
    def acted(*args: P.args, **kwargs: P.kwargs) -> R:
        with write_turn(), transaction.atomic():
            return function(*args, **kwargs)

    return acted


def start(*, user: User, text: str, model: str, settings: dict[str, Any], client_id: UUID | None) -> Sent:
    """A new conversation with its first question. Raises Conflict for a client id of another message."""
    asked = Asked(user, text, model, client_id)
    return once(asked, partial(_start, asked, settings))


def send(
    *,
    user: User,
    conversation: Conversation,
    parent: UUID | None,
    text: str,
    model: str,
    client_id: UUID | None,
    web_search: bool | None = None,
) -> Sent:
    """The person's next turn below `parent`; below a message that is no longer the head it becomes a sibling.

    `web_search` says whether this answer and the next ones may search the web; None: as before.

    Raises Conflict when the client id was used for another message, and when `parent` is of another
    conversation, deleted, or still being written.
    """
    asked = Asked(user, text, model, client_id, conversation)
    return once(asked, partial(_send, asked, conversation, parent or conversation.head_id, web_search))


def edit(*, user: User, question: Message, text: str, model: str, client_id: UUID | None) -> Sent:
    """The question in other words, beside the one that is there, and its answer.

    Raises Conflict when the client id was used for another message, and when the question is deleted.
    """
    asked = Asked(user, text, model, client_id, question.conversation, beside=question)
    return once(asked, partial(_beside, asked, question.conversation, question))


def go_on(*, user: User, answer: Message, client_id: UUID | None) -> Sent:
    """A new turn that asks the model to go on with a cut answer, whose kept text is in its context."""
    asked = Asked(user, GO_ON, answer.model, client_id, answer.conversation)
    return once(asked, partial(_send, asked, answer.conversation, answer.id))


def retry(*, user: User, answer: Message, model: str, client_id: UUID | None) -> Sent:
    """Another answer to the same question, by this model, beside the one that is there.

    Raises Conflict when the client id was used for another message, and when the answer is deleted or still
    being written.
    """
    asked = Asked(user, None, model, client_id, answer.conversation, beside=answer)
    return once(asked, partial(_beside, asked, answer.conversation, answer))


@action
def stop(*, conversation: Conversation, message: UUID) -> bool:
    """Stops the live run of an answer; False when nothing runs any more. Again: the same."""
    run = Run.objects.filter(conversation=conversation, message=message, status__in=Run.LIVE).first()
    if run is None:
        return False
    end(run.id)
    return True


def end(run: UUID) -> None:
    """Asks a run to stop, in the caller's transaction."""
    Run.objects.filter(id=run, stop_requested_at=None).update(stop_requested_at=timezone.now())
    bell.stop(run)


@action
def configure(*, conversation: Conversation, settings: dict[str, Any]) -> None:
    """Keeps the settings of the next answers; whether they may search the web is said where one writes."""
    conversation.version = bell.ring(conversation.id, ["settings"])
    before: dict[str, Any] = Conversation.objects.values_list("settings", flat=True).get(id=conversation.id)
    conversation.settings = settings | {name: before[name] for name in SENT_ALONG if name in before}
    Conversation.objects.filter(id=conversation.id).update(settings=conversation.settings)


def _start(asked: Asked, settings: dict[str, Any]) -> Sent:
    title = titles.provisional(asked.text or "")
    conversation = Conversation(owner=asked.user, title=title, model=asked.model, settings=settings)
    return _made(asked, conversation, [], new=True)


def _send(
    asked: Asked, conversation: Conversation, parent: UUID | None, web_search: bool | None = None
) -> Sent:
    path = _branch(conversation, parent) if parent is not None else []
    return _made(asked, conversation, path, web_search=web_search)


def _beside(asked: Asked, conversation: Conversation, message: Message) -> Sent:
    *path, beside = _branch(conversation, message.id)
    return _made(asked, conversation, path, beside=beside)


def _branch(conversation: Conversation, last: UUID) -> list[Message]:
    """The messages up to one that gets an answer, or a sibling."""
    path = Message.objects.path_to(last)
    if not path or path[-1].conversation_id != conversation.id:
        raise Conflict("The message that this one follows is gone. Reload the page.")
    if path[-1].status == Message.Status.RUNNING:
        raise Conflict("That answer is still being written. Stop it, or wait for its end.")
    if any(message.deleted_at for message in path):
        raise _deleted()
    return path


def _deleted() -> Conflict:
    return Conflict("This branch was deleted in the meantime. Undo that, or reload the page.")


def _made(
    asked: Asked,
    conversation: Conversation,
    path: list[Message],
    *,
    beside: Message | None = None,
    new: bool = False,
    web_search: bool | None = None,
) -> Sent:
    """Stores what is asked below `path`, and an empty answer whose run begins after the commit."""
    parent = path[-1].id if path else None
    question = _question(asked, conversation, parent) if asked.text is not None else None
    answer = _answer(asked, conversation, question.id if question else parent)
    if question is None:
        answer.author, answer.client_id = asked.user, asked.client_id
    run = Run(
        message=answer,
        conversation=conversation,
        host=server.PROCESS_NAME,
        lease_until=timezone.now() + LEASE,
    )
    changed = web_search is not None and bool(conversation.settings.get("web_search")) is not web_search
    if changed:
        conversation.settings = conversation.settings | {"web_search": web_search}
    prepared = records.begin(run, [*path, question] if question else path)
    known, head = conversation.version, conversation.head_id
    with write_turn(), transaction.atomic():
        # The conversation's row is locked last, as at the end of a run: a client id that was used before
        # waits for that end, which must not wait for us.
        for row in (conversation if new else None, question, answer, run):
            if row is not None:
                rows.insert(row)
        conversation.version = bell.ring(
            conversation.id, ["turns", "sidebar"], head=answer.id, model=asked.model
        )
        if changed:
            _keep_web_search(conversation)
        unchanged = conversation.version == known + 1
        if not unchanged:
            _must_be_visible(conversation, [*path, beside] if beside else path)
        sent = Sent(conversation, question, answer, run)
        sent.at_head = beside is None and parent == head and (unchanged or _is_alone(sent.first))
        transaction.on_commit(lambda: generation.launch(run, prepared))
    conversation.head_id, conversation.model = answer.id, asked.model
    return sent


def _keep_web_search(conversation: Conversation) -> None:
    """Into the settings as they are now; the conversation's row is locked by now."""
    kept = Conversation.objects.filter(id=conversation.id)
    settings: dict[str, Any] = kept.values_list("settings", flat=True).get()
    kept.update(settings=settings | {"web_search": conversation.settings["web_search"]})


def _question(asked: Asked, conversation: Conversation, parent: UUID | None) -> Message:
    return Message(
        conversation=conversation,
        parent_id=parent,
        role=Message.Role.USER,
        author=asked.user,
        client_id=asked.client_id,
        blocks_text=msgspec.json.encode([{"type": "text", "text": asked.text}]).decode(),
    )


def _answer(asked: Asked, conversation: Conversation, parent: UUID | None) -> Message:
    return Message(
        conversation=conversation,
        parent_id=parent,
        role=Message.Role.ASSISTANT,
        status=Message.Status.RUNNING,
        model=asked.model,
    )


def _must_be_visible(conversation: Conversation, read: list[Message]) -> None:
    """Raises Conflict, which undoes what the transaction wrote. The conversation's row is locked by now."""
    gone = tree.deleted_in(conversation.id)
    if gone and any(message.id in gone for message in read):
        raise _deleted()


def _is_alone(first: Message) -> bool:
    return not Message.objects.beside(first).exclude(id=first.id).exists()
