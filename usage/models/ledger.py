"""What calls cost: the append-only ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from usage.models.payer import Payer


class Source(models.TextChoices):
    """Where a ledger line's numbers come from."""

    REPORTED = "reported"  # the vendor's final usage
    ESTIMATED = "estimated"  # from what was seen, because the final usage never came or was unusable
    CORRECTED = "corrected"  # the signed difference between the vendor's numbers and estimated lines before


class Outcome(models.TextChoices):
    """How a call ended."""

    COMPLETED = "completed"
    STOPPED = "stopped"  # the caller left before the end
    FAILED = "failed"  # the vendor or the way to it reported an error
    INTERRUPTED = "interrupted"  # the stream broke off, or the process that read it was lost
    REFUSED = "refused"  # complete, but the model declined to answer


@dataclass(frozen=True, slots=True)
class RunTotals:
    """What a run's calls add up to.

    `input` is the whole prompt (tokens), `cached` the part of it read from cache.
    """

    cost_nano: int
    input: int
    cached: int
    output: int
    estimated: bool
    model_served: str


class LedgerQuerySet(models.QuerySet["LedgerLine"]):
    def totals_by_run(self, run_ids: Iterable[UUID]) -> dict[UUID, RunTotals]:
        """The totals of each of these runs that has lines, corrections included. One query."""
        lines = self.filter(run__in=list(run_ids)).order_by("id")
        by_run: dict[UUID | None, list[LedgerLine]] = {}
        for line in lines.only(
            "run", "call_id", "attempt", "cost_nano", "source", "model_served", *LedgerLine.BUCKETS
        ):
            by_run.setdefault(line.run, []).append(line)
        return {run_id: _totals(mine) for run_id, mine in by_run.items() if run_id is not None}


def estimated_attempts(lines: Iterable[LedgerLine]) -> set[tuple[UUID, int]]:
    """The attempts among these lines, as (call id, attempt), that no vendor's numbers have replaced or
    confirmed.
    """
    lines = list(lines)
    estimated = {(line.call_id, line.attempt) for line in lines if line.source == Source.ESTIMATED}
    return estimated - {(line.call_id, line.attempt) for line in lines if line.source == Source.CORRECTED}


def _totals(lines: list[LedgerLine]) -> RunTotals:
    return RunTotals(
        cost_nano=sum(line.cost_nano for line in lines),
        input=sum(line.prompt_tokens for line in lines),
        cached=sum(line.cache_read_input_tokens for line in lines),
        output=sum(line.output_tokens for line in lines),
        estimated=bool(estimated_attempts(lines)),
        model_served=next((line.model_served for line in reversed(lines) if line.model_served), ""),
    )


class LedgerLine(Payer):
    """One priced part of a call. Append-only: the database refuses UPDATE, DELETE and TRUNCATE
    (usage/ledger/triggers.py).

    A call's cost is the sum of its lines. `attempt` counts from 1 within a call, `line` from 0 within an
    attempt. A corrected line holds signed differences; every other number is zero or more. `accounted_at` and
    `day` (in the organisation's timezone) are those of the hold, `written_at` is when the line came.
    `vendor_request_id` is the vendor's id of a failed request, or of the message where one began.
    """

    BUCKETS: ClassVar = (
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation_5m",
        "cache_creation_1h",
        "thinking_tokens",
        "web_search_requests",
        "web_fetch_requests",
    )

    call_id = models.UUIDField()
    attempt = models.PositiveSmallIntegerField()
    line = models.PositiveSmallIntegerField(default=0)
    accounted_at = models.DateTimeField()
    day = models.DateField()
    written_at = models.DateTimeField()
    model_asked = models.CharField(max_length=200)
    model_served = models.CharField(max_length=200, blank=True)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cache_read_input_tokens = models.BigIntegerField(default=0)
    cache_creation_input_tokens = models.BigIntegerField(default=0)
    cache_creation_5m = models.BigIntegerField(default=0)
    cache_creation_1h = models.BigIntegerField(default=0)
    thinking_tokens = models.BigIntegerField(default=0)
    web_search_requests = models.BigIntegerField(default=0)
    web_fetch_requests = models.BigIntegerField(default=0)
    service_tier = models.CharField(max_length=32, blank=True)
    speed = models.CharField(max_length=32, blank=True)
    inference_geo = models.CharField(max_length=32, blank=True)
    price_source = models.CharField(max_length=200)
    price_id = models.UUIDField(null=True)
    cost_nano = models.BigIntegerField()
    source = models.CharField(max_length=10, choices=Source)
    outcome = models.CharField(max_length=12, choices=Outcome)
    error = models.CharField(max_length=64, blank=True)
    ttft_ms = models.PositiveIntegerField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)
    vendor_request_id = models.CharField(max_length=200, blank=True)

    objects = LedgerQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["call_id", "attempt", "line"], name="ledger_line_once"),
            models.CheckConstraint(
                condition=Q(source="corrected")
                | Q(
                    cost_nano__gte=0,
                    input_tokens__gte=0,
                    output_tokens__gte=0,
                    cache_read_input_tokens__gte=0,
                ),
                name="ledger_line_not_negative",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "accounted_at"], name="ledger_user"),
            models.Index(fields=["run"], name="ledger_run"),
            models.Index(fields=["conversation"], name="ledger_conversation"),
            models.Index(fields=["accounted_at"], name="ledger_moment"),
            models.Index(
                fields=["team", "accounted_at"], name="ledger_team", condition=Q(team__isnull=False)
            ),
            models.Index(
                fields=["token", "accounted_at"], name="ledger_token", condition=Q(token__isnull=False)
            ),
            # All that reports add up of the few lines that did not complete: they need not read the lines.
            models.Index(
                fields=[
                    "outcome",
                    "accounted_at",
                    "day",
                    "user",
                    "team",
                    "token",
                    "provider",
                    "model_asked",
                    "purpose",
                    "credential_scope",
                    "attempt",
                    "line",
                    "source",
                    "error",
                    "input_tokens",
                    "output_tokens",
                    "cache_read_input_tokens",
                    "cache_creation_input_tokens",
                    "cost_nano",
                ],
                name="ledger_unfinished",
                condition=~Q(outcome="completed"),
            ),
        ]

    def __str__(self) -> str:
        return f"call {self.call_id} attempt {self.attempt} line {self.line}: {self.cost_nano} nano-dollars"

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt: uncached, read from cache and written to cache."""
        return self.input_tokens + self.cache_read_input_tokens + self.cache_creation_input_tokens
