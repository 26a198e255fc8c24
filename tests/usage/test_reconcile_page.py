"""Manage, Usage, Reconcile: what it shows, what opens the rows, and the admin key that it needs."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, Credential, User
from providers.access import Secret
from providers.simulator.server import ThreadServer
from usage.models import ComparedUsage, VendorKey
from usage.reconcile.reconciling import reconcile
from usage.reports import lines as report_rows

from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .managing import page, signed_in
from .reconciled import ADMIN_KEY, SONNET, call_key, charged, tells, told, used
from .reconciled import admin_key as admin_key
from .reconciled import vendor as vendor

PAGE = "/manage/usage/reconcile/"
DAY = PAGE + "{day}/"
KEY = PAGE + "key/"
REMOVE = KEY + "remove/"
NOW = PAGE + "now/"
KEYS = PAGE + "keys/"
PLACES = [("get", PAGE), ("get", DAY), ("get", KEY), ("post", KEY), ("get", REMOVE)]
PLACES += [("post", REMOVE), ("post", NOW), ("post", KEYS)]


@pytest.fixture
def yesterday() -> date:
    return timezone.now().date() - timedelta(days=1)


@pytest.fixture
def compared(owner: User, vendor: ThreadServer, admin_key: Credential, yesterday: date) -> Client:
    """The owner, after a night in which Haiku was off by a tenth and Sonnet agreed."""
    used(yesterday, credential=call_key().pk)
    used(yesterday, model_asked="claude-haiku-5-5", cost_nano=200_000_000, source="estimated")
    tells(
        vendor,
        usage=[
            told(yesterday),
            told(yesterday, model="claude-haiku-5-5", output_tokens=125_000),
            told(yesterday, model="claude-elsewhere-1", api_key_id="apikey_2"),
        ],
        costs=[charged(day=yesterday), charged("20", yesterday, model="claude-haiku-5-5")],
        keys=[
            {"id": "apikey_1", "name": "Parley", "partial_key_hint": "sk-ant-api03-R2D...9274"},
            {"id": "apikey_2", "name": "Night batch"},
        ],
    )
    assert reconcile("anthropic").problem == ""
    return signed_in(owner)


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_for_members_there_is_no_such_page(
    compared: Client, member: User, yesterday: date, method: str, path: str
) -> None:
    address = path.format(day=yesterday)
    assert getattr(signed_in(member), method)(address, {"secret": ADMIN_KEY}).status_code == 404
    assert Client(headers={"host": "localhost"}).get(address).status_code in (302, 405)
    assert Credential.objects.filter(kind="admin_key", state="active").count() == 1


def test_without_a_key_it_says_what_one_is_and_offers_the_next_step(
    vendor: ThreadServer, owner: User
) -> None:
    shown = page(signed_in(owner), PAGE)
    for text in ("sk-ant-admin", "platform.claude.com/settings/admin-keys", f'href="{KEY}"'):
        assert text in shown
    assert f'href="{PAGE}"' in page(signed_in(owner), "/manage/usage/")
    assert NOW not in shown


def test_a_key_is_kept_once_the_vendor_opens_its_reports_to_it(vendor: ThreadServer, owner: User) -> None:
    client = signed_in(owner)
    response = client.post(KEY, {"secret": ADMIN_KEY}, follow=True)
    assert response.redirect_chain == [(PAGE, 302)]
    stored = Credential.objects.get()
    assert (stored.kind, stored.scope, stored.hint) == ("admin_key", "organisation", "5521")
    assert stored.secret == Secret(ADMIN_KEY)
    shown = response.content.decode() + page(client, KEY) + page(client, REMOVE)
    assert "5521" in shown
    assert "canary" not in shown
    keys = page(client, "/manage/keys/")
    assert "5521" not in keys
    for act in ("replace", "revoke", "check"):
        assert client.post(f"/manage/keys/{stored.pk}/{act}/", {"secret": "sk-x"}).status_code == 404
    assert "admin_key" not in page(client, "/manage/keys/add/")


@pytest.mark.parametrize(
    ("secret", "said", "is_asked"),
    [
        ("sk-ant-api03-for-calls", "This is no admin key", False),
        ("sk-ant-admin01 with spaces", "whole and without spaces", False),
        ("", "This field is required", False),
        (ADMIN_KEY, "does not let it read the reports", True),
    ],
)
def test_what_opens_no_report_is_not_stored(
    vendor: ThreadServer, owner: User, secret: str, said: str, is_asked: bool
) -> None:
    refusal = {"type": "error", "error": {"type": "permission_error", "message": f"no: {ADMIN_KEY}"}}
    path = "/v1/organizations/cost_report"
    vendor.app._rehearsed.add({"path": path, "status": 403, "body": refusal})
    response = signed_in(owner).post(KEY, {"secret": secret})
    assert response.status_code == 422
    shown = response.content.decode()
    assert said in shown
    assert "canary" not in shown
    assert bool(vendor.app.counters.recent) is is_asked
    assert not Credential.objects.exists()


def test_each_row_shows_both_figures_and_opens_the_lines_behind_it(
    compared: Client, yesterday: date, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(13):
        shown = page(compared, PAGE)
    for text in ("Beyond 0.5 %", "Agrees", "not in the catalogue", "-20.00 %", "$1.20", "$0.200 estimated"):
        assert text in shown, text
    address = f"{PAGE}{yesterday}/?model=claude-haiku-5-5"
    assert f'href="{address}"' in shown
    with django_assert_max_num_queries(14):
        opened = page(compared, address)
    assert "$0.200000000" in opened
    assert "125,000" in opened
    assert "-25,000" in opened
    assert opened.count("/manage/usage/calls/") == 1
    assert page(compared, f"{PAGE}{yesterday}/").count("/manage/usage/calls/") == 2
    assert "was not called through Parley" in page(compared, f"{PAGE}{yesterday}/?model=claude-elsewhere-1")


@pytest.mark.parametrize(
    "address",
    [
        "2020-01-01/",
        "yesterday/",
        "{day}/?model=claude-never",
        "{day}/?after=x",
        "?before=never",
        "{day}/?kind=x",
    ],
)
def test_what_was_not_compared_is_not_found(compared: Client, yesterday: date, address: str) -> None:
    assert compared.get(PAGE + address.format(day=yesterday)).status_code == 404


def test_long_lists_go_on_where_they_stopped(compared: Client, yesterday: date) -> None:
    for _ in range(report_rows.PAGE):
        used(yesterday)
    first = compared.get(f"{PAGE}{yesterday}/?model={SONNET}")
    older = first.context["page"].older
    assert older
    rest = compared.get(f"{PAGE}{yesterday}/?model={SONNET}&after={older}")
    seen = [line.pk for answer in (first, rest) for line in answer.context["page"].lines]
    assert len(seen) == len(set(seen)) == report_rows.PAGE + 1


def test_older_days_are_on_pages_of_their_own(compared: Client, yesterday: date) -> None:
    row = ComparedUsage.objects.get(model=SONNET)
    for ago in range(1, 20):
        row.pk, row.day = None, yesterday - timedelta(days=ago)
        row.save(force_insert=True)
    first = compared.get(PAGE)
    assert len(first.context["days"]) == 14
    rest = compared.get(f"{PAGE}?before={first.context['older']}")
    assert len(rest.context["days"]) == 6
    assert rest.context["older"] is None


def test_what_went_wrong_stands_above_the_last_comparison(
    compared: Client, vendor: ThreadServer, admin_key: Credential
) -> None:
    admin_key.secret = Secret("sk-sim-401")
    admin_key.save(update_fields=["secret"])
    shown = compared.post(NOW, follow=True).content.decode()
    assert "does not accept this admin key" in shown
    assert "What stands below is from" in shown
    assert "Not accepted" in shown
    assert "Agrees" in shown


def test_keys_of_other_programs_can_be_left_out(compared: Client) -> None:
    shown = page(compared, PAGE)
    assert "Parley calls with it" in shown
    assert "Night batch" in shown
    ours = VendorKey.objects.get(key_id="apikey_1")
    response = compared.post(KEYS, {"counted": [ours.pk]}, follow=True)
    assert "not in the catalogue" not in response.content.decode()
    assert list(VendorKey.objects.filter(counted=True)) == [ours]
    assert AuditEvent.objects.filter(verb="reconcile.changed").count() == 1
    refused = compared.post(KEYS, {})
    assert refused.status_code == 422
    assert "At least one key must count" in refused.content.decode()


def test_a_revoked_key_compares_no_more_and_what_was_compared_stays(
    compared: Client, admin_key: Credential, settings: Any
) -> None:
    assert compared.post(REMOVE).status_code == 302
    admin_key.refresh_from_db()
    assert (admin_key.state, admin_key.secret) == ("revoked", None)
    assert AuditEvent.objects.filter(verb="credential.revoked", object=str(admin_key.pk)).count() == 1
    shown = page(compared, PAGE)
    assert "Nothing is compared any more" in shown
    assert "Agrees" in shown
    assert compared.post(REMOVE).status_code == 404
    settings.PROVIDER_ENVIRONMENT["anthropic"]["admin_key"] = Secret("sk-ant-admin01-environment-0007")
    shown = page(compared, PAGE)
    assert "ANTHROPIC_ADMIN_KEY" in shown
    assert "0007" in shown


def test_replacing_takes_the_key_and_keeps_the_old_one_until_the_new_one_works(
    compared: Client, admin_key: Credential
) -> None:
    assert compared.post(KEY, {"secret": "sk-ant-admin01-newer-8842"}).status_code == 302
    admin_key.refresh_from_db()
    newer = Credential.objects.get(kind="admin_key", state="active")
    assert (admin_key.state, newer.hint) == ("revoked", "8842")


def test_get_compares_nothing(vendor: ThreadServer, owner: User) -> None:
    assert signed_in(owner).get(NOW).status_code == 405
    assert vendor.app.counters.counts["requests"] == 0
