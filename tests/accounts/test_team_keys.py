"""Keys of teams: looked after by their managers and by admins, used by the team's members."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts import actions
from accounts.keys import credentials
from accounts.keys.owners import Owner
from accounts.models import AuditEvent, Credential, Membership, Team, User

from .conftest import GOOD_KEY, PASSWORD, Vendor, signed_in
from .test_own_keys import of_everyone, page, served, stored

LIST = "/keys/"
ENTER = f"{LIST}add/anthropic/api_key/"


@pytest.fixture
def harbour(member: User) -> Team:
    """The member's team."""
    team = Team.objects.create(name="Harbour")
    Membership.objects.create(user=member, team=team)
    return team


@pytest.fixture
def manager(harbour: Team) -> User:
    """Manages Harbour, and no other team."""
    person = actions.create_user(email="mira@example.org", password=PASSWORD, display_name="Mira")
    Membership.objects.create(user=person, team=harbour, role="manager")
    return person


@pytest.fixture
def quarry(owner: User) -> Team:
    """A team that nobody here manages."""
    return Team.objects.create(name="Quarry")


def test_a_manager_enters_a_key_that_serves_the_team(
    manager: User, member: User, stranger: User, harbour: Team, vendor: Vendor
) -> None:
    client = signed_in(manager)
    assert "Your teams’" in page(client, "/settings/keys/")
    assert "There is none yet" in page(client, LIST)
    response = client.post(ENTER, {"secret": GOOD_KEY, "label": "ours", "rotate_by": "2999-12-31"})
    assert response.headers["Location"] == LIST
    key = Credential.objects.get()
    assert (key.team, key.scope) == (harbour, "team")
    assert served(member, harbour) == ["team"]
    assert served(member) == []
    assert served(stranger, harbour) == []
    shown = page(client, LIST)
    assert "Team Harbour" in shown
    assert "ours" in shown
    event = AuditEvent.objects.get(verb="credential.added")
    assert str(harbour.pk) in event.after


def test_members_who_manage_nothing_have_no_such_page(member: User, harbour: Team) -> None:
    client = signed_in(member)
    for path in (LIST, ENTER, f"{LIST}add/"):
        assert client.get(path).status_code == 404
    assert "Your teams" not in page(client, "/settings/keys/")


def test_a_manager_of_two_teams_chooses(manager: User, harbour: Team, quarry: Team, vendor: Vendor) -> None:
    Membership.objects.create(user=manager, team=quarry, role="manager")
    client = signed_in(manager)
    assert "Team Quarry" in page(client, ENTER)
    assert client.post(ENTER, {"secret": GOOD_KEY}).status_code == 422, "whose it is must be said"
    client.post(ENTER, {"secret": GOOD_KEY, "owner": str(quarry.pk)})
    assert Credential.objects.get().team == quarry


@pytest.mark.parametrize("owner_field", ["quarry", "organisation", "nobody"])
def test_a_manager_cannot_give_a_key_to_another_owner(
    manager: User, harbour: Team, quarry: Team, vendor: Vendor, owner_field: str
) -> None:
    other = Team.objects.create(name="Mill")
    Membership.objects.create(user=manager, team=other, role="manager")
    wanted = {"quarry": str(quarry.pk), "organisation": "organisation", "nobody": str(uuid4())}[owner_field]
    response = signed_in(manager).post(ENTER, {"secret": GOOD_KEY, "owner": wanted})
    assert response.status_code == 422
    assert not Credential.objects.exists()
    assert vendor.seen == []


def test_keys_of_another_team_do_not_exist(manager: User, quarry: Team, vendor: Vendor) -> None:
    key, everyones = stored(Owner(team=quarry), label="theirs"), stored(of_everyone())
    client = signed_in(manager)
    assert "theirs" not in page(client, LIST)
    for row in (key, everyones):
        for path in ("replace/", "change/", "revoke/", "check/"):
            assert client.post(f"{LIST}{row.pk}/{path}", {"secret": GOOD_KEY}).status_code == 404
        row.refresh_from_db()
        assert row.state == "active"
    assert vendor.seen == []


def test_a_manager_who_is_demoted_loses_them(manager: User, harbour: Team) -> None:
    key, client = stored(Owner(team=harbour)), signed_in(manager)
    assert client.get(f"{LIST}{key.pk}/change/").status_code == 200
    Membership.objects.filter(user=manager).update(role="member")
    assert client.get(f"{LIST}{key.pk}/change/").status_code == 404
    assert client.post(f"{LIST}{key.pk}/revoke/").status_code == 404


def test_admins_look_after_all_of_them_by_owner(
    owner: User, harbour: Team, quarry: Team, vendor: Vendor
) -> None:
    stored(Owner(team=harbour), label="of-harbour")
    stored(Owner(team=quarry), label="of-quarry")
    stored(of_everyone(), label="of-everyone")
    client = signed_in(owner)
    every = page(client, "/manage/keys/")
    assert all(label in every for label in ("of-harbour", "of-quarry", "of-everyone"))
    one = page(client, f"/manage/keys/?owner={harbour.pk}")
    assert "of-harbour" in one
    assert "of-quarry" not in one
    assert "of-everyone" not in one
    assert "of-harbour" not in page(client, "/manage/keys/?owner=organisation")
    assert "of-harbour" in page(client, "/manage/keys/?owner=nonsense")
    client.post("/manage/keys/add/anthropic/api_key/", {"secret": GOOD_KEY, "owner": str(quarry.pk)})
    assert Credential.objects.get(hint="7731").team == quarry


def test_it_takes_as_many_queries_for_many_keys_as_for_one(
    owner: User, harbour: Team, quarry: Team, django_assert_max_num_queries: Any
) -> None:
    client = signed_in(owner)
    for team in (harbour, quarry):
        for _ in range(4):
            stored(Owner(team=team))
    page(client, "/manage/keys/")
    with django_assert_max_num_queries(10):
        page(client, "/manage/keys/")


def test_a_teams_key_in_trouble_is_not_replaced_by_the_organisations(member: User, harbour: Team) -> None:
    broken = stored(Owner(team=harbour))
    stored(of_everyone())
    credentials.mark_invalid(broken.pk, "The provider refused the key.")
    assert served(member, harbour) == []
    assert "A manager of the team can enter it again." in credentials.blocked_reason(
        member.pk, harbour.pk, "anthropic"
    )
    assert served(member) == ["organisation"]


def test_strangers_are_asked_to_sign_in(owner: User) -> None:
    assert Client().get(LIST).headers["Location"].startswith("/login/")
