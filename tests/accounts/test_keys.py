"""The page of the organisation's keys: seen and changed by owners and admins, no secret ever shown again."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts import actions
from accounts.keys import actions as key_actions
from accounts.keys import credentials
from accounts.keys.owners import Owner
from accounts.models import Credential, Organisation, User
from providers.access import Secret

from .conftest import GOOD_KEY, PASSWORD, Vendor, signed_in

ENTER = "/manage/keys/add/anthropic/api_key/"


@pytest.fixture
def admin(owner: User) -> User:
    """May do here what the owner may."""
    return actions.create_user(email="ada@example.org", password=PASSWORD, role="admin")


def add(**more: Any) -> Credential:
    organisation = Organisation.current()
    assert organisation is not None
    values: dict[str, Any] = {
        "provider": "anthropic",
        "kind": "api_key",
        "base_url": credentials.base_url("anthropic"),
        "secret": Secret("sk-ant-canary-stored-9274"),
        "options": {},
        "vendor_account": "org-lighthouse",
        "label": "main",
    }
    return key_actions.add_credential(owner=Owner(organisation=organisation), **(values | more))


def page(client: Client, path: str = "/manage/keys/") -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


PLACES = [
    ("get", "/manage/keys/"),
    ("get", "/manage/keys/add/"),
    ("get", ENTER),
    ("post", ENTER),
    ("get", "/manage/keys/{id}/replace/"),
    ("post", "/manage/keys/{id}/replace/"),
    ("get", "/manage/keys/{id}/revoke/"),
    ("post", "/manage/keys/{id}/revoke/"),
    ("post", "/manage/keys/{id}/check/"),
    ("get", "/manage/keys/oauth/callback/?code=c&state=s"),
    ("get", "/manage/keys/connect/anthropic/"),
    ("post", "/manage/keys/connect/anthropic/"),
    ("get", "/manage/keys/login/{id}/"),
    ("post", "/manage/keys/login/{id}/"),
    ("post", "/manage/keys/login/{id}/ask/"),
    ("post", "/manage/keys/login/{id}/cancel/"),
]


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_for_members_there_is_no_such_page(member: User, vendor: Vendor, method: str, path: str) -> None:
    stored = add()
    response = getattr(signed_in(member), method)(path.format(id=stored.pk), {"secret": GOOD_KEY})
    assert response.status_code == 404
    assert vendor.seen == []
    stored.refresh_from_db()
    assert stored.state == "active"


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_strangers_are_asked_to_sign_in(owner: User, method: str, path: str) -> None:
    stored = add()
    response = getattr(Client(), method)(path.format(id=stored.pk))
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/login/")
    stored.refresh_from_db()
    assert stored.state == "active"


def test_owners_and_admins_see_every_key_of_the_organisation(owner: User, admin: User) -> None:
    stored = add()
    Credential.objects.filter(pk=stored.pk).update(last_used_at=timezone.now() - timedelta(hours=2))
    for person in (owner, admin):
        shown = page(signed_in(person))
        for text in ("Anthropic", "main", "9274", "org-lighthouse", "In use", "2\xa0hours ago", "API key"):
            assert text in shown
        assert "canary" not in shown


def test_an_empty_page_offers_the_next_step(owner: User) -> None:
    shown = page(signed_in(owner))
    assert "There is none yet" in shown
    assert 'href="/manage/keys/add/"' in shown


def test_keys_of_people_and_teams_are_not_on_it(owner: User, member: User) -> None:
    Credential.objects.create(
        person=owner, provider="anthropic", base_url="https://x", secret=Secret("own"), hint="4321"
    )
    stored = Credential.objects.get()
    assert "4321" not in page(signed_in(owner))
    assert signed_in(owner).post(f"/manage/keys/{stored.pk}/revoke/").status_code == 404


def test_it_takes_few_queries(owner: User, django_assert_max_num_queries: Any) -> None:
    client = signed_in(owner)
    for _ in range(5):
        add()
    page(client)
    with django_assert_max_num_queries(10):
        page(client)


def test_a_key_from_the_environment_is_listed_as_such(owner: User, key_in_environment: Secret) -> None:
    shown = page(signed_in(owner))
    assert "ANTHROPIC_API_KEY" in shown
    assert key_in_environment.reveal() not in shown
    assert key_in_environment.reveal()[-4:] not in shown
    add()
    assert "Used only after the keys above" in page(signed_in(owner))


def test_a_refused_key_says_why_and_what_to_do(owner: User) -> None:
    stored = add()
    credentials.mark_invalid(stored.pk, "The provider refused <b>the key</b>.")
    shown = page(signed_in(owner))
    assert "Not used" in shown
    assert "The provider refused &lt;b&gt;the key&lt;/b&gt;." in shown
    assert f"/manage/keys/{stored.pk}/replace/" in shown


def test_every_way_that_is_open_is_offered(owner: User) -> None:
    shown = page(signed_in(owner), "/manage/keys/add/")
    for path in (ENTER, "/manage/keys/add/azure/client/", "/manage/keys/add/salesforce/client/"):
        assert path in shown
    assert "/manage/keys/connect/" not in shown  # no login is switched on
    assert "demo" not in shown.lower().replace("demo model", "")


def test_an_accepted_key_is_stored_beside_the_others(owner: User, vendor: Vendor) -> None:
    client = signed_in(owner)
    add()
    response = client.post(ENTER, {"secret": f" {GOOD_KEY}\n", "label": "second  one"})
    assert response.headers["Location"] == "/manage/keys/"
    newest = Credential.objects.order_by("-id")[0]
    assert (newest.hint, newest.label, newest.vendor_account) == ("7731", "second one", "org-lighthouse")
    assert Credential.objects.filter(state="active").count() == 2
    assert "works and is stored" in page(client)
    assert next(choice.id for choice in credentials.for_call(owner.pk, None, "anthropic")) == newest.pk


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "does not accept this key"), (403, "does not let it"), (429, "is busy"), (500, "is busy")],
)
def test_a_key_that_the_vendor_does_not_take_is_not_kept(
    owner: User, vendor: Vendor, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.status = status
    response = signed_in(owner).post(ENTER, {"secret": "sk-ant-canary-wrong-5512", "label": "the big one"})
    shown = response.content.decode()
    assert response.status_code == 422
    assert said in shown
    assert "the big one" in shown  # what was typed is kept
    assert "canary" not in shown  # but for the secret
    assert "canary" not in caplog.text
    assert not Credential.objects.exists()


def test_without_the_vendor_nothing_is_kept_unchecked(owner: User, vendor: Vendor) -> None:
    vendor.shutdown()
    vendor.server_close()
    response = signed_in(owner).post(ENTER, {"secret": GOOD_KEY, "unchecked": "1"})
    assert "could not reach Anthropic" in response.content.decode()
    assert not Credential.objects.exists()


def test_fields_that_are_not_asked_for_are_ignored(owner: User, vendor: Vendor, member: User) -> None:
    extra = {
        "base_url": "https://evil.example",
        "provider": "openai",
        "person": str(member.pk),
        "option_oauth_token_url": "https://evil.example",
        "kind": "oauth",
        "state": "revoked",
    }
    signed_in(owner).post(ENTER, {"secret": GOOD_KEY, **extra})
    stored = Credential.objects.get()
    assert (stored.base_url, stored.provider, stored.kind) == (vendor.base_url, "anthropic", "api_key")
    assert (stored.options, stored.state, stored.person) == ({}, "active", None)


def test_options_of_a_vendor_are_asked_for_and_kept(owner: User, vendor: Vendor, settings: Any) -> None:
    settings.PROVIDER_ENVIRONMENT = {"openai": {"api_key": None, "base_url": vendor.base_url}}
    path = "/manage/keys/add/openai/api_key/"
    assert "Organization id" in page(signed_in(owner), path)
    wrong = signed_in(owner).post(path, {"secret": GOOD_KEY, "option_project": "a b\tc"})
    assert wrong.status_code == 422
    assert vendor.seen == []
    signed_in(owner).post(path, {"secret": GOOD_KEY, "option_project": "proj_1"})
    stored = Credential.objects.get()
    assert (stored.provider, stored.options) == ("openai", {"project": "proj_1"})
    (choice,) = credentials.for_call(owner.pk, None, "openai")
    assert choice.access.options == {"project": "proj_1"}


def test_a_vendor_without_an_address_of_its_own_has_one_per_key(owner: User) -> None:
    path = "/manage/keys/add/salesforce/client/"
    assert "My Domain address" in page(signed_in(owner), path)
    typed = {"secret": "canary-consumer-secret", "option_client_id": "3MVG9.made.up", "label": "CRM"}
    for wrong in ("http://acme.my.salesforce.com", "ftp://x", "https://u:p@x.example", "javascript:alert(1)"):
        response = signed_in(owner).post(path, {**typed, "base_url": wrong})
        assert response.status_code == 422
        assert "not an https address" in response.content.decode()
    response = signed_in(owner).post(path, {**typed, "base_url": "https://acme.my.salesforce.com/"})
    shown = response.content.decode()
    assert "could not reach Salesforce" in shown
    for kept in ("acme.my.salesforce.com", "3MVG9.made.up", "CRM"):
        assert kept in shown
    assert "canary" not in shown
    assert not Credential.objects.exists()


def test_the_address_of_such_a_key_is_its_own(owner: User) -> None:
    stored = add(provider="azure", base_url="https://acme.openai.azure.com", options={"api_version": "v1"})
    (choice,) = credentials.for_call(owner.pk, None, "azure")
    assert (choice.access.base_url, choice.access.options) == (stored.base_url, {"api_version": "v1"})


def test_options_that_were_changed_in_the_database_break_the_seal(owner: User) -> None:
    stored = add(
        provider="salesforce",
        kind="client",
        base_url="https://acme.my.salesforce.com",
        options={"client_id": "one"},
    )
    Credential.objects.filter(pk=stored.pk).update(options={"client_id": "another"})
    assert credentials.for_call(owner.pk, None, "salesforce") == []
    assert "can no longer be opened" in credentials.blocked_reason(owner.pk, None, "salesforce")


@pytest.mark.parametrize(
    "path",
    [
        "/manage/keys/add/demo/none/",
        "/manage/keys/add/anthropic/client/",
        "/manage/keys/add/anthropic/oauth/",
        "/manage/keys/add/nobody/api_key/",
        "/manage/keys/connect/anthropic/",
        "/manage/keys/connect/nobody/",
    ],
)
def test_ways_that_are_not_open_do_not_exist(owner: User, path: str) -> None:
    assert signed_in(owner).get(path).status_code == 404


def test_replacing_revokes_the_old_key_once_the_new_one_works(owner: User, vendor: Vendor) -> None:
    client, stored = signed_in(owner), add()
    path = f"/manage/keys/{stored.pk}/replace/"
    shown = page(client, path)
    assert "main" in shown
    assert "9274" in shown
    assert client.post(path, {"secret": "sk-ant-canary-wrong"}).status_code == 422
    stored.refresh_from_db()
    assert stored.state == "active"
    client.post(path, {"secret": GOOD_KEY, "label": "main"})
    stored.refresh_from_db()
    assert (stored.state, stored.has_secret) == ("revoked", False)
    assert Credential.objects.get(state="active").hint == "7731"


def test_revoking_asks_first(owner: User) -> None:
    client, stored = signed_in(owner), add()
    path = f"/manage/keys/{stored.pk}/revoke/"
    assert "9274" in page(client, path)
    stored.refresh_from_db()
    assert stored.state == "active"
    assert client.post(path).headers["Location"] == "/manage/keys/"
    stored.refresh_from_db()
    assert (stored.state, stored.has_secret) == ("revoked", False)
    assert "9274" not in page(client)
    assert client.post(path).status_code == 404  # it does not exist any more


def test_a_key_can_be_checked_again(owner: User, vendor: Vendor) -> None:
    client = signed_in(owner)
    stored = add(secret=Secret(GOOD_KEY), vendor_account="")
    credentials.mark_invalid(stored.pk, "The provider refused the key.")
    client.post(f"/manage/keys/{stored.pk}/check/")
    stored.refresh_from_db()
    assert (stored.state, stored.last_error, stored.vendor_account) == ("active", "", "org-lighthouse")
    assert "ending in 7731 works" in page(client)


def test_a_check_that_the_vendor_refuses_ends_the_key(owner: User, vendor: Vendor) -> None:
    client, stored = signed_in(owner), add()
    client.post(f"/manage/keys/{stored.pk}/check/")
    stored.refresh_from_db()
    assert stored.state == "invalid"
    shown = page(client)
    assert "does not work now" in shown
    assert "canary" not in shown


def test_a_check_without_the_vendor_changes_nothing(owner: User, vendor: Vendor) -> None:
    vendor.status = 529
    client, stored = signed_in(owner), add()
    client.post(f"/manage/keys/{stored.pk}/check/")
    stored.refresh_from_db()
    assert (stored.state, stored.last_error) == ("active", "")
    assert "is busy" in page(client)


def test_a_key_is_not_sent_to_an_address_that_changed(owner: User, vendor: Vendor) -> None:
    client, stored = signed_in(owner), add(base_url="https://earlier.example")
    client.post(f"/manage/keys/{stored.pk}/check/")
    credentials.mark_invalid(stored.pk, "x")
    Credential.objects.filter(pk=stored.pk).update(state="invalid")
    client.post(f"/manage/keys/{stored.pk}/check/")
    assert vendor.seen == []
    assert "address was changed" in page(client)


def test_tries_are_limited(owner: User, vendor: Vendor) -> None:
    client = signed_in(owner)
    answers = [client.post(ENTER, {"secret": "sk-ant-canary-wrong"}).status_code for _ in range(21)]
    assert answers == [422] * 20 + [429]
    assert len(vendor.seen) == 20


def test_an_id_that_never_was_is_not_found(owner: User) -> None:
    client = signed_in(owner)
    for path in ("replace/", "revoke/"):
        assert client.get(f"/manage/keys/{uuid4()}/{path}").status_code == 404


def test_a_get_changes_nothing(owner: User, vendor: Vendor) -> None:
    client, stored = signed_in(owner), add()
    assert client.get(f"/manage/keys/{stored.pk}/check/").status_code == 405
    client.get(ENTER, {"secret": GOOD_KEY})
    assert vendor.seen == []
    assert Credential.objects.count() == 1


def test_the_secret_is_in_no_page_and_no_log(
    owner: User, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = signed_in(owner)
    client.post(ENTER, {"secret": GOOD_KEY})
    stored = Credential.objects.get()
    shown = [
        page(client),
        page(client, f"/manage/keys/{stored.pk}/replace/"),
        caplog.text,
        repr(vars(stored)),
    ]
    assert all("canary" not in text for text in shown)
