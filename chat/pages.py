"""What the chat's templates show: turns, the sidebar, the models on offer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import timezone

from accounts.models import Organisation, User
from providers.catalogue import spec
from providers.fold import Fold
from providers.types import Block, Json
from usage import offers
from usage.models import LedgerLine, RunTotals
from usage.offers import Offer

from . import snapshots, transcript
from .actions import Sent
from .models import Conversation, Message, Run

SIDEBAR_LENGTH = 200
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
    cost: RunTotals | None = None
    is_last: bool = False

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
        """Complete for the vendor, and yet not at its end."""
        return self.message.stop_reason in {"max_tokens", "model_context_window_exceeded"}

    @property
    def was_declined(self) -> bool:
        return self.message.stop_reason == "refusal"

    @property
    def can_continue(self) -> bool:
        return self.is_last and (self.status in CUT or self.was_cut) and bool(self.blocks)

    @property
    def can_retry(self) -> bool:
        return self.is_last and self.status in CUT and not self.blocks


@dataclass(slots=True)
class Day:
    """A heading of the sidebar and the conversations under it."""

    label: str
    conversations: list[Conversation] = field(default_factory=list)


def turns_of(messages: list[Message], head: UUID | None) -> list[Turn]:
    """The turns of messages in this order, in three queries however many they are."""
    answers = [message.id for message in messages if message.role == Message.Role.ASSISTANT]
    runs = {run.message_id: run for run in Run.objects.filter(message__in=answers).order_by("created_at")}
    totals = LedgerLine.objects.totals_by_run([run.id for run in runs.values()])
    authors = User.objects.in_bulk({message.author_id for message in messages if message.author_id})
    return [_turn(message, runs.get(message.id), totals, authors, head) for message in messages]


def just_sent(sent: Sent, user: User) -> list[Turn]:
    """The turns that a send has made, as they are before the answer's first word; without a query."""
    if sent.again:
        made = [sent.answer] if sent.question is None else [sent.question, sent.answer]
        return turns_of(made, sent.conversation.head_id)
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
    )
    if sent.question is None:
        return [answer]
    question = sent.question
    return [Turn(question, question.role, str(user), question.blocks, question.status, ""), answer]


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
        cost=totals.get(run.id) if run else None,
        is_last=message.id == head,
    )


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
    known = spec(ref)
    return known.name if known is not None else ref.partition("/")[2] or ref


def sidebar(user: User) -> list[Day]:
    """The person's conversations by day, newest first, days in their own timezone."""
    days: list[Day] = []
    for conversation in marked(Conversation.objects.for_user(user).recent()[:SIDEBAR_LENGTH]):
        label = _label(conversation, user)
        if not days or days[-1].label != label:
            days.append(Day(label))
        days[-1].conversations.append(conversation)
    return days


def marked(conversations: Iterable[Conversation]) -> list[Conversation]:
    """The conversations with `running` set on those in which an answer is being written."""
    listed = list(conversations)
    running = set(
        Run.objects.filter(status__in=Run.LIVE, conversation__in=[one.id for one in listed]).values_list(
            "conversation_id", flat=True
        )
    )
    for one in listed:
        one.running = one.id in running  # type: ignore[attr-defined]
    return listed


def _label(conversation: Conversation, user: User) -> str:
    zone = ZoneInfo(user.timezone)
    today = timezone.localtime(timezone.now(), zone).date()
    day = timezone.localtime(conversation.active_at, zone).date()
    if day >= today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    if day > today - timedelta(days=7):
        return "Last 7 days"
    if day > today - timedelta(days=30):
        return "Last 30 days"
    return f"{day:%B %Y}"


def page(user: User, conversation: Conversation | None) -> dict[str, Any]:
    """The whole context of a chat page."""
    listed = offers.offered(user)
    path = conversation.path() if conversation else []
    return {
        "conversation": conversation,
        "turns": turns_of(path, conversation.head_id) if conversation else [],
        "sidebar": sidebar(user),
        "offers": listed,
        "chosen": chosen(conversation, listed),
        "usual_tokens": transcript.MAX_TOKENS,
        "person": user,
        "organisation": Organisation.objects.first(),
        "only_demo": not any(offer.usable and not offer.spec.demo for offer in listed),
    }


def chosen(conversation: Conversation | None, listed: list[Offer]) -> Offer | None:
    """The model that the composer proposes: the conversation's own, or the default."""
    own = conversation.model if conversation else ""
    return next((offer for offer in listed if offer.ref == own), None) or offers.propose(listed)
