"""Ids, names and addresses, and who may see whom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import actions
from accounts.ids import uuid7
from accounts.models import AccessToken, Credential, Membership, Organisation, Team, User
from accounts.names import clean_name
from providers.access import Secret

from .conftest import PASSWORD


def test_ids_are_version_7_and_rise() -> None:
    ids = [uuid7() for _ in range(2000)]
    assert ids == sorted(set(ids))
    assert {(made.version, made.variant) for made in ids} == {(7, "specified in RFC 4122")}


def test_ids_made_in_many_threads_are_all_different() -> None:
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda _: uuid7(), range(4000)))
    assert len(set(ids)) == 4000


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Ana\tMaria\n", "Ana Maria"),
        ("a\u202eb\u2066c\u200bd\ufeff", "abcd"),
        ("می\u200cروم", "می\u200cروم"),
        ("x" * 10_000, "x" * 80),
        ("Zoe\u0308", "Zo\u00eb"),
        ("\ud800\x00", ""),
    ],
)
def test_names_are_kept_on_one_line_without_hidden_characters(typed: str, kept: str) -> None:
    assert clean_name(typed) == kept


@pytest.mark.parametrize(
    ("name", "display", "initial"),
    [("Olga Berg", "Olga Berg", "O"), ("", "ana", "A"), ("«ßeta»", "«ßeta»", "S"), ("…", "…", "?")],
)
def test_a_person_is_shown_by_name_and_initial(name: str, display: str, initial: str) -> None:
    person = User(email="ana@example.org", display_name=name)
    assert (person.display, person.initial) == (display, initial)


def test_an_address_is_one_account_in_any_case(owner: User) -> None:
    with pytest.raises(ValidationError, match="is an account"):
        actions.create_user(email="OLGA@EXAMPLE.ORG", password=PASSWORD)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.bulk_create([User(email="OLGA@example.org")])


def test_there_is_one_organisation(owner: User) -> None:
    for only in (True, False):
        with pytest.raises(IntegrityError), transaction.atomic():
            Organisation.objects.create(name="Second", only=only)


def test_a_time_zone_must_exist(owner: User) -> None:
    owner.timezone = "Mars/Olympus"
    with pytest.raises(ValidationError, match="time zone"):
        owner.full_clean()


def test_each_sees_the_people_and_teams_that_are_theirs(owner: User, member: User, stranger: User) -> None:
    harbour, tower = Team.objects.create(name="Harbour"), Team.objects.create(name="Tower")
    colleague = actions.create_user(email="cy@example.org", password=PASSWORD)
    for person in (member, colleague):
        Membership.objects.create(user=person, team=harbour)
    assert set(User.objects.for_user(owner)) == {owner, member, stranger, colleague}
    assert set(User.objects.for_user(member)) == {member, colleague}
    assert set(User.objects.for_user(stranger)) == {stranger}
    assert set(Team.objects.for_user(owner)) == {harbour, tower}
    assert set(Team.objects.for_user(member)) == {harbour}
    assert set(Team.objects.for_user(stranger)) == set()
    assert Membership.objects.for_user(member).count() == 2


def test_a_manager_changes_the_keys_of_their_own_team_only(owner: User, member: User, stranger: User) -> None:
    harbour, tower = Team.objects.create(name="Harbour"), Team.objects.create(name="Tower")
    Membership.objects.create(user=member, team=harbour, role="manager")
    Membership.objects.create(user=member, team=tower)
    owners = [
        {"team": harbour},
        {"team": tower},
        {"person": member},
        {"organisation": Organisation.objects.get()},
    ]
    keys = [
        Credential.objects.create(provider="anthropic", base_url="", secret=Secret("some-key"), **one)
        for one in owners
    ]
    assert set(Credential.objects.for_user(member)) == {keys[0], keys[2]}
    assert set(Credential.objects.for_user(stranger)) == set()
    assert set(Credential.objects.for_user(owner)) == {keys[0], keys[1], keys[3]}


def test_a_demoted_or_deactivated_admin_loses_the_rights_at_once(owner: User) -> None:
    owner.role = User.Role.MEMBER
    assert not owner.is_admin
    owner.role, owner.is_active = User.Role.OWNER, False
    assert not owner.is_admin
    assert not Credential.objects.for_user(owner).exists()


def test_a_token_is_usable_until_it_expires_is_revoked_or_its_owner_leaves(member: User) -> None:
    now = timezone.now()
    token = AccessToken.objects.create(user=member, name="ci", prefix="pk-ab", sha256=AccessToken.digest("x"))
    assert AccessToken.objects.usable().get() == token
    assert not AccessToken.objects.filter(expires_at=None).usable().filter(user__is_active=False).exists()
    AccessToken.objects.update(expires_at=now - timedelta(seconds=1))
    assert not AccessToken.objects.usable(now).exists()
    AccessToken.objects.update(expires_at=None, revoked_at=now)
    assert not AccessToken.objects.usable().exists()
    AccessToken.objects.update(revoked_at=None)
    User.objects.update(is_active=False)
    assert not AccessToken.objects.usable().exists()


def test_a_token_is_stored_as_its_hash_only(member: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        AccessToken.objects.create(user=member, name="ci", prefix="pk-ab", sha256="the token itself")
