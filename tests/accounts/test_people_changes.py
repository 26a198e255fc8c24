"""Roles, teams, and leaving: what each change allows, refuses, and writes into the audit log."""

from __future__ import annotations

import threading

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client

from accounts import actions
from accounts.models import AuditEvent, Membership, User
from accounts.people import people, rules
from accounts.people.rules import NotAllowed

from .conftest import PASSWORD


@pytest.fixture
def admin(owner: User) -> User:
    return actions.create_user(email="adam@example.org", password=PASSWORD, role="admin")


def test_admins_change_members_and_only_owners_change_owners(owner: User, admin: User, member: User) -> None:
    people.change_role(by=admin, person=member, role="admin")
    member.refresh_from_db()
    assert member.role == "admin"
    for by, person, role in [
        (admin, member, "owner"),
        (admin, owner, "member"),
        (admin, admin, "owner"),
        (owner, owner, "member"),
    ]:
        with pytest.raises(NotAllowed):
            people.change_role(by=by, person=person, role=role)
    people.change_role(by=owner, person=member, role="owner")
    last = AuditEvent.objects.newest_first()[0]
    assert (last.verb, last.before, last.after) == (
        "person.role_changed",
        '{"role": "admin"}',
        '{"role": "owner"}',
    )


def test_the_last_owner_stays(owner: User, admin: User) -> None:
    for change in (
        lambda: people.deactivate(by=None, person=owner, via="command"),
        lambda: people.deactivate(by=owner, person=owner),
        lambda: people.deactivate(by=admin, person=owner),
    ):
        with pytest.raises(NotAllowed):
            change()
    owner.refresh_from_db()
    assert owner.is_active


@pytest.mark.services
def test_two_owners_who_demote_each_other_at_once_leave_one(transactional_db: None) -> None:
    first, second = (
        actions.create_user(email=f"{name}@example.org", password=PASSWORD, role="owner") for name in "ab"
    )
    barrier = threading.Barrier(2)

    def go(by: User, person: User) -> None:
        try:
            barrier.wait()
            people.change_role(by=by, person=person, role="member")
        except NotAllowed:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=pair) for pair in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert User.objects.filter(role="owner").count() == 1


def test_a_deactivated_person_is_out_at_once_and_may_come_back(owner: User, member: User) -> None:
    client = Client(headers={"host": "localhost"})
    client.force_login(member)
    people.deactivate(by=owner, person=member)
    assert client.get("/").status_code == 302
    refused = client.post("/login/", {"login": member.email, "password": PASSWORD})
    assert refused.status_code != 302 or "inactive" in refused["Location"]
    people.activate(by=owner, person=member)
    client.force_login(member)
    assert client.get("/").status_code == 200


def test_teams_are_made_named_and_joined(owner: User, member: User) -> None:
    team = people.create_team(by=owner, name="  Design ")
    for name in ("", "design"):
        with pytest.raises(ValidationError):
            people.create_team(by=owner, name=name)
    people.rename_team(by=owner, team=team, name="Form")
    people.put_in_team(by=owner, person=member, team=team, role="member")
    people.put_in_team(by=owner, person=member, team=team, role="manager")
    assert Membership.objects.get().role == "manager"
    assert ("Invite people to Form and manage its keys", "As manager of Form.") in rules.reasons(member)
    people.take_out_of_team(by=owner, person=member, team=team)
    people.take_out_of_team(by=owner, person=member, team=team)
    verbs = [event.verb for event in AuditEvent.objects.order_by("number")][-5:]
    assert verbs == [
        "team.created",
        "team.renamed",
        "membership.changed",
        "membership.changed",
        "membership.ended",
    ]


def test_what_people_say_of_themselves_is_checked(member: User) -> None:
    people.change_profile(person=member, display_name="Mo Farah", timezone="Africa/Cairo")
    for wrong in ({"timezone": "Moon/Crater"}, {"display_name": "x" * 200}):
        with pytest.raises(ValidationError):
            people.change_profile(person=member, **({"display_name": "Mo", "timezone": "UTC"} | wrong))
    member.refresh_from_db()
    assert (member.display_name, member.timezone) == ("Mo Farah", "Africa/Cairo")
