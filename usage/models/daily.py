"""The ledger by day."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from usage.models.ledger import LedgerLine

# DailyUsage's key must hold no NULL (a unique constraint treats NULLs as different): nobody is this id.
NOBODY = UUID(int=0)


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
        # The rows of one person, or one token, are few among those of all days.
        indexes: ClassVar = [
            models.Index(fields=["user", "day"], name="daily_usage_user"),
            models.Index(fields=["token", "day"], name="daily_usage_token", condition=~Q(token=NOBODY)),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.provider}/{self.model}: {self.cost_nano} nano-dollars"
