"""What a sign-in provider is asked, and what may come back: no redirect, nothing huge, nothing inside."""

from __future__ import annotations

import json
import time
from threading import Event
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from providers import addresses
from tests.openid import ADA, OpenIDProvider

from .signing_in import is_signed_in
from .signing_on import back, begun, made, open_to, sign_on, turned_away

pytestmark = [pytest.mark.django_db, pytest.mark.services]
Claims = dict[str, Any]


def test_a_secret_goes_into_a_header_where_the_provider_takes_it_only_there(
    owner: User, idp: OpenIDProvider
) -> None:
    open_to(by=owner)
    idp.methods = ["client_secret_basic"]
    assert is_signed_in(sign_on(idp, made(idp)).browser)
    (fields,) = [fields for path, fields, _ in idp.asked if path == "/token"]
    assert "client_secret" not in fields


def test_claims_that_the_token_lacks_are_asked_for(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    idp.only_userinfo = {"email", "email_verified", "name"}
    assert is_signed_in(sign_on(idp, made(idp)).browser)


def test_userinfo_about_somebody_else_is_refused(owner: User, idp: OpenIDProvider) -> None:
    open_to(by=owner)
    idp.only_userinfo = {"email"}
    idp.answers["/userinfo"] = lambda: (200, {}, json.dumps({**ADA, "sub": "eve-1"}).encode())
    turned_away(sign_on(idp, made(idp)))


def test_an_address_inside_the_network_is_not_called(owner: User, idp: OpenIDProvider) -> None:
    provider = made(idp)
    addresses.allow(())
    answer = Client().post(f"/login/with/{provider.pk}/")
    assert answer.status_code == 400
    assert idp.asked == []


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/keys", "/userinfo"])
def test_no_redirect_is_followed(owner: User, idp: OpenIDProvider, path: str) -> None:
    open_to(by=owner)
    provider, client = made(idp), Client()
    idp.only_userinfo = {"email"}
    page = begun(provider, client)
    idp.answers[path] = lambda: (302, {"location": f"{idp.url}/inside"}, b"")
    if path.startswith("/.well-known"):
        assert client.post(f"/login/with/{provider.pk}/").status_code == 400
    else:
        answer = back(client, idp.sign_in(page))
        answer.browser = client
        turned_away(answer)
    assert "/inside" not in [path for path, _, _ in idp.asked]


def test_a_provider_that_does_not_answer_is_given_up(owner: User, idp: OpenIDProvider) -> None:
    provider, over = made(idp), Event()

    def late() -> tuple[int, dict[str, str], bytes]:
        over.wait(60)
        return 200, {}, b"{}"

    idp.answers["/.well-known/openid-configuration"] = late
    began = time.monotonic()
    assert Client().post(f"/login/with/{provider.pk}/").status_code == 400
    assert time.monotonic() - began < 20
    over.set()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<html>", b'{"issuer": 7}', b"{" * 100_000, b" " * (1024 * 1024 + 1)]
)
def test_a_discovery_document_that_is_none_or_huge_is_refused(
    owner: User, idp: OpenIDProvider, body: bytes
) -> None:
    provider = made(idp)
    idp.answers["/.well-known/openid-configuration"] = lambda: (200, {}, body)
    assert Client().post(f"/login/with/{provider.pk}/").status_code == 400


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("issuer", "https://evil.example"),
        ("authorization_endpoint", "javascript:alert(1)"),
        ("authorization_endpoint", "http://login.example.org/authorize"),
        ("token_endpoint", "http://169.254.169.254/latest"),
        ("token_endpoint", "https://10.0.0.1/token"),
        ("jwks_uri", "file:///etc/passwd"),
        ("jwks_uri", None),
        ("userinfo_endpoint", "https://[::1]/userinfo"),
    ],
)
def test_a_discovery_document_that_leads_astray_is_refused(
    owner: User, idp: OpenIDProvider, name: str, value: Any
) -> None:
    provider = made(idp)
    idp.extra[name] = value
    assert Client().post(f"/login/with/{provider.pk}/").status_code == 400


def test_many_beginnings_from_one_address_are_limited(owner: User, idp: OpenIDProvider) -> None:
    provider, client = made(idp), Client()
    answers = {client.post(f"/login/with/{provider.pk}/").status_code for _ in range(31)}
    assert answers == {200, 429}
