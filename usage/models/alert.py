"""What admins are told once: alerts, who hears of them, and how far each delivery has come."""

from __future__ import annotations

from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.ids import uuid7
from accounts.names import NAME_LENGTH
from accounts.sealing.sealing import SealedField

URL_LENGTH = 500
KEY_LENGTH = 200  # characters of an alert's subject, and of its period
TITLE_LENGTH = 200
BODY_LENGTH = 2_000
ERROR_LENGTH = 300
THRESHOLDS = [80, 100]  # percent of a budget's limit


class AlertQuerySet(models.QuerySet["Alert"]):
    def unseen(self) -> Self:
        return self.filter(seen_at=None)

    def unrouted(self) -> Self:
        """Those of which nobody was told yet."""
        return self.filter(routed_at=None)


class Alert(models.Model):
    """Something that admins should know, stored once for each kind, subject and period.

    `subject` names what it is about and `period` the time or threshold within which it is not said again;
    both are keys for programs. `link` is a path of this server, or "". `routed_at` is when its deliveries
    were made, `over_at` when the trouble had ended, where somebody watches for that.
    """

    class Kind(models.TextChoices):
        BUDGET = "budget", "Budget"
        SPEND = "spend", "Spend"
        CREDENTIAL = "credential", "Key"
        PROVIDER = "provider", "Provider"
        DRIFT = "drift", "Drift"
        TEST = "test", "Test"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=16, choices=Kind)
    subject = models.CharField(max_length=KEY_LENGTH)
    period = models.CharField(max_length=KEY_LENGTH)
    title = models.CharField(max_length=TITLE_LENGTH)
    body = models.TextField(max_length=BODY_LENGTH)
    link = models.CharField(max_length=URL_LENGTH, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    routed_at = models.DateTimeField(null=True, editable=False)
    over_at = models.DateTimeField(null=True, editable=False)
    seen_at = models.DateTimeField(null=True, editable=False)
    seen_by = models.UUIDField(null=True, editable=False)

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "subject", "period"], name="alert_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], name="alert_unseen", condition=Q(seen_at=None)),
            models.Index(fields=["id"], name="alert_unrouted", condition=Q(routed_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.title}"


class AlertSettings(models.Model):
    """How this organisation is told; the one row, made when somebody first changes it.

    `thresholds` are percents of a budget's limit, ascending. `mail_kinds` are the kinds that go by mail, to
    every owner and admin but `unmailed`, ids of those who do not want it.
    """

    only = models.BooleanField(primary_key=True, default=True, editable=False)
    thresholds = models.JSONField(default=list)
    mail_kinds = models.JSONField(default=list)
    unmailed = models.JSONField(default=list)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(only=True), name="alert_settings_only_one")
        ]

    def __str__(self) -> str:
        return f"alerts at {self.thresholds} %"


class Webhook(models.Model):
    """An address that is told of alerts, each signed with its secret (usage.alerts.webhooks).

    `kinds` are those it hears of; empty: all. The secret is bound to the address: it signs for no other.
    After a rotation the one before signs beside it until `previous_until`. `trouble` says why it was switched
    off, "" where an admin did or it is on.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=NAME_LENGTH)
    url = models.CharField(max_length=URL_LENGTH)
    secret = SealedField(null=True)
    previous = SealedField(null=True)
    previous_until = models.DateTimeField(null=True, editable=False)
    kinds = models.JSONField(default=list, blank=True)
    enabled = models.BooleanField(default=True)
    trouble = models.CharField(max_length=ERROR_LENGTH, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.UUIDField(null=True, editable=False)

    class Meta:
        ordering: ClassVar = ["name", "id"]

    def __str__(self) -> str:
        return f"{self.name} at {self.host}"

    @property
    def host(self) -> str:
        """Where it is, as pages and errors say it: the rest of an address may be a secret of its own."""
        return urlsplit(self.url).netloc

    def sealed_to(self) -> str:
        """What the secrets are bound to beside their row."""
        return f"organisation {self.url}"

    def hears(self, kind: str) -> bool:
        return self.enabled and (not self.kinds or kind in self.kinds)


class Delivery(models.Model):
    """One alert on its way to one receiver: a mail address, or a webhook by its id.

    While it is waiting, whoever moves `next_at` into the future has claimed this attempt; `attempts` counts
    claims and is what the claimer's result must still find. `error` is the last failure, without secrets.
    """

    class Channel(models.TextChoices):
        MAIL = "mail", "Mail"
        WEBHOOK = "webhook", "Webhook"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=7, choices=Channel)
    target = models.CharField(max_length=254)
    webhook = models.ForeignKey(Webhook, on_delete=models.SET_NULL, null=True, related_name="deliveries")
    name = models.CharField(max_length=NAME_LENGTH, blank=True, default="")
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    error = models.CharField(max_length=ERROR_LENGTH, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["alert", "channel", "target"], name="delivery_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_at"], name="delivery_due", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.channel} of {self.alert_id}: {self.state} after {self.attempts}"

    @property
    def receiver(self) -> str:
        """As pages name it."""
        return self.target if self.channel == self.Channel.MAIL else self.name


def known_kinds(values: Any) -> list[str]:
    """Those of the values that are kinds of alerts, in the order of the kinds."""
    return [kind for kind in Alert.Kind.values if kind in (values or ())]
