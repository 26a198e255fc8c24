"""What the company of the pictures was told lately. Run by the product's shell: fill()."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.ids import uuid7
from accounts.models import User
from usage.alerts import alerts, watch_money, watch_providers, webhooks
from usage.alerts import delivery as alert_delivery
from usage.models import Alert, Delivery, Webhook

HOOKS = (
    ("On-call pager", "https://events.pager.example/integration/8f1c", ["budget", "credential", "provider"]),
    ("Finance channel", "https://hooks.chat.example/services/T02/B77", ["budget", "spend"]),
    ("Old audit sink", "https://sink.audit.example/in", ["drift"]),
)
OTHERS = (
    (
        "provider",
        "Azure OpenAI became worse",
        "In the last 15 minutes: answers begin much later than before. Calls go on with another key or a "
        "fallback model where there is one. It is not told again today.",
        "/manage/health/?period=hour",
        5.2,
    ),
    (
        "credential",
        "The login of the team Research and development for GitHub Copilot does not work",
        "The vendor has ended it. Until then calls that need it fail. Connect it again under Manage, Keys.",
        "/manage/keys/",
        3.1,
    ),
    (
        "spend",
        "Unusual spend today: $148.20",
        "Usual on a Tuesday until 14:05 (UTC) is $61.13, the median of 4 of the last 4 weeks: $58.02, "
        "$64.24, $71.90, $40.11, the latest first.",
        "/manage/usage/",
        2.0,
    ),
)


def fill() -> None:
    """Alerts of every kind, some seen, and webhooks that took them, did not yet, or are off."""
    owner = User.objects.filter(role="owner").earliest("created_at")
    watch_money.budgets()
    watch_providers.keys()
    for name, url, kinds in HOOKS:
        webhooks.add(by=owner.pk, webhook_id=uuid7(), name=name, url=url, kinds=kinds)
    Webhook.objects.filter(name="Old audit sink").update(enabled=False, trouble=alert_delivery.GONE)
    with transaction.atomic():  # the serving process would try to send what it sees
        for kind, title, body, link, days in OTHERS:
            made = alerts.raise_alert(
                kind=kind, subject=title[:40], period="then", title=title, body=body, link=link
            )
            if made is not None:
                _age(made, days, owner)
        Alert.objects.update(routed_at=None)  # before there were webhooks nobody was told
        alert_delivery.route()
        Delivery.objects.update(state="sent", attempts=1)
        late = Delivery.objects.filter(name="Finance channel")
        late.update(
            state="waiting", attempts=6, error="It answered 503.", next_at=timezone.now() + timedelta(hours=3)
        )


def _age(alert: Alert, days: float, owner: User) -> None:
    then = timezone.now() - timedelta(days=days)
    seen = {"seen_at": then + timedelta(hours=1), "seen_by": owner.pk} if days > 3 else {}
    over = {"over_at": then + timedelta(hours=5)} if alert.kind == "credential" else {}
    Alert.objects.filter(pk=alert.pk).update(created_at=then, **seen, **over)
