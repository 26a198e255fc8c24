"""Second factors after single sign-on, and confirming who it is without a password."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts import actions
from accounts.models import User
from accounts.sign_in import policy as sign_in_policy
from accounts.single_sign_on import providers, sign_up
from tests.openid import OpenIDProvider

from .conftest import PASSWORD
from .signing_in import by_password, code_of, is_signed_in, second_step, with_app
from .signing_on import back, made, open_to, page_of, sign_on

pytestmark = [pytest.mark.django_db, pytest.mark.services]


@pytest.fixture
def ada(owner: User) -> User:
    """Has an account already, with the address that the provider tells."""
    return actions.create_user(email="ada@example.org", password=PASSWORD, display_name="Ada")


def test_a_second_factor_is_asked_for_after_single_sign_on(
    owner: User, ada: User, idp: OpenIDProvider
) -> None:
    provider = made(idp)
    sign_on(idp, provider)
    secret, _ = with_app(ada)
    answer = sign_on(idp, provider)
    assert answer.headers["Location"] == "/login/second-step/"
    assert not is_signed_in(answer.browser)
    second_step(answer.browser, code_of(secret))
    assert is_signed_in(answer.browser)


def test_a_provider_that_checks_one_itself_spares_it(owner: User, ada: User, idp: OpenIDProvider) -> None:
    provider = made(idp, checks_second_factor=True)
    sign_on(idp, provider)
    with_app(ada)
    assert is_signed_in(sign_on(idp, provider).browser)


def test_who_comes_by_single_sign_on_comes_under_the_rule(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    sign_in_policy.decide(by=owner, roles=["member"], grace_days=0)
    answer = sign_on(idp, made(idp))
    assert answer.browser.get("/").headers["Location"] == "/settings/security/second-step/"


def test_a_provider_that_checks_one_itself_satisfies_the_rule_and_other_ways_do_not(
    owner: User, ada: User, idp: OpenIDProvider
) -> None:
    sign_in_policy.decide(by=owner, roles=["member"], grace_days=0)
    provider = made(idp, checks_second_factor=True)
    answer = sign_on(idp, provider)
    assert is_signed_in(answer.browser)
    assert not is_signed_in(by_password(ada))
    assert (
        "Sign in where one is checked"
        in Client().post("/login/", {"login": ada.email, "password": PASSWORD}).content.decode()
    )
    providers.switch(provider, on=False, by=owner)
    ada.refresh_from_db()
    assert ada.is_held_back, "from then on it holds for them too"


def stale(client: Client) -> None:
    """The session as it is an hour later."""
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= 3600
    session.save()


def confirm(idp: OpenIDProvider, client: Client, provider: Any, next: str) -> Any:
    fields = {"provider_id": str(provider.pk), "next": next}
    page = page_of(client.post("/settings/security/confirm/sso/", fields))
    assert "prompt=login" in page
    return back(client, idp.sign_in(page))


def test_who_has_no_password_confirms_by_signing_in_again(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider = made(idp)
    client = sign_on(idp, provider).browser
    assert client.get("/settings/security/app/").status_code == 200, "signing in was a moment ago"
    stale(client)
    asked = client.get("/settings/security/app/").headers["Location"]
    assert asked.startswith("/settings/security/confirm/sso/?next=")
    assert "Continue with <bdi>Harbour ID</bdi>" in client.get(asked).content.decode()
    answer = confirm(idp, client, provider, "/settings/security/app/")
    assert answer.headers["Location"] == "/settings/security/app/"
    assert client.get("/settings/security/app/").status_code == 200


def test_what_was_asked_for_goes_on_once_it_is_confirmed(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider = made(idp)
    client = sign_on(idp, provider).browser
    User.objects.filter(email="ada@example.org").update(role="admin")
    stale(client)
    path = "/manage/settings/sign-in/sign-up/"
    client.post(path, {"mode": "invited"})
    assert sign_up.SignUp.current().mode == "domain"
    confirm(idp, client, provider, path)
    assert sign_up.SignUp.current().mode == "invited"


def test_somebody_else_at_the_provider_confirms_nothing(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider = made(idp)
    client = sign_on(idp, provider).browser
    stale(client)
    idp.person["sub"] = "eve-1"
    assert confirm(idp, client, provider, "/settings/security/app/").status_code == 403
    assert client.get("/settings/security/app/").status_code == 302


def test_a_provider_that_did_not_ask_again_confirms_nothing(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    provider = made(idp)
    client = sign_on(idp, provider).browser
    stale(client)
    idp.twist = lambda claims: claims.update(auth_time=claims["iat"] - 3600)
    assert confirm(idp, client, provider, "/settings/security/app/").status_code == 403
    assert client.get("/settings/security/app/").status_code == 302
