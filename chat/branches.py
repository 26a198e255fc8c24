"""What people do to whole branches of a conversation; open pages are told after the commit.

show, delete, restore   -> the head moves, always to the end of a visible branch (None: nothing is left)

Nothing is overwritten and no row goes: deleting hides a message and everything below it. To copy a branch
into a conversation of its own: `forks`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from usage.writer import write_turn

from . import bell
from .actions import end
from .models import Conversation, Message, Run
from .once import Conflict
from .tree import Tree

TRIES = 25  # of a plan that becomes stale while it is made; each time somebody else got on

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many messages a deletion hid, from `message` down, and the head that was shown before."""

    message: UUID
    count: int
    head: UUID | None


def show(*, message: Message) -> None:
    """Shows the branch through this message that was written last. Raises Conflict for a deleted one."""
    _as_planned(message, _showing)


def delete(*, message: Message) -> Deleted:
    """Hides a message and what is below it, and stops the answers that are being written there.

    If the head was among them, the latest branch of the nearest sibling is shown, of one before it if there
    is one; without siblings, what is above. Done twice, it is done once. Raises Conflict when something above
    the message is deleted.
    """
    return _as_planned(message, _deletion)


def restore(*, message: Message, head: UUID | None) -> None:
    """Undoes a deletion and shows the branch again: to `head` if a branch ends there, else to its latest end.

    Raises Conflict when something above the message is deleted.
    """
    _as_planned(message, partial(_restoration, head))


@dataclass(frozen=True, slots=True)
class _Plan(Generic[T]):
    """What to write (None: nothing), and what to return.

    Writes take their locks in the order in which the end of a run takes them: runs, messages, and last, with
    the bell, the conversation, whose new version they return.
    """

    write: Callable[[], int] | None
    result: T


def _as_planned(message: Message, plan: Callable[[Conversation, Tree, UUID], _Plan[T]]) -> T:
    """Reads and plans without the write lock, then writes; plans anew when something came in between."""
    for _ in range(TRIES):
        conversation = Conversation.objects.get(id=message.conversation_id)
        planned = plan(conversation, Tree(conversation.id), message.id)
        if planned.write is None:
            return planned.result
        try:
            with write_turn(), transaction.atomic():
                if planned.write() != conversation.version + 1:
                    raise _Stale
            return planned.result
        except _Stale:
            continue
    raise Conflict("Too much is going on in this conversation. Try again in a moment.")


class _Stale(Exception):
    """The conversation has changed since it was read."""


def _showing(conversation: Conversation, tree: Tree, message: UUID) -> _Plan[None]:
    if tree.is_hidden(message):
        raise Conflict("That branch was deleted in the meantime. Undo that, or reload the page.")
    end_of_branch = tree.leaves(message)[0]
    if end_of_branch == conversation.head_id:
        return _Plan(None, None)
    return _Plan(lambda: bell.ring(conversation.id, ["turns"], head=end_of_branch), None)


def _deletion(conversation: Conversation, tree: Tree, message: UUID) -> _Plan[Deleted]:
    _must_hang_on(tree, message)
    gone = set(tree.below(message))
    deleted = Deleted(message, len(gone), conversation.head_id)
    if message in tree.deleted:
        return _Plan(None, deleted)
    live = Run.objects.filter(conversation=conversation, status__in=Run.LIVE).order_by("id")
    to_stop = [run for run, answer in live.values_list("id", "message_id") if answer in gone]
    head = _nearest(tree, message) if conversation.head_id in gone else bell.KEPT

    def write() -> int:
        for run in to_stop:
            end(run)
        Message.objects.filter(id=message).update(deleted_at=timezone.now())
        return bell.ring(conversation.id, ["turns", "sidebar"], head=head)

    return _Plan(write, deleted)


def _nearest(tree: Tree, message: UUID) -> UUID | None:
    """Where the page goes from a message that is deleted."""
    before = [sibling for sibling in tree.beside(message) if sibling < message]
    after = [sibling for sibling in tree.beside(message) if sibling > message]
    nearest = before[-1:] or after[:1]
    return tree.leaves(nearest[0])[0] if nearest else tree.parents[message]


def _restoration(head: UUID | None, conversation: Conversation, tree: Tree, message: UUID) -> _Plan[None]:
    _must_hang_on(tree, message)
    if message not in tree.deleted:
        return _Plan(None, None)
    ends = tree.leaves(message)

    def write() -> int:
        Message.objects.filter(id=message).update(deleted_at=None)
        shown = head if head in ends else ends[0]
        return bell.ring(conversation.id, ["turns", "sidebar"], head=shown)

    return _Plan(write, None)


def _must_hang_on(tree: Tree, message: UUID) -> None:
    if tree.is_below_deleted(message):
        raise Conflict("What is above this message is deleted. Undo that first, or reload the page.")
