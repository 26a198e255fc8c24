"""Signing in at an OpenID provider: who gets in, as whom, and what is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, SignInAttempt, SignInConnection, User
from tests.openid import CLIENT_SECRET, OpenIDProvider

from .conftest import PASSWORD, signed_in
from .signing_in import is_signed_in, verbs
from .signing_on import back, begun, made, open_to, sign_on, turned_away

pytestmark = [pytest.mark.django_db, pytest.mark.services]
Claims = dict[str, Any]


def test_a_new_person_comes_in_by_the_button_and_has_an_account(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider = made(idp)
    assert "Continue with <bdi>Harbour ID</bdi>" in Client().get("/login/").content.decode()
    answer = sign_on(idp, provider)
    assert answer.headers["Location"] == "/"
    assert is_signed_in(answer.browser)
    person = User.objects.get(email="ada@example.org")
    assert (person.display_name, person.role, person.has_usable_password()) == ("Ada Okafor", "member", False)
    assert SignInConnection.objects.get().subject == "ada-1"
    assert verbs(person) == ["person.created", "sso.connected", "signin.succeeded"]
    assert AuditEvent.objects.latest("number").via == "Harbour ID"


def test_who_came_before_is_the_same_person_whatever_their_address_is_now(
    owner: User, idp: OpenIDProvider
) -> None:
    open_to(by=owner)
    provider = made(idp)
    sign_on(idp, provider)
    idp.person["email"] = "a.okafor@example.org"
    assert is_signed_in(sign_on(idp, provider).browser)
    assert User.objects.count() == 2
    assert User.objects.filter(email="ada@example.org").exists()


def test_one_comes_back_to_the_page_that_was_asked_for(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider = made(idp)
    assert sign_on(idp, provider, next="/usage/").headers["Location"] == "/usage/"


@pytest.mark.parametrize("next", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_one_comes_back_to_no_other_site(owner: User, idp: OpenIDProvider, next: str) -> None:
    open_to(by=owner)
    provider = made(idp)
    assert sign_on(idp, provider, next=next).headers["Location"] == "/"


def test_the_provider_is_asked_with_a_state_a_nonce_and_a_challenge(owner: User, idp: OpenIDProvider) -> None:
    provider = made(idp)
    pages = [begun(provider, Client()) for _ in range(2)]
    for name in ("state=", "nonce=", "code_challenge=", "code_challenge_method=S256"):
        assert all(name in page for page in pages)
    assert pages[0] != pages[1]


def test_nothing_of_the_providers_tokens_is_kept(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    answer = sign_on(idp, made(idp))
    kept = json.dumps(dict(answer.browser.session.items()), default=str)
    kept += "".join(str(vars(row)) for row in SignInAttempt.objects.all())
    kept += "".join(str(vars(row)) for row in SignInConnection.objects.all())
    kept += "".join(row.after + row.before for row in AuditEvent.objects.all())
    assert "at-canary" not in kept
    assert CLIENT_SECRET not in kept


def test_an_answer_counts_once(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider, client = made(idp), Client()
    address = idp.sign_in(begun(provider, client))
    assert back(client, address).status_code == 302
    client.post("/logout/")
    again = back(client, address)
    assert again.status_code == 403
    assert not is_signed_in(client)


def test_an_answer_opened_in_another_browser_is_refused(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider = made(idp)
    address = idp.sign_in(begun(provider, Client()))
    other = Client()
    begun(provider, other)  # it has begun one of its own
    answer = back(other, address)
    answer.browser = other
    assert "not begun in this browser" in turned_away(answer)


def test_an_answer_without_a_beginning_is_refused(owner: User, idp: OpenIDProvider) -> None:
    provider = made(idp)
    for query in ("", "?code=x&state=y", "?state=a&state=b&code=x", "?error=access_denied"):
        assert Client().get(f"/login/with/{provider.pk}/callback/{query}").status_code == 403
    assert not User.objects.filter(email="ada@example.org").exists()


def test_an_answer_to_another_providers_address_is_refused(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider, other, client = made(idp), made(idp, name="Another"), Client()
    address = idp.sign_in(begun(provider, client)).replace(str(provider.pk), str(other.pk))
    answer = back(client, address)
    answer.browser = client
    turned_away(answer)


def test_an_answer_that_names_another_issuer_is_refused(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider, client = made(idp), Client()
    answer = back(client, idp.sign_in(begun(provider, client)) + "&iss=https%3A%2F%2Fevil.example")
    answer.browser = client
    turned_away(answer)


def test_an_answer_that_comes_too_late_is_refused(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider, client = made(idp), Client()
    address = idp.sign_in(begun(provider, client))
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert back(client, address).status_code == 403
    assert not SignInConnection.objects.exists()


def test_who_does_not_agree_is_not_signed_in(owner: User, idp: OpenIDProvider) -> None:
    provider, client = made(idp), Client()
    answer = back(client, idp.sign_in(begun(provider, client), consent=False))
    answer.browser = client
    assert "did not agree" in turned_away(answer)


def test_a_provider_that_is_switched_off_lets_nobody_in(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider, client = made(idp), Client()
    address = idp.sign_in(begun(provider, client))
    provider.is_on = False
    provider.save()
    answer = back(client, address)
    answer.browser = client
    turned_away(answer)
    assert client.post(f"/login/with/{provider.pk}/").status_code == 404
    assert "Harbour ID" not in Client().get("/login/").content.decode()


def test_a_secret_goes_nowhere_else_than_where_it_was_entered_for(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider, client = made(idp), Client()
    address = idp.sign_in(begun(provider, client))
    type(provider).objects.filter(pk=provider.pk).update(client_id="another")
    answer = back(client, address)
    answer.browser = client
    turned_away(answer)
    assert not [path for path, _, _ in idp.asked if path == "/token"]


def test_a_deactivated_person_is_refused(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider = made(idp)
    sign_on(idp, provider)
    User.objects.filter(email="ada@example.org").update(is_active=False)
    answer = sign_on(idp, provider)
    assert answer.headers["Location"] == "/login/inactive/"
    assert not is_signed_in(answer.browser)
    idp.person["sub"] = "ada-2"
    assert not is_signed_in(sign_on(idp, provider).browser)
    assert AuditEvent.objects.filter(verb="signin.failed", via="single sign-on").count() == 2


def test_who_is_signed_in_already_is_not_signed_in_as_somebody_else(
    owner: User, member: User, idp: OpenIDProvider
) -> None:
    open_to(by=owner)
    provider, client = made(idp), Client()
    address = idp.sign_in(begun(provider, client))
    client.post("/login/", {"login": member.email, "password": PASSWORD})
    assert back(client, address).status_code == 302
    assert client.session["_auth_user_id"] == str(member.pk)
    assert signed_in(owner).post(f"/login/with/{provider.pk}/").headers["Location"] == "/"
