"""Alerts: raised once, seen by an admin, forgotten after a year. How they travel: usage.alerts.delivery."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.names import one_line
from usage import rows
from usage.models import Alert
from usage.models.alert import BODY_LENGTH, KEY_LENGTH, TITLE_LENGTH, URL_LENGTH

KEPT = timedelta(days=365)
AT_ONCE = 500  # alerts that are removed in one transaction
_ONCE = "ON CONFLICT (kind, subject, period) DO NOTHING"


def raise_alert(
    *, kind: str, subject: str, period: str, title: str, body: str, link: str = ""
) -> Alert | None:
    """Stores an alert; None when one of this kind, subject and period is there already.

    Writes one row in the caller's transaction, or in its own where there is none, and sends nothing: whoever
    is to be told is told after the commit. `kind` is one of Alert.Kind, `link` a path of this server. Title
    and body hold no secrets; too long ones are cut.
    """
    if (
        kind not in Alert.Kind.values
        or not 0 < len(subject) <= KEY_LENGTH
        or not 0 < len(period) <= KEY_LENGTH
    ):
        raise ValueError(f"No alert of kind {kind!r} about {subject!r} in {period!r}")
    alert = Alert(
        kind=kind,
        subject=subject,
        period=period,
        title=_cut(one_line(title), TITLE_LENGTH),
        body=_cut(body, BODY_LENGTH),
        link=link[:URL_LENGTH],
    )
    return alert if rows.insert(alert, otherwise=_ONCE) else None


def see(*, by: UUID, alert: UUID | None = None) -> int:
    """An admin has seen this alert, or all that there are; returns how many nobody had seen. The first who
    saw one stays.
    """
    with transaction.atomic():
        unseen = Alert.objects.unseen()
        chosen = unseen if alert is None else unseen.filter(pk=alert)
        return chosen.update(seen_at=timezone.now(), seen_by=by)


def prune(now: datetime | None = None) -> None:
    """Removes what is older than a year, with its deliveries, a few at a time."""
    before = (now or timezone.now()) - KEPT
    while True:
        with transaction.atomic():
            old = list(Alert.objects.filter(created_at__lt=before).order_by("created_at")[:AT_ONCE])
            Alert.objects.filter(pk__in=[alert.pk for alert in old]).delete()
        if len(old) < AT_ONCE:
            return


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
