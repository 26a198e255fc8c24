"""Webhooks are made, given new secrets, switched and removed by admins. Views ask whether one is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.ids import uuid7
from accounts.names import clean_name
from accounts.sealing.sealing import SealBroken
from providers.access import Secret
from usage.alerts.alerts import raise_alert
from usage.alerts.webhook_post import new_secret
from usage.catalogue.actions import NotPossible
from usage.models import Alert, Delivery, Webhook
from usage.models.alert import known_kinds

MOST = 20
OVERLAP = timedelta(hours=24)  # for which the secret before a rotation signs as well


def add(*, by: UUID, webhook_id: UUID, name: str, url: str, kinds: Iterable[str] = ()) -> Secret | None:
    """A new webhook, in force at once, and its secret, which nobody can read again.

    `webhook_id` is chosen by the form: None when there is one of this id already, for then the form was sent
    twice. Raises NotPossible where there are too many.
    """
    secret, heard = new_secret(), known_kinds(list(kinds))
    with transaction.atomic():
        if Webhook.objects.filter(pk=webhook_id).exists():
            return None
        if Webhook.objects.count() >= MOST:
            raise NotPossible(f"There are {MOST} webhooks. Remove one first.")
        Webhook.objects.create(
            pk=webhook_id,
            name=clean_name(name),
            url=url,
            secret=secret,
            kinds=heard,
            created_by=by,
        )
        _record(Verb.WEBHOOK_ADDED, by, webhook_id, name, kinds=heard)
    return secret


def rotate(*, by: UUID, webhook: Webhook) -> Secret:
    """A new secret, which nobody can read again. The one before signs beside it for OVERLAP."""
    secret = new_secret()
    with transaction.atomic():
        row = Webhook.objects.select_for_update().get(pk=webhook.pk)
        try:
            row.previous = row.secret
        except SealBroken:
            row.previous = None
        row.secret, row.previous_until = secret, timezone.now() + OVERLAP
        row.save(update_fields=["secret", "previous", "previous_until"])
        _record(Verb.WEBHOOK_SECRET_MADE, by, row.pk, row.name)
    return secret


def switch(*, by: UUID, webhook: Webhook, on: bool) -> None:
    """One that is off hears of nothing; what still waits for it fails."""
    with transaction.atomic():
        one = Webhook.objects.filter(pk=webhook.pk)
        changed = one.exclude(enabled=on).exists()
        one.update(enabled=on, trouble="")
        if changed:
            _record(Verb.WEBHOOK_SWITCHED, by, webhook.pk, webhook.name, on=on)


def end(*, webhook: Webhook, trouble: str) -> None:
    """Its receiver does not want to hear any more."""
    with transaction.atomic():
        if Webhook.objects.filter(pk=webhook.pk, enabled=True).update(enabled=False, trouble=trouble):
            _record(Verb.WEBHOOK_SWITCHED, None, webhook.pk, webhook.name, on=False)


def remove(*, by: UUID, webhook: Webhook) -> None:
    """Its secret is gone; what was sent to it stays in the list of deliveries."""
    with transaction.atomic():
        if Webhook.objects.filter(pk=webhook.pk).delete()[0]:
            _record(Verb.WEBHOOK_REMOVED, by, webhook.pk, webhook.name)


def _record(verb: Verb, by: UUID | None, id: UUID, name: str, **facts: object) -> None:
    """Never with the address: of many receivers it is a secret."""
    audit.record(verb, actor=by, kind="webhook", id=id, name=name, after=facts)


def keys_of(webhook: Webhook) -> list[Secret]:
    """What signs now, the newest first. Raises SealBroken."""
    keys = [webhook.secret]
    if webhook.previous_until is not None and webhook.previous_until > timezone.now():
        keys.append(webhook.previous)
    return [key for key in keys if key is not None]


def make_test(*, by: UUID, webhook: Webhook) -> Delivery:
    """An alert for this webhook alone, seen already, and its delivery, which waits to be sent."""
    now = timezone.now()
    with transaction.atomic():
        alert = raise_alert(
            kind=Alert.Kind.TEST,
            subject=str(webhook.pk),
            period=str(uuid7()),
            title=f"A test of {webhook.name}",
            body="Somebody pressed “Send a test”. Nothing is wrong.",
        )
        if alert is None:
            raise NotPossible("This test was sent already.")
        Alert.objects.filter(pk=alert.pk).update(routed_at=now, seen_at=now, seen_by=by)
        return Delivery.objects.create(
            alert=alert,
            channel=Delivery.Channel.WEBHOOK,
            target=str(webhook.pk),
            webhook=webhook,
            name=webhook.name,
        )
