"""What admins change about money and models stands in the audit log, with what was before and after."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from accounts.audit import chain as audit_chain
from accounts.ids import uuid7
from accounts.models import AuditEvent, User
from providers.catalogue import Rates
from usage.alerts import settings as alert_settings
from usage.alerts import webhooks
from usage.budgets import actions as budget_actions
from usage.catalogue import actions
from usage.models import Budget, Webhook

from .managing import admin as admin
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner

SONNET = "anthropic/claude-sonnet-5-5"


def last() -> tuple[str, Any, dict[str, Any], dict[str, Any]]:
    event = AuditEvent.objects.newest_first()[0]
    sides = [json.loads(side) if side else {} for side in (event.before, event.after)]
    return event.verb, event.actor, sides[0], sides[1]


def test_budgets_and_what_is_asked_of_them(owner: User, admin: User) -> None:
    budget: Budget = budget_actions.make(
        by=owner.pk,
        name="Everybody",
        scope="organisation",
        scope_id=None,
        measure="money",
        period="month",
        timezone_name="UTC",
        limit=5,
        mode="block",
    )
    verb, actor, _, after = last()
    assert (verb, actor, after["limit"], after["mode"]) == ("budget.made", owner.pk, 5, "block")
    budget_actions.change(by=admin.pk, budget=budget, name="Everybody", limit=9, mode="block")
    assert last() == ("budget.changed", admin.pk, {"limit": 5}, {"limit": 9})
    count = AuditEvent.objects.count()
    budget_actions.change(by=admin.pk, budget=budget, name="Everybody", limit=9, mode="block")
    assert AuditEvent.objects.count() == count
    budget_actions.switch(by=admin.pk, budget=budget, on=False)
    budget_actions.switch(by=admin.pk, budget=budget, on=True)
    budget.refresh_from_db()
    request, _ = budget_actions.ask_for_more(by=admin, budget=budget, reason="my secret plan", wanted=20)
    assert last()[:2] == ("request.made", admin.pk)
    budget_actions.approve(by=owner.pk, request=request, limit=20, answer="yes, dear")
    assert last()[3]["limit"] == 20
    again, _ = budget_actions.ask_for_more(by=admin, budget=Budget.objects.get(), wanted=30)
    budget_actions.refuse(by=owner.pk, request=again, answer="no")
    assert last()[0] == "request.refused"
    written = str(list(AuditEvent.objects.values_list("before", "after", "name")))
    assert "secret plan" not in written and "dear" not in written
    assert not list(audit_chain.verify())


def test_models_prices_and_chains(owner: User) -> None:
    actions.change_model(by=owner.pk, ref=SONNET, enabled=True, display_name="House model", facts={})
    assert last()[0] == "model.changed" and last()[3]["display_name"] == "House model"
    actions.make_default(by=owner.pk, ref=SONNET)
    assert last()[3] == {"default": True}
    actions.clear_default(by=owner.pk, ref=SONNET)
    rates = Rates(input=1, output=2, cache_read=1, cache_write_5m=1, cache_write_1h=1)
    actions.set_price(
        by=owner.pk,
        ref=SONNET,
        rates=rates,
        long_context=None,
        fast=None,
        web_search_per_1000_nano=None,
        batch_percent=None,
        geo_us_percent=None,
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        valid_until=None,
    )
    assert last()[0] == "price.set" and last()[3]["output"] == 2
    assert actions.end_prices(by=owner.pk, ref=SONNET) == 1
    assert last()[:2] == ("price.ended", owner.pk)
    actions.set_chain(by=owner.pk, ref=SONNET, refs=["openai/gpt-5"])
    assert last()[3] == {"models": ["openai/gpt-5"]}
    actions.set_chain(by=owner.pk, ref=SONNET, refs=[])
    assert last()[2] == {"models": ["openai/gpt-5"]}


def test_how_people_are_told_of_alerts(owner: User) -> None:
    alert_settings.change(by=owner.pk, thresholds=[50, 90], mail_kinds=["budget"], mail_me=False)
    verb, actor, before, after = last()
    assert (verb, actor) == ("alerts.changed", owner.pk)
    assert after == {"thresholds": [50, 90], "mailed": ["budget"], "mail_to_themselves": False}
    assert before["mail_to_themselves"] is True
    count = AuditEvent.objects.count()
    alert_settings.change(by=owner.pk, thresholds=[90, 50], mail_kinds=["budget"], mail_me=False)
    assert AuditEvent.objects.count() == count


def test_webhooks_without_address_and_secret(owner: User) -> None:
    secret = webhooks.add(
        by=owner.pk,
        webhook_id=uuid7(),
        name="Finance",
        url="https://hooks.test/T0K3N-in-the-path",
        kinds=["drift"],
    )
    assert secret is not None
    hook = Webhook.objects.get()
    assert last() == ("webhook.added", owner.pk, {}, {"kinds": ["drift"]})
    newer = webhooks.rotate(by=owner.pk, webhook=hook)
    assert last()[:2] == ("webhook.secret_made", owner.pk)
    webhooks.switch(by=owner.pk, webhook=hook, on=False)
    assert last() == ("webhook.switched", owner.pk, {}, {"on": False})
    count = AuditEvent.objects.count()
    webhooks.switch(by=owner.pk, webhook=hook, on=False)
    assert AuditEvent.objects.count() == count
    webhooks.remove(by=owner.pk, webhook=hook)
    assert last()[:2] == ("webhook.removed", owner.pk)
    written = str(list(AuditEvent.objects.values_list("before", "after", "name", "object")))
    assert "Finance" in written and "T0K3N" not in written
    assert secret.reveal() not in written and newer.reveal() not in written


def test_a_receiver_that_is_gone_switches_its_webhook_off(owner: User) -> None:
    webhooks.add(by=owner.pk, webhook_id=uuid7(), name="Finance", url="https://hooks.test/x")
    webhooks.end(webhook=Webhook.objects.get(), trouble="It answered 410: gone.")
    assert last() == ("webhook.switched", None, {}, {"on": False})
