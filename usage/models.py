"""What calls cost and who pays: prices, holds, the append-only ledger and its daily roll-up.

People, teams, conversations and runs are plain ids without foreign keys: a ledger line outlives what it
speaks of. Money is integer nano-dollars; unit prices are integer pico-dollars per token ($1 per million
tokens = 1,000,000).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from accounts.ids import uuid7

# DailyUsage's key must hold no NULL (a unique constraint treats NULLs as different): nobody is this id.
NOBODY = UUID(int=0)


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


class Price(models.Model):
    """An admin's or an import's price for one model from a moment on; it wins over the catalogue while in
    force.

    Rows are never changed: a new price is a new row. `long_context` and `fast` hold the same five unit
    prices, for prompts strictly above `long_context_above` tokens and for the vendor's fast mode. Null: the
    model has no such tier, modifier or search.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=200)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    input = models.PositiveBigIntegerField()
    output = models.PositiveBigIntegerField()
    cache_read = models.PositiveBigIntegerField()
    cache_write_5m = models.PositiveBigIntegerField()
    cache_write_1h = models.PositiveBigIntegerField()
    long_context_above = models.PositiveBigIntegerField(null=True)
    long_context = models.JSONField(null=True)
    fast = models.JSONField(null=True)
    web_search_per_1000_nano = models.PositiveBigIntegerField(null=True)
    batch_percent = models.PositiveSmallIntegerField(null=True)
    geo_us_percent = models.PositiveSmallIntegerField(null=True)
    source = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.UUIDField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "model", "valid_from"], name="price_from_one_moment"),
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model} from {self.valid_from:%Y-%m-%d}"


class Payer(models.Model):
    """Who a call is for and what it belongs to, as plain ids; shared by the hold and its ledger lines."""

    user = models.UUIDField()
    team = models.UUIDField(null=True)
    project = models.UUIDField(null=True)
    conversation = models.UUIDField(null=True)
    run = models.UUIDField(null=True)
    token = models.UUIDField(null=True)
    credential = models.UUIDField(null=True)
    credential_scope = models.CharField(max_length=16)
    provider = models.CharField(max_length=64)
    purpose = models.CharField(max_length=32)

    PAYER: ClassVar = (
        "user",
        "team",
        "project",
        "conversation",
        "run",
        "token",
        "credential",
        "credential_scope",
        "provider",
        "purpose",
    )

    class Meta:
        abstract = True


class Hold(Payer):
    """Money set aside for one call before the vendor is asked. Closed exactly once, by its settlement.

    `tariff` is the price at the hold's time (pricing.Tariff as JSON), `attempts` what was seen so far (a list
    of attempts.Attempt as JSON), `prompt_tokens` the likely size of the prompt, `max_tokens` the most that
    may be answered. An open hold whose `renewed_until` has
    passed belongs to a lost process: the sweep settles it.
    """

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    call_id = models.UUIDField(unique=True)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    model = models.CharField(max_length=200)
    amount_nano = models.PositiveBigIntegerField()
    budget_lines = models.JSONField(default=list)
    tariff = models.JSONField()
    prompt_tokens = models.PositiveBigIntegerField()
    max_tokens = models.PositiveBigIntegerField()
    attempts = models.JSONField(default=list)
    opened_at = models.DateTimeField()
    renewed_until = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["renewed_until"], condition=Q(state="open"), name="hold_open"),
        ]

    def __str__(self) -> str:
        return f"hold for call {self.call_id}, {self.state}"


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
    (usage/triggers.py).

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
        ]

    def __str__(self) -> str:
        return f"call {self.call_id} attempt {self.attempt} line {self.line}: {self.cost_nano} nano-dollars"

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt: uncached, read from cache and written to cache."""
        return self.input_tokens + self.cache_read_input_tokens + self.cache_creation_input_tokens


class DailyUsage(models.Model):
    """The ledger by day, person, team, token, provider, model, purpose and credential scope; sums of its
    lines.

    Written in the transaction that writes the lines, never elsewhere. NOBODY stands where a line has no team
    or token. `calls` counts first lines that are no corrections, `estimated` the lines with estimated
    numbers.
    """

    KEY: ClassVar = (
        "day",
        "user",
        "team",
        "token",
        "provider",
        "model",
        "purpose",
        "credential_scope",
    )
    SUMS: ClassVar = (*LedgerLine.BUCKETS, "cost_nano", "calls", "failed", "estimated")

    day = models.DateField()
    user = models.UUIDField()
    team = models.UUIDField(default=NOBODY)
    token = models.UUIDField(default=NOBODY)
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=200)
    purpose = models.CharField(max_length=32)
    credential_scope = models.CharField(max_length=16)
    calls = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    estimated = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cache_read_input_tokens = models.BigIntegerField(default=0)
    cache_creation_input_tokens = models.BigIntegerField(default=0)
    cache_creation_5m = models.BigIntegerField(default=0)
    cache_creation_1h = models.BigIntegerField(default=0)
    thinking_tokens = models.BigIntegerField(default=0)
    web_search_requests = models.BigIntegerField(default=0)
    web_fetch_requests = models.BigIntegerField(default=0)
    cost_nano = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=[
                    "day",
                    "user",
                    "team",
                    "token",
                    "provider",
                    "model",
                    "purpose",
                    "credential_scope",
                ],
                name="daily_usage_one_row",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.provider}/{self.model}: {self.cost_nano} nano-dollars"
