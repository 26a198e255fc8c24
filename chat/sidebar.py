"""The list of a person's conversations, by day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from accounts.models import User

from .models import Conversation, Run

LENGTH = 200


@dataclass(slots=True)
class Day:
    """A heading of the sidebar and the conversations under it."""

    label: str
    conversations: list[Conversation] = field(default_factory=list)


def days(user: User) -> list[Day]:
    """The person's conversations by day, newest first, days in their own timezone."""
    found: list[Day] = []
    for conversation in marked(Conversation.objects.for_user(user).recent()[:LENGTH]):
        label = _label(conversation, user)
        if not found or found[-1].label != label:
            found.append(Day(label))
        found[-1].conversations.append(conversation)
    return found


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
