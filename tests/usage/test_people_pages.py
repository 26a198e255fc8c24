"""Manage → People, Teams and Invitations: what admins find and change there, and what managers do."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts import actions
from accounts.models import Invitation, Membership, Team, User
from accounts.people import invitations, people
from usage.models import Budget

from .managing import PASSWORD, page, signed_in
from .managing import admin as admin
from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .spent import spent

NANO = 10**9


@pytest.fixture
def team(owner: User) -> Team:
    return people.create_team(by=owner, name="Design")


@pytest.fixture
def manager(owner: User, team: Team) -> User:
    person = actions.create_user(email="mia@example.org", password=PASSWORD, display_name="Mia")
    people.put_in_team(by=owner, person=person, team=team, role="manager")
    return person


def link_in(text: str) -> str:
    found = re.search(r"http://localhost(/join/[\w-]+/)", text)
    assert found
    return found[1]


def test_everybody_is_listed_with_what_they_used(owner: User, member: User, team: Team) -> None:
    people.put_in_team(by=owner, person=member, team=team, role="member")
    spent(datetime.now(UTC).date(), 3 * NANO, user=member.pk)
    text = page(signed_in(owner), "/manage/people/")
    assert "2 people" in text and "mo@example.org" in text and "$3.00" in text
    assert f"/manage/teams/{team.pk}/" in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=mo@", ["Mo"]),
        ("?role=owner", ["Olga"]),
        ("?state=off", ["Zoe"]),
        ("?state=all&sort=name", ["Mo", "Olga", "Zoe"]),
        ("?q=nobody", []),
        ("?role=king&page=x", ["Mo", "Olga"]),
    ],
)
def test_the_list_is_searched_and_filtered(owner: User, member: User, query: str, found: list[str]) -> None:
    gone = actions.create_user(email="zoe@example.org", password=PASSWORD, display_name="Zoe")
    people.deactivate(by=owner, person=gone)
    text = page(signed_in(owner), f"/manage/people/{query}")
    assert re.findall(r'/manage/people/[0-9a-f-]{36}/"><bdi>(\w+)', text) == found


def test_the_queries_do_not_grow_with_the_people(
    owner: User, team: Team, django_assert_num_queries: Any
) -> None:
    client = signed_in(owner)
    page(client, "/manage/people/")
    for number in range(7):
        person = actions.create_user(email=f"p{number}@example.org", password=PASSWORD)
        people.put_in_team(by=owner, person=person, team=team, role="member")
    with django_assert_num_queries(11):
        page(client, "/manage/people/")


def test_a_persons_page_says_what_they_may_and_why(owner: User, manager: User) -> None:
    text = page(signed_in(owner), f"/manage/people/{manager.pk}/")
    assert "As manager of Design." in text and "Every active account may." in text


def test_roles_and_accounts_are_changed_and_refusals_explained(
    owner: User, admin: User, member: User
) -> None:
    client = signed_in(admin)
    assert client.post(f"/manage/people/{member.pk}/role/", {"role": "admin"}).status_code == 302
    member.refresh_from_db()
    assert member.role == "admin"
    refused = client.post(f"/manage/people/{owner.pk}/role/", {"role": "member"})
    assert refused.status_code == 409 and "Only an owner changes an owner." in refused.content.decode()
    assert client.post(f"/manage/people/{member.pk}/role/", {"role": "king"}).status_code == 409
    client.post(f"/manage/people/{member.pk}/active/", {"active": "0"})
    member.refresh_from_db()
    assert not member.is_active
    client.post(f"/manage/people/{member.pk}/active/", {"active": "1"})
    refused = client.post(f"/manage/people/{admin.pk}/active/", {"active": "0"})
    assert "You cannot do this to yourself." in refused.content.decode()


def test_an_invitation_with_a_budget_becomes_an_account_with_it(owner: User, team: Team) -> None:
    client = signed_in(owner)
    made = client.post(
        "/manage/invitations/new/",
        {"email": "ada@example.org", "role": "member", "team": str(team.pk), "limit": "12.50"},
    )
    link = link_in(made.content.decode())
    assert link not in page(client, "/manage/invitations/")
    stranger = Client(headers={"host": "localhost"})
    joined = stranger.post(link, {"display_name": "Ada", "password": PASSWORD})
    assert joined.status_code == 302
    person = User.objects.get(email="ada@example.org")
    budget = Budget.objects.get(scope="person", scope_id=person.pk)
    assert (budget.limit, budget.period, budget.mode) == (12_500_000_000, "month", "block")
    assert Membership.objects.filter(user=person, team=team).exists()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"email": "ada"}, "Enter a valid email address."),
        ({"email": "olga@example.org"}, "This address has an account already."),
        ({"email": "a@example.org", "limit": "1,000"}, "Enter dollars such as 40 or 12.50"),
        ({"email": "a@example.org", "role": "king"}, "Select a valid choice."),
    ],
)
def test_a_wrong_invitation_is_explained(owner: User, fields: dict[str, str], problem: str) -> None:
    refused = signed_in(owner).post("/manage/invitations/new/", fields)
    assert refused.status_code == 422 and problem in refused.content.decode()
    assert not Invitation.objects.exists()


def test_a_link_is_made_anew_and_taken_back(owner: User) -> None:
    client = signed_in(owner)
    first = invitations.invite(by=owner, email="ada@example.org")
    again = client.post(f"/manage/invitations/{first.invitation.pk}/resend/")
    link = link_in(again.content.decode())
    assert client.get(first.link).status_code == 404 and client.get(link).status_code == 200
    client.post(f"/manage/invitations/{first.invitation.pk}/revoke/")
    assert client.get(link).status_code == 404


def test_a_file_is_shown_before_anybody_is_invited(owner: User, team: Team) -> None:
    client = signed_in(owner)
    text = "email,team,role\na@x.org,Design,member\nbroken,,\nb@x.org,Nowhere,\n"
    shown = client.post("/manage/invitations/many/", {"file": SimpleUploadedFile("p.csv", text.encode())})
    assert "1 person to invite, 2 lines with a problem" in shown.content.decode()
    assert not Invitation.objects.exists()
    done = client.post("/manage/invitations/many/", {"text": text, "sure": "1"})
    assert "a@x.org" in done.content.decode()
    assert [one.email for one in Invitation.objects.all()] == ["a@x.org"]
    assert client.post("/manage/invitations/many/", {"text": "what?"}).status_code == 422


def test_teams_are_made_filled_and_renamed(owner: User, member: User) -> None:
    client = signed_in(owner)
    where = client.post("/manage/teams/", {"name": "Research"})["Location"]
    assert client.post("/manage/teams/", {"name": "research"}).status_code == 422
    client.post(f"{where}people/", {"person": str(member.pk), "role": "manager"})
    assert Membership.objects.get().role == "manager"
    assert client.post(f"{where}people/", {"person": "x", "role": "member"}).status_code == 409
    client.post(f"{where}rename/", {"name": "R&D"})
    assert "R&amp;D" in page(client, where)
    client.post(f"{where}people/out/", {"person": str(member.pk)})
    assert not Membership.objects.exists()


def test_a_manager_keeps_their_own_team_and_finds_no_other(
    owner: User, manager: User, member: User, team: Team
) -> None:
    other = people.create_team(by=owner, name="Research")
    people.put_in_team(by=owner, person=member, team=team, role="member")
    client = signed_in(manager)
    assert "Research" not in page(client, "/manage/teams/")
    text = page(client, f"/manage/teams/{team.pk}/")
    assert "mo@example.org" in text and "Rename" not in text
    page(client, f"/manage/teams/{other.pk}/", 404)
    assert client.post(f"/manage/teams/{other.pk}/people/out/", {"person": str(member.pk)}).status_code == 404
    assert client.post("/manage/teams/", {"name": "Mine"}).status_code == 404
    elsewhere = invitations.invite(by=owner, email="x@example.org", team=other)
    assert client.post(f"/manage/invitations/{elsewhere.invitation.pk}/revoke/").status_code == 404
    made = client.post("/manage/invitations/new/", {"email": "n@example.org", "team": str(team.pk)})
    assert link_in(made.content.decode())
    refused = client.post("/manage/invitations/new/", {"email": "m@example.org", "team": str(other.pk)})
    assert refused.status_code == 422
    itself = client.post(f"/manage/teams/{team.pk}/people/out/", {"person": str(manager.pk)})
    assert itself.status_code == 409
    client.post(f"/manage/teams/{team.pk}/people/out/", {"person": str(member.pk)})
    assert list(Membership.objects.values_list("user", flat=True)) == [manager.pk]
