"""Who a call is for, shared by its hold and its ledger lines."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


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
