"""Alerts and webhooks made by hand."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any
from uuid import UUID

from accounts.ids import uuid7
from usage.alerts import webhooks
from usage.alerts.alerts import raise_alert
from usage.clock import database_now
from usage.models import Alert, Delivery, Webhook

from .receiving import Receiver

_numbers = itertools.count(1)
SOMEBODY = UUID(int=7)


def alert(**fields: Any) -> Alert:
    values: dict[str, Any] = {
        "kind": "drift",
        "subject": "anthropic",
        "period": f"day {next(_numbers)}",
        "title": "The ledger and the vendor differ",
        "body": "By 0.7 %, “so far”.",
        "link": "/manage/usage/",
    }
    made = raise_alert(**values | fields)
    assert made is not None
    return made


def webhook(receiver: Receiver, **fields: Any) -> tuple[Webhook, str]:
    """One at the receiver's address, and its secret."""
    values: dict[str, Any] = {"by": SOMEBODY, "webhook_id": uuid7(), "name": "Pager", "url": receiver.url}
    values |= fields
    secret = webhooks.add(**values)
    assert secret is not None
    return Webhook.objects.get(pk=values["webhook_id"]), secret.reveal()


def later() -> None:
    """Time passes: every pause and every claim is over."""
    Delivery.objects.filter(state="waiting").update(next_at=database_now() - timedelta(seconds=1))


def ends() -> list[tuple[str, int]]:
    """State and attempts of every delivery, in the order of their making."""
    return list(Delivery.objects.order_by("id").values_list("state", "attempts"))
