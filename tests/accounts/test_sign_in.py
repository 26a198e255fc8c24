"""Signing in and out: by e-mail, limited, neutral, and never away from this site."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User

from .conftest import PASSWORD, signed_in

MISMATCH = "do not fit together"


def sign_in(client: Client, email: str, password: str = PASSWORD, **more: str) -> tuple[int, str]:
    response = client.post("/login/", {"login": email, "password": password, **more})
    return response.status_code, response.headers.get("Location", "") or response.content.decode()


def test_the_right_password_signs_in_whatever_the_case_of_the_address(client: Client, member: User) -> None:
    assert sign_in(client, " MO@Example.ORG ") == (302, "/")
    assert client.session["_auth_user_id"] == str(member.pk)


@pytest.mark.parametrize("password", ["wrong", "", "a lamp, two rivers ", "x" * 2000])
def test_a_wrong_password_is_refused(client: Client, member: User, password: str) -> None:
    status, _ = sign_in(client, member.email, password)
    assert status == 200
    assert "_auth_user_id" not in client.session


def test_the_stored_hash_is_not_a_password(client: Client, member: User) -> None:
    assert MISMATCH in sign_in(client, member.email, member.password)[1]


def test_known_and_unknown_addresses_get_the_same_answer(client: Client, member: User) -> None:
    def page(email: str) -> str:
        text = sign_in(client, email, "wrong password")[1]
        return "\n".join(
            line for line in text.replace(email, "").splitlines() if "csrfmiddlewaretoken" not in line
        )

    assert page(member.email) == page("no@example.org")


def test_failures_are_limited_whatever_forwarding_headers_say(client: Client, member: User) -> None:
    for turn in range(5):
        client.post(
            "/login/",
            {"login": member.email, "password": "wrong"},
            headers={"x-forwarded-for": f"9.9.9.{turn}"},
        )
    status, page = sign_in(client, member.email)
    assert status == 200
    assert "Too many attempts" in page


def test_a_deactivated_person_cannot_sign_in_and_their_session_ends(member: User) -> None:
    client = signed_in(member)
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert client.get("/password/change/").status_code == 302
    assert sign_in(Client(), member.email) == (302, "/login/inactive/")


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "///evil.example",
        "\\\\evil.example",
        "/\\evil.example",
        "https:evil.example",
        "https://evil.example/",
        "http://localhost:9/",
        "http://testserver:81/",
        "javascript:alert(1)",
        "/ok\r\nSet-Cookie: a=b",
        "evil.example",
        "%2F%2Fevil.example",
    ],
)
def test_next_leads_to_this_site_only(client: Client, member: User, target: str) -> None:
    status, where = sign_in(client, member.email, next=target)
    assert status == 302
    assert where.startswith("/")
    assert not where.startswith(("//", "/\\"))
    assert "\r" not in where
    assert "\n" not in where


def test_next_leads_to_a_page_of_this_site(client: Client, owner: User) -> None:
    assert sign_in(client, owner.email, next="/setup/key/") == (302, "/setup/key/")


def test_signing_out_takes_a_post(member: User) -> None:
    client = signed_in(member)
    assert client.get("/logout/").status_code == 200
    assert "_auth_user_id" in client.session
    assert client.post("/logout/").headers["Location"] == "/login/"
    assert "_auth_user_id" not in client.session


def test_nobody_can_sign_up(client: Client, owner: User) -> None:
    page = client.post("/signup/", {"email": "new@example.org", "password1": PASSWORD})
    assert b"Accounts are made by an admin" in page.content
    assert User.objects.count() == 1


def test_a_login_without_a_csrf_token_is_refused(member: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/login/", {"login": member.email, "password": PASSWORD}).status_code == 403


def test_pages_answer_with_pages_to_a_caller_that_wants_json(client: Client, member: User) -> None:
    response = client.get("/login/", headers={"accept": "application/json"})
    assert response.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/email/", "/accounts/email/", "/reauthenticate/", "/login/code/"])
def test_pages_of_the_sign_in_library_that_have_no_place_here_are_absent(owner: User, path: str) -> None:
    assert signed_in(owner).get(path).status_code == 404
