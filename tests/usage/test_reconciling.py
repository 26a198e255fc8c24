"""The ledger against the vendor's own report: what is compared, what is not, and when the alarm is raised."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.ids import uuid7
from accounts.keys import actions as key_actions
from accounts.keys import credentials
from accounts.keys.owners import Owner
from accounts.models import Credential, User
from config.duties import DUTIES
from providers.access import Secret
from providers.simulator.server import ThreadServer
from usage.models import Alert, ComparedUsage, Reconciliation, VendorKey
from usage.reconcile import drift, reconciling, utc_days
from usage.reconcile.reconciling import NotCompared, reconcile

from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .reconciled import (
    ACCOUNT,
    CENT,
    NOW,
    SONNET,
    YESTERDAY,
    at,
    call_key,
    charged,
    tells,
    told,
    used,
)
from .reconciled import admin_key as admin_key
from .reconciled import vendor as vendor

pytestmark = pytest.mark.services
BEFORE = YESTERDAY - timedelta(days=1)


def compare(**options: Any) -> reconciling.Compared:
    return reconcile("anthropic", **{"now": NOW} | options)


def row(model: str = SONNET, **which: Any) -> ComparedUsage:
    return ComparedUsage.objects.get(model=model, **which)


def test_equal_figures_agree_to_the_nano_dollar(vendor: ThreadServer, admin_key: Credential) -> None:
    used(credential=call_key().pk)
    tells(vendor, usage=[told()], costs=[charged("60"), charged("40", token_type="output_tokens")])
    found = compare()
    assert (found.problem, len(found.rows), found.beyond) == ("", 1, [])
    stored = row()
    assert (stored.day, stored.vendor_account, stored.lines) == (YESTERDAY, ACCOUNT, 1)
    assert stored.vendor_cost_nano == stored.ledger_cost_nano == 100 * CENT
    assert [one.words for one in [drift.money(stored), *drift.counts(stored)]] == ["none"] * 7
    assert not Alert.objects.exists()
    admin_key.refresh_from_db()
    assert (admin_key.state, admin_key.last_used_at is not None) == ("active", True)


@pytest.mark.parametrize(
    ("vendor_nano", "ledger_nano", "beyond"),
    [
        (1_000, 1_005, False),
        (1_000, 1_006, True),
        (1_000, 995, False),
        (1_000, 994, True),
        (0, 0, False),
        (0, 1, True),
        (1, 0, True),
        (-1_000, -1_005, False),
        (None, 500, False),
    ],
)
def test_the_limit_is_half_a_per_cent_of_the_vendors_figure(
    vendor_nano: int | None, ledger_nano: int, beyond: bool
) -> None:
    assert drift.Drift("Cost", vendor_nano, ledger_nano).is_beyond is beyond


@pytest.mark.parametrize(
    ("usage", "cost", "sentence"),
    [
        ({}, "101", "Sonnet 5.5: cost -0.99 %."),
        ({"output_tokens": 101_000}, "100", "Sonnet 5.5: output -0.99 %."),
        ({"ephemeral_1h_input_tokens": 5}, "100", "Sonnet 5.5: written to cache, 1 hour -100.00 %."),
        ({"web_search_requests": 1}, "100", "Sonnet 5.5: web searches -100.00 %."),
    ],
)
def test_any_figure_beyond_the_limit_raises_the_alarm_once(
    vendor: ThreadServer, admin_key: Credential, usage: dict[str, int], cost: str, sentence: str
) -> None:
    used()
    tells(vendor, usage=[told(**usage)], costs=[charged(cost)])
    for _ in range(2):
        assert len(compare().beyond) == 1
    alert = Alert.objects.get()
    assert (alert.kind, alert.subject, alert.period) == ("drift", "anthropic", "2026-11-19")
    assert sentence in alert.body
    assert alert.link == "/manage/usage/reconcile/2026-11-19/"


def test_the_vendors_days_are_those_of_utc_whatever_the_organisations_are(
    vendor: ThreadServer, admin_key: Credential, settings: Any
) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    lines = [
        used(YESTERDAY, cost_nano=1, **at(BEFORE, 23, 59, 59)),
        used(YESTERDAY, cost_nano=2, **at(YESTERDAY, 0)),
        used(NOW.date(), cost_nano=4, **at(YESTERDAY, 23, 59, 59)),
        used(NOW.date(), cost_nano=8, **at(NOW.date(), 0)),
    ]
    compare()
    costs = dict(ComparedUsage.objects.values_list("day", "ledger_cost_nano"))
    assert costs == {BEFORE: 1, YESTERDAY: 6}
    shown = utc_days.lines("anthropic", ACCOUNT, YESTERDAY, SONNET)
    assert set(shown.values_list("pk", flat=True)) == {lines[1].pk, lines[2].pk}


def test_models_meet_by_id_alias_and_snapshot_and_strange_ones_stay_what_they_are(
    vendor: ThreadServer, admin_key: Credential
) -> None:
    used(model_served=f"{SONNET}-20260928")
    used(model_served="claude-next-9")
    tells(
        vendor,
        usage=[told(model=f"{SONNET}-20260928"), told(model="claude-next-9"), told(model="claude-elsewhere")],
        costs=[charged(model=f"{SONNET}-20260928"), charged(model="claude-next-9")],
    )
    compare()
    assert sorted(ComparedUsage.objects.values_list("model", "lines")) == [
        ("claude-elsewhere", 0),
        ("claude-next-9", 1),
        (SONNET, 1),
    ]
    assert utc_days.lines("anthropic", ACCOUNT, YESTERDAY, SONNET).count() == 1
    assert not drift.is_beyond(row())


def test_only_calls_with_keys_of_the_vendor_account_are_compared(
    vendor: ThreadServer, admin_key: Credential
) -> None:
    used(cost_nano=1, credential=call_key("0001").pk)
    used(cost_nano=2, credential=call_key("0002", vendor_account="", state="revoked", secret=None).pk)
    used(cost_nano=4, credential=None, credential_scope="environment")
    used(cost_nano=8, credential=call_key("0003", vendor_account="org-elsewhere").pk)
    used(cost_nano=16, credential=call_key("0004", vendor_account="", kind="oauth").pk)
    used(cost_nano=32, provider="openai")
    compare()
    assert row().ledger_cost_nano == 1 + 2 + 4


def test_corrections_count_and_estimates_are_named(vendor: ThreadServer, admin_key: Credential) -> None:
    call_id = uuid7()
    used(cost_nano=100, call_id=call_id, source="estimated", outcome="stopped")
    used(cost_nano=-30, call_id=call_id, line=1, source="corrected", input_tokens=-5, output_tokens=0)
    compare()
    assert (row().ledger_cost_nano, row().estimated_nano, row().lines) == (70, 100, 2)
    assert row().ledger_input_tokens == 999_995


def test_a_search_that_is_charged_without_a_model_falls_on_those_who_searched(
    vendor: ThreadServer, admin_key: Credential
) -> None:
    search = {"cost_type": "web_search", "model": None, "token_type": None, "context_window": None}
    used(web_search_requests=2)
    used(model_asked="claude-haiku-5-5", web_search_requests=1)
    tells(
        vendor,
        usage=[told(web_search_requests=2), told(model="claude-haiku-5-5", web_search_requests=1)],
        costs=[charged(), charged(model="claude-haiku-5-5"), charged("1", **search)],
    )
    compare()
    costs = [row("claude-haiku-5-5").vendor_cost_nano, row().vendor_cost_nano]
    assert costs == [100 * CENT + 3_333_333, 100 * CENT + 6_666_667], "a third and two thirds, and all of it"
    assert ComparedUsage.objects.count() == 2


def test_what_no_model_explains_is_a_row_of_its_own_and_beyond_the_limit(
    vendor: ThreadServer, admin_key: Credential
) -> None:
    used()
    run = {"cost_type": "code_execution", "model": None, "token_type": None}
    tells(vendor, usage=[told()], costs=[charged(), charged("50", **run)])
    (beyond,) = compare().beyond
    assert (beyond.model, beyond.kind, beyond.vendor_cost_nano) == ("", "code_execution", 50 * CENT)


def test_keys_that_do_not_count_take_their_tokens_and_their_share_of_the_bill_along(
    vendor: ThreadServer, admin_key: Credential
) -> None:
    used()
    tells(
        vendor,
        usage=[
            told(),
            told(api_key_id="apikey_2", uncached_input_tokens=3_000_000),
            told(api_key_id=None, uncached_input_tokens=9_000_000, context_window="200k-1M"),
        ],
        costs=[charged("400"), charged("1800", context_window="200k-1M")],
        keys=[{"id": "apikey_1", "name": "Parley"}, {"id": "apikey_2", "name": "Batch"}],
    )
    assert len(compare().beyond) == 1
    assert sorted(VendorKey.objects.values_list("key_id", "name", "ending")) == [
        ("", "", ""),
        ("apikey_1", "Parley", "igAA"),
        ("apikey_2", "Batch", "igAA"),
    ]
    VendorKey.objects.exclude(key_id="apikey_1").update(counted=False)
    assert compare().beyond == []
    assert (row().vendor_input_tokens, row().vendor_cost_nano) == (1_000_000, 100 * CENT)
    assert VendorKey.objects.filter(counted=False).count() == 2, "the choice outlives a comparison"


def test_capacity_bought_in_advance_is_in_no_bill(vendor: ThreadServer, admin_key: Credential) -> None:
    used()
    used(service_tier="priority")
    tells(vendor, usage=[told(), told(service_tier="priority")], costs=[charged()])
    assert compare().beyond == []
    assert (row().ledger_input_tokens, row().ledger_cost_nano) == (2_000_000, 100 * CENT)


def test_a_day_is_replaced_when_the_vendor_has_revised_it(
    vendor: ThreadServer, admin_key: Credential
) -> None:
    used(YESTERDAY)
    used(BEFORE)
    tells(vendor, usage=[told(), told(BEFORE)], costs=[charged("50"), charged(day=BEFORE)])
    assert len(compare().beyond) == 1
    tells(vendor, usage=[told(), told(BEFORE, model="claude-haiku-5-5")], costs=[charged()])
    later = NOW + timedelta(hours=1)
    compare(now=later, days=1)
    assert row(day=YESTERDAY).vendor_cost_nano == 100 * CENT
    assert row(day=YESTERDAY).compared_at == later
    assert row(day=BEFORE).compared_at == NOW, "a day that was not asked for stays"


def test_no_figures_yet_is_no_drift_until_the_vendor_has_had_its_time(
    vendor: ThreadServer, admin_key: Credential
) -> None:
    used()
    tells(vendor, usage=[], costs=[])
    assert compare().beyond == []
    assert row().is_pending
    tells(vendor, usage=[told()], costs=[])
    assert compare().beyond == []
    assert (row().is_pending, row().vendor_cost_nano) == (False, None), "counted, and not charged yet"
    tells(vendor, usage=[], costs=[])
    assert len(compare(now=NOW + timedelta(days=2)).beyond) == 1


def test_days_before_the_first_call_are_not_compared(vendor: ThreadServer, admin_key: Credential) -> None:
    tells(vendor, usage=[told(), told(BEFORE)], costs=[charged(), charged(day=BEFORE)])
    assert (compare().rows, compare().problem) == ([], "")
    used(YESTERDAY)
    assert [one.day for one in compare(days=31).rows] == [YESTERDAY]


@pytest.mark.parametrize(
    ("secret", "state", "said", "is_passing"),
    [
        ("sk-sim-401", "invalid", "does not accept this admin key", False),
        ("sk-sim-403", "invalid", "does not let it read", False),
        ("sk-sim-529", "active", "is busy", True),
    ],
)
def test_what_goes_wrong_is_told_beside_the_last_comparison(
    vendor: ThreadServer, admin_key: Credential, secret: str, state: str, said: str, is_passing: bool
) -> None:
    used()
    tells(vendor, usage=[told()], costs=[charged()])
    compare()
    admin_key.secret = Secret(secret)
    admin_key.save(update_fields=["secret"])
    later = NOW + timedelta(days=1)
    found = compare(now=later)
    assert said in found.problem
    assert found.is_passing is is_passing
    kept = Reconciliation.objects.get()
    assert (kept.tried_at, kept.compared_at, kept.problem) == (later, NOW, found.problem)
    assert row().vendor_cost_nano == 100 * CENT
    admin_key.refresh_from_db()
    assert admin_key.state == state


def test_the_key_goes_to_the_address_for_which_it_was_entered_alone(
    vendor: ThreadServer, admin_key: Credential
) -> None:
    used()
    Credential.objects.filter(pk=admin_key.pk).update(base_url="https://elsewhere.example")
    vendor.app.reset()
    assert "address was changed" in compare().problem
    assert not vendor.app.counters.recent


def test_the_nightly_duty_fails_only_where_trying_again_may_help(
    vendor: ThreadServer, owner: User, settings: Any
) -> None:
    (duty,) = [duty for duty in DUTIES if duty.name == "reconcile"]
    assert (duty.do, f"{duty.at:%H:%M}") == (reconciling.nightly, "04:30")
    reconciling.nightly()
    assert not Reconciliation.objects.exists(), "without a key nothing is asked"
    settings.PROVIDER_ENVIRONMENT["anthropic"]["admin_key"] = Secret("sk-sim-401")
    reconciling.nightly()
    settings.PROVIDER_ENVIRONMENT["anthropic"]["admin_key"] = Secret("sk-sim-529")
    with pytest.raises(NotCompared):
        reconciling.nightly()


def test_an_admin_key_makes_no_call(
    vendor: ThreadServer, admin_key: Credential, owner: User, settings: Any
) -> None:
    settings.PROVIDER_ENVIRONMENT["anthropic"]["admin_key"] = Secret("sk-ant-admin01-environment")
    assert credentials.for_call(owner.pk, None, "anthropic") == []
    assert "anthropic" not in credentials.usable_providers(owner.pk, None)
    assert "There is no key" in credentials.blocked_reason(owner.pk, None, "anthropic")
    assert credentials.organisation_key("anthropic") is None
    assert credentials.choice_of(admin_key) is None
    with pytest.raises(ValueError, match="not for calls"):
        credentials.opened(admin_key)
    mine = call_key(base_url=vendor.base_url)
    assert [choice.id for choice in credentials.for_call(owner.pk, None, "anthropic")] == [mine.pk]


def test_of_two_admin_keys_the_newer_stays_and_keys_for_calls_replace_none(
    vendor: ThreadServer, admin_key: Credential
) -> None:
    organisation = admin_key.organisation
    assert organisation is not None
    place = {"organisation": organisation, "provider": "anthropic", "base_url": vendor.base_url}
    newer = key_actions.save_admin_key(**place, secret=Secret("sk-ant-admin01-newer"), vendor_account=ACCOUNT)
    key_actions.save_only_credential(
        owner=Owner(organisation=organisation),
        provider="anthropic",
        base_url=vendor.base_url,
        secret=Secret("sk-ant-api03-call"),
        vendor_account=ACCOUNT,
    )
    admin_key.refresh_from_db()
    newer.refresh_from_db()
    assert (admin_key.state, admin_key.secret, newer.state) == ("revoked", None, "active")


def test_a_day_is_found_by_the_moments_alone(vendor: ThreadServer, admin_key: Credential) -> None:
    if connection.vendor != "sqlite":
        return
    plan = utc_days.lines("anthropic", ACCOUNT, YESTERDAY, "").explain()
    assert "accounted_at>? AND accounted_at<?" in plan


def test_the_command_prints_every_row_and_fails_on_alarm(vendor: ThreadServer, admin_key: Credential) -> None:
    day = timezone.now().date() - timedelta(days=1)
    used(day)
    tells(vendor, usage=[told(day)], costs=[charged(day=day)])
    out = io.StringIO()
    call_command("reconcile", "--days", "2", stdout=out)
    assert f"{day}" in out.getvalue()
    assert "1.000000000" in out.getvalue()
    tells(vendor, usage=[told(day)], costs=[charged("90", day=day)])
    with pytest.raises(CommandError, match=r"1 of 1 rows differ by more than 0\.5 %"):
        call_command("reconcile", stdout=out)
    assert "+11.11 %" in out.getvalue()
    Credential.objects.filter(pk=admin_key.pk).update(state="revoked", secret=None)
    with pytest.raises(CommandError, match="ANTHROPIC_ADMIN_KEY"):
        call_command("reconcile", stdout=out)
