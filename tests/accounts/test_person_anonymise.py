"""The page that takes the name of somebody who has left out of the installation."""

from __future__ import annotations

import pytest

from accounts import actions
from accounts.models import AuditEvent, User
from accounts.people import anonymising

from .conftest import PASSWORD, signed_in
from .signing_in import by_password, with_app

pytestmark = pytest.mark.django_db


def path(person: User) -> str:
    return f"/manage/people/{person.pk}/anonymise/"


@pytest.fixture
def admin(owner: User) -> User:
    """May do this to everybody but owners."""
    return actions.create_user(email="ada@example.org", password=PASSWORD, role="admin")


@pytest.fixture
def leaver(member: User) -> User:
    """Was deactivated."""
    member.is_active = False
    member.save(update_fields=["is_active"])
    return member


def test_it_says_what_it_does_and_asks_for_the_address(admin: User, leaver: User) -> None:
    client = by_password(admin)
    assert f'href="{path(leaver)}"' in client.get(f"/manage/people/{leaver.pk}/").content.decode()
    page = client.get(path(leaver)).content.decode()
    assert "This cannot be undone" in page and "Every line of the ledger" in page
    assert client.post(path(leaver), {"email": "somebody@example.org"}).status_code == 422
    assert client.post(path(leaver), {"email": ""}).status_code == 422
    leaver.refresh_from_db()
    assert leaver.email == "mo@example.org"


def test_the_address_typed_takes_the_name_away(admin: User, leaver: User) -> None:
    client = by_password(admin)
    answer = client.post(path(leaver), {"email": " Mo@Example.org "}, follow=True).content.decode()
    leaver.refresh_from_db()
    assert anonymising.is_former(leaver) and leaver.display in answer
    assert "mo@example.org" not in answer and path(leaver) not in answer
    event = AuditEvent.objects.get(verb="person.anonymised")
    assert (event.actor, event.object) == (admin.pk, str(leaver.pk))
    assert client.get(path(leaver)).status_code == 302, "it is done"


def test_who_it_is_is_asked_first(admin: User, leaver: User) -> None:
    with_app(leaver)
    answer = signed_in(admin).post(path(leaver), {"email": leaver.email})
    assert answer.headers["Location"].startswith("/settings/security/confirm/")
    leaver.refresh_from_db()
    assert leaver.email == "mo@example.org"


def test_nobody_who_is_active_is_anonymised_here(admin: User, member: User) -> None:
    client = by_password(admin)
    assert path(member) not in client.get(f"/manage/people/{member.pk}/").content.decode()
    page = client.post(path(member), {"email": member.email}, follow=True).content
    assert b"Deactivate this person first" in page
    member.refresh_from_db()
    assert member.email == "mo@example.org"


def test_an_admin_does_it_to_no_owner_and_an_owner_does(admin: User, owner: User) -> None:
    other = actions.create_user(email="otto@example.org", password=PASSWORD, role="owner")
    User.objects.filter(pk=other.pk).update(is_active=False)
    refused = by_password(admin).post(path(other), {"email": other.email}, follow=True).content
    assert b"Only an owner changes an owner." in refused
    assert by_password(owner).post(path(other), {"email": other.email}).status_code == 302
    other.refresh_from_db()
    assert anonymising.is_former(other)


def test_a_member_finds_nothing(leaver: User, stranger: User) -> None:
    client = by_password(stranger)
    assert client.get(path(leaver)).status_code == client.post(path(leaver)).status_code == 404
