"""Storing, changing and resetting passwords."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.hashers import get_hasher, make_password
from django.core import mail
from django.test import Client

from accounts.models import User
from accounts.sign_in.hashers import Argon2

from .conftest import PASSWORD, signed_in

NEW = "three maps and a kettle"


def change(client: Client, old: str = PASSWORD, new: str = NEW, again: str = NEW) -> int:
    return client.post(
        "/password/change/", {"oldpassword": old, "password1": new, "password2": again}
    ).status_code


def test_passwords_are_stored_with_argon2id(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["accounts.sign_in.hashers.Argon2"]
    assert make_password(PASSWORD).startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert isinstance(get_hasher(), Argon2)
    assert Argon2().verify(PASSWORD, make_password(PASSWORD))


def test_changing_the_password_ends_other_sessions(member: User) -> None:
    here, elsewhere = signed_in(member), signed_in(member)
    assert change(here) == 302
    member.refresh_from_db()
    assert member.check_password(NEW)
    assert here.get("/password/change/").status_code == 200
    assert elsewhere.get("/password/change/").status_code == 302


@pytest.mark.parametrize(
    ("old", "new", "again"), [("wrong", NEW, NEW), (PASSWORD, NEW, "other"), (PASSWORD, "short", "short")]
)
def test_a_change_that_does_not_fit_is_refused(member: User, old: str, new: str, again: str) -> None:
    assert change(signed_in(member), old, new, again) == 200
    member.refresh_from_db()
    assert member.check_password(PASSWORD)


def test_without_mail_the_page_says_who_can_help(client: Client, owner: User, settings: Any) -> None:
    settings.EMAIL_CONFIGURED = False
    assert b"sends no mail" in client.get("/password/reset/").content
    client.post("/password/reset/", {"email": owner.email})
    assert mail.outbox == []


def test_the_link_in_the_mail_sets_a_new_password_once(client: Client, member: User, settings: Any) -> None:
    settings.EMAIL_CONFIGURED, settings.PUBLIC_URL = True, "https://chat.example.org"
    client.post("/password/reset/", {"email": member.email})
    (letter,) = mail.outbox
    link = re.search(r"https://chat\.example\.org(/password/reset/link/\S+)", str(letter.body))
    assert link
    form = client.get(link[1], follow=True)
    assert client.post(form.request["PATH_INFO"], {"password1": NEW, "password2": NEW}).status_code == 302
    member.refresh_from_db()
    assert member.check_password(NEW)
    assert b"does not work any more" in Client().get(link[1], follow=True).content


def test_known_and_unknown_addresses_get_the_same_answer(client: Client, member: User, settings: Any) -> None:
    settings.EMAIL_CONFIGURED = True
    answers = [
        client.post("/password/reset/", {"email": email}) for email in (member.email, "no@example.org")
    ]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert [letter.to for letter in mail.outbox] == [[member.email], ["no@example.org"]]
    assert "password/reset/link" not in str(mail.outbox[1].body)


def test_a_deactivated_person_gets_no_link(client: Client, member: User, settings: Any) -> None:
    settings.EMAIL_CONFIGURED = True
    User.objects.filter(pk=member.pk).update(is_active=False)
    client.post("/password/reset/", {"email": member.email})
    assert all("password/reset/link" not in str(letter.body) for letter in mail.outbox)
