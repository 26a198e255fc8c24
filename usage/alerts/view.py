"""Alerts and webhooks as pages show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from accounts.models import User
from usage.alerts.delivery import CLAIM, PAUSES
from usage.models import Alert, Delivery, Webhook

LISTED = 10  # deliveries of one webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One delivery of an alert. `again`: an admin may have it sent now."""

    delivery: Delivery
    again: bool

    @property
    def tries(self) -> str:
        count = self.delivery.attempts
        if self.delivery.state == Delivery.State.WAITING:
            return f"Try {count} of {len(PAUSES) + 1} failed" if count and self.delivery.error else ""
        return "" if count <= 1 else f"After {count} tries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An alert in the list; `seen_by` is a name."""

    alert: Alert
    told: Sequence[Told]
    seen_by: str

    @property
    def told_words(self) -> str:
        """How many were told, and how many not yet or in vain: "2 sent, 1 failed"."""
        if self.alert.routed_at is None:
            return "On its way"
        counts = [(state, sum(one.delivery.state == state for one in self.told)) for state in Delivery.State]
        said = [f"{count} {state.label.lower()}" for state, count in counts if count]
        return ", ".join(said) or "Nobody else"

    @property
    def failed(self) -> bool:
        return any(one.delivery.state == Delivery.State.FAILED for one in self.told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A webhook in the list, and what was sent to it last."""

    webhook: Webhook
    last: Told | None

    @property
    def hears(self) -> str:
        kinds = [str(Alert.Kind(kind).label) for kind in self.webhook.kinds]
        return ", ".join(kinds) or "Everything"


def listed(kind: str, *, unseen: bool) -> QuerySet[Alert]:
    """The newest first; `kind` "" for all."""
    found = Alert.objects.unseen() if unseen else Alert.objects.all()
    return (found.filter(kind=kind) if kind else found).order_by("-id")


def rows(alerts: Iterable[Alert], now: datetime) -> list[Row]:
    """Two queries."""
    found = list(alerts)
    told: dict[UUID, list[Told]] = {alert.pk: [] for alert in found}
    for delivery in Delivery.objects.filter(alert__in=found).order_by("channel", "name", "target"):
        told[delivery.alert_id].append(_told(delivery, now))
    people = {alert.seen_by for alert in found if alert.seen_by is not None}
    names = {person.pk: person.display for person in User.objects.filter(pk__in=people)} if people else {}
    return [
        Row(
            alert=alert,
            told=told[alert.pk],
            seen_by=names.get(alert.seen_by, "Somebody who left") if alert.seen_by else "",
        )
        for alert in found
    ]


def hooks(now: datetime) -> list[Hook]:
    """All webhooks. Two queries."""
    latest = Delivery.objects.filter(webhook=OuterRef("pk")).order_by("-id").values("pk")[:1]
    found = list(Webhook.objects.defer("secret", "previous").annotate(last=Subquery(latest)))
    last = Delivery.objects.in_bulk([hook.last for hook in found if hook.last])
    return [Hook(webhook=hook, last=_told(last[hook.last], now) if hook.last else None) for hook in found]


def deliveries(webhook: Webhook, now: datetime) -> list[Told]:
    """The newest LISTED of one webhook, each with its alert."""
    found = Delivery.objects.filter(webhook=webhook).select_related("alert").order_by("-id")
    return [_told(delivery, now) for delivery in found[:LISTED]]


def _told(delivery: Delivery, now: datetime) -> Told:
    failed = delivery.state == Delivery.State.FAILED
    pausing = delivery.state == Delivery.State.WAITING and delivery.next_at > now + CLAIM
    return Told(delivery=delivery, again=failed or pausing)
