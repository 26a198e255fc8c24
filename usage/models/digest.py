"""The ledger by whole closed days, weeks and months: what pages add up instead of every day's rows."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from usage.models.daily import NOBODY


class Digest(models.Model):
    """What a span of days comes to, from one side (usage.reports.digests.FACES): the head of its DigestRows.

    Only a `ready` one is read, and its rows never change: what makes it wrong makes it `outdated`, and
    another one is made. `changed_at` is when its state changed last.
    """

    class State(models.TextChoices):
        BUILDING = "building"
        READY = "ready"
        OUTDATED = "outdated"

    face = models.CharField(max_length=8)
    first = models.DateField()
    last = models.DateField()
    state = models.CharField(max_length=8, choices=State, default=State.BUILDING)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["face", "first"], condition=Q(state="ready"), name="digest_once"),
            models.CheckConstraint(condition=Q(last__gte=models.F("first")), name="digest_has_days"),
        ]

    def __str__(self) -> str:
        return f"{self.face} from {self.first} to {self.last}, {self.state}"


class DigestRow(models.Model):
    """Sums of one group of a digest, with the columns of DailyUsage.

    `outcome` "": of all lines; else of those with this outcome. What the digest's face does not part by is
    NOBODY or "". `day` is the digest's first day.
    """

    SUMS: ClassVar = (
        "calls",
        "failed",
        "estimated",
        "input_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "output_tokens",
        "cost_nano",
    )

    digest = models.ForeignKey(Digest, on_delete=models.CASCADE, related_name="rows", db_index=False)
    outcome = models.CharField(max_length=12, blank=True)
    day = models.DateField()
    user = models.UUIDField(default=NOBODY)
    team = models.UUIDField(default=NOBODY)
    token = models.UUIDField(default=NOBODY)
    provider = models.CharField(max_length=64, blank=True)
    model = models.CharField(max_length=200, blank=True)
    purpose = models.CharField(max_length=32, blank=True)
    credential_scope = models.CharField(max_length=16, blank=True)
    calls = models.BigIntegerField()
    failed = models.BigIntegerField()
    estimated = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    cache_read_input_tokens = models.BigIntegerField()
    cache_creation_input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cost_nano = models.BigIntegerField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["digest", "outcome", "user"], name="digest_row")]

    def __str__(self) -> str:
        return f"{self.digest_id} {self.outcome} {self.provider}/{self.model}: {self.cost_nano} nano-dollars"
