"""Manage, Settings: the organisation's name, the default model, a free test of each vendor."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.keys import actions as key_actions
from accounts.keys.owners import Owner
from accounts.models import AuditEvent, Organisation, User
from providers.access import Secret
from tests.accounts.conftest import Vendor
from tests.accounts.conftest import vendor as vendor
from tests.usage.managing import admin as admin
from tests.usage.managing import member as member
from tests.usage.managing import nothing_changed as nothing_changed
from tests.usage.managing import owner as owner
from tests.usage.managing import page, signed_in
from usage.catalogue import overrides

SETTINGS, NAME, MODEL, VENDOR = (
    "/manage/settings/",
    "/manage/settings/name/",
    "/manage/settings/model/",
    "/manage/settings/vendors/test/",
)
SONNET = "anthropic/claude-sonnet-5-5"
GOOD_KEY = "sk-ant-api03-canary-good-7731"


def key_of(organisation: Organisation, server: Vendor, secret: str) -> None:
    key_actions.add_credential(
        owner=Owner(organisation=organisation),
        provider="anthropic",
        kind="api_key",
        options={},
        vendor_account="org",
        base_url=server.base_url,
        secret=Secret(secret),
        label="main",
    )


def last() -> tuple[str, Any, dict[str, Any], dict[str, Any]]:
    event = AuditEvent.objects.newest_first()[0]
    sides = [json.loads(side) if side else {} for side in (event.before, event.after)]
    return event.verb, event.actor, sides[0], sides[1]


# The name


def test_a_new_name_stands_wherever_the_old_one_stood(admin: User) -> None:
    client = signed_in(admin)
    assert client.post(NAME, {"name": "  Harbour\n & Sons "}).headers["Location"] == SETTINGS
    assert "Harbour &amp; Sons" in page(client, "/") and "Lighthouse" not in page(client, "/")
    assert last() == ("organisation.renamed", admin.pk, {"name": "Lighthouse"}, {"name": "Harbour & Sons"})


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("{{ 7 }}{% debug %}", "{{ 7 }}{% debug %}"),
        ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
        ("Haven\u202egnihton\u0000", "Havengnihton"),
        ("task-force-lighthouse-keepers", "task-force-lighthouse-keepers"),
        ("ميناء", "ميناء"),
    ],
)
def test_a_hostile_name_is_text_everywhere(admin: User, typed: str, kept: str) -> None:
    client = signed_in(admin)
    assert client.post(NAME, {"name": typed}).status_code == 302
    assert Organisation.objects.get().name == kept
    for path in (SETTINGS, "/", "/manage/audit/"):
        assert "<script>alert" not in page(client, path)


@pytest.mark.parametrize("typed", ["", "   ", "\u202e\u200b", "x" * 81])
def test_a_name_that_is_none_is_refused(admin: User, typed: str) -> None:
    assert signed_in(admin).post(NAME, {"name": typed}).status_code == 422
    assert Organisation.objects.get().name == "Lighthouse"


def test_the_same_name_again_is_no_change(admin: User) -> None:
    count = AuditEvent.objects.count()
    signed_in(admin).post(NAME, {"name": "Lighthouse"})
    assert AuditEvent.objects.filter(verb="organisation.renamed").count() == 0
    assert AuditEvent.objects.count() - count <= 1  # of signing in


# The default model


def test_the_default_chosen_here_is_the_one_of_the_model_s_page(admin: User, vendor: Vendor) -> None:
    key_of(Organisation.objects.get(), vendor, GOOD_KEY)
    client = signed_in(admin)
    assert client.post(MODEL, {"model": SONNET}).headers["Location"] == SETTINGS
    assert overrides.known().default == SONNET
    assert last()[:2] == ("model.made_default", admin.pk)
    assert f'value="{SONNET}" selected' in page(client, SETTINGS)
    client.post(f"/manage/models/default/{SONNET}", {"clear": "1"})
    assert f'value="{SONNET}" selected' not in page(client, SETTINGS)
    client.post(MODEL, {"model": SONNET})
    client.post(MODEL, {"model": ""})
    assert overrides.known().default == ""


def test_a_model_that_is_not_offered_is_refused(admin: User, vendor: Vendor) -> None:
    key_of(Organisation.objects.get(), vendor, GOOD_KEY)
    assert signed_in(admin).post(MODEL, {"model": "anthropic/claude-made-up"}).status_code == 422
    assert overrides.known().default == ""


# The vendors


def test_a_vendor_is_tested_with_every_key(admin: User, vendor: Vendor) -> None:
    organisation = Organisation.objects.get()
    key_of(organisation, vendor, GOOD_KEY)
    key_of(organisation, vendor, "sk-ant-api03-canary-refused")
    client = signed_in(admin)
    assert "2 keys" in page(client, SETTINGS)
    answer = client.post(VENDOR, {"vendor": "anthropic"}, follow=True).content.decode()
    assert "Anthropic answers, and takes main." in answer and "Anthropic, main:" in answer
    assert "canary" not in answer
    assert "Not usable" not in page(client, SETTINGS), "one of them serves"


def test_a_vendor_whose_only_key_is_refused_is_not_usable(admin: User, vendor: Vendor) -> None:
    key_of(Organisation.objects.get(), vendor, "sk-ant-api03-canary-refused")
    client = signed_in(admin)
    client.post(VENDOR, {"vendor": "anthropic"})
    assert "Not usable" in page(client, SETTINGS)


def test_the_key_of_the_environment_is_tested_too(admin: User, vendor: Vendor, settings: Any) -> None:
    settings.PROVIDER_ENVIRONMENT = {"anthropic": {"api_key": Secret(GOOD_KEY), "base_url": vendor.base_url}}
    client = signed_in(admin)
    assert "A key from the environment." in page(client, SETTINGS)
    answer = client.post(VENDOR, {"vendor": "anthropic"}, follow=True).content.decode()
    assert "takes the key from the environment" in answer


@pytest.mark.parametrize("slug", ["openai", "nobody", ""])
def test_a_vendor_without_a_key_has_nothing_to_test(admin: User, slug: str) -> None:
    assert signed_in(admin).post(VENDOR, {"vendor": slug}).status_code == 404


def test_keys_of_people_and_teams_are_not_asked_about(admin: User, member: User, vendor: Vendor) -> None:
    key_actions.add_credential(
        owner=Owner(person=member),
        provider="anthropic",
        kind="api_key",
        options={},
        vendor_account="",
        base_url=vendor.base_url,
        secret=Secret(GOOD_KEY),
        label="mine",
    )
    assert signed_in(admin).post(VENDOR, {"vendor": "anthropic"}).status_code == 404
    assert vendor.seen == []


# The page


def test_the_page_takes_few_queries(admin: User, django_assert_max_num_queries: Any) -> None:
    client = signed_in(admin)
    page(client, SETTINGS)
    with django_assert_max_num_queries(13):
        page(client, SETTINGS)


def test_it_says_that_days_are_fixed(admin: User) -> None:
    assert "begin at midnight UTC. That is fixed" in page(signed_in(admin), SETTINGS)


def test_members_find_nothing(member: User) -> None:
    client = signed_in(member)
    assert client.get(SETTINGS).status_code == 404
    for path in (NAME, MODEL, VENDOR, "/manage/settings/conversations/"):
        assert client.post(path, {}).status_code == 404


def test_it_stands_in_the_navigation(admin: User) -> None:
    assert f'href="{SETTINGS}" aria-current="page"' in page(signed_in(admin), SETTINGS)


def test_a_client_without_sign_in_is_sent_to_the_door(owner: User) -> None:
    assert Client().get(SETTINGS).headers["Location"].startswith("/login/")
