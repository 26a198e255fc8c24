"""Invitations: one link, one person, once; for as long as who invited may still invite."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test import Client

from accounts import actions
from accounts.models import AuditEvent, Invitation, Membership, Team, User
from accounts.people import invitation_lists, invitations, people
from accounts.people.invitations import InvitationGone
from accounts.people.rules import NotAllowed

from .conftest import PASSWORD


def token_of(invited: invitations.Invited) -> str:
    return invited.link.rstrip("/").rpartition("/")[2]


def join(client: Client, link: str, **fields: str) -> Any:
    values = {"display_name": "Ada", "password": PASSWORD} | fields
    return client.post(link, values, headers={"host": "localhost"})


@pytest.fixture
def team(owner: User) -> Team:
    return people.create_team(by=owner, name="Design")


@pytest.fixture
def manager(owner: User, team: Team) -> User:
    person = actions.create_user(email="mia@example.org", password=PASSWORD, display_name="Mia")
    people.put_in_team(by=owner, person=person, team=team, role="manager")
    return person


def test_a_link_makes_the_account_and_signs_in(client: Client, owner: User, team: Team) -> None:
    invited = invitations.invite(by=owner, email="Ada@Example.org", role="admin", team=team)
    page = client.get(invited.link, headers={"host": "localhost"})
    assert "ada@example.org" in page.content.decode() and "Design" in page.content.decode()
    assert page["Referrer-Policy"] == "no-referrer"
    assert join(client, invited.link)["Location"] == "/"
    person = User.objects.get(email="ada@example.org")
    assert (person.role, person.display_name) == ("admin", "Ada")
    assert Membership.objects.get(user=person, team=team).role == "member"
    assert client.get("/usage/", headers={"host": "localhost"}).status_code == 200
    assert token_of(invited) not in str(list(Invitation.objects.values())) + str(
        list(AuditEvent.objects.values())
    )


def test_what_goes_along_is_redeemed_with_the_account(client: Client, owner: User) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []

    def redeem(person: User, grant: dict[str, Any]) -> None:
        heard.append((person.email, grant))

    invitations.when_accepted(redeem)
    try:
        invited = invitations.invite(by=owner, email="ada@example.org", grant={"limit": 5})
        join(client, invited.link)
    finally:
        invitations._redeemers.remove(redeem)
    assert heard == [("ada@example.org", {"limit": 5})]


@pytest.mark.parametrize("ending", ["used", "taken back", "expired", "sent again", "inviter gone", "demoted"])
def test_a_link_that_ended_makes_nothing(client: Client, owner: User, ending: str) -> None:
    by = owner
    if ending in ("inviter gone", "demoted"):
        by = actions.create_user(email="adam@example.org", password=PASSWORD, role="admin")
    invited = invitations.invite(by=by, email="ada@example.org", role="admin")
    now = datetime.now(UTC)
    match ending:
        case "used":
            invitations.accept(token=token_of(invited), display_name="Ada", password=PASSWORD)
        case "taken back":
            invitations.revoke(by=owner, invitation=invited.invitation)
        case "expired":
            now += timedelta(days=8)
        case "sent again":
            invitations.resend(by=owner, invitation=invited.invitation)
        case "inviter gone":
            people.deactivate(by=owner, person=by)
        case "demoted":
            people.change_role(by=owner, person=by, role="member")
    before = User.objects.count()
    with time_machine.travel(now):
        answer = join(client, invited.link)
    assert answer.status_code == 404
    assert "Ask for a new one" in answer.content.decode()
    assert User.objects.count() == before


def test_a_weak_password_leaves_the_link_as_it_is(client: Client, owner: User) -> None:
    invited = invitations.invite(by=owner, email="ada@example.org")
    answer = join(client, invited.link, password="password")
    assert answer.status_code == 422
    assert "too common" in answer.content.decode()
    assert join(client, invited.link).status_code == 302


@pytest.mark.services
def test_of_two_who_open_a_link_at_once_one_gets_the_account(transactional_db: None) -> None:
    owner = actions.create_user(email="olga@example.org", password=PASSWORD, role="owner")
    invited = invitations.invite(by=owner, email="ada@example.org")
    barrier = threading.Barrier(2)
    results: list[str] = []

    def go(name: str) -> None:
        try:
            barrier.wait()
            invitations.accept(token=token_of(invited), display_name=name, password=PASSWORD)
            results.append("made")
        except (InvitationGone, ValidationError) as error:
            results.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=(name,)) for name in ("Ada", "Eve")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results)[-1] == "made" and results.count("made") == 1
    assert User.objects.filter(email="ada@example.org").count() == 1


def test_managers_invite_members_to_their_team_and_nothing_else(
    owner: User, manager: User, member: User, team: Team
) -> None:
    other = people.create_team(by=owner, name="Research")
    assert invitations.invite(by=manager, email="a@example.org", team=team).invitation.role == "member"
    for by, role, where in [
        (manager, "admin", team),
        (manager, "member", other),
        (manager, "member", None),
        (member, "member", team),
        (member, "member", None),
    ]:
        with pytest.raises(NotAllowed):
            invitations.invite(by=by, email="b@example.org", role=role, team=where)
    admin = actions.create_user(email="adam@example.org", password=PASSWORD, role="admin")
    with pytest.raises(NotAllowed):
        invitations.invite(by=admin, email="b@example.org", role="owner")
    assert list(Invitation.objects.for_user(manager)) == list(Invitation.objects.all())
    assert not Invitation.objects.for_user(member).exists()


def test_nobody_gets_a_link_to_more_than_they_may_give(owner: User, manager: User, team: Team) -> None:
    admin = actions.create_user(email="adam@example.org", password=PASSWORD, role="admin")
    for by, role, where in [(manager, "admin", team), (admin, "owner", None)]:
        invited = invitations.invite(by=owner, email=f"{role}@example.org", role=role, team=where)
        with pytest.raises(NotAllowed):
            invitations.resend(by=by, invitation=invited.invitation)
        assert invitations.found(token_of(invited)).role == role
    elsewhere = invitations.invite(by=owner, email="x@example.org")
    with pytest.raises(NotAllowed):
        invitations.invite(by=manager, email="x@example.org", team=team)
    assert invitations.found(token_of(elsewhere))


def test_the_link_goes_by_mail_where_mail_is_set_up(
    settings: Any, owner: User, django_capture_on_commit_callbacks: Any
) -> None:
    settings.EMAIL_CONFIGURED, settings.PUBLIC_URL = True, "https://parley.example.org"
    with django_capture_on_commit_callbacks(execute=True):
        invited = invitations.invite(by=owner, email="ada@example.org")
    (letter,) = mail.outbox
    assert letter.to == ["ada@example.org"]
    assert re.findall(r"https://\S+", letter.body) == [invited.link]
    assert invited.invitation.sent_at is not None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ada@example.org,Design,member", ""),
        ("ADA@example.org", ""),
        ("ada", "This is no address."),
        ("olga@example.org", "has an account"),
        ("ada@example.org,Nowhere", "There is no team “Nowhere”"),
        ("ada@example.org,,king", "There is no role “king”"),
    ],
)
def test_a_list_is_read_before_anybody_is_invited(owner: User, team: Team, line: str, problem: str) -> None:
    (row,) = invitation_lists.read(owner, f"\ufeffemail,team,role\r\n{line}\r\n\r\n".encode())
    assert problem in row.problem and bool(problem) == bool(row.problem)
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(
    "data",
    [b"", b"name,team\na,b", b"\xff\xfe", b"email\n" + b"a@b.org\n" * 501, b'email\n"' + b"x" * 200_001],
)
def test_a_file_that_is_no_list_is_refused_as_a_whole(owner: User, data: bytes) -> None:
    with pytest.raises(invitation_lists.Unreadable):
        invitation_lists.read(owner, data)


def test_a_list_invites_everybody_without_a_problem(owner: User, team: Team) -> None:
    rows = invitation_lists.read(owner, b"email;team;role\na@x.org;Design;admin\nb@x.org;;\nb@x.org;;\n")
    done, failed = invitation_lists.invite_all(owner, rows)
    assert [(one.invitation.email, one.invitation.role) for one in done] == [
        ("a@x.org", "admin"),
        ("b@x.org", "member"),
    ]
    assert not failed and "further up" in rows[2].problem
    with transaction.atomic():
        assert Invitation.objects.count() == 2
