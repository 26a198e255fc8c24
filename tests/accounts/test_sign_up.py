"""Making an account with an address of the organisation's domain: a link by mail, and nothing that tells."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from accounts import actions
from accounts.models import Invitation, Membership, Team, User
from accounts.people import invitations
from accounts.single_sign_on import sign_up

from .conftest import PASSWORD
from .signing_in import by_password, is_signed_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


@pytest.fixture(autouse=True)
def letters(settings: Any) -> Any:
    """This server sends mail."""
    settings.EMAIL_CONFIGURED = True
    return mail


@pytest.fixture
def opened(owner: User) -> None:
    sign_up.decide(by=owner, mode="domain", domains=["example.org"])


def ask(email: str) -> Any:
    return Client().post("/signup/", {"email": email})


def link() -> str:
    found = re.search(r"/join/\S+", str(mail.outbox[-1].body))
    assert found is not None
    return found[0]


def test_whoever_proves_an_address_of_the_domain_makes_an_account(opened: None) -> None:
    assert "Make an account" in Client().get("/login/").content.decode()
    assert ask("Nora@example.org").status_code == 200
    assert not User.objects.filter(email="nora@example.org").exists(), "nothing is made before it is proven"
    client = Client()
    client.post(link(), {"display_name": "Nora", "password": PASSWORD})
    assert is_signed_in(client)
    person = User.objects.get(email="nora@example.org")
    assert person.role == "member"
    assert is_signed_in(by_password(person))


def test_the_answer_tells_nothing_of_the_address(owner: User, opened: None) -> None:
    actions.create_user(email="ada@example.org", password=PASSWORD)
    pages = {
        re.sub(r"[\w.]+@[\w.]+", "X", ask(email).content.decode())
        for email in ("ada@example.org", "new@example.org", "new@example.com", "new@sub.example.org")
    }
    assert len({re.sub(r'value="[^"]+"', "", page) for page in pages}) == 1
    assert [message.to for message in mail.outbox] == [["ada@example.org"], ["new@example.org"]]
    assert "/join/" not in str(mail.outbox[0].body)


def test_an_invitation_that_is_open_is_sent_again_and_keeps_what_it_gives(owner: User, opened: None) -> None:
    team = Team.objects.create(name="Design")
    invitations.invite(by=owner, email="nora@example.org", team=team)
    ask("nora@example.org")
    Client().post(link(), {"display_name": "Nora", "password": PASSWORD})
    assert Membership.objects.get().team == team
    assert Invitation.objects.count() == 1


def test_letters_to_one_address_are_limited(opened: None) -> None:
    for _ in range(5):
        ask("nora@example.org")
    assert len(mail.outbox) == 3


@pytest.mark.parametrize("mode", ["closed", "invited"])
def test_where_the_rule_is_another_nobody_signs_up(owner: User, mode: Any) -> None:
    sign_up.decide(by=owner, mode=mode, domains=["example.org"])
    assert "Accounts are made by an admin" in ask("nora@example.org").content.decode()
    assert mail.outbox == []
    assert "Make an account" not in Client().get("/login/").content.decode()


def test_without_mail_nobody_signs_up(opened: None, settings: Any) -> None:
    settings.EMAIL_CONFIGURED = False
    assert "Accounts are made by an admin" in ask("nora@example.org").content.decode()
    assert not Invitation.objects.exists()
