"""Money set aside for calls."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.ids import uuid7
from usage.models.payer import Payer


class Hold(Payer):
    """Money set aside for one call before the vendor is asked. Closed exactly once, by its settlement.

    `tariff` is the price at the hold's time (pricing.Tariff as JSON), `attempts` what was seen so far (a list
    of attempts.Attempt as JSON), `prompt_tokens` the likely size of the prompt, `max_tokens` the most that
    may be answered. `routes` are the other ways on which the call may go, each with a price of its own (a
    list of routes.HeldRoute as JSON); route 0 is the hold's own fields, and the amount covers the dearest.
    An open hold whose `renewed_until` has passed belongs to a lost process: the sweep settles it.
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
    routes = models.JSONField(default=list)
    opened_at = models.DateTimeField()
    renewed_until = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["renewed_until"], condition=Q(state="open"), name="hold_open"),
        ]

    def __str__(self) -> str:
        return f"hold for call {self.call_id}, {self.state}"
