"""What a conversation's calls cost: every line that names it, whatever became of its messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, F, Min, Q, Sum

from usage.models import LedgerLine, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationCall:
    """A call of a conversation to one model, its attempts and corrections added up.

    `run` is None for calls in the background. `input` is the whole prompt, `cached` the part of it that was
    read from cache (tokens).
    """

    call_id: UUID
    run: UUID | None
    purpose: str
    model: str
    at: datetime
    cost_nano: int
    input: int
    cached: int
    output: int
    is_estimated: bool


def calls_of(conversation: UUID) -> list[ConversationCall]:
    """All of them, the newest first. One query."""
    rows = (
        LedgerLine.objects.filter(conversation=conversation)
        .values("call_id", "run", "purpose", "provider", "model_asked")
        .annotate(
            at=Min("accounted_at"),
            cost=Sum("cost_nano"),
            prompt=Sum(F("input_tokens") + F("cache_read_input_tokens") + F("cache_creation_input_tokens")),
            cached=Sum("cache_read_input_tokens"),
            answered=Sum("output_tokens"),
            estimates=Count("attempt", filter=Q(source=Source.ESTIMATED), distinct=True),
            corrections=Count("attempt", filter=Q(source=Source.CORRECTED), distinct=True),
        )
        .order_by("-at", "call_id", "provider", "model_asked")
    )
    return [
        ConversationCall(
            call_id=row["call_id"],
            run=row["run"],
            purpose=row["purpose"],
            model=f"{row['provider']}/{row['model_asked']}",
            at=row["at"],
            cost_nano=int(row["cost"]),
            input=int(row["prompt"]),
            cached=int(row["cached"]),
            output=int(row["answered"]),
            is_estimated=row["estimates"] > row["corrections"],
        )
        for row in rows
    ]
