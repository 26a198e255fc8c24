"""What the chat's templates show: turns, as many as one page takes, and the models on offer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from accounts.models import Organisation, User
from accounts.people import languages
from accounts.policies import store
from providers.fold import Fold
from providers.types import Block, Json
from usage import policy
from usage.budgets import glance as budget_glance
from usage.catalogue import overrides
from usage.models import LedgerLine, RunTotals
from usage.offers import offers
from usage.offers.offers import Offer

from . import remarks, siblings, sidebar, snapshots, wishes
from .models import Conversation, Message, Run
from .once import Sent
from .siblings import ALONE, Place

LENGTH = 60  # turns that are shown at once; earlier ones on demand
CUT = {Message.Status.INTERRUPTED, Message.Status.STOPPED, Message.Status.FAILED}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as the page shows it. A live answer has a `state` (Fold.state) at number `seq`."""

    message: Message
    role: str
    author_name: str
    blocks: list[Block]
    status: str
    model_name: str
    run_id: UUID | None = None
    seq: int = 0
    state: Json | None = None
    error: Json | None = None
    notes: tuple[Json, ...] = ()
    served_name: str = ""  # of the model that answered, where it is not the one that was asked
    cost: RunTotals | None = None
    is_last: bool = False
    can_edit: bool = False
    siblings: Place = ALONE

    @property
    def parent(self) -> UUID | None:
        return self.message.parent_id

    @property
    def place(self) -> int:
        return self.siblings.number

    @property
    def count(self) -> int:
        return self.siblings.count

    @property
    def previous(self) -> UUID | None:
        return self.siblings.previous

    @property
    def next(self) -> UUID | None:
        return self.siblings.next

    @property
    def live(self) -> bool:
        return self.state is not None

    @property
    def payload(self) -> Json:
        """What the browser renders: the live fold, or the finished blocks."""
        if self.state is not None:
            return {"state": self.state}
        shown: Json = {"blocks": self.blocks, "seconds": self.message.seconds}
        if self.message.cut_input:
            shown["open"] = {"index": len(self.blocks) - 1, "json": self.message.cut_input}
        return shown

    @property
    def text(self) -> str:
        return self.message.text

    @property
    def was_cut(self) -> bool:
        """Complete for the vendor, and yet not at its end: no more was allowed."""
        return self.message.stop_reason == "max_tokens"

    @property
    def short_of(self) -> str:
        """The budget that had no room for a longer answer; "" where none was in the way."""
        return remarks.short_of(self.notes)

    @property
    def was_paused(self) -> bool:
        """The vendor's own tools had more to do than one answer may take."""
        return self.message.stop_reason == "pause_turn"

    @property
    def was_declined(self) -> bool:
        return self.message.stop_reason == "refusal"

    @property
    def is_too_long(self) -> bool:
        """The conversation is as long as the model can read, or longer."""
        if self.status == Message.Status.FAILED:
            return (self.error or {}).get("reason") == "context"
        return self.message.stop_reason == "model_context_window_exceeded"

    @property
    def why_declined(self) -> str:
        """What the vendor says of it, else what kind of thing it is; "" when it says nothing."""
        return remarks.why_declined(self.message.stop_details or {})

    @property
    def details(self) -> list[tuple[str, str]]:
        """The vendor's words about a failure, for whoever looks into it."""
        return remarks.details(self.error or {})

    @property
    def remarks(self) -> list[str]:
        """What is worth a quiet line beside the answer."""
        return remarks.sentences(self.notes, self.model_name)

    @property
    def can_continue(self) -> bool:
        ended_early = self.status in CUT or self.was_cut or self.was_paused
        return self.is_last and ended_early and bool(self.blocks) and not self.is_too_long

    @property
    def can_retry(self) -> bool:
        return self.is_last and self.status in CUT and not self.blocks

    @property
    def can_retry_here(self) -> bool:
        """Another answer can stand beside this one."""
        return self.role == Message.Role.ASSISTANT and self.status != Message.Status.RUNNING

    @property
    def can_fork(self) -> bool:
        return self.status != Message.Status.RUNNING


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Turns that stand directly after turn `after` of a page; None: they are the beginning of what is shown.

    `earlier` is the first of them when there is more before it.
    """

    turns: list[Turn]
    after: UUID | None = None
    earlier: UUID | None = None


def end_of(conversation: Conversation, user: User) -> Excerpt:
    """The last turns of the shown branch."""
    return _beginning(_last(conversation), conversation, user)


def after(conversation: Conversation, user: User, known: UUID | None) -> Excerpt:
    """What follows turn `known` on the shown branch, if that is near the end; else the last turns."""
    messages = _last(conversation)
    if known is not None:
        if messages and messages[0].parent_id == known:
            return Excerpt(turns_of(messages, conversation, user), known)
        for number, message in enumerate(messages, 1):
            if message.id == known:
                return Excerpt(turns_of(messages[number:], conversation, user), known)
    return _beginning(messages, conversation, user)


def before(conversation: Conversation, user: User, known: Message) -> Excerpt:
    """The turns before `known`, as many as a page takes."""
    path = Message.objects.path_to(known.parent_id, last=LENGTH) if known.parent_id else []
    return _beginning(path, conversation, user)


def _last(conversation: Conversation) -> list[Message]:
    return Message.objects.path_to(conversation.head_id, last=LENGTH) if conversation.head_id else []


def _beginning(messages: list[Message], conversation: Conversation, user: User) -> Excerpt:
    more = bool(messages) and messages[0].parent_id is not None
    return Excerpt(turns_of(messages, conversation, user), earlier=messages[0].id if more else None)


def turns_of(messages: list[Message], conversation: Conversation, user: User) -> list[Turn]:
    """The turns of messages in this order, in four queries however many they are."""
    answers = [message.id for message in messages if message.role == Message.Role.ASSISTANT]
    runs = {run.message_id: run for run in Run.objects.filter(message__in=answers).order_by("created_at")}
    totals = LedgerLine.objects.totals_by_run([run.id for run in runs.values()])
    authors = User.objects.in_bulk({message.author_id for message in messages if message.author_id})
    placed = siblings.places(messages, conversation)
    return [
        replace(
            _turn(message, runs.get(message.id), totals, authors, conversation.head_id),
            can_edit=message.role == Message.Role.USER and message.author_id == user.pk,
            siblings=placed.get(message.id, ALONE),
        )
        for message in messages
    ]


def just_sent(sent: Sent, user: User) -> list[Turn]:
    """The turns that a send has made, as they are before the answer's first word.

    Without a query, except for the siblings of what is not sent at the head.
    """
    placed = {} if sent.at_head else siblings.places([sent.first], sent.conversation)
    answer = Turn(
        message=sent.answer,
        role=sent.answer.role,
        author_name="",
        blocks=[],
        status=sent.answer.status,
        model_name=model_name(sent.answer.model),
        run_id=sent.run.id,
        state=Fold().state(),
        is_last=True,
        siblings=placed.get(sent.answer.id, ALONE),
    )
    if sent.question is None:
        return [answer]
    question = Turn(
        message=sent.question,
        role=sent.question.role,
        author_name=str(user),
        blocks=sent.question.blocks,
        status=sent.question.status,
        model_name="",
        can_edit=True,
        siblings=placed.get(sent.question.id, ALONE),
    )
    return [question, answer]


def _turn(
    message: Message,
    run: Run | None,
    totals: dict[UUID, RunTotals],
    authors: dict[Any, User],
    head: UUID | None,
) -> Turn:
    if message.role == Message.Role.USER:
        author = authors.get(message.author_id)
        return Turn(
            message, message.role, str(author) if author else "Somebody", message.blocks, message.status, ""
        )
    was_running = message.status == Message.Status.RUNNING
    message, run, snapshot = _at_one_moment(message, run)
    if was_running and snapshot is None and run is not None:  # it has ended since the totals were read
        totals = LedgerLine.objects.totals_by_run([run.id])
    return Turn(
        message=message,
        role=message.role,
        author_name="",
        blocks=message.blocks,
        status=message.status,
        model_name=model_name(message.model),
        run_id=run.id if run else None,
        seq=snapshot.seq if snapshot else 0,
        state=snapshot.state if snapshot else None,
        error=run.error if run else None,
        notes=tuple(run.notes) if run else (),
        served_name=_served_name(run, message),
        cost=totals.get(run.id) if run else None,
        is_last=message.id == head,
    )


def _served_name(run: Run | None, message: Message) -> str:
    served = run.model_served if run is not None else ""
    return model_name(served) if served and served != message.model else ""


def _at_one_moment(
    message: Message, run: Run | None
) -> tuple[Message, Run | None, snapshots.Snapshot | None]:
    """A live answer with its fold, or the finished answer: never an empty one between the two."""
    if run is None or message.status != Message.Status.RUNNING:
        return message, run, None
    snapshot = snapshots.take(run.id)
    if snapshot.seq == 0:  # nothing stored yet, or everything stored in the message since it was read
        message.refresh_from_db()
        run.refresh_from_db()
    return message, run, snapshot if message.status == Message.Status.RUNNING else None


def model_name(ref: str) -> str:
    known = overrides.spec(ref)
    return known.name if known is not None else ref.partition("/")[2] or ref


def page(user: User, conversation: Conversation | None) -> dict[str, Any]:
    """The whole context of a chat page."""
    team = conversation.team_id if conversation else None
    standing = store.standing(user.pk, team)
    listed = offers.offered(user, standing=standing)
    shown = end_of(conversation, user) if conversation else Excerpt([])
    return {
        "conversation": conversation,
        "turns": shown.turns,
        "earlier": shown.earlier,
        "sidebar": sidebar.days(user),
        "offers": [offer for offer in listed if not offer.kept],
        "some_are_kept": any(offer.kept for offer in listed),
        "kept": policy.kept_features(standing),
        "chosen": chosen(conversation, listed),
        "usual_tokens": wishes.MAX_TOKENS,
        "efforts": wishes.EFFORTS,
        "person": user,
        "writes": languages.find(user.language),
        "organisation": Organisation.objects.first(),
        "glance": budget_glance.fullest(user.pk, team),
        "only_demo": not any((offer.usable or offer.kept) and not offer.spec.demo for offer in listed),
    }


def chosen(conversation: Conversation | None, listed: list[Offer]) -> Offer | None:
    """The model that the composer proposes: the conversation's own, or the default."""
    own = conversation.model if conversation else ""
    return next((offer for offer in listed if offer.ref == own), None) or offers.propose(listed)
