"""Whose account an identity opens: linking, connecting and disconnecting."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts import actions
from accounts.models import SignInConnection, User
from tests.openid import ADA, OpenIDProvider

from .conftest import PASSWORD, signed_in
from .signing_in import is_signed_in, verbs, with_app
from .signing_on import back, confirmed, made, open_to, page_of, sign_on

pytestmark = [pytest.mark.django_db, pytest.mark.services]


@pytest.fixture
def ada(owner: User) -> User:
    """Has an account already, with the address that the provider tells."""
    return actions.create_user(email="ada@example.org", password=PASSWORD, display_name="Ada")


def connected(person: User) -> bool:
    return SignInConnection.objects.filter(person=person).exists()


def refused(answer: Any) -> str:
    assert answer.status_code == 403
    assert not is_signed_in(answer.browser)
    return str(answer.content.decode())


# An account that is there already


def test_an_account_is_connected_where_the_provider_vouches_and_is_trusted(
    ada: User, idp: OpenIDProvider
) -> None:
    answer = sign_on(idp, made(idp, makes_accounts=False))
    assert is_signed_in(answer.browser)
    assert connected(ada)
    assert verbs(ada)[-2:] == ["sso.connected", "signin.succeeded"]


@pytest.mark.parametrize("said", [False, None, "false", 0, "yes"])
def test_an_unverified_address_opens_no_account_and_makes_none(
    ada: User, idp: OpenIDProvider, said: Any
) -> None:
    open_to(by=User.objects.get(role="owner"))
    idp.person["email_verified"] = said
    provider = made(idp)
    known = refused(sign_on(idp, provider))
    idp.person["email"] = "nobody@example.org"
    assert refused(sign_on(idp, provider)) == known, "it does not tell whose address has an account"
    assert not connected(ada)
    assert User.objects.count() == 2


def test_an_address_of_a_domain_that_it_is_not_trusted_with_opens_no_account(
    ada: User, idp: OpenIDProvider
) -> None:
    assert "Sign in to it another way" in refused(sign_on(idp, made(idp, domains=[])))
    assert "not accepted" in refused(sign_on(idp, made(idp, domains=["example.com"])))
    assert "not accepted" in refused(sign_on(idp, made(idp, domains=["org"])))
    assert not connected(ada)


def test_what_an_admin_vouches_for_opens_no_account_that_is_there(ada: User, idp: OpenIDProvider) -> None:
    idp.person["email_verified"] = False
    assert "Sign in to it another way" in refused(sign_on(idp, made(idp, vouches=True)))
    assert not connected(ada)


@pytest.mark.parametrize("role", ["admin", "owner"])
def test_an_admins_account_is_not_connected_by_itself(ada: User, idp: OpenIDProvider, role: str) -> None:
    User.objects.filter(pk=ada.pk).update(role=role)
    refused(sign_on(idp, made(idp)))
    assert not connected(ada)


def test_an_account_with_a_second_factor_is_not_connected_by_itself(ada: User, idp: OpenIDProvider) -> None:
    with_app(ada)
    refused(sign_on(idp, made(idp, checks_second_factor=True)))
    assert not connected(ada)


def test_an_account_whose_address_was_never_proven_is_not_connected_by_itself(
    ada: User, idp: OpenIDProvider
) -> None:
    EmailAddress.objects.filter(user=ada).update(verified=False)
    refused(sign_on(idp, made(idp)))
    assert not connected(ada)


def test_another_subject_with_the_same_address_is_refused(ada: User, idp: OpenIDProvider) -> None:
    provider = made(idp)
    sign_on(idp, provider)
    idp.person["sub"] = "ada-2"
    refused(sign_on(idp, provider))
    assert SignInConnection.objects.get().subject == "ada-1"


def test_the_same_subject_of_another_provider_is_somebody_else(ada: User, idp: OpenIDProvider) -> None:
    sign_on(idp, made(idp))
    idp.person["email"] = "eve@example.org"
    refused(sign_on(idp, made(idp, name="Another")))


# Connecting by oneself


def connect(idp: OpenIDProvider, provider: Any, client: Client) -> Any:
    page = page_of(client.post(f"/settings/security/connect/{provider.pk}/"))
    return back(client, idp.sign_in(page))


def test_whoever_is_signed_in_connects_and_disconnects_an_account(owner: User, idp: OpenIDProvider) -> None:
    provider, client = made(idp, domains=[]), confirmed(owner)
    idp.person["email_verified"] = False
    assert "Connect Harbour ID" in client.get("/settings/security/").content.decode()
    assert connect(idp, provider, client).headers["Location"] == "/settings/security/"
    assert connected(owner)
    assert is_signed_in(sign_on(idp, provider).browser)
    id = SignInConnection.objects.get().pk
    assert client.get(f"/settings/security/disconnect/{id}/").status_code == 200
    client.post(f"/settings/security/disconnect/{id}/")
    assert not connected(owner)
    assert verbs(owner).count("sso.connected") == verbs(owner).count("sso.disconnected") == 1


def test_connecting_asks_who_it_is(owner: User, idp: OpenIDProvider) -> None:
    provider = made(idp)
    answer = signed_in(owner).post(f"/settings/security/connect/{provider.pk}/")
    assert answer.headers["Location"].startswith("/settings/security/confirm/")


def test_an_account_at_the_provider_belongs_to_one_person(
    owner: User, member: User, idp: OpenIDProvider
) -> None:
    provider = made(idp)
    connect(idp, provider, confirmed(member))
    client = confirmed(owner)
    connect(idp, provider, client)
    assert "connected to another account" in client.get("/settings/security/").content.decode()
    assert not connected(owner)


def test_a_connecting_that_another_person_finishes_is_refused(
    owner: User, member: User, idp: OpenIDProvider
) -> None:
    provider, client = made(idp), confirmed(owner)
    page = page_of(client.post(f"/settings/security/connect/{provider.pk}/"))
    browser = client.session["single_sign_on"]
    client.logout()
    client.force_login(member)
    session = client.session
    session["single_sign_on"] = browser  # even where the same browser is still known
    session.save()
    assert back(client, idp.sign_in(page)).status_code == 403
    assert not SignInConnection.objects.exists()


def test_the_last_way_to_sign_in_stays(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    client = sign_on(idp, made(idp)).browser
    connection = SignInConnection.objects.get()
    client.post(f"/settings/security/disconnect/{connection.pk}/")
    assert "last way to sign in" in client.get("/settings/security/").content.decode()
    assert SignInConnection.objects.exists()
    connection.person.set_password(PASSWORD)
    connection.person.save()
    client = confirmed(connection.person)
    client.post(f"/settings/security/disconnect/{connection.pk}/")
    assert not SignInConnection.objects.exists()


def test_a_foreign_connection_does_not_exist(owner: User, member: User, idp: OpenIDProvider) -> None:
    connect(idp, made(idp), confirmed(member))
    id = SignInConnection.objects.get().pk
    for method in ("get", "post"):
        assert getattr(confirmed(owner), method)(f"/settings/security/disconnect/{id}/").status_code == 404
    assert connected(member)


def test_an_admin_ends_a_connection_and_the_new_subject_comes_in(ada: User, idp: OpenIDProvider) -> None:
    provider, client = made(idp), confirmed(User.objects.get(role="owner"))
    sign_on(idp, provider)
    idp.person["sub"] = "ada-2"
    refused(sign_on(idp, provider))
    page = f"/manage/people/{ada.pk}/sign-in/"
    assert "ada-1" in client.get(page).content.decode()
    path = f"{page}connections/{SignInConnection.objects.get().pk}/end/"
    assert confirmed(ada).post(path).status_code == 404
    client.post(path)
    assert is_signed_in(sign_on(idp, provider).browser)
    assert SignInConnection.objects.get().subject == "ada-2"
    assert client.post(path).status_code == 404


def test_what_a_name_at_the_provider_is_does_no_harm(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    idp.person.update(name="<script>alert(1)</script>\u202e" + "x" * 500)
    answer = sign_on(idp, made(idp))
    assert "<script>alert(1)" not in answer.browser.get("/settings/profile/").content.decode()
    assert len(User.objects.get(email=ADA["email"]).display_name) <= 80
