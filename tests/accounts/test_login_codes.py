"""Codes by mail: to sign in with, and to prove a new address."""

from __future__ import annotations

import re
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client

from accounts.models import User

from .conftest import signed_in
from .signing_in import by_password, code_of, is_signed_in, second_step, verbs, with_app

ASK, ENTER = "/login/code/", "/login/code/enter/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mail_works(settings: Any) -> None:
    settings.EMAIL_CONFIGURED = True


def mailed_code() -> str:
    found = re.search(r"^[A-Z]{4}-[A-Z]{4}$", str(mail.outbox[-1].body), re.MULTILINE)
    assert found, mail.outbox[-1].body
    return found[0]


def ask(email: str, client: Client | None = None, **more: str) -> Client:
    client = client or Client()
    assert client.post(ASK, {"email": email, **more}).headers["Location"].startswith(ENTER)
    return client


@pytest.mark.parametrize("written", ["{code}", " {code} ", "{bare}", "{lower}", "{spaced}"])
def test_a_code_signs_in_however_it_is_written(member: User, written: str) -> None:
    client = ask(member.email.upper())
    code = mailed_code()
    bare = code.replace("-", "")
    text = written.format(code=code, bare=bare, lower=bare.lower(), spaced=" ".join(bare))
    assert client.post(ENTER, {"code": text}).headers["Location"] == "/"
    assert is_signed_in(client)
    assert verbs(member)[-1] == "signin.succeeded"


def test_a_code_works_once_in_its_browser_and_for_ten_minutes(member: User) -> None:
    with time_machine.travel("2026-11-20T12:00Z", tick=False) as clock:
        client = ask(member.email)
        code = mailed_code()
        elsewhere = Client()
        assert elsewhere.post(ENTER, {"code": code}).headers["Location"].startswith("/login/")
        assert not is_signed_in(elsewhere)
        clock.shift(601)
        client.post(ENTER, {"code": code})
        assert not is_signed_in(client)
        client = ask(member.email)
        client.post(ENTER, {"code": mailed_code()})
        client.post("/logout/")
        client.post(ENTER, {"code": mailed_code()})
        assert not is_signed_in(client)


def test_guessing_is_limited(member: User) -> None:
    client = ask(member.email)
    for _ in range(3):
        client.post(ENTER, {"code": "BBBB-BBBB"})
    client.post(ENTER, {"code": mailed_code()})
    assert not is_signed_in(client)
    assert verbs(member).count("signin.failed") == 3
    for _ in range(2):
        ask(member.email)
    assert b"Too many" in Client().post(ASK, {"email": member.email}).content


def test_known_and_unknown_addresses_get_the_same_answer(member: User) -> None:
    pages = []
    for email in (member.email, "no@example.org"):
        client = ask(email)
        page = client.get(ENTER).content.decode().replace(email, "")
        page += client.post(ENTER, {"code": "BBBB-BBBB"}).content.decode().replace(email, "")
        pages.append(re.sub(r'value="[\w]{60,}"', "", page))
    assert pages[0] == pages[1]
    assert [letter.to for letter in mail.outbox] == [[member.email], ["no@example.org"]]
    assert "There is no account with this address" in str(mail.outbox[1].body)


def test_a_deactivated_person_gets_no_code(member: User) -> None:
    client = ask(member.email)
    code = mailed_code()
    User.objects.filter(pk=member.pk).update(is_active=False)
    client.post(ENTER, {"code": code})
    assert not is_signed_in(client)
    ask(member.email)
    assert "There is no account" in str(mail.outbox[-1].body)


def test_a_code_does_not_replace_the_second_step(member: User) -> None:
    secret, _codes = with_app(member)
    client = ask(member.email)
    assert client.post(ENTER, {"code": mailed_code()}).headers["Location"] == "/login/second-step/"
    assert not is_signed_in(client)
    assert second_step(client, code_of(secret)) == (302, "/")


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "javascript:alert(1)"])
def test_next_leads_to_this_site_only(member: User, target: str) -> None:
    client = ask(member.email, next=target)
    answer = client.post(ENTER, {"code": mailed_code(), "next": target})
    assert answer.headers["Location"] == "/"


def test_an_unproven_address_is_proven_at_the_next_sign_in(member: User) -> None:
    EmailAddress.objects.filter(user=member).update(verified=False)
    client = by_password(member)
    assert not is_signed_in(client)
    assert client.post("/login/verify/", {"code": mailed_code().lower()}).status_code == 302
    assert is_signed_in(client)
    assert EmailAddress.objects.get(user=member).verified


def change_email(client: Client, email: str) -> str:
    return client.post("/settings/security/email/", {"email": email, "action_add": ""}).headers["Location"]


def test_a_new_address_counts_once_its_code_is_entered(
    member: User, django_capture_on_commit_callbacks: Any
) -> None:
    client = by_password(member)
    assert change_email(client, "New@Example.org") == "/login/verify/"
    member.refresh_from_db()
    assert member.email == "mo@example.org"
    code = mailed_code()
    assert mail.outbox[-1].to == ["new@example.org"]
    client.post("/login/verify/", {"code": "BBBB-BBBB"})
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post("/login/verify/", {"code": code})
    assert answer.headers["Location"] == "/settings/security/"
    member.refresh_from_db()
    assert member.email == "new@example.org"
    assert list(EmailAddress.objects.filter(user=member).values_list("email", "verified")) == [
        ("new@example.org", True)
    ]
    assert mail.outbox[-1].to == ["mo@example.org"], "the old address is told"
    assert verbs(member)[-1] == "person.email_changed"
    assert is_signed_in(by_password(member))


def test_an_address_of_somebody_else_is_not_taken_and_not_betrayed(member: User, stranger: User) -> None:
    client = by_password(member)
    assert change_email(client, "nobody@example.org") == change_email(client, stranger.email)
    client.post("/login/verify/", {"code": mailed_code()})
    member.refresh_from_db()
    assert member.email == "mo@example.org"


def test_changing_the_address_is_confirmed_first(member: User) -> None:
    assert change_email(signed_in(member), "new@example.org").startswith("/settings/security/confirm/")
    assert mail.outbox == []


@pytest.mark.parametrize("path", [ASK, ENTER, "/login/verify/", "/settings/security/email/"])
def test_without_mail_there_are_no_such_pages(member: User, settings: Any, path: str) -> None:
    settings.EMAIL_CONFIGURED = False
    client = by_password(member)
    assert client.get(path).status_code == 404
    assert client.post(path, {"email": "x@example.org", "action_add": ""}).status_code == 404
    assert "code by mail" not in Client().get("/login/").content.decode()
