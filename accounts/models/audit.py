"""Who changed what: a log that can only grow, each event sealed to the one before it."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.utils import timezone

from accounts.names import NAME_LENGTH


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def newest_first(self) -> Self:
        return self.order_by("-number")


class AuditEvent(models.Model):
    """One change, or one attempt to sign in. Written by accounts.audit.audit.record alone; the database
    refuses to change it, and to remove it before it was pruned (accounts.audit.chain.prune).

    `number` counts from 1 without gaps. `actor` is the person who did it, null where no person did (`via`
    says what did). `kind`, `object` and `name` say what it was done to; people are not named, so that they
    can be anonymised: their id is kept. `before` and `after` are JSON objects of facts, "" for none; no
    secrets, no content, and addresses of people only by their first letter. `digest` is the SHA-256 of the
    digest before it and of everything above.
    """

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.UUIDField(null=True)
    via = models.CharField(max_length=40, blank=True, default="")
    verb = models.CharField(max_length=40)
    kind = models.CharField(max_length=24)
    object = models.CharField(max_length=64, blank=True, default="")
    name = models.CharField(max_length=NAME_LENGTH, blank=True, default="")
    before = models.TextField(blank=True, default="")
    after = models.TextField(blank=True, default="")
    address = models.CharField(max_length=45, blank=True, default="")
    digest = models.CharField(max_length=64)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["actor", "number"], name="audit_actor"),
            models.Index(fields=["verb", "number"], name="audit_verb"),
            models.Index(fields=["object", "number"], name="audit_object"),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.verb} {self.kind}"


class AuditHead(models.Model):
    """The end of the chain. One row; who writes an event locks it first. Events up to `pruned` are gone."""

    only = models.BooleanField(primary_key=True, default=True)
    number = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True, default="")
    pruned = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(only=True), name="audit_head_only_one")]

    def __str__(self) -> str:
        return f"{self.number} events, {self.pruned} of them pruned"


class AuditCheckpoint(models.Model):
    """The digest of one event, signed with a master key: whoever has only the database cannot rewrite what
    came before it.
    """

    number = models.BigIntegerField(primary_key=True)
    digest = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)
    signature = models.CharField(max_length=64)

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"checkpoint at event {self.number}"
