"""What an admin, or the operator, can do for somebody who has lost the means to sign in."""

from __future__ import annotations

from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command

from accounts import actions
from accounts.models import AuditEvent, User
from accounts.people import people
from accounts.sign_in import policy as sign_in_policy

from .conftest import PASSWORD, signed_in
from .signing_in import by_password, is_signed_in, with_app

pytestmark = pytest.mark.django_db


def path(person: User, act: str = "") -> str:
    return f"/manage/people/{person.pk}/sign-in/{act}"


@pytest.fixture
def admin(owner: User) -> User:
    """May do this to everybody but owners."""
    return actions.create_user(email="ada@example.org", password=PASSWORD, role="admin")


def test_an_admin_gives_a_member_a_new_start(admin: User, member: User) -> None:
    with_app(member)
    theirs, client = signed_in(member), by_password(admin)
    page = client.get(path(member)).content.decode()
    assert "An authenticator app" in page
    assert b"second factors are gone" in client.post(path(member, "reset/"), follow=True).content
    assert not Authenticator.objects.filter(user=member).exists()
    assert not is_signed_in(theirs)
    event = AuditEvent.objects.filter(verb="mfa.removed").latest("number")
    assert (event.actor, event.object) == (admin.pk, str(member.pk))


def test_the_reset_is_confirmed_first(admin: User, member: User) -> None:
    with_app(member)
    answer = signed_in(admin).post(path(member, "reset/"))
    assert answer.headers["Location"].startswith("/settings/security/confirm/")
    assert Authenticator.objects.filter(user=member).exists()


def test_an_admin_signs_a_member_out_everywhere(admin: User, member: User) -> None:
    theirs = [by_password(member), by_password(member)]
    assert b"Signed out in 2 places." in signed_in(admin).post(path(member, "end/"), follow=True).content
    assert not any(is_signed_in(client) for client in theirs)


def test_an_admin_does_neither_to_an_owner(admin: User, owner: User) -> None:
    with_app(owner)
    theirs, client = signed_in(owner), by_password(admin)
    for act in ("reset/", "end/"):
        assert b"Only an owner changes an owner." in client.post(path(owner, act), follow=True).content
    assert Authenticator.objects.filter(user=owner).exists()
    assert is_signed_in(theirs)


def test_for_members_these_pages_do_not_exist(member: User, stranger: User) -> None:
    client = by_password(member)
    assert client.get(path(stranger)).status_code == 404
    for act in ("reset/", "end/"):
        assert client.post(path(stranger, act)).status_code == 404


def test_the_operator_can_do_it_from_the_terminal(member: User) -> None:
    with_app(member)
    out = StringIO()
    call_command("reset_second_factors", "MO@example.org", stdout=out)
    assert out.getvalue() == "mo@example.org: removed.\n"
    assert AuditEvent.objects.filter(verb="mfa.removed").latest("number").via == "command"
    with pytest.raises(CommandError):
        call_command("reset_second_factors", "nobody@example.org")


def test_a_new_role_brings_its_day_and_takes_it_away(owner: User, member: User) -> None:
    sign_in_policy.decide(by=owner, roles=["admin"], grace_days=7)
    for role, has_day in (("admin", True), ("member", False)):
        people.change_role(by=owner, person=member, role=role)
        member.refresh_from_db()
        assert (member.second_factor_due is not None) == has_day
